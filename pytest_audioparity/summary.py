"""What an update shows in the terminal, registered when an update is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.updates import REPORT_KEY, summary_lines

if TYPE_CHECKING:
    import pytest


def pytest_report_teststatus(report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, str] | None:
    """Show a test whose golden was written as updated (U), once its teardown has passed too."""
    ours = getattr(report, REPORT_KEY, None)
    if not ours or not report.passed:
        return None
    return ("", "", "") if report.when == "call" else ("updated", "U", "UPDATED")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the goldens that were written."""
    lines = summary_lines(report for reports in terminalreporter.stats.values() for report in reports)
    if lines:
        terminalreporter.write_sep("=", "goldens")
        for line in lines:
            terminalreporter.write_line(line)
