"""The same engine as a plain library, for unittest and scripts: `compare` and `assert_parity`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

from pytest_audioparity.adapters.arrays import as_array, declare
from pytest_audioparity.check import check_stage, result_of
from pytest_audioparity.comparison.tolerances import (
    STAGES_KEYWORD,
    TOLERANCE_KEYWORDS,
    layered,
    problem_with,
    problem_with_kind,
    problem_with_stages,
    unmatched,
)
from pytest_audioparity.errors import ParityError, StageError
from pytest_audioparity.records import DECLARED, ParityResult, StageResult, StageTensor
from pytest_audioparity.report.terminal import render

_KNOWN = {**TOLERANCE_KEYWORDS, **STAGES_KEYWORD}


@overload
def compare(expected: Mapping[str, Any], actual: Mapping[str, Any], **keywords: Any) -> ParityResult: ...
@overload
def compare(expected: Any, actual: Any, **keywords: Any) -> StageResult: ...
def compare(expected: Any, actual: Any, **keywords: Any) -> StageResult | ParityResult:
    """Compare two tensors, or two mappings from stage names to tensors, and judge them.

    Parameters
    ----------
    expected, actual : anything array-like, or mappings of such in data-flow order; paired by name only
    kind, axes, unit, sample_rate, frame_rate : declarations, as for `Stages.record`
    actual_axes : the axis order of the actual side where it differs from `axes`
    tol_db, tol_peak_db, min_snr_db, atol, rtol, min_match, precision, dtype, allow_empty : as for the mark `parity`
    min_stoi, min_estoi, min_pesq_wb, min_pesq_nb, words : as for the mark, with ``kind="waveform"``
    stages : for mappings, a dictionary from stage globs to tolerance keywords

    Returns
    -------
    StageResult for two tensors, ParityResult for two mappings; its `passed` is the verdict

    Raises
    ------
    StageError : no tensor, an unknown keyword, a declaration that does not fit, `actual_axes` without `axes`
    """
    declared, tolerance = _split(keywords)

    def checked(name: str, expected: Mapping[str, Any], actual: Mapping[str, Any]) -> StageResult:
        return check_stage(
            _tensor(expected, name, declared, None),
            _tensor(actual, name, declared, keywords.get("actual_axes")),
            layered((tolerance,), name),
        )

    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        if (problem := unmatched(tolerance.get("stages", ()), {**expected, **actual})) is not None:
            raise StageError(f"compare: stages= {problem}")
        results = {name: checked(name, expected, actual) for name in {**expected, **actual}}
        return result_of(results, expected_order=expected, actual_order=actual)
    return checked("tensor", {"tensor": expected}, {"tensor": actual})


def assert_parity(expected: Any, actual: Any, **keywords: Any) -> None:
    """Raise when `compare` with the same arguments does not pass.

    Raises
    ------
    ParityError : an AssertionError whose message is the whole report
    StageError : as `compare`
    """
    __tracebackhide__ = True
    result = compare(expected, actual, **keywords)
    if result.passed:
        return
    if isinstance(result, StageResult):
        result = ParityResult("", (result,))
    raise ParityError(render(result))


def _split(keywords: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part keywords into declarations and tolerances, and refuse what is neither."""
    declared = {key: keywords.get(key) for key in DECLARED}
    tolerance = {key: value for key, value in keywords.items() if key not in (*DECLARED, "actual_axes")}
    if keywords.get("actual_axes") is not None and declared["axes"] is None:
        raise StageError("compare: actual_axes= needs axes=, the order of the expected side")
    problem = problem_with(tolerance, _KNOWN) or problem_with_stages(tolerance)
    for given in (tolerance, *(tolerance.get("stages") or {}).values()) if problem is None else ():
        problem = problem or problem_with_kind(given, declared["kind"])
    if problem is not None:
        raise StageError(f"compare: {problem}")
    return declared, tolerance


def _tensor(side: Mapping[str, Any], name: str, declared: Mapping[str, Any], axes: str | None) -> StageTensor | None:
    if name not in side:
        return None
    array = as_array(side[name], name)
    return StageTensor(declare(name, array, **{**declared, "axes": axes or declared["axes"]}), array)
