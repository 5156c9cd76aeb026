"""A result as text of at most 80 columns: what fails, the stage table in data-flow order, the details, the way on.

The text is made where the test ran (a pytest-xdist worker has no terminal), so it carries no colour and no width of
its own; pytest colours the failure as a whole.
"""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from pytest_audioparity.records import DB_PER_UNIT, shape_text
from pytest_audioparity.report.numbers import SHORT, decibel, percent, round_up, short
from pytest_audioparity.report.plain_text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_audioparity.records import Comparison, Criterion, Finding, ParityResult, Side, StageResult

WIDTH = 80
_NAME, _SHAPE, _NUMBER, _JUDGED = 15, 10, SHORT + 1, 8
_UNIT = {"deviation_db": " dB", "peak_db": " dB", "snr_db": " dB", "match": "", "excess": ""}
# Before a number of the table that is not the deviation.
_MARK = {"deviation_db": "", "peak_db": "pk ", "snr_db": "snr ", "excess": "el "}
_SAY = {
    "deviation_db": "deviation",
    "peak_db": "largest single element against the rms",
    "snr_db": "signal-to-error ratio",
    "match": "share of equal codes",
    "excess": "|actual - expected| - rtol*|expected|",
}
_STRUCTURE = {
    "missing_stage": "is missing in actual",
    "extra_stage": "is not among the expected ones",
    "shape": "has another shape",
    "nonfinite": "has values that are not finite",
    "dtype": "has another dtype",
}
# An offset below this share of the spread is rounding of the fit, and reads as one.
_NO_OFFSET = 1e-6
# Levels are shown with two decimals; below this there is nothing to see.
_SEEN_DB = 0.005
# Of stages behind the first divergence, only causes that explain this share are told; what they inherited has none.
_WORTH_TELLING = 0.95


def render(result: ParityResult) -> str:
    """Write a whole result: headline, table, details of the first failing stages, and what to do."""
    return clean("\n".join(line.rstrip() for line in _lines(result)))


def headline(result: ParityResult) -> str:
    """Say in one line what is wrong, or that all is well."""
    if result.reason is not None:
        return result.reason
    name = result.first_divergence
    first = next((stage for stage in result.stages if stage.name == name), None)
    if first is None:
        return f"{len(result.stages)} of {len(result.stages)} stages pass"
    return f"stage {name!r} {_what(first)}"


def _what(stage: StageResult) -> str:
    if stage.verdict == "not_measured":
        return f"cannot be measured: {stage.reason}"
    failed = next((c for c in stage.criteria if not c.passed), None)
    code = next((f.code for f in stage.findings if f.code in _STRUCTURE), None)
    if code and (failed is None or code != "dtype"):
        return _STRUCTURE[code]
    if failed is not None and failed.name == "snr_db":
        return f"has a signal-to-error ratio of {decibel(failed.value)} dB, at least {failed.limit:.6g} dB is asked for"
    if failed is not None:
        return f"is off by {_amount(failed)}, allowed {_limit(failed)}"
    return f"does not fit: {stage.reason}" if stage.reason else "fails"


def _amount(criterion: Criterion) -> str:
    if criterion.name == "match":
        return f"{percent(1 - (criterion.value or 0.0))} of its codes"
    amount = f"{decibel(criterion.value)}{_UNIT[criterion.name]}"
    return amount if criterion.name == "deviation_db" else f"{amount} ({_SAY[criterion.name]})"


def _limit(criterion: Criterion) -> str:
    if criterion.name == "match":
        return percent(1 - criterion.limit)
    return _limit_value(criterion)


def _lines(result: ParityResult) -> Iterator[str]:
    if result.title:
        yield result.title
    yield headline(result)
    failing = [stage for stage in result.stages if not stage.passed]
    # Without a golden nothing was compared, and a table would look as if something had been.
    if any(stage.has_both_sides for stage in result.stages) or result.reason is None:
        if failing:
            yield f"{len(failing)} of {len(result.stages)} stages fail"
        if result.stages:
            yield ""
            yield from table(result)
        yield from _told(result, failing)
    yield ""
    if needed := _needed(failing):
        yield from textwrap.wrap(needed, WIDTH, break_long_words=False)
    yield from _way_on(result)


def _way_on(result: ParityResult) -> Iterator[str]:
    """Name the golden, what is to be known of it, and the commands that come next."""
    if result.golden is not None:
        yield f"golden: {result.golden}"
    for label, text in result.notes:
        yield from textwrap.wrap(f"{label}: {text}", WIDTH, break_long_words=False, break_on_hyphens=False)
    if result.accept is not None:
        yield f"accept: {result.accept}"
    if result.review is not None:
        yield f"review: {result.review}"
    if result.owner is not None:
        yield f"owner: {result.owner} writes this golden, should the reference itself have changed"


def _told(result: ParityResult, failing: list[StageResult]) -> Iterator[str]:
    """Write out the first divergence with all its numbers, and of the others what is not a number."""
    for stage in sorted(failing, key=lambda stage: stage.name != result.first_divergence):
        first = stage.name == result.first_divergence
        # A stage that only one side has, or that has no golden yet, has nothing to tell beyond its row.
        telling = [finding for finding in stage.findings if first or _tells_much(finding)]
        if stage.has_both_sides and (first or telling or stage.reason):
            yield ""
            yield f"{stage.name} (first divergence)" if first else stage.name
            yield from _details(stage) if first else _causes(stage, telling)


def _tells_much(finding: Finding) -> bool:
    """Whether a finding is worth telling of a stage that may only have inherited its difference."""
    if finding.explains is None:
        return finding.code not in ("unexplained", "uncorrelated", "rounding")
    return finding.explains >= _WORTH_TELLING


def table(result: ParityResult) -> Iterator[str]:
    """Write the stage table. A stage has one line, and a second for actual where that looks different from expected."""
    numbers = "".join(f"{title:>{_NUMBER}}" for title in ("min", "max", "mean", "std"))
    yield f"{'stage':<{_NAME}} {'shape':<{_SHAPE}}{numbers}{'dB off':>{_JUDGED}}{'allowed':>{_JUDGED}}"
    for stage in result.stages:
        yield from _rows(stage, mark="<" if stage.name == result.first_divergence else "")


def _rows(stage: StageResult, mark: str) -> Iterator[str]:
    comparison = stage.comparison
    sides = [] if comparison is None else [s for s in (comparison.expected, comparison.actual) if s.dtype]
    shapes = [shape_text(side.shape) for side in sides] or [""]
    cells = [_side_cells(side) for side in sides] or [""]
    name = stage.name
    if len(name) > _NAME or len(shapes[0]) > _SHAPE:
        long_shape = shapes[0] if len(shapes[0]) > _SHAPE else ""
        yield f"{name} {long_shape}"
        name, shapes[0] = "", "" if long_shape else shapes[0]
    status = {"pass": "ok", "fail": "FAIL", "not_measured": "N/M"}[stage.verdict]
    value, limit = _judged(stage)
    judged = f"{value:>{_JUDGED}}{limit:>{_JUDGED}}" if limit else f"{value:>{2 * _JUDGED}}"
    yield f"{name:<{_NAME}} {shapes[0]:<{_SHAPE}}{cells[0]:<{4 * _NUMBER}}{judged} {status}{mark}"
    if len(sides) == 2 and (cells[0] != cells[1] or sides[0].shape != sides[1].shape):
        yield f"{'actual':>{_NAME}} {shapes[1]:<{_SHAPE}}{cells[1]}"


def _side_cells(side: Side) -> str:
    return "".join(f"{short(value):>{_NUMBER}}" for value in (side.min, side.max, side.mean, side.std))


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
        return (stage.findings[0].code if stage.findings else "declared"), ""
    if criterion.name == "match":
        return _wrong(criterion.value or 0.0), _wrong(criterion.limit)
    mark, sign = _MARK[criterion.name], "" if criterion.at_most else ">="
    value = decibel(criterion.value) if criterion.name in ("deviation_db", "peak_db") else short(criterion.value)
    return f"{mark}{value}", f"{sign}{short(criterion.limit)}"


def _wrong(match: float) -> str:
    return "exact" if match == 1 else percent(1 - match)


def _details(stage: StageResult) -> Iterator[str]:
    over = [criterion for criterion in stage.criteria if not criterion.passed]
    for criterion in over:
        said = f"{_SAY[criterion.name]} {_value(criterion)}{_UNIT[criterion.name]}, allowed {_limit_value(criterion)}"
        yield from _wrapped("over", said)
    comparison = stage.comparison
    assert comparison is not None
    for label, text in _numbers(comparison, stage):
        yield from _wrapped(label, text)
    if stage.is_only_too_far:
        yield from _wrapped("would pass", f"tol_db={round_up(stage.smallest_tol_db or 0.0)}, the smallest that does")
    if stage.deviation_db == math.inf:
        silent = "expected" if comparison.expected.max == comparison.expected.min == 0 else "actual"
        yield from _wrapped(
            "note", f"{silent} is silent, so there is no ratio; a limit in its unit: tol_db=None, atol=..."
        )
    yield from _causes(stage, stage.findings)


def _causes(stage: StageResult, findings: Iterable[Finding]) -> Iterator[str]:
    if stage.reason:
        yield from _wrapped("problem", stage.reason)
    for finding in findings:
        share = "" if finding.explains is None else f" ({percent(finding.explains)} of the error)"
        yield from _wrapped("finding", f"{finding.code}{share}: {finding.message}")


def _needed(failing: list[StageResult]) -> str:
    """Say what tolerance the whole test would need, if any would do."""
    if len(failing) < 2 or not all(stage.is_only_too_far for stage in failing):
        return ""
    most = max(failing, key=lambda stage: stage.smallest_tol_db or 0.0)
    return f"all stages would pass with tol_db={round_up(most.smallest_tol_db or 0.0)}, which {most.name!r} needs"


def _numbers(comparison: Comparison, stage: StageResult) -> Iterator[tuple[str, str]]:
    if comparison.worst is not None:
        yield "worst at" if comparison.match is None else "first at", _worst(comparison)
    if comparison.correlation is not None:
        yield "fit", _fit(comparison)
    factor = DB_PER_UNIT.get(stage.meta.unit or "") if stage.meta.kind == "log_spectrum" else None
    if factor is not None and comparison.bias is not None:
        yield "level", f"actual is {comparison.bias * factor:+.2f} dB from expected on average"
    elif comparison.level_db is not None and abs(comparison.level_db) >= _SEEN_DB:
        yield "level", f"actual is {comparison.level_db:+.2f} dB from expected (rms)"
    if lag := comparison.details.get("lag_samples"):
        samples = "sample" if abs(lag) == 1 else "samples"
        yield "lag", f"actual comes {abs(lag)} {samples} {'later' if lag > 0 else 'earlier'}"
    if "codebooks" in comparison.details:
        yield "codebooks", _codebooks(comparison)
    if comparison.match is not None and comparison.match < 1:
        count = round((1 - comparison.match) * comparison.size)
        yield "wrong", f"{count} of {comparison.size} codes; would pass: min_match={_match_limit(comparison.match)}"


def _match_limit(match: float) -> str:
    """Write a share with as many digits as its distance from 1 needs, never above it."""
    digits = 2 - math.floor(math.log10(1 - match))
    return f"{math.floor(match * 10**digits) / 10**digits:.{digits}f}"


def _value(criterion: Criterion) -> str:
    if criterion.value is None:
        return "not measured"
    return decibel(criterion.value) if criterion.name in ("deviation_db", "peak_db") else f"{criterion.value:.6g}"


def _limit_value(criterion: Criterion) -> str:
    return f"{'' if criterion.at_most else 'at least '}{criterion.limit:.6g}{_UNIT[criterion.name]}"


def _worst(comparison: Comparison) -> str:
    worst = comparison.worst
    assert worst is not None
    time = "" if worst.seconds is None else f" ({worst.seconds:.3f} s)"
    return f"{worst.label}{time}: expected {worst.expected:.6g}, actual {worst.actual:.6g}"


def _fit(comparison: Comparison) -> str:
    offset, spread = comparison.offset or 0.0, comparison.expected.std or 0.0
    shift = "" if abs(offset) <= _NO_OFFSET * spread else f" {'-' if offset < 0 else '+'} {abs(offset):.3g}"
    return f"actual = {comparison.gain:.4g} * expected{shift}, correlation {comparison.correlation:.6f}"


def _codebooks(comparison: Comparison) -> str:
    rows = [(k, row["match"]) for k, row in enumerate(comparison.details["codebooks"]) if row["match"] < 1]
    shown = ", ".join(f"{k}: {percent(1 - match)} wrong" for k, match in rows[:8])
    return shown + (f" and {len(rows) - 8} more" if len(rows) > 8 else "")


def _wrapped(label: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(text, WIDTH - 15, break_long_words=False, break_on_hyphens=False) or [""]
    yield f"  {label:<10} : {lines[0]}"
    for line in lines[1:]:
        yield f"{'':<15}{line}"
