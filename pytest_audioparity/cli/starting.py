"""The command `init`: a first test and the ini lines in a repository, and what to do next.

Nothing that is there is overwritten or written anew: a file of options is only ever added to at its end, and only where
pytest has none yet.
"""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_audioparity.cli.terminal import PASSED, add_examples, say
from pytest_audioparity.errors import AudioparityError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from pytest_audioparity.project import Project

_INI = "[pytest]\naudioparity_golden_dir = golden\n"
_TOML = '\n[tool.pytest.ini_options]\naudioparity_golden_dir = "golden"\n'
# pytest's own defaults of what is a test.
_FILES, _FUNCTIONS = ["test_*.py", "*_test.py"], ["test"]
_FOLDERS = ("tests", "test")
_GLOB = "*?["


@dataclass(frozen=True, slots=True)
class _Addition:
    """A file that is to be written: all of its new content, and what is there now."""

    path: Path
    content: bytes
    before: bytes | None
    said: str


def add_init(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `init`."""
    parser.description = (
        "Write a first parity test that runs as it stands, and where pytest has no options yet, the ini lines that "
        "say where the project's root and its goldens are. Nothing that is there is changed."
    )
    parser.add_argument("--root", metavar="DIR", help="the project's root directory (default: found from here upwards)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")
    add_examples(
        parser,
        "init",
        "init --dry-run",
        "init --root packages/decoder",
    )
    parser.set_defaults(run=_init)


def _init(parsed: argparse.Namespace) -> int:
    from pytest_audioparity.golden.names import SUFFIX, golden_name, shown_path
    from pytest_audioparity.project import find_project, read_options

    project = find_project(Path.cwd(), root=parsed.root)
    options = read_options(project.root)
    file, test = _place(project.root, {} if options is None else options[1])
    golden = golden_name(f"{shown_path(file, project.root).as_posix()}::{test}")
    additions, notes = _ini_lines(project.root, None if options is None else options[0])
    additions.append(_first_test(project.root, file, test, golden))
    for addition in additions:
        if not parsed.dry_run:
            _write(addition)
        verb = "would write" if parsed.dry_run else "wrote"
        say(f"{verb} {_shown(addition.path)}: {addition.said}")
    path = project.golden_dir / f"{golden}{SUFFIX}"
    if rule := _ignored(path, project):
        kept = f"!/{shown_path(project.golden_dir, project.root).as_posix()}/**"
        notes.append(f"git ignores goldens ({rule});\n  add this line to {_shown(project.root / '.gitignore')}: {kept}")
    say("\n".join([*notes, *_way_on(file, path)]))
    return PASSED


def _place(root: Path, options: Mapping[str, Any]) -> tuple[Path, str]:
    """Choose a file and a test function that pytest collects with a project's options."""
    folder = _test_folder(root, _words(options, "testpaths", []))
    files = _words(options, "python_files", _FILES)
    name = next((name for name in ("test_parity.py", "parity_test.py") if _fits(name, files)), None)
    name = name or files[0].rpartition("/")[2].replace("*", "parity")
    functions = _words(options, "python_functions", _FUNCTIONS)
    prefix = next((text for text in functions if not any(sign in text for sign in _GLOB)), None)
    test = "test_pipeline" if _fits("test_pipeline", [*functions, *(f"{text}*" for text in functions)]) else None
    test = test or (f"{prefix.rstrip('_')}_pipeline" if prefix else functions[0].replace("*", "pipeline"))
    if not (name.endswith(".py") and name[:-3].isidentifier() and test.isidentifier()):
        raise AudioparityError(f"no name fits the ini options python_files and python_functions: {name}, {test}")
    return folder / name, test


def _test_folder(root: Path, testpaths: list[str]) -> Path:
    """Return the folder for a new test: the first of testpaths, else the usual one, and never one outside the root."""
    # Path.glob refuses ".", "/x" and "a**", which pytest takes.
    matches = (glob.glob(pattern, root_dir=root, recursive=True) for pattern in testpaths)  # noqa: PTH207
    found = [root / match for some in matches for match in sorted(some) if (root / match).is_dir()]
    plain = [root / text for text in testpaths if not any(sign in text for sign in _GLOB) and not text.endswith(".py")]
    folder = Path(os.path.normpath(next(iter([*found, *plain]), root)))
    if testpaths and not (found or plain):
        raise AudioparityError(
            f"the ini option testpaths names no folder ({' '.join(testpaths)}); add one for the test"
        )
    if folder.resolve() == root.resolve():
        folder = root / next((name for name in _FOLDERS if (root / name).is_dir()), _FOLDERS[0])
    if not folder.resolve().is_relative_to(root.resolve()):
        raise AudioparityError(f"{_shown(folder)} leads out of the project to {folder.resolve()}; nothing was written")
    if os.path.lexists(folder) and not folder.is_dir():
        raise AudioparityError(f"{_shown(folder)} is no folder, so no test can be in it; move it away")
    return folder


def _words(options: Mapping[str, Any], name: str, default: list[str]) -> list[str]:
    value = options.get(name, default)
    try:
        words = shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        raise AudioparityError(f"the ini option {name} cannot be read: {error}") from None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise AudioparityError(f"the ini option {name} must be a list of texts")
    return words or default


def _fits(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern.rpartition("/")[2]) for pattern in patterns)


def _first_test(root: Path, file: Path, test: str, golden: str) -> _Addition:
    from pytest_audioparity.cli.samples import runtimes_of, test_text

    if os.path.lexists(file):
        raise AudioparityError(f"{_shown(file)} is there already, and nothing was written; move it away, or add to it")
    runtimes = runtimes_of(root)
    said = (
        f"a test of four stages, on numpy alone;\n  below it, as comments: a port for {', '.join(runtimes) or 'a file'}"
    )
    return _Addition(file, test_text(test, golden, runtimes).encode(), None, said)


def _ini_lines(root: Path, options: Path | None) -> tuple[list[_Addition], list[str]]:
    """Return the file that gets the ini lines, and what the user should know of them.

    Without any options pytest takes the folder where it is started for the root, and goldens are named relative to it.
    """
    if options is not None:
        return [], [f"{_shown(options)} has pytest's options already, and was left as it is"]
    path = root / "pyproject.toml"
    if not os.path.lexists(path):
        said = "what fixes the project's root, and where goldens are"
        return [_Addition(root / "pytest.ini", _INI.encode(), None, said)], []
    if not path.is_file():
        raise AudioparityError(f"{_shown(path)} is no file that can be read; move it away")
    before = path.read_bytes()
    ending = b"" if before.endswith(b"\n") or not before else b"\n"
    added = (ending + _TOML.encode()).replace(b"\n", b"\r\n" if b"\r\n" in before else b"\n")
    if path.is_symlink() or not _adds_only(before, before + added):
        return [], [f"add these lines to {_shown(path)}:{_TOML.rstrip()}"]
    return [_Addition(path, before + added, before, "[tool.pytest.ini_options] at its end")], []


def _adds_only(before: bytes, after: bytes) -> bool:
    """Whether a TOML document has become one more table, and is the same in all else."""
    from pytest_audioparity.project import parse_toml

    try:
        old, new = parse_toml(before.decode()), parse_toml(after.decode())
        ours = new["tool"]["pytest"].pop("ini_options")
    except (ValueError, KeyError):
        return False
    old.setdefault("tool", {}).setdefault("pytest", {})
    return bool(old == new and ours == {"audioparity_golden_dir": "golden"})


def _write(addition: _Addition) -> None:
    from pytest_audioparity.golden.atomic import replace_bytes

    @contextlib.contextmanager
    def unchanged() -> Iterator[None]:
        now = addition.path.read_bytes() if os.path.lexists(addition.path) else None
        if now != addition.before:
            raise AudioparityError(f"{_shown(addition.path)} was changed by someone else meanwhile; repeat the command")
        yield

    try:
        replace_bytes(addition.path, addition.content, guard=unchanged)
    except OSError as error:
        raise AudioparityError(f"{_shown(addition.path)} cannot be written: {error.strerror or error}") from None


def _ignored(golden: Path, project: Project) -> str | None:
    """Return the rule by which git ignores goldens, as many do with all weights: they would never be committed."""
    command = ["git", "-C", str(project.root), "check-ignore", "--verbose", "--no-index", str(golden)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.partition("\t")[0] if done.returncode == 0 else None


def _way_on(file: Path, golden: Path) -> Iterator[str]:
    test = shlex.quote(_shown(file))
    yield ""
    yield "next:"
    for command, shows in (
        (f"pytest {test}", "fails: there is no golden yet; the report names the next command"),
        (f"pytest {test} --update-golden", f"writes {_shown(golden)}; commit it"),
        (f"pytest {test}", "passes; after a change of a step it names the stage, the dB and the cause"),
    ):
        yield f"  {command}"
        yield f"      {shows}"


def _shown(path: Path) -> str:
    """Return a path as typed from here."""
    shown = os.path.relpath(path)
    return str(path) if shown.startswith(os.pardir + os.sep + os.pardir) else shown
