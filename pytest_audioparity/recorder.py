"""What a run tells at its end: the record of the run, the section of the terminal, the exit status of a plan.

One `Recorder` is registered per process when the first parity test is met. That of a pytest-xdist worker only tells
the process that the user started what was collected; that one writes the record.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from pytest_audioparity.collected import Collected
from pytest_audioparity.completeness import STOPS, broken_by, partial_by, partial_by_paths, with_collection
from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.failures import encoding_of, paint
from pytest_audioparity.golden.names import golden_path, shown_path
from pytest_audioparity.report.plain_text import encodable
from pytest_audioparity.runs import REPORT_KEY, RunRecord, confined, read_run, write_run
from pytest_audioparity.selection import is_run
from pytest_audioparity.session import run_of
from pytest_audioparity.settings import project_of
from pytest_audioparity.summary import audit_sections, planned_count, summary_lines
from pytest_audioparity.ticker import Ticker
from pytest_audioparity.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Sequence
    from pathlib import Path

NAME = "audioparity-recorder"
_OUTPUT = "audioparity"
_UPDATED = ("updated", "U", "UPDATED")
# No other letter of pytest's is W.
_SHOWN = {"created": _UPDATED, "updated": _UPDATED, "planned": ("planned", "W", "WOULD UPDATE")}


class Recorder:
    """Follows a run and records it.

    Parameters
    ----------
    config : of this process
    outcomes, found : of collecting, see `Collected`; the plugin notes them from the start
    began : when it had not read any test file yet, in seconds since 1970
    """

    def __init__(
        self,
        config: pytest.Config,
        outcomes: dict[str, set[str]],
        found: list[Sequence[pytest.Item | pytest.Collector]],
        began: float,
    ) -> None:
        settings = run_of(config).settings
        golden_dir = shown_path(settings.golden_dir, settings.root).as_posix()
        self.collected = Collected(outcomes, found)
        self._config = config
        self._settings = settings
        self._is_worker = hasattr(config, "workerinput")
        self._is_controller = False
        self._workspace = Workspace(settings.root)
        self._record = RunRecord(id=run_of(config).id, started=_text(began), golden_dir=golden_dir)
        self._has_begun = False
        self._reported: set[str] = set()
        self._tests: dict[str, dict[str, Any]] = {}
        self._broken: set[str] = set()
        self._warnings: list[str] = []
        self._pages: list[str] = []

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note that tests are left out."""
        self.collected.deselect(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what is to be run, and that a run of parity tests has begun."""
        self.collected.end(session.items)
        if self.collected.seen:
            self._begin()

    def share_run(self, node: Any) -> None:
        """Tell a worker of pytest-xdist which run it belongs to."""
        self._is_controller = True
        node.workerinput["audioparity_run"] = self._record.id

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Note what a worker says is to be run."""
        self.collected.tests.update(ids)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take what a worker knows. One that crashed tells nothing."""
        if error:
            self._broken.add("a worker process crashed")
        sent = getattr(node, "workeroutput", {}).get(_OUTPUT)
        if sent is not None:
            self.collected.receive(sent)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected, of whatever process."""
        if report.failed:
            self._broken.add(f"collection failed: {report.nodeid}")

    def pytest_keyboard_interrupt(self) -> None:
        """Note that the run was stopped; `pytest.exit` may give it any exit status."""
        self._broken.add(STOPS[pytest.ExitCode.INTERRUPTED])

    @pytest.hookimpl(wrapper=True)
    def pytest_report_to_serializable(self) -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
        """Send what a test delivered as one text: pytest-xdist takes five times as long for each value on its own."""
        data = yield
        if self._is_worker and data is not None and REPORT_KEY in data:
            data[REPORT_KEY] = json.dumps(data[REPORT_KEY])
        return data

    @pytest.hookimpl(wrapper=True)
    def pytest_report_from_serializable(
        self, data: dict[str, Any]
    ) -> Generator[None, pytest.TestReport | pytest.CollectReport, pytest.TestReport | pytest.CollectReport]:
        """Read what a worker sent."""
        if isinstance(sent := data.get(REPORT_KEY), str):
            data[REPORT_KEY] = json.loads(sent)
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, str] | None:
        """Show a test whose golden is written as updated (U), or would be (W), once its teardown has passed too."""
        delivered = getattr(report, REPORT_KEY, None)
        if not delivered or not report.passed:
            return None
        if delivered.get("expects_update"):
            return "", "", ""
        return _SHOWN.get(delivered.get("outcome"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        """Take what a test delivered off its report, which the terminal keeps; of several attempts the last counts."""
        if not self._is_worker:
            paint(self._config, report)
        yield
        delivered = report.__dict__.pop(REPORT_KEY, None)
        if self._is_worker or str(report.outcome) == "rerun":
            return
        self._reported.add(report.nodeid)
        if delivered and "test" in delivered:
            self._begin()
            self._tests[delivered["test"]] = delivered

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the record, after every worker has ended."""
        if not self.collected.is_known and not self._is_controller:
            self.collected.end(getattr(session, "items", ()))
        if self._is_worker:
            self._config.workeroutput[_OUTPUT] = self.collected.sent()  # type: ignore[attr-defined]
        elif not is_run(self._config):
            return
        elif self.collected.seen or self._tests:
            self._begin()
            self._conclude(session)
        elif self._workspace.run_file.exists():
            self._conclude(session)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was done to goldens, unless nothing is to be said: some versions of pytest leave that to plugins."""
        if terminalreporter.no_summary:
            return
        verbosity, encoding = self._config.get_verbosity(), encoding_of(self._config.get_terminal_writer())
        asked = {test["test"] for test in self._record.tests if self._is_asked(test["golden"])}
        lines = summary_lines(self._record, asked=asked, warnings=self._warnings, show_all=verbosity > 0)
        sections = {
            "goldens": lines,
            **audit_sections(self._settings, self._record.tests, show_all=verbosity > 0),
            "parity report": self._pages,
        }
        for title, some in sections.items():
            if some:
                terminalreporter.write_sep("=", title)
            for line in some:
                terminalreporter.write_line(encodable(line, encoding))

    @property
    def record(self) -> RunRecord:
        """What is known of the run, all of it once the session has finished."""
        return self._record

    def _is_asked(self, name: str) -> bool:
        from pytest_audioparity.golden.shelf import golden_files

        settings = self._settings
        return settings.update or (settings.create and not golden_files(golden_path(settings.golden_dir, name)))

    def _begin(self) -> None:
        """Leave a record that says that this run has not ended, so that no earlier one is taken for it."""
        if self._has_begun or not is_run(self._config):
            return
        from pytest_audioparity.golden.provenance import commit

        self._has_begun = True
        if self._is_worker or self._is_controller:
            with suppress(AudioparityError):
                begun = read_run(self._workspace.run_file)
                if begun.id == self._record.id:  # another process of the run was first
                    self._record = replace(self._record, commit=begun.commit)
                    return
        # Before any golden is written: what changes the goldens is still a run of the commit.
        self._record = replace(self._record, commit=commit(self._settings.root))
        self._write()

    def _write(self) -> None:
        try:
            self._workspace.ensure()
            write_run(self._workspace.run_file, self._record)
        except OSError as error:
            folder = shown_path(self._workspace.folder, self._settings.root)
            self._warnings.append(f"the run is not recorded: {folder} cannot be written: {error.strerror or error}")

    def _conclude(self, session: pytest.Session) -> None:
        status = int(session.exitstatus)
        renamed = self.collected.renamed
        displaced = {path for account in self._tests.values() for path in account.pop("displaced", ())}
        kept = {test: self._kept(account, displaced) for test, account in self._tests.items()}
        tests = tuple({**kept[test], "test": renamed.get(test, test)} for test in sorted(kept))
        record = replace(self._record, tests=tests)
        self._record = confined(with_collection(record, self._config, self.collected, self._reported))
        if status == pytest.ExitCode.OK and planned_count(self._record):
            # A plan left in CI by mistake must not pass as a run that compares.
            status = session.exitstatus = pytest.ExitCode.TESTS_FAILED
        broken = broken_by(session, self.collected, self._broken)
        partial = partial_by(self._config, self.collected, self._record)
        if not broken and not partial:
            partial = partial_by_paths(self._config, self._record)
        if not self._has_begun:
            if broken or partial:
                if self._settings.report is not None:
                    self._pages.append("no parity test ran, so no page was written")
                return  # a run of other tests alone; the record of parity tests is of more use
            self._begin()  # the last parity test is gone
        record = replace(
            self._record,
            finished=_text(time.time()),
            exit_status=int(status),
            complete=not broken and not partial,
            broken=broken,
            partial=partial,
        )
        self._record = self._with_orphans(record) if record.complete else record
        self._write()
        if self._settings.report is not None:
            self._draw(self._settings.report)

    def _draw(self, folder: Path) -> None:
        """Write the page of the run; what keeps it from being written is no failure of a test."""
        from pytest_audioparity.page import write_page

        ticker = Ticker(self._config, "page of the run")
        try:
            if folder == self._workspace.report:
                self._workspace.ensure()
            page = write_page(
                folder,
                project_of(self._settings),
                self._record,
                lambda test, done, total: ticker(f"{done + 1} of {total}: {test}"),
            )
        except Exception as error:  # whatever it is, the summary of the run is worth more
            place, reason = shown_path(folder, self._settings.root), getattr(error, "strerror", None) or error
            kind = "" if isinstance(error, (OSError, AudioparityError)) else f"{type(error).__name__}: "
            self._warnings.append(f"the page of the run could not be written to {place}: {kind}{reason}")
            return
        finally:
            ticker.close()
        self._pages.append(str(shown_path(page, self._settings.root)))

    def _kept(self, account: dict[str, Any], displaced: Collection[str]) -> dict[str, Any]:
        """Return what is said of a test, without a pending file that is gone: made room for later ones, or decided."""
        pending = account.get("pending")
        if not pending or (self._settings.root / pending).exists():
            return account
        return {**account, "pending": None} | ({"removed": pending} if pending in displaced else {})

    def _with_orphans(self, record: RunRecord) -> RunRecord:
        from pytest_audioparity.orphans import find_orphans

        try:
            return replace(record, orphans=find_orphans(record, self._settings.root))
        except OSError as error:
            self._warnings.append(f"goldens without an owner could not be looked for: {error}")
            return record


def _text(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds")
