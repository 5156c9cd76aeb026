"""The way of a tensor, on one page: captured → golden → compared → judged → diagnosed → record.

`check_stage` decides one stage from its two tensors, `result_of` one test from its stages. Both only return records;
the report shows the numbers that decided, and computes none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_audioparity.comparison.kinds import along_axes, compare_values, describe
from pytest_audioparity.comparison.structure import Pair, pair
from pytest_audioparity.comparison.tolerances import judge, scores_asked, smallest_tol_db
from pytest_audioparity.golden.revision import merge_order
from pytest_audioparity.hearing import heard, judged_by_ear
from pytest_audioparity.records import (
    DB_PER_UNIT,
    FAIL,
    NOT_MEASURED,
    PASS,
    Comparison,
    Finding,
    Side,
    StageTensor,
    Tolerance,
)
from pytest_audioparity.results import ParityResult, StageResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_audioparity.comparison.hyperparameters import SettingResult
    from pytest_audioparity.roundtrip.records import RoundtripResult


def check_stage(
    expected: StageTensor | None,
    actual: StageTensor | None,
    tolerance: Tolerance,
    *,
    others: Iterable[StageTensor] = (),
    causes: bool = True,
) -> StageResult:
    """Compare one stage with its golden and judge it. One side may be absent, which fails.

    Parameters
    ----------
    expected, actual : the two sides
    tolerance : what is allowed
    others : other stages of the expected side, one of which actual may be by mistake
    causes : whether to look for the cause of a failure, and to listen to a waveform that fails, which may take a second
    """
    if expected is None or actual is None:
        return _one_sided(expected, actual, tolerance)
    both = pair(expected, actual, tolerance)
    result = judged_by_ear(_judged(both, tolerance), both)
    return heard(explained(result, expected, actual, others), both) if causes else result


def listened(result: StageResult, expected: StageTensor, actual: StageTensor) -> StageResult:
    """Return a failing waveform with what it sounds like, any other result as it is.

    Parameters
    ----------
    result : of the two sides
    expected, actual : as for `check_stage`
    """
    return heard(result, pair(expected, actual, result.tolerance))


def explained(
    result: StageResult, expected: StageTensor, actual: StageTensor, others: Iterable[StageTensor] = ()
) -> StageResult:
    """Return a failing result with the causes of its difference, any other as it is.

    Parameters
    ----------
    result : of the two sides
    expected, actual, others : as for `check_stage`
    """
    if result.verdict != FAIL or result.comparison is None:
        return result
    # Imported here: a run in which everything passes needs none of it.
    from pytest_audioparity.diagnosis.judge import diagnose

    both = pair(expected, actual, result.tolerance)
    found = diagnose(both.expected, both.actual, result.comparison, both.meta, result.tolerance, others)
    # What kind of change of shape it is says more than that the shapes differ.
    return replace(result, findings=both.findings + found if both.comparable else found + both.findings)


def _judged(both: Pair, tolerance: Tolerance) -> StageResult:
    if (result := _unmeasurable(both, tolerance)) is not None:
        return result
    comparison = compare_values(both.expected, both.actual, both.meta, tolerance)
    finite = _finite(comparison)
    criteria = judge(comparison, tolerance, both.meta.kind or "tensor") if finite else ()
    flawed = bool(both.findings or both.conflict) or not finite
    hears = both.meta.kind == "waveform" and bool(scores_asked(tolerance))
    if not criteria and not flawed and not hears:
        return _not_measured(
            both, comparison, tolerance, "no tolerance applies: tol_db is None and nothing else is set"
        )
    passed = not flawed and all(criterion.passed for criterion in criteria)
    if not passed and finite:
        details = along_axes(both.expected, both.actual, both.meta) | dict(comparison.details)
        comparison = replace(comparison, details=details)
    return StageResult(
        both.meta,
        PASS if passed else FAIL,
        tolerance,
        comparison,
        criteria,
        both.findings,
        smallest_tol_db(comparison, tolerance),
        both.conflict,
    )


def result_of(
    results: Mapping[str, StageResult],
    *,
    expected_order: Iterable[str],
    actual_order: Iterable[str],
    title: str = "",
    golden: Path | None = None,
    reason: str | None = None,
    notes: tuple[tuple[str, str], ...] = (),
    settings: tuple[SettingResult, ...] = (),
    roundtrips: tuple[RoundtripResult, ...] = (),
) -> ParityResult:
    """Put judged stages in data-flow order: the reference's, with what only the actual side has in its place there."""
    stages = tuple(results[name] for name in merge_order(expected_order, actual_order) if name in results)
    reason = reason or (None if stages or roundtrips else "no stage was compared")
    golden = golden if stages else None
    return ParityResult(title, stages, golden, reason=reason, notes=notes, settings=settings, roundtrips=roundtrips)


def without_golden(actual: StageTensor, tolerance: Tolerance) -> StageResult:
    """Describe a stage that has nothing to be compared with yet."""
    sides = Comparison(Side((), ""), describe(actual.array), 0)
    return StageResult(actual.meta, NOT_MEASURED, tolerance, sides, reason="there is no golden yet")


def _one_sided(expected: StageTensor | None, actual: StageTensor | None, tolerance: Tolerance) -> StageResult:
    stage = expected or actual
    assert stage is not None
    absent, present = Side((), ""), describe(stage.array)
    if actual is None:
        finding = Finding("missing_stage", "expected has this stage, actual does not")
        sides = Comparison(present, absent, 0)
    else:
        finding = Finding("extra_stage", "actual has this stage, expected does not")
        sides = Comparison(absent, present, 0)
    return StageResult(stage.meta, FAIL, tolerance, sides, findings=(finding,))


def _unmeasurable(both: Pair, tolerance: Tolerance) -> StageResult | None:
    """Judge what has no deviation: other shapes, no elements, a log_spectrum without a unit. None for all else."""
    empty, unitless = both.expected.size == 0, both.meta.kind == "log_spectrum" and both.meta.unit not in DB_PER_UNIT
    if both.comparable and not empty and not unitless:
        return None
    sides = Comparison(describe(both.expected), describe(both.actual), both.expected.size if both.comparable else 0)
    if both.findings or both.conflict or not _finite(sides):  # of other shapes there is a finding
        return StageResult(both.meta, FAIL, tolerance, sides, findings=both.findings, reason=both.conflict)
    if empty and tolerance.allow_empty:
        return StageResult(both.meta, PASS, tolerance, sides)
    if empty:
        return _not_measured(both, sides, tolerance, "it has no elements; if that is right: allow_empty=True")
    reason = f"a log_spectrum needs a unit to be measured in dB: {', '.join(DB_PER_UNIT)}"
    return _not_measured(both, sides, tolerance, reason)


def _not_measured(both: Pair, comparison: Comparison, tolerance: Tolerance, reason: str) -> StageResult:
    return StageResult(both.meta, NOT_MEASURED, tolerance, comparison, reason=reason)


def _finite(comparison: Comparison) -> bool:
    sides = (comparison.expected, comparison.actual)
    return not any(side.nan or side.inf for side in sides)
