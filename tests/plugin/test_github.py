"""GitHub Actions: failing tests on their lines, and the summary of the step, once whoever ran the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ALONE = ("-p", "no:pytest_github_actions_annotate_failures")
MODEL = """

@pytest.mark.parametrize('n', [1])
@parity(tol_db=0.01)
def test_model(stages, n):
    stages['mel'] = np.arange(1.0, 10) * {value}


def test_fine(stages): stages['mel'] = np.full(9, 1.0)
def test_other(): pass
def test_not_ours(): assert {value} == 1.0
"""


@pytest.fixture
def github(project, monkeypatch, tmp_path):
    """Give a project in a folder of a repository, whose test_model fails, in an environment as GitHub has it."""
    project.write(MODEL.format(value=1.0), "tests/test_model.py")
    project.ini()
    assert project.run("--update-golden").ret == 0
    project.write(MODEL.format(value=2.0), "tests/test_model.py")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.path.parent))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "summary.md"))
    return project


def summary_of(project):
    path = project.path / "summary.md"
    return path.read_text(encoding="utf-8") if path.exists() else None


def commands(result):
    return [line for line in result.outlines if line.startswith("::")]


@pytest.mark.parametrize("flags", [(), ("-q", "-n2")])
def test_a_failure_is_annotated_on_the_line_of_its_definition_and_listed(github, flags):
    """One error with the path from the top of the repository; one row of the summary; other tests are not ours."""
    result = github.run_apart(*ALONE, *flags)
    (line,) = commands(result)
    (place,) = (n for n, text in enumerate((github.path / "tests/test_model.py").read_text().splitlines(), 1)
                if "def test_model" in text)  # fmt: skip
    file = f"{github.path.name}/tests/test_model.py"
    assert line.startswith(f"::error file={file},line={place},title=stage 'mel' is off by 6.02 dB%2C allowed 0.01 dB::")
    assert "tests/test_model.py::test_model[1]" in line
    assert "finding: gain" in line
    summary = summary_of(github)
    assert summary.count("### audioparity: 1 of 2 parity tests failed") == 1
    assert summary.count("<code>mel</code> | 6.02 dB |") == 1
    assert "test_not_ours" not in summary


def test_a_run_that_passes_appends_one_line_and_annotates_nothing(github):
    """What other commands of the step wrote before stays."""
    (github.path / "summary.md").write_text("# before\n")
    github.write(MODEL.format(value=1.0), "tests/test_model.py")
    assert commands(github.run(*ALONE)) == []
    assert summary_of(github) == "# before\n**audioparity**: 2 parity tests, none failed\n\n"


@pytest.mark.parametrize(
    ("source", "flags", "why"),
    [
        ("def test_late(stages): pytest.exit('no')", (), "the run was interrupted"),
        ("import nowhere", ("--continue-on-collection-errors",), "collection failed: tests/test_z.py"),
    ],
)
def test_a_run_that_did_not_come_to_its_end_is_not_called_well(github, source, flags, why):
    """No test has failed, and yet nobody is told that none would: the summary says what is missing."""
    github.write(MODEL.format(value=1.0), "tests/test_model.py")
    github.write(source, "tests/test_z.py")
    github.run(*flags)
    text = summary_of(github)
    assert "none failed" not in text
    assert why in text.replace("&#95;", "_")


def test_a_worker_that_crashed_is_told_by_its_test(github):
    """What pytest-xdist says comes without the worker's version and path of Python."""
    github.write("import os\ndef test_model(stages): os._exit(3)", "tests/test_model.py")
    github.run_apart("-n1")
    text = summary_of(github)
    assert "crashed while running" in text
    assert "Not all was tested: a worker process crashed" in text
    assert "Python 3" not in text


def test_outside_of_github_nothing_is_said(github, monkeypatch):
    """Another value of the variable is not GitHub; neither is a step that empties it, which is how to be left alone."""
    for value in ("false", ""):
        monkeypatch.setenv("GITHUB_ACTIONS", value)
        assert commands(github.run(*ALONE)) == []
    assert summary_of(github) is None


def test_a_run_without_parity_tests_says_nothing(github):
    """Neither does one that only collects."""
    assert commands(github.run(*ALONE, "-k", "not_ours")) == []
    assert commands(github.run(*ALONE, "--collect-only")) == []
    assert summary_of(github) is None


def test_where_another_plugin_annotates_every_failure_ours_is_silent(github):
    """pytest-github-actions-annotate-failures has its line for the test, and the summary is still written."""
    result = github.run_apart()
    lines = [line for line in (*result.outlines, *result.errlines) if line.startswith("::error")]
    assert len(lines) == 2  # it knows no parity tests, so test_not_ours has one too
    assert not any("title=" in line for line in lines)
    assert "1 of 2 parity tests failed" in summary_of(github)


@pytest.mark.parametrize("flags", [(), ("-n1",)])
def test_tests_that_fail_otherwise_are_announced_by_what_pytest_says(github, flags):
    """An exception, a mark without stages and a broken fixture fail parity tests too; a rerun that passes does not."""
    github.write(
        """
        from pathlib import Path
        @pytest.fixture
        def broken(): raise OSError('no weights: 100%')
        def test_raises(stages): stages['x'] = 1.0; raise ValueError('no|pe')
        @parity
        def test_records_nothing(): pass
        def test_setup(stages, broken): pass
        def test_flaky(stages):
            path = Path(__file__).with_name('attempts')
            path.touch() if (first := not path.exists()) else None
            stages['x'] = 1.0 if first else [1.0, 2.0]
            assert not first
        @pytest.mark.xfail
        def test_xfail(stages): assert 0
        """,
        "tests/test_more.py",
    )
    result = github.run_apart(*ALONE, *flags, "--reruns=1", "tests/test_more.py")
    said = "\n".join(commands(result))
    assert said.count("::error") == 4
    for words in ("ValueError%3A no|pe", "records nothing", "no weights%3A 100%25", "test_flaky"):
        assert words in said
    assert "xfail" not in said
    assert "| <code>tests/test_more.py::test_raises</code> |" in summary_of(github)
    assert "4 of 5 parity tests failed" in summary_of(github)


def test_a_summary_that_cannot_be_written_or_has_no_room_is_a_warning(github, monkeypatch):
    """The run ends as it would without it."""
    full = github.path / "summary.md"
    full.write_bytes(b"x" * (1024 * 1024 - 5))
    github.write(MODEL.format(value=1.0), "tests/test_model.py")
    result = github.run(*ALONE)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["warning: the summary of the step has no room for the parity tests"])
    assert full.stat().st_size == 1024 * 1024 - 5
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(github.path / "nowhere" / "summary.md"))
    result = github.run(*ALONE)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["warning: the summary of the step cannot be written: No such file or directory"])


def test_goldens_that_change_are_listed(github):
    """An update in CI, and one that is only planned, stand in the summary as in the terminal."""
    github.run(*ALONE, "--update-golden", "--golden-plan")
    assert "    would update golden/tests/test_model/test_model-1.safetensors" in summary_of(github)
    github.run(*ALONE, "--update-golden")
    assert "    updated golden/tests/test_model/test_model-1.safetensors" in summary_of(github)
    assert "      mel: old -> new 6.02 dB" in summary_of(github)


def test_a_link_to_the_checkout_and_a_folder_outside_of_it(github, monkeypatch, tmp_path_factory):
    """The path is found through a link; a test outside of the repository has no place in it."""
    link = tmp_path_factory.mktemp("links") / "workspace"
    link.symlink_to(github.path, target_is_directory=True)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(link))
    (line,) = commands(github.run(*ALONE))
    assert line.startswith("::error file=tests/test_model.py,")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(link.parent))
    (line,) = commands(github.run(*ALONE))
    assert line.startswith("::error title=")


def test_no_command_of_the_summary_is_unknown(github, monkeypatch):
    """The commands that the summary shows work on what a job leaves."""
    monkeypatch.setenv("GITHUB_RUN_ID", "77")
    github.run(*ALONE)
    shown = [line.strip() for line in summary_of(github).splitlines() if line.startswith("    ")]
    assert "gh run download 77 --dir parity" in shown
    (github.path / "parity" / "job").mkdir(parents=True)
    (github.path / ".audioparity").rename(github.path / "parity" / "job" / ".audioparity")
    command = next(line for line in shown if line.startswith("audioparity golden pending"))
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path}
    result = subprocess.run(command, shell=True, cwd=github.path, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert "mel" in result.stdout
