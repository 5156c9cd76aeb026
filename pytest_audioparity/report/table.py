"""The stage table of a result: one line per stage in data-flow order, at most 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.records import shape_text
from pytest_audioparity.report.attribution import own_cell
from pytest_audioparity.report.numbers import SHORT, decibel, percent, round_down, score_text, short
from pytest_audioparity.report.plain_text import cells, padded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.records import Side
    from pytest_audioparity.results import ParityResult, StageResult

_NAME, _SHAPE, _NUMBER, _JUDGED = 15, 10, SHORT + 1, 8
# Before a number of the table that is not the deviation.
_MARK = {
    "deviation_db": "",
    "peak_db": "pk ",
    "snr_db": "snr ",
    "excess": "el ",
    "stoi": "st ",
    "estoi": "es ",
    "pesq_wb": "wb ",
    "pesq_nb": "nb ",
}
_SCORES = ("stoi", "estoi", "pesq_wb", "pesq_nb")


def table(result: ParityResult) -> Iterator[str]:
    """Write the stage table. A stage has one line, and a second for actual where that looks different from expected."""
    numbers = "".join(f"{title:>{_NUMBER}}" for title in ("min", "max", "mean", "std"))
    is_owned = any(stage.own_result is not None for stage in result.stages)
    last = "own" if is_owned else "allowed"
    if all(stage.tolerance.max_drop is not None and stage.has_both_sides for stage in result.stages):
        yield f"{'score':<44} {'golden -> now':>16}{'change':>8}{'allowed':>8}"
    else:
        yield f"{'stage':<{_NAME}} {'shape':<{_SHAPE}}{numbers}{'dB off':>{_JUDGED}}{last:>{_JUDGED}}"
    first = result.first_divergence
    for stage in result.stages:
        yield from _rows(stage, "<" if stage.name == first else "", is_owned=is_owned)


def _rows(stage: StageResult, mark: str, *, is_owned: bool) -> Iterator[str]:
    comparison = stage.comparison
    sides = [] if comparison is None else [s for s in (comparison.expected, comparison.actual) if s.dtype]
    shapes = [shape_text(side.shape) for side in sides] or [""]
    numbers = [_side_cells(side) for side in sides] or [""]
    status = "inh." if stage.is_inherited else {"pass": "ok", "fail": "FAIL", "not_measured": "N/M"}[stage.verdict]
    if stage.tolerance.max_drop is not None and len(sides) == 2:
        yield _score_row(stage, status, mark)
        return
    name = stage.name
    if cells(name) > _NAME or len(shapes[0]) > _SHAPE:
        long_shape = shapes[0] if len(shapes[0]) > _SHAPE else ""
        yield f"{name} {long_shape}"
        name, shapes[0] = "", "" if long_shape else shapes[0]
    judged = _judged_cells(stage, is_owned=is_owned)
    yield f"{padded(name, _NAME)} {shapes[0]:<{_SHAPE}}{numbers[0]:<{4 * _NUMBER}}{judged} {status}{mark}"
    if len(sides) == 2 and (numbers[0] != numbers[1] or sides[0].shape != sides[1].shape):
        yield f"{'actual':>{_NAME}} {shapes[1]:<{_SHAPE}}{numbers[1]}"


def _score_row(stage: StageResult, status: str, mark: str) -> str:
    """Write a score that the golden keeps: both values, what was lost or gained, and what may be."""
    comparison = stage.comparison
    assert comparison is not None
    texts = (score_text(side) for side in (comparison.expected, comparison.actual))
    value, last = _judged(stage)
    return f"{padded(stage.name, 44)} {' -> '.join(texts):>16}{value:>8}{last:>7} {status}{mark}"


def _side_cells(side: Side) -> str:
    return "".join(f"{short(value):>{_NUMBER}}" for value in (side.min, side.max, side.mean, side.std))


def _judged_cells(stage: StageResult, *, is_owned: bool) -> str:
    value, last = _judged(stage)
    value = value[: 2 * _JUDGED - 1]  # a code may be as long as both columns, and must not touch the number before
    if is_owned:
        last = "" if stage.passed or not stage.has_both_sides else own_cell(stage.own)
        if len(value) >= _JUDGED:
            both = f"{value} {last}"
            return f"{both if len(both) <= 2 * _JUDGED else value:>{2 * _JUDGED}}"
        return f"{value:>{_JUDGED}}{last:>{_JUDGED}}"
    return f"{value:>{_JUDGED}}{last:>{_JUDGED}}" if last else f"{value:>{2 * _JUDGED}}"


def _judged(stage: StageResult) -> tuple[str, str]:
    """Write the number that decided and its limit: the first criterion that failed, else the deviation."""
    comparison = stage.comparison
    if comparison is None or not stage.has_both_sides:
        codes = [finding.code for finding in stage.findings]
        return "missing" if "missing_stage" in codes else "extra" if "extra_stage" in codes else "new", ""
    criterion = next((c for c in stage.criteria if not c.passed), stage.criteria[0] if stage.criteria else None)
    if criterion is None:
        return (stage.findings[0].code if stage.findings else "-"), ""
    if criterion.passed and not stage.passed:  # what failed is no number: the finding's code says what it is
        return (stage.findings[0].code if stage.findings else "declared" if stage.verdict == "fail" else "-"), ""
    if criterion.name == "match":
        return _wrong(criterion.value or 0.0), _wrong(criterion.limit)
    if criterion.name == "drop":  # scores: what was lost, or gained
        return ("-" if criterion.value is None else f"{-criterion.value:+.3f}"), f"-{short(criterion.limit)}"
    if criterion.name == "words" and stage.audio is not None:
        return stage.audio.worst[1].verdict.replace("_", " "), ""
    if criterion.name in _SCORES and criterion.value is None:
        return f"{_MARK[criterion.name]}-", f">={short(criterion.limit)}"
    mark, sign = _MARK[criterion.name], "" if criterion.at_most else ">="
    value = decibel(criterion.value) if criterion.name in ("deviation_db", "peak_db") else short(criterion.value)
    if criterion.name in _SCORES:  # never above the limit that it fails
        value = round_down(criterion.value or 0.0)
    return f"{mark}{value}", f"{sign}{short(criterion.limit)}"


def _wrong(match: float) -> str:
    return "exact" if match == 1 else percent(1 - match)
