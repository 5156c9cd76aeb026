"""`audioparity init`: a first test that really runs, in repositories of every kind, where nothing of theirs changes."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest

from pytest_audioparity.cli import main
from pytest_audioparity.cli.samples import runtimes_of
from pytest_audioparity.project import parse_toml
from tests.cli.permissions import AS_ANYBODY

FIRST, NAME = "tests/test_parity.py", "tests/test_parity/test_pipeline"
GOLDEN = f"golden/{NAME}.safetensors"


class Repository:
    """A folder, and what a user does in it."""

    def __init__(self, root, capsys, monkeypatch):
        self.root, self._capsys, self._monkeypatch = root, capsys, monkeypatch
        self.enter(root)

    def enter(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self._monkeypatch.chdir(folder)

    def write(self, name, text):
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_bytes(text.encode())

    def init(self, *arguments):
        assert main(["init", *arguments]) == 0
        captured = self._capsys.readouterr()
        assert captured.err == ""
        return captured.out

    def wrong(self, *arguments):
        """Run init where it cannot do anything; return its one line."""
        before = self.files()
        assert main(["init", *arguments]) == 2
        captured = self._capsys.readouterr()
        assert (captured.out, captured.err.count("\n")) == ("", 1)
        assert self.files() == before
        return captured.err

    def files(self):
        paths = sorted(path for path in self.root.rglob("*") if path.is_file() and ".git" not in path.parts)
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in paths}

    def pytest(self, *arguments):
        command = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", "-p", "no:cacheprovider", *arguments]
        return subprocess.run(command, capture_output=True, text=True, encoding="utf-8")

    def collected(self, *arguments):
        """Return the tests that pytest finds here, by their ids."""
        done = self.pytest("--collect-only", "-q", *arguments)
        return [line for line in done.stdout.splitlines() if "::" in line]


@pytest.fixture
def repository(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return Repository(tmp_path / "mein Projekt ü", capsys, monkeypatch)


def commands(text):
    """Return what init says to type next, without the name of the program."""
    return [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("  pytest")]


def test_the_three_commands_show_what_init_says_of_them(repository):
    """In an empty folder with a space and an umlaut: fail, write, pass; then a fault is found where it was planted."""
    first, second, third = commands(repository.init())
    missing = repository.pytest(*first)
    assert missing.returncode == 1
    assert f"golden {GOLDEN} does not exist" in missing.stdout
    assert "accept: pytest tests/test_parity.py::test_pipeline --update-golden" in missing.stdout
    updated = repository.pytest(*second)
    assert (updated.returncode, (repository.root / GOLDEN).is_file()) == (0, True), updated.stdout
    passed = repository.pytest(*third)
    assert (passed.returncode, "1 passed" in passed.stdout) == (0, True), passed.stdout

    text = (repository.root / FIRST).read_text()
    planted = text.replace("np.abs(np.fft.rfft(frames)) ** 2", "2 * np.abs(np.fft.rfft(frames)) ** 2")
    assert planted != text
    repository.write(FIRST, planted)
    failed = repository.pytest()
    assert failed.returncode == 1
    assert "bands (first divergence)" in failed.stdout
    assert re.findall(r"^(\w+) .* (ok|FAIL|inh\.)<?$", failed.stdout, re.MULTILINE) == [
        ("waveform", "ok"),
        ("frames", "ok"),
        ("bands", "FAIL"),
        ("projection", "inh."),
    ]
    assert "finding    : offset" in failed.stdout


OPTIONS = {
    "pytest.ini": "[pytest]\n{}\n",
    ".pytest.ini": "[pytest]\n{}\n",
    "tox.ini": "[testenv]\ndeps = x\n[pytest]\n{}\n",
    "setup.cfg": "[metadata]\nname = x\n[tool:pytest]\n{}\n",
    "pyproject.toml": "[tool.pytest.ini_options]\n{}\n",
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_that_are_there_stay_and_are_followed(repository, name):
    """The test goes where they say, under a name that they collect, and they stay as they are to the byte."""
    values = {"testpaths": "checks", "python_files": "*_checks.py", "python_functions": "check_"}
    values["audioparity_golden_dir"] = "data/goldens"
    quote = '"' if name.endswith(".toml") else ""
    options = "\n".join(f"{key} = {quote}{value}{quote}" for key, value in values.items())
    repository.write(name, OPTIONS[name].format(options))
    before = repository.files()
    text = repository.init()
    assert f"{name} has pytest's options already, and was left as it is" in text
    assert "data/goldens/checks/parity_checks/check_pipeline.safetensors; commit it" in text
    after = repository.files()
    assert {key: after[key] for key in before} == before
    assert set(after) - set(before) == {"checks/parity_checks.py"}
    assert repository.collected() == ["checks/parity_checks.py::check_pipeline"]


@pytest.mark.parametrize(
    "before",
    [
        '[project]\nname = "x"  # stays\n',
        "",
        '[project]\nname = "x"',
        '[project]\r\nname = "x"\r\n',
        "[tool.ruff]\nline-length = 120\n\n[tool]\n",
    ],
)
def test_a_project_file_without_options_gets_a_table_at_its_end(repository, before):
    """Every byte that was there stays in its place, also in a file without a last line break or with those of DOS."""
    repository.write("pyproject.toml", before)
    repository.init()
    after = (repository.root / "pyproject.toml").read_bytes().decode()
    assert after.startswith(before)
    assert parse_toml(after)["tool"]["pytest"] == {"ini_options": {"audioparity_golden_dir": "golden"}}
    assert ("\r\n" in before) == ("\r\n" in after)
    assert after.count("\r\n") in (0, after.count("\n"))
    assert "pytest.ini" not in repository.files()
    assert repository.collected() == ["tests/test_parity.py::test_pipeline"]


@pytest.mark.parametrize("before", ["tool = {ruff = {line-length = 120}}\n", "[project\n"])
def test_a_project_file_that_cannot_take_a_table_is_left_alone(repository, before):
    """An inline table takes no more; the lines are said. A file that is no TOML is one line, and nothing is written."""
    repository.write("pyproject.toml", before)
    if before.startswith("tool"):
        assert "add these lines to pyproject.toml:\n[tool.pytest.ini_options]\n" in repository.init()
    else:
        assert "pyproject.toml cannot be read" in repository.wrong()
    assert repository.files()["pyproject.toml"].decode() == before


def test_a_project_file_that_is_a_link_is_not_replaced(repository, tmp_path):
    """What a link points to may be shared."""
    (tmp_path / "shared.toml").write_text('[project]\nname = "x"\n')
    (repository.root / "pyproject.toml").symlink_to(tmp_path / "shared.toml")
    assert "add these lines to pyproject.toml" in repository.init()
    assert (repository.root / "pyproject.toml").is_symlink()
    assert (tmp_path / "shared.toml").read_text() == '[project]\nname = "x"\n'


def test_what_is_there_is_never_overwritten(repository):
    """A second call, a file and even a link to nowhere of that name: nothing is written, one line says what to do."""
    repository.init()
    assert "tests/test_parity.py is there already, and nothing was written; move it away" in repository.wrong()
    (repository.root / FIRST).unlink()
    (repository.root / FIRST).symlink_to(repository.root / "nowhere")
    assert "is there already" in repository.wrong()


def test_a_dry_run_writes_nothing(repository):
    """It says the same with other words."""
    said = repository.init("--dry-run")
    assert "would write tests/test_parity.py" in said
    assert repository.files() == {}
    assert repository.init().replace("wrote", "would write") == said


def test_a_tests_folder_that_leads_out_of_the_project_is_refused(repository, tmp_path):
    """Nothing is written outside the root, wherever a link leads."""
    (tmp_path / "elsewhere").mkdir()
    (repository.root / "tests").symlink_to(tmp_path / "elsewhere")
    assert "tests leads out of the project" in repository.wrong()
    (repository.root / "tests").unlink()
    repository.write("pytest.ini", "[pytest]\ntestpaths = ../elsewhere\n")
    assert "leads out of the project" in repository.wrong()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("testpaths = a*b", "testpaths names no folder"),
        ("testpaths = x.py", "testpaths names no folder"),
        ("python_files = a-*.py", "no name fits"),
        ("testpaths = a**b", "testpaths names no folder"),
        ('python_files = "test_*.py', "python_files cannot be read: No closing quotation"),
    ],
)
def test_options_that_leave_no_place_for_a_test_are_said(repository, options, problem):
    """Instead of a test that pytest would never find."""
    repository.write("pytest.ini", f"[pytest]\n{options}\n")
    assert problem in repository.wrong()


@pytest.mark.parametrize("testpaths", [".", "./tests", "{root}/tests", "none/../tests", "t**"])
def test_testpaths_of_any_form_are_followed(repository, testpaths):
    """What pytest takes, the folder itself and a whole path too, is the place of the test."""
    (repository.root / "tests").mkdir()
    repository.write("pytest.ini", f"[pytest]\ntestpaths = '{testpaths.format(root=repository.root.as_posix())}'\n")
    assert GOLDEN in repository.init()
    assert FIRST in repository.files()
    assert repository.collected(FIRST) == [f"{FIRST}::test_pipeline"]


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_something_else_in_the_place_of_the_project_file(repository, kind):
    """A folder, or a link that leads nowhere: nothing is written, and one line says what is wrong."""
    path = repository.root / "pyproject.toml"
    path.mkdir() if kind == "folder" else path.symlink_to("nowhere")
    assert "pyproject.toml is no file" in repository.wrong()


def test_a_folder_may_have_any_name(repository):
    """Not even one that is a word of our template changes the name of the golden."""
    repository.write("pytest.ini", "[pytest]\ntestpaths = TESTS\n")
    repository.init()
    assert 'golden="TESTS/test_parity/test_pipeline"' in repository.files()["TESTS/test_parity.py"].decode()


def test_a_file_where_the_folder_should_be(repository):
    """It is no place for a test."""
    repository.write("tests", "")
    assert "tests is no folder" in repository.wrong()


def test_a_folder_that_is_read_only_is_one_line(repository):
    """Permission is asked of the file system, and its answer is passed on."""
    repository.root.chmod(0o555)
    code = f"{AS_ANYBODY}\nfrom pytest_audioparity.cli import main; sys.exit(main(['init']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    repository.root.chmod(0o755)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "audioparity init: pytest.ini cannot be written: Permission denied\n"
    assert repository.files() == {}


@pytest.mark.parametrize("layout", ["src", "nested", "test"])
def test_layouts_of_repositories(repository, layout):
    """Started in a folder of the project, the test lands in the tests of its root, and commands fit where one is."""
    repository.write("pyproject.toml", '[project]\nname = "x"\n\n[tool.pytest.ini_options]\npythonpath = ["src"]\n')
    if layout == "test":
        repository.write("test/__init__.py", "")
    inner = {"src": repository.root / "src" / "x", "nested": repository.root / "pkg" / "x", "test": repository.root}
    repository.enter(inner[layout])
    said = repository.init()
    folder = "test" if layout == "test" else "tests"
    assert f"{folder}/test_parity.py" in repository.files()
    first, *_ = commands(said)
    assert repository.collected(*first)[0].endswith(f"{folder}/test_parity.py::test_pipeline")
    assert f"golden/{folder}/test_parity/test_pipeline.safetensors" in said


def test_another_root_can_be_named(repository):
    """As all commands on a project take it."""
    repository.enter(repository.root / "a")
    repository.write("b/pyproject.toml", "")
    assert commands(repository.init("--root", "../b"))[0] == ["../b/tests/test_parity.py"]
    assert set(repository.files()) == {"b/pyproject.toml", "b/tests/test_parity.py"}
    assert "there is no such folder" in repository.wrong("--root", "../c")


def test_goldens_that_git_would_not_keep_are_said(repository):
    """Many repositories ignore all weights; the line that init proposes lets goldens, and only goldens, through."""
    git = ["git", "-C", str(repository.root)]
    subprocess.run([*git, "init", "-q"], check=True)
    assert "git ignores" not in repository.init("--dry-run")
    repository.write(".gitignore", "*.safetensors\n")
    said = repository.init()
    line = re.search(r"git ignores goldens .*\n  add this line to \.gitignore: (\S+)", said)[1]
    repository.write(".gitignore", f"*.safetensors\n{line}\n")
    ignored = [subprocess.run([*git, "check-ignore", "-q", name]).returncode == 0 for name in (GOLDEN, "w.safetensors")]
    assert ignored == [False, True]


@pytest.mark.parametrize(
    ("files", "runtimes"),
    [
        ({}, []),
        ({"pyproject.toml": '[project]\ndependencies = ["torch>=2", "numpy"]\n'}, ["torch"]),
        ({"pyproject.toml": '[project]\ndependencies = ["torchvision", "mytorch"] # torch\n'}, []),
        ({"requirements-dev.txt": "onnxruntime==1.20\nmlx[cpu]\n"}, ["mlx", "onnx"]),
        ({"setup.py": "setup(install_requires=['torch'])", "rust/Cargo.toml": ""}, ["torch", "rust"]),
        ({"go.mod": "", "ios/Package.swift": "", ".venv/Cargo.toml": ""}, ["swift", "go"]),
        ({"models/encoder.onnx": ""}, ["onnx"]),
    ],
)
def test_runtimes_are_told_by_what_a_repository_asks_for_and_has(repository, files, runtimes):
    """Packages count by their whole name, files in the root directory and one folder below it."""
    for name, text in files.items():
        repository.write(name, text)
    assert runtimes_of(repository.root) == runtimes


def uncommented(text):
    """Return the file with the ports below it made code."""
    head, sign, tail = text.partition("\n# A port compares")
    lines = f"{sign}{tail}".splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("# @parity"))
    return head + "\n".join(line.removeprefix("# ").removeprefix("#") for line in lines[at:]) + "\n"


def test_every_port_is_code_once_its_comment_signs_are_gone(repository):
    """All six compile, and pytest collects them as ports of the golden."""
    for name in ("Package.swift", "Cargo.toml", "go.mod"):
        repository.write(name, "")
    repository.write("requirements.txt", "torch\nmlx\nonnx\n")
    repository.init()
    text = (repository.root / FIRST).read_text()
    assert text.isascii()
    assert max(map(len, text.splitlines())) < 80
    repository.write(FIRST, uncommented(text))
    found = [test.partition("::test_pipeline")[2] for test in repository.collected()]
    assert found == ["", "_torch", "_mlx", "_onnx", "_swift", "_rust", "_go"]


def test_the_port_of_a_file_works_as_it_is_proposed(repository):
    """A dump in which one stage has another name passes, one with a fault fails in that stage."""
    dump = """
import numpy as np
from safetensors.numpy import load_file, save_file
stages = load_file("{golden}")
stages["h"] = stages.pop("frames") * np.float32({gain})
save_file(stages, "dump.safetensors")
"""
    repository.init()
    repository.write(FIRST, uncommented((repository.root / FIRST).read_text()))
    assert repository.pytest("-k", "not port", "--update-golden").returncode == 0
    outputs = []
    for gain in (1.0, 1.5):
        exec(dump.format(golden=GOLDEN, gain=gain), {})
        outputs.append(repository.pytest("-k", "port"))
    assert [done.returncode for done in outputs] == [0, 1]
    assert "stage 'frames' is off by 3.52 dB" in outputs[1].stdout
