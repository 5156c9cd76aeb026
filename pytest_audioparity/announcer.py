"""What GitHub Actions is told at the end of a run: the lines of failing tests, and the summary of the step.

Registered where the environment says that this is GitHub Actions, as Gitea and Forgejo say of theirs, and never in a
worker of pytest-xdist.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_audioparity.report.annotations import annotation_lines
from pytest_audioparity.report.brief import Failure
from pytest_audioparity.report.step_summary import step_summary
from pytest_audioparity.runs import REPORT_KEY
from pytest_audioparity.selection import is_run
from pytest_audioparity.summary import summary_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.recorder import Recorder

NAME = "audioparity-announcer"
# It annotates every failing test, with what pytest says of it.
_ANNOTATES_ALL = "pytest_github_actions_annotate_failures"
# GitHub refuses the whole summary of a step that is longer.
_MAX_SUMMARY = 1024 * 1024


class Announcer:
    """Collects the failures of a run and announces them.

    Parameters
    ----------
    config : of the process that the user started
    recorder : what records the run
    """

    def __init__(self, config: pytest.Config, recorder: Recorder) -> None:
        self._config = config
        self._recorder = recorder
        self._accounts: dict[str, dict[str, Any]] = {}
        self._failed: dict[str, pytest.TestReport] = {}
        self._failures: list[Failure] = []
        self._warning: str | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what failed, by the first phase that did, and what became of each parity test."""
        if report.failed:
            self._failed.setdefault(report.nodeid, report)
        delivered = getattr(report, REPORT_KEY, None)
        if delivered and "test" in delivered:
            self._accounts[report.nodeid] = delivered

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Gather the failures, which the terminal's summary asks for after this, and write the summary of the step."""
        self._failures = self._gathered()
        path = os.environ.get("GITHUB_STEP_SUMMARY")
        if path and is_run(self._config):
            self._summarise(Path(path))

    def _summarise(self, file: Path) -> None:
        """Append to the summary of the step; a file that cannot be written is no failure of a test."""
        record = self._recorder.record
        failures, tests = self._failures, len(record.run)
        if not failures and not tests:
            return
        try:
            room = _MAX_SUMMARY - (file.stat().st_size if file.exists() else 0)
            text = step_summary(
                failures,
                tests=tests,
                goldens=summary_lines(record),
                broken=record.broken,
                fetch=_fetch_command(),
                limit=room,
            )
            if text is None:
                self._warning = "the summary of the step has no room for the parity tests"
                return
            with file.open("a", encoding="utf-8", errors="replace", newline="\n") as stream:
                stream.write(text)
        except OSError as error:
            self._warning = f"the summary of the step cannot be written: {error.strerror or error}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the commands that annotate failing tests, unless another plugin annotates them all."""
        lines = [] if self._config.pluginmanager.has_plugin(_ANNOTATES_ALL) else annotation_lines(self._failures)
        if self._warning is not None:
            lines.append(f"warning: {self._warning}")
        if lines:
            terminalreporter.write_sep("=", "parity tests in GitHub Actions")
        for line in lines:
            terminalreporter.write_line(line)

    def _gathered(self) -> list[Failure]:
        """Return the parity tests that failed; workers say which tests are ours when they end."""
        ours, ids = self._recorder.collected.seen, self._recorder.collected.ids
        nodes = [node for node in self._failed if node in self._accounts or ours & ids([node])]
        # Each file is read once, however many of its tests failed.
        places = {node: self._place(self._failed[node]) for node in nodes}
        definitions = {path: definition_lines(path) for path in {path for path, _ in places.values()}}
        return [self._failure(node, *places[node], definitions) for node in nodes]

    def _place(self, report: pytest.TestReport) -> tuple[Path, int | None]:
        file, line, _ = report.location
        return self._config.rootpath / file, None if line is None else line + 1

    def _failure(
        self, node: str, path: Path, line: int | None, definitions: Mapping[Path, Mapping[int, int]]
    ) -> Failure:
        account = self._accounts.get(node)
        return Failure(
            test=node if account is None else account["test"],
            account=account,
            message=_first_line(self._failed[node]),
            file=repository_path(path, os.environ.get("GITHUB_WORKSPACE")),
            line=None if line is None else definitions[path].get(line, line),
        )


def repository_path(path: Path, workspace: str | None) -> str | None:
    """Return a file as GitHub names it, relative to the repository, or None for a file outside.

    Parameters
    ----------
    path : absolute
    workspace : where the repository was checked out; the folder of this process where that is not said
    """
    place, root = os.path.realpath(path), os.path.realpath(workspace or ".")
    try:
        relative = Path(os.path.relpath(place, root)).as_posix()
    except ValueError:  # on another drive
        return None
    return None if relative == ".." or relative.startswith("../") else relative


def definition_lines(path: Path) -> dict[int, int]:
    """Return the line of ``def`` or ``class`` by that of its first decorator, where Python says it begins."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return {}
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    defined = (node for node in ast.walk(tree) if isinstance(node, kinds))
    return {node.decorator_list[0].lineno: node.lineno for node in defined if node.decorator_list}


def _first_line(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    # Not longreprtext, which pytest-xdist begins with what it knows of the worker.
    text = str(report.longrepr) if crash is None else crash.message
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _fetch_command() -> str | None:
    """Return the command that downloads the artifacts of this run, which is one of GitHub's own only."""
    run = os.environ.get("GITHUB_RUN_ID", "")
    elsewhere = any(os.environ.get(name) == "true" for name in ("GITEA_ACTIONS", "FORGEJO_ACTIONS"))
    return f"gh run download {run}" if run.isdigit() and not elsewhere else None
