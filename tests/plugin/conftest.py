"""A project in a temporary folder whose tests are run by pytest with the plugin, as a user would."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import pytest_audioparity.golden.provenance
from pytest_audioparity.golden.file import Golden
from pytest_audioparity.runs import read_run
from tests.loaded import load_package
from tests.plugin.sources import ONE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_audioparity.runs import RunRecord

load_package()

HEADER = """\
import unittest
import numpy as np
import pytest
from pytest_audioparity import codec_roundtrip, parity
"""
# By how their flags begin.
_PLUGINS = {"-n": "xdist", "--reruns": "pytest_rerunfailures"}


class Project:
    """The folder of a user's project and what running pytest there left behind."""

    def __init__(self, pytester: pytest.Pytester, needs: Callable[[str], None]) -> None:
        self._pytester, self._needs = pytester, needs
        self.path = pytester.path

    def write(self, source: str, name: str = "test_model.py") -> Path:
        """Write a test file; the usual imports come first."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + textwrap.dedent(source))
        return path

    def change(self, before: str, after: str) -> None:
        """Write a test file and its goldens, and then another one in its place."""
        self.write(before)
        assert self.run("--update-golden").ret == 0
        self.write(after)

    def ini(self, *lines: str) -> None:
        """Write pytest.ini."""
        (self.path / "pytest.ini").write_text("\n".join(["[pytest]", *lines]) + "\n")

    def run(self, *arguments: str | Path) -> pytest.RunResult:
        """Run pytest in this process; whatever happens, the user sees no traceback of ours."""
        self._require(arguments)
        return self._clean(self._pytester.runpytest_inprocess(*arguments))

    def run_planted(self, *arguments: str | Path) -> pytest.RunResult:
        """Run pytest in this process where a fault of ours is planted, of which the user may see a traceback."""
        self._require(arguments)
        return self._pytester.runpytest_inprocess(*arguments)

    def run_apart(self, *arguments: str | Path) -> pytest.RunResult:
        """Run pytest in a process of its own."""
        self._require(arguments)
        return self._clean(self._pytester.runpytest_subprocess(*arguments))

    def _require(self, arguments: tuple[str | Path, ...]) -> None:
        """Skip where a plugin is missing that these arguments belong to."""
        for flag, package in _PLUGINS.items():
            if any(str(argument).startswith(flag) for argument in arguments):
                self._needs(package)

    def _clean(self, result: pytest.RunResult) -> pytest.RunResult:
        output = result.stdout.str() + result.stderr.str()
        assert "INTERNALERROR" not in output
        assert "Traceback (most recent call last)" not in output
        assert f"pytest_audioparity{os.sep}" not in output, "a frame of ours is shown"
        return result

    def golden(self, name: str = "test_model/test_model", directory: str = "golden") -> Path:
        """Return the path of a golden."""
        return self.path / directory / f"{name}.safetensors"

    def goldens(self) -> list[str]:
        """Return every golden below the project, by its path."""
        paths = (path.relative_to(self.path) for path in self.path.rglob("*.safetensors"))
        return sorted(path.as_posix() for path in paths if path.parts[0] != ".audioparity")

    def pending(self, name: str = "test_model/test_model") -> Path:
        """Return the path of what a test left for review."""
        return self.path / ".audioparity" / "pending" / f"{name}.safetensors"

    def all_pending(self) -> list[str]:
        """Return everything that waits for review, by name."""
        folder = self.path / ".audioparity" / "pending"
        return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.safetensors"))

    def record(self) -> RunRecord:
        """Return what the last run left of itself."""
        return read_run(self.path / ".audioparity" / "run.json")

    def tensors(self, name: str = "test_model/test_model") -> Mapping[str, np.ndarray]:
        """Return the stages of a golden in data-flow order."""
        return {stage.meta.name: np.array(stage.array) for stage in Golden(self.golden(name))}

    def state(self) -> dict[str, tuple[bytes, int]]:
        """Return bytes and time of every golden, to tell that nothing was rewritten."""
        paths = {name: self.path / name for name in self.goldens()}
        return {name: (path.read_bytes(), path.stat().st_mtime_ns) for name, path in paths.items()}


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, needs: Callable[[str], None]) -> Project:
    """Give an empty project in a clean environment."""
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)
    # Durability is the business of the golden files' own tests; here it would be half of the time.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    # Other tests may have imported torch into this process, which is no concern of the project's goldens.
    monkeypatch.setattr(pytest_audioparity.golden.provenance, "_PACKAGES", ("numpy",))
    # Its plugin imports hypothesis anew in every inner run, which takes a second.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")
    # Sources are rewritten within one second, which the time in a .pyc does not tell apart.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Project(pytester, needs)


@pytest.fixture
def golden(project: Project) -> Project:
    """Write one golden with the value 1 and return the project."""
    project.write(ONE.format(value=1.0))
    assert project.run("--update-golden").ret == 0
    return project
