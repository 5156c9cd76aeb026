"""The audits of one test, as its flags ask for them: what its tolerances would miss, and what its noise is.

A test that is calibrated is run several times, each time with fixtures of its own; only the last run is reported.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from pytest_audioparity.adapters.arrays import first_line
from pytest_audioparity.audits.calibration import Calibration
from pytest_audioparity.identity import test_id
from pytest_audioparity.session import mark_of, marks_of_parameter, run_of
from pytest_audioparity.ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_audioparity.recording import Recording
    from pytest_audioparity.results import ParityResult

CALIBRATION = pytest.StashKey[Calibration]()
# Stages that a fault may put in another's place.
_OTHERS = 3


def observer_of(item: pytest.Item) -> Callable[..., None]:
    """Return what follows the stages of a test that begins and is to be calibrated."""
    calibration = item.stash.setdefault(CALIBRATION, Calibration(run_of(item.config).settings.calibrate))
    calibration.begin()
    return calibration.observe


def audits_of(item: pytest.Item, recording: Recording, result: ParityResult) -> dict[str, Any]:
    """Return, in plain types, what the audits that were asked for say of a test whose function has returned."""
    test = test_id(item)
    ticker = Ticker(item.config, f"faults for {test}")
    try:
        return _audits(item, recording, result, test, ticker)
    except Exception as error:  # whatever an audit stumbles over, it is no failure of the test
        return {"warning": f"the audit of {test} failed with {type(error).__name__}: {first_line(error)}"}
    finally:
        ticker.close()


def _audits(item: pytest.Item, recording: Recording, result: ParityResult, test: str, ticker: Ticker) -> dict[str, Any]:
    found: dict[str, Any] = {}
    calibration = item.stash.get(CALIBRATION, None)
    if calibration is not None:
        calibration.end()
    if calibration is not None and calibration.is_last:
        rows = calibration.measured(recording.reference.expected, test=test, progress=ticker)
        found["calibration"] = _calibration(item, rows, calibration.problem)
    if run_of(item.config).settings.mutants and result.passed:
        from pytest_audioparity.audits.mutants import audit

        stages = ((recording.reference.expected(stage.meta), stage) for stage in result.stages)
        found["mutants"] = audit(
            [(tensor, stage) for tensor, stage in stages if tensor is not None],
            test=test,
            others=lambda stage: list(islice(recording.causes.neighbours(stage), _OTHERS)),
            left_out=recording.left_out(),
            covers=recording.spec.covers,
            progress=ticker,
        )
    return found


def unfinished(item: pytest.Item) -> dict[str, Any]:
    """Return what is to be said of a calibrated test whose last run did not come to its end."""
    calibration = item.stash[CALIBRATION]
    return {"calibration": _calibration(item, [], calibration.problem or "its last run failed")}


def _calibration(item: pytest.Item, rows: list[dict[str, Any]], problem: str | None) -> dict[str, Any]:
    # Through JSON, since a mark may hold numpy's numbers.
    mark = json.loads(json.dumps(mark_of(item), default=float))
    return {"stages": rows, "problem": problem, "mark": mark, "of_parameter": bool(marks_of_parameter(item))}
