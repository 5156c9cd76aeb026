"""pytest in processes of its own, timed by the processor time they used."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path

# Other plugins would add their own noise, some of it hundreds of milliseconds; all that pytest would load are blocked.
_OTHERS = sorted({entry.name for entry in entry_points(group="pytest11")} - {"audioparity"})
ARGUMENTS = ("-q", *(part for name in ("cacheprovider", *_OTHERS) for part in ("-p", f"no:{name}")))
PYTEST = ("-m", "pytest", *ARGUMENTS)
WITHOUT_PLUGIN = ("-p", "no:audioparity")
_PASSED, _NO_TESTS = 0, 5
_SHOWN = 2000


def children_seconds() -> float:
    """Return user and system seconds of all ended child processes: a clock that other programs do not move."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def make_root(folder: Path) -> None:
    """Make a folder the root directory of pytest runs, with no configuration."""
    folder.joinpath("pytest.ini").write_text("[pytest]\n")


def run_python(folder: Path, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run Python in a folder and return what it printed.

    Raises
    ------
    RuntimeError : it failed; the message is the end of its output
    """
    # In CI the plugin refuses to write goldens, and pytest's own output differs.
    inherited = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_ADDOPTS")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**inherited, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (_PASSED, _NO_TESTS):
        output = (done.stdout + done.stderr)[-_SHOWN:]
        raise RuntimeError(f"{' '.join(arguments)} exited with {done.returncode}:\n{output}")
    return done.stdout
