"""One mutant against its tests: in a copy of the repository, in a process of its own that has numpy and pytest already.

Starting Python and loading numpy, hypothesis and pytest takes longer than most of these tests, so a process that has
loaded them, and nothing of the package, forks for every mutant.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.mutation.mutants import Mutant

KILLED, TIMED_OUT, SURVIVED = "killed", "timed out", "survived"
_LOADED = (
    *("numpy", "numpy.testing", "ml_dtypes", "safetensors.numpy", "xxhash", "scipy.signal", "soundfile", "difflib"),
    *(
        "pytest",
        "_pytest.pytester",
        "hypothesis",
        "hypothesis.extra.numpy",
        "hypothesis.strategies",
        "mmap",
        "tracemalloc",
    ),
)
_FLAGS = (
    *("-x", "-q", "--no-header", "--tb=short", "-p", "no:cacheprovider", "-p", "no:randomly", "--hypothesis-seed=0"),
    "--assert=plain",  # nobody reads why an assertion failed, and rewriting them takes longer than most of the tests
)
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "build", "dist", ".*cache", ".audioparity", ".hypothesis", "site")
# A mutant may double a loop for ever, or ask for any amount of memory.
_MEMORY_BYTES = 6 * 2**30
_CPU_FACTOR, _CPU_SECONDS = 4, 10
# The machine may do other things; what waits for something that does not come takes no processor time.
_WALL_FACTOR = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    verdict: str
    seconds: float
    output: str


class Bench:
    """A copy of the repository, where modules are replaced by mutants one after the other.

    Parameters
    ----------
    root : the repository
    folder : where the copy is to lie, and what the tests write; removed by whoever made it
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self._folder = folder
        self.copy = folder / "repository"
        shutil.copytree(root, self.copy, ignore=_NOT_COPIED, symlinks=True)
        for name in _LOADED:
            importlib.import_module(name)
        assert not any(name.startswith("pytest_audioparity") for name in sys.modules)

    def run(self, tests: Sequence[str], *, cpu_seconds: float) -> Outcome:
        """Run tests in the copy as it is, for no more than so many seconds of the processor."""
        room = self._folder / "tmp"
        room.mkdir()
        report = self._folder / "report"
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            self._be_tested(tests, room, report, int(cpu_seconds) + 1)
        try:
            status = _wait(child, began + _WALL_FACTOR * cpu_seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)  # with what the tests have started and left
            shutil.rmtree(room, ignore_errors=True)
        verdict = TIMED_OUT if status is None else SURVIVED if status == 0 else KILLED
        output = report.read_text(errors="replace")
        return Outcome(TIMED_OUT if status == -signal.SIGXCPU else verdict, time.monotonic() - began, output)

    def _be_tested(self, tests: Sequence[str], room: Path, report: Path, cpu_seconds: int) -> None:
        code = 99
        try:
            os.setsid()
            _keep_priority()
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            out = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(out, stream)
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 5))
            resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
            os.chdir(self.copy)
            os.environ |= {"PYTHONPATH": str(self.copy), "TMPDIR": str(room), "PYTHONDONTWRITEBYTECODE": "1"}
            tempfile.tempdir, sys.dont_write_bytecode = None, True
            sys.path[:0] = [str(self.copy)]
            for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
                del sys.modules[name]  # ours; those of the copy are meant
            import pytest
            from _pytest.assertion.rewrite import AssertionRewritingHook

            # Sessions that tests run in their own process would warn of what is loaded without rewritten asserts.
            AssertionRewritingHook._warn_already_imported = lambda *_: None  # type: ignore[method-assign]
            code = int(pytest.main([*_FLAGS, *tests]))
            sys.stdout.flush()
        finally:
            os._exit(code)

    def judge(self, mutant: Mutant, stages: Sequence[tuple[Sequence[str], float]]) -> Outcome:
        """Put a mutant in its place, run its tests, stage by stage while it survives, and put the module back."""
        target = self.copy / mutant.module
        original = target.read_bytes()
        try:
            target.write_text(mutant.source)
            for tests, cpu_seconds in stages:
                outcome = self.run(tests, cpu_seconds=limit(cpu_seconds))
                if outcome.verdict != SURVIVED:
                    break
            return outcome
        finally:
            target.write_bytes(original)


def _keep_priority() -> None:
    """Give the session of a trial the low priority of the run: to Linux each new one counts as much as any other."""
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(os.nice(0)))


def limit(cpu_seconds: float) -> float:
    """Return what a mutant is granted whose tests take so long without it."""
    return _CPU_FACTOR * cpu_seconds + _CPU_SECONDS


def _wait(child: int, until: float) -> int | None:
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
