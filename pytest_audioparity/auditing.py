"""The audits of one test, as its flags ask for them: what its tolerances would miss, and what its noise is.

A test that is calibrated is run several times, each time with fixtures of its own; only the last run is reported.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_audioparity.audits.calibration import Calibration
from pytest_audioparity.identity import test_id
from pytest_audioparity.session import mark_of, run_of
from pytest_audioparity.ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_audioparity.recording import Recording
    from pytest_audioparity.records import ParityResult

_CALIBRATION = pytest.StashKey[Calibration]()
# Stages that a fault may put in another's place.
_OTHERS = 3


def observer_of(item: pytest.Item) -> Callable[..., None] | None:
    """Return what follows the stages of a test that begins, if it is to be calibrated."""
    repetitions = run_of(item.config).settings.calibrate
    if not repetitions:
        return None
    calibration = item.stash.setdefault(_CALIBRATION, Calibration(repetitions))
    calibration.begin()
    return calibration.observe


def audits_of(item: pytest.Item, recording: Recording, result: ParityResult) -> dict[str, Any]:
    """Return, in plain types, what the audits that were asked for say of a test whose function has returned."""
    test = test_id(item)
    ticker = Ticker(item.config, f"faults for {test}")
    try:
        return _audits(item, recording, result, test, ticker)
    finally:
        ticker.close()


def _audits(item: pytest.Item, recording: Recording, result: ParityResult, test: str, ticker: Ticker) -> dict[str, Any]:
    found: dict[str, Any] = {}
    calibration = item.stash.get(_CALIBRATION, None)
    if calibration is not None:
        calibration.end()
    if calibration is not None and calibration.is_last:
        rows = calibration.measured(recording.expected, test=test, progress=ticker)
        found["calibration"] = {
            "stages": rows,
            "problem": calibration.problem,
            "mark": json.loads(json.dumps(mark_of(item), default=float)),
        }
    if run_of(item.config).settings.mutants and result.passed:
        from pytest_audioparity.audits.mutants import audit

        stages = ((recording.expected(stage.meta), stage) for stage in result.stages)
        found["mutants"] = audit(
            [(tensor, stage) for tensor, stage in stages if tensor is not None],
            test=test,
            others=lambda stage: [other for other, _ in zip(recording.neighbours(stage), range(_OTHERS), strict=False)],
            left_out=recording.left_out(),
            progress=ticker,
        )
    return found


def repeated(item: pytest.Item) -> None:
    """Run a test that is to be calibrated as often as was asked, less once; nothing of that is reported."""
    from _pytest.runner import runtestprotocol

    for _ in range(run_of(item.config).settings.calibrate - 1):
        # What belongs to the test alone is torn down, and nothing that others share.
        reports = runtestprotocol(item, log=False, nextitem=item.parent)  # type: ignore[arg-type]
        calibration = item.stash.get(_CALIBRATION, None)
        if calibration is None or not calibration.has_ended:
            failed = [report.longreprtext for report in reports if report.failed]
            if calibration is not None and failed:
                calibration.problem = failed[0].strip().splitlines()[-1]
            return
