"""Judging the stored numbers of a run again with another tolerance, without the tensors they were measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_audioparity.comparison.tolerances import PEAK_FACTOR
from pytest_audioparity.records import FAIL, PASS
from pytest_audioparity.report.numbers import decibel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.runs import RunRecord

# What follows from `tol_db`.
_FOLLOWS = {"deviation_db", "peak_db"}
# Findings that fail a stage whatever its numbers are.
_STRUCTURE = {
    "missing_stage",
    "extra_stage",
    "dtype",
    "shape",
    "axes_permuted",
    "reshaped",
    "length",
    "missing_channels",
    "nonfinite",
}


@dataclass(frozen=True, slots=True)
class Rejudged:
    """One stage, or with an empty name a test as a whole, before and after."""

    name: str
    before: str
    after: str
    deviation_db: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RejudgedTest:
    """One test before and after."""

    test: str
    before: str
    after: str
    stages: tuple[Rejudged, ...]
    reason: str | None = None


def recheck(record: RunRecord, tol_db: float) -> list[RejudgedTest]:
    """Judge every test of a record that compared anything, and was not skipped, with another `tol_db`.

    Limits that a stage has of its own for single elements, for codes and of other kinds stay as they were.

    Parameters
    ----------
    record : of a run
    tol_db : largest deviation in dB

    Returns
    -------
    list of RejudgedTest : a test that failed for a reason beside its stages still fails, with that `reason`
    """
    judged = (test for test in record.tests if isinstance(test.get("verdict"), str))
    return [_test(test, tol_db) for test in judged if test.get("outcome") != "skipped"]


def _test(test: Mapping[str, Any], tol_db: float) -> RejudgedTest:
    listed = test.get("stages")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    stages = tuple(_stage(row, tol_db) for row in rows)
    outcome = test.get("outcome")
    failed = test["verdict"] != PASS or outcome == "failed"
    reason = test.get("reason")
    if reason is None and test["verdict"] == PASS and outcome == "failed":
        reason = "it failed for another reason than its stages"
    over = reason is not None or not rows or any(stage.after != PASS for stage in stages)
    return RejudgedTest(
        test=test["test"],
        before=FAIL if failed else PASS,
        after=FAIL if over and (failed or rows) else PASS,
        stages=stages,
        reason=None if reason is None else str(reason),
    )


def _stage(row: Mapping[str, Any], tol_db: float) -> Rejudged:
    before = str(row.get("verdict"))
    deviation = _number(row, "deviation_db")
    kept = Rejudged(str(row.get("name")), before, before, deviation, _why(row))
    if row.get("kind") == "codes" or _number(row, "tol_db") is None:
        return kept
    if before != PASS and (not _only_too_far(row) or deviation is None):
        return kept
    if deviation is None:  # nothing to measure, and that was allowed
        return kept
    peak = _number(row, "peak_db")
    limit = PEAK_FACTOR * tol_db if row.get("peak_is_derived") else _number(row, "tol_peak_db")
    if limit is not None and (peak is None or peak > limit) and deviation <= tol_db:
        # The deviation alone would look as if it passed.
        return Rejudged(kept.name, before, FAIL, deviation, f"peak {decibel(peak)} dB, allowed {decibel(limit)} dB")
    return Rejudged(kept.name, before, PASS if deviation <= tol_db else FAIL, deviation)


def _only_too_far(row: Mapping[str, Any]) -> bool:
    failed, findings = _texts(row, "failed"), _texts(row, "findings")
    # What was not listened to may have lost its words as well.
    if _texts(row, "not_judged"):
        return False
    return bool(failed) and failed <= _FOLLOWS and not findings & _STRUCTURE and row.get("reason") is None


def _why(row: Mapping[str, Any]) -> str | None:
    named = _texts(row, "findings") | (_texts(row, "failed") - _FOLLOWS) | _texts(row, "not_judged")
    said = row.get("reason") or ", ".join(sorted(named))
    return str(said) if said else None


def _texts(row: Mapping[str, Any], key: str) -> set[str]:
    value = row.get(key)
    return {text for text in value if isinstance(text, str)} if isinstance(value, list) else set()


def _number(row: Mapping[str, Any], key: str) -> float | None:
    value = row.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
