"""The hook that runs a test several times, registered where `--parity-calibrate` asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_audioparity.auditing import CALIBRATION
from pytest_audioparity.session import run_of
from pytest_audioparity.ticker import Ticker
from pytest_audioparity.trial import is_judged

if TYPE_CHECKING:
    from collections.abc import Generator


# The innermost of the wrappers: others apply a test's warning filters, or its time limit.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test several times to measure its noise."""
    if is_judged(item):
        repeated(item)
    return (yield)


def repeated(item: pytest.Item) -> None:
    """Run a test that is to be calibrated as often as was asked, less once; nothing of that is reported."""
    from _pytest.runner import runtestprotocol

    properties = list(item.user_properties)
    count = run_of(item.config).settings.calibrate
    ticker = Ticker(item.config, item.nodeid)
    for number in range(1, count):
        ticker(f"run {number} of {count}")
        # What belongs to the test alone is torn down, and nothing that others share.
        reports = runtestprotocol(item, log=False, nextitem=item.parent)  # type: ignore[arg-type]
        # What was printed and noted belongs to the run that is reported.
        item.user_properties[:] = properties
        item._report_sections.clear()
        calibration = item.stash.get(CALIBRATION, None)
        has_ended = calibration is not None and calibration.has_ended
        # A call that came to its end fails by its stages, which is what is measured.
        failed = [report for report in reports if report.failed and not (has_ended and report.when == "call")]
        if calibration is not None and failed:
            calibration.problem = _said(failed[0])
        if not has_ended or failed:
            break
    ticker.close()


def _said(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (report.longreprtext if crash is None else crash.message).strip().splitlines()
    return lines[0] if lines else "it failed"
