"""pytest in processes of its own, timed by the processor time they used."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path

# Other plugins would add their own noise, some of it hundreds of milliseconds; all that pytest would load are blocked.
_OTHERS = sorted({entry.name for entry in entry_points(group="pytest11")} - {"audioparity"})


def _without(*names: str) -> tuple[str, ...]:
    return ("-q", *(part for name in ("cacheprovider", *names) for part in ("-p", f"no:{name}")))


ARGUMENTS = _without(*_OTHERS)
PYTEST = ("-m", "pytest", *ARGUMENTS)
WITH_XDIST = ("-m", "pytest", *_without(*(name for name in _OTHERS if not name.startswith("xdist"))))
WITHOUT_PLUGIN = ("-p", "no:audioparity")
_PASSED, _FAILED, _NO_TESTS = 0, 1, 5
_SHOWN = 2000
# In CI the plugin refuses to write goldens, and pytest's own output differs; without byte code every start compiles; a
# worker of pytest-xdist that runs our tests is not what these processes are.
_NOT_INHERITED = ("CI", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTHONDONTWRITEBYTECODE")


def children_seconds() -> float:
    """Return user and system seconds of all ended child processes: a clock that other programs do not move."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def make_root(folder: Path) -> None:
    """Make a folder the root directory of pytest runs, with no configuration."""
    folder.joinpath("pytest.ini").write_text("[pytest]\n")


def run_python(
    folder: Path, arguments: Sequence[str], environment: Mapping[str, str] | None = None, *, fails: bool = False
) -> str:
    """Run Python in a folder and return what it printed.

    Raises
    ------
    RuntimeError : it failed, or, where a test of it `fails`, did not; the message is the end of its output
    """
    return _run((sys.executable, *arguments), folder, environment, (_FAILED,) if fails else (_PASSED, _NO_TESTS))


def count_instructions(folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run Python in a folder and return how many instructions it took: a figure that no other program moves.

    Needs valgrind. With PYTHONHASHSEED set it repeats to a thousandth.
    """
    counted = folder / "instructions"
    valgrind = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={counted}")
    _run((*valgrind, sys.executable, *arguments), folder, environment)
    try:
        return int(re.search(r"^(?:summary|totals): (\d+)", counted.read_text(), re.MULTILINE)[1])  # type: ignore[index]
    finally:
        counted.unlink()


def _run(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None,
    accepted: Sequence[int] = (_PASSED, _NO_TESTS),
) -> str:
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    given = {**inherited, **(environment or {})}
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)
    if done.returncode not in accepted:
        output = (done.stdout + done.stderr)[-_SHOWN:]
        raise RuntimeError(f"{' '.join(command)} exited with {done.returncode}:\n{output}")
    return done.stdout
