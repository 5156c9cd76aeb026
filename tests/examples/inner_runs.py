"""Running the tests of an example in a project of their own, in this process."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_audioparity.golden.pending import read_pending
from tests.loaded import load_package

load_package()

ROOT = Path(__file__).parents[2]


class Example:
    """A test file of an example, in a project that has nothing else.

    Parameters
    ----------
    pytester, monkeypatch : of the test
    file : the test file, below examples/
    switch : the environment variable that switches on a fault
    """

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, file: str, switch: str) -> None:
        self._pytester, self._monkeypatch, self._switch = pytester, monkeypatch, switch
        self._file = Path("examples", file)
        target = pytester.path / self._file
        target.parent.mkdir(parents=True)
        shutil.copy(ROOT / self._file, target)
        pytester.makeini("[pytest]\n")
        for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):  # the inner run is nobody's worker
            monkeypatch.delenv(name, raising=False)
        # Its plugin imports hypothesis anew in every inner run, which takes a second.
        monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")

    def run(self, *flags: str, fault: str = "") -> pytest.RunResult:
        """Run pytest with a fault switched on, or with none."""
        self._monkeypatch.setenv(self._switch, fault)
        return self._pytester.runpytest_inprocess(*flags)

    def is_asked_little(self, *, listen: bool) -> None:
        """Leave out the causes of what follows the first divergence, which would be most of the time."""
        self._monkeypatch.setattr("pytest_audioparity.causes._DIAGNOSED", 1)
        self._monkeypatch.setattr("pytest_audioparity.causes._LISTENED", 1 if listen else 0)

    def result(self, test: str) -> dict[str, Any]:
        """Return what a failing test left for review, with the stages by name."""
        name = f"{self._file.with_suffix('')}/{test}.safetensors"
        result = read_pending(self._pytester.path / ".audioparity" / "pending" / name)[0].result
        return {**result, "stages": {stage["name"]: stage for stage in result["stages"]}}


def cause(stage: dict[str, Any]) -> dict[str, Any]:
    """Return the first finding of a stage: of its own part of the deviation, where that is known."""
    return (stage.get("own_findings") or stage["findings"])[0]
