"""The same engine as a plain library, for unittest and scripts: stages and weights, compared and asserted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

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
from pytest_audioparity.records import DECLARED, StageTensor
from pytest_audioparity.report.terminal import render
from pytest_audioparity.results import ParityResult, StageResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack

    from pytest_audioparity.keywords import CompareKeywords, Precision
    from pytest_audioparity.weights.records import WeightFile, WeightsResult

_KNOWN = {**TOLERANCE_KEYWORDS, **STAGES_KEYWORD}


@overload
def compare(
    expected: Mapping[str, Any], actual: Mapping[str, Any], **keywords: Unpack[CompareKeywords]
) -> ParityResult: ...
@overload
def compare(expected: Any, actual: Any, **keywords: Unpack[CompareKeywords]) -> StageResult: ...
def compare(expected: Any, actual: Any, **keywords: Unpack[CompareKeywords]) -> StageResult | ParityResult:
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
        others = (_tensor(expected, other, declared, None) for other in expected if other != name)
        return check_stage(
            _tensor(expected, name, declared, None),
            _tensor(actual, name, declared, keywords.get("actual_axes")),
            layered((tolerance,), name),
            others=(other for other in others if other is not None),
        )

    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        if (problem := unmatched(tolerance.get("stages", ()), {**expected, **actual})) is not None:
            raise StageError(f"compare: stages= {problem}")
        results = {name: checked(name, expected, actual) for name in {**expected, **actual}}
        return result_of(results, expected_order=expected, actual_order=actual)
    return checked("tensor", {"tensor": expected}, {"tensor": actual})


def assert_parity(expected: Any, actual: Any, **keywords: Unpack[CompareKeywords]) -> None:
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


def compare_weights(
    reference: Any, candidate: Any, *, precision: Precision | None = None, only: str | Sequence[str] | None = None
) -> WeightsResult:
    """Say whether a candidate holds the weights of a reference, tensor by tensor, matched by content.

    Parameters
    ----------
    reference, candidate : paths of weight files, or mappings from names to tensors: a torch state_dict, numpy arrays,
        MLX parameters made flat
    precision : fp32, fp16, bf16 or int8: what casts and quantisation are held to; None accepts any
    only : a glob or globs of the reference's tensors, such as those that inference needs; None means all

    Returns
    -------
    WeightsResult : an entry for every tensor of the reference; its `passed` is the verdict

    Raises
    ------
    StageError : a value of a mapping is no tensor, the precision is unknown, or a glob means no tensor
    TensorFileError : a file that cannot be read
    """
    from pytest_audioparity.weights.files import chosen
    from pytest_audioparity.weights.matching import compare_files
    from pytest_audioparity.weights.precision import PRECISIONS

    if precision is not None and precision not in PRECISIONS:
        raise StageError(f"compare_weights: precision={precision!r} is none of {', '.join(PRECISIONS)}")
    return compare_files(chosen(_weight_file(reference), only), _weight_file(candidate), precision=precision)


def assert_weights_match(
    reference: Any, candidate: Any, *, precision: Precision | None = None, only: str | Sequence[str] | None = None
) -> None:
    """Raise when `compare_weights` with the same arguments does not pass.

    Raises
    ------
    ParityError : an AssertionError whose message is the whole report
    StageError, TensorFileError : as `compare_weights`
    """
    __tracebackhide__ = True
    from pytest_audioparity.report.weights import render_weights

    result = compare_weights(reference, candidate, precision=precision, only=only)
    if not result.passed:
        raise ParityError(render_weights(result))


def _weight_file(source: Any) -> WeightFile:
    """Open a path, or wrap the tensors of a mapping, which are converted when they are read."""
    import numpy as np

    from pytest_audioparity.weights.files import open_weights
    from pytest_audioparity.weights.records import Weight, WeightFile

    if isinstance(source, str | os.PathLike):
        return open_weights(Path(source))
    if not isinstance(source, Mapping):
        raise StageError(f"compare_weights: {type(source).__name__} is neither a path nor a mapping of tensors")
    weights = []
    for name, value in source.items():
        array = as_array(value, str(name))
        weights.append(Weight(str(name), array.shape, array.dtype.name, partial(np.asarray, array)))
    return WeightFile(Path("<mapping>"), "mapping", tuple(weights))
