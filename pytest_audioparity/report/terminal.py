"""A result as text of at most 80 columns: what fails, the stage table in data-flow order, the details, the way on.

The text is made where the test ran (a pytest-xdist worker has no terminal), so it carries no colour and no width of
its own; pytest colours the failure as a whole.
"""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from pytest_audioparity.records import DB_PER_UNIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.records import Comparison, Criterion, ParityResult, Side, StageResult

WIDTH = 80
_NAME, _SHAPE, _NUMBER, _DEVIATION = 17, 11, 8, 9
_UNIT = {"deviation_db": " dB", "peak_db": " dB", "snr_db": " dB", "match": "", "excess": ""}
_SAY = {
    "deviation_db": "deviation",
    "peak_db": "largest single element",
    "snr_db": "signal-to-error ratio",
    "match": "share of equal codes",
    "excess": "|actual - expected| - rtol*|expected|",
}
# Stages whose details are written out; the table has them all.
_DETAILED = 3


def render(result: ParityResult) -> str:
    """Write a whole result: headline, table, details of the first failing stages, and what to do."""
    return "\n".join(line.rstrip() for line in _lines(result))


def headline(result: ParityResult) -> str:
    """Say in one line what is wrong, or that all is well."""
    prefix = f"{result.title}: " if result.title else ""
    total, failing = len(result.stages), [s for s in result.stages if not s.passed]
    if not failing:
        return prefix + (result.reason or f"{total} of {total} stages pass")
    if result.reason is not None:
        return prefix + result.reason
    name = result.first_divergence
    first = next(stage for stage in failing if stage.name == name)
    return f"{prefix}stage {name!r} {_what(first)} ({len(failing)} of {total} stages fail)"


def _what(stage: StageResult) -> str:
    if stage.verdict == "not_measured":
        return f"cannot be measured: {stage.reason}"
    code = next(
        (f.code for f in stage.findings if f.code in ("missing_stage", "extra_stage", "shape", "nonfinite")), None
    )
    if code:
        return {
            "missing_stage": "is missing in actual",
            "extra_stage": "is not among the expected ones",
            "shape": "has another shape",
            "nonfinite": "has values that are not finite",
        }[code]
    failed = next((c for c in stage.criteria if not c.passed), None)
    if failed is not None:
        return f"is off by {_amount(failed)}, allowed {_limit(failed)}"
    return stage.reason or (stage.findings[0].message if stage.findings else "fails")


def _amount(criterion: Criterion) -> str:
    if criterion.name == "match":
        return f"{percent(1 - (criterion.value or 0.0))} of its codes"
    return f"{decibel(criterion.value)}{_UNIT[criterion.name]}" + (
        "" if criterion.name == "deviation_db" else f" ({_SAY[criterion.name]})"
    )


def _limit(criterion: Criterion) -> str:
    if criterion.name == "match":
        return percent(1 - criterion.limit)
    return f"{'' if criterion.at_most else 'at least '}{criterion.limit:.6g}{_UNIT[criterion.name]}"


def _lines(result: ParityResult) -> Iterator[str]:
    yield headline(result)
    if result.stages:
        yield ""
        yield from table(result)
    # Stages that only one side has, or that have no golden yet, have nothing to tell beyond their row.
    failing = [stage for stage in result.stages if not stage.passed and stage.has_both_sides]
    for stage in sorted(failing, key=lambda stage: stage.name != result.first_divergence)[:_DETAILED]:
        yield ""
        yield from _details(stage, first=stage.name == result.first_divergence)
    if result.golden is not None or result.accept is not None:
        yield ""
    if result.golden is not None:
        yield f"golden: {result.golden}"
    if result.accept is not None:
        yield f"accept: {result.accept}"


def table(result: ParityResult) -> Iterator[str]:
    """Write the stage table. A stage has one line for expected and one for actual, or one when they look the same."""
    numbers = "".join(f"{title:>{_NUMBER}}" for title in ("min", "max", "mean", "std"))
    yield f"{'stage':<{_NAME}} {'shape':<{_SHAPE}}{numbers}{'off by':>{_DEVIATION}} {'allowed':>8}"
    for stage in result.stages:
        yield from _rows(stage, mark=" <" if stage.name == result.first_divergence else "")


def _rows(stage: StageResult, mark: str) -> Iterator[str]:
    name = stage.name
    if len(name) > _NAME:
        yield name
        name = ""
    comparison = stage.comparison
    sides = [] if comparison is None else [s for s in (comparison.expected, comparison.actual) if s.dtype]
    cells = [_side_cells(side) for side in sides]
    status = {"pass": "", "fail": "FAIL", "not_measured": "N/M"}[stage.verdict]
    judged = f"{_deviation(stage):>{_DEVIATION}} {_allowed(stage):>8}"
    if len(set(cells)) == 1:
        yield f"{name:<{_NAME}} {cells[0]}{judged} {status}{mark}"
        return
    yield f"{name:<{_NAME}} {cells[0]}{judged}"
    yield f"{'':>{_NAME - 7}}{'actual':>7} {cells[1]}{'':>{_DEVIATION + 5}}{status:>4}{mark}"


def _side_cells(side: Side) -> str:
    shape = "x".join(map(str, side.shape)) or "scalar"
    cells = "".join(f"{short(v):>{_NUMBER}}" for v in (side.min, side.max, side.mean, side.std))
    return f"{shape:<{_SHAPE}}{cells}"


def _deviation(stage: StageResult) -> str:
    comparison = stage.comparison
    if comparison is None or not stage.has_both_sides:
        codes = [finding.code for finding in stage.findings]
        return "missing" if "missing_stage" in codes else "extra" if "extra_stage" in codes else "new"
    if comparison.match is not None:
        return "exact" if comparison.match == 1 else percent(1 - comparison.match)
    return "-" if comparison.deviation_db is None else f"{decibel(comparison.deviation_db)} dB"


def _allowed(stage: StageResult) -> str:
    if stage.meta.kind == "codes":
        share = 1 - stage.tolerance.min_match
        return "exact" if share == 0 else percent(share)
    tol = stage.tolerance.tol_db
    return "-" if tol is None else f"{tol:.4g} dB"


def _details(stage: StageResult, *, first: bool) -> Iterator[str]:
    yield f"{stage.name}" + (" (first divergence)" if first else "")
    if stage.reason:
        yield from _wrapped("problem", stage.reason)
    over = [criterion for criterion in stage.criteria if not criterion.passed]
    for criterion in over:
        said = f"{_SAY[criterion.name]} {_value(criterion)}{_UNIT[criterion.name]}, allowed {_limit_value(criterion)}"
        yield from _wrapped("over", said)
    if stage.comparison is not None:
        for label, text in _numbers(stage.comparison, stage):
            yield from _wrapped(label, text)
    if stage.smallest_tol_db is not None and any(c.name in ("deviation_db", "peak_db") for c in over):
        yield from _wrapped("would pass", f"tol_db={_up(stage.smallest_tol_db)}, the smallest that does")
    for finding in stage.findings:
        yield from _wrapped("finding", f"{finding.code}: {finding.message}")


def _numbers(comparison: Comparison, stage: StageResult) -> Iterator[tuple[str, str]]:
    if comparison.worst is not None:
        yield "worst at" if comparison.match is None else "first at", _worst(comparison)
    if comparison.correlation is not None:
        yield "fit", _fit(comparison)
    factor = DB_PER_UNIT.get(stage.meta.unit or "") if stage.meta.kind == "log_spectrum" else None
    if factor is not None and comparison.bias is not None:
        yield "level", f"actual is {comparison.bias * factor:+.2f} dB from expected on average"
    elif comparison.level_db is not None:
        yield "level", f"actual is {comparison.level_db:+.2f} dB from expected (rms)"
    if lag := comparison.details.get("lag_samples"):
        yield "lag", f"actual comes {abs(lag)} samples {'later' if lag > 0 else 'earlier'}"
    if "codebooks" in comparison.details:
        yield "codebooks", _codebooks(comparison)
    if comparison.match is not None and comparison.match < 1:
        yield "would pass", f"min_match={_down(comparison.match)}, the largest that does"


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
    offset = comparison.offset or 0.0
    fit = f"actual = {comparison.gain:.4g} * expected {'-' if offset < 0 else '+'} {abs(offset):.3g}"
    return f"{fit}, correlation {comparison.correlation:.6f}"


def _codebooks(comparison: Comparison) -> str:
    rows = [(k, row["match"]) for k, row in enumerate(comparison.details["codebooks"]) if row["match"] < 1]
    shown = ", ".join(f"{k}: {percent(1 - match)} wrong" for k, match in rows[:8])
    return shown + (f" and {len(rows) - 8} more" if len(rows) > 8 else "")


def _wrapped(label: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(text, WIDTH - 15, break_long_words=False, break_on_hyphens=False) or [""]
    yield f"  {label:<10} : {lines[0]}"
    for line in lines[1:]:
        yield f"{'':<15}{line}"


def short(value: float | None) -> str:
    """Write a number in at most seven characters, four significant digits where they fit."""
    if value is None:
        return "-"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    for digits in (4, 3, 2, 1):
        text = f"{value:.{digits}g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
        if len(text) < _NUMBER:
            return text
    return text


def decibel(value: float | None) -> str:
    """Write a deviation: never rounded to zero unless it is zero, and no more digits than one reads."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if value < 0.001:
        return f"{value:.1e}".replace("e-0", "e-")
    return f"{value:.4f}" if value < 1 else f"{value:.2f}"


def percent(share: float) -> str:
    """Write a share as a percentage that says neither 0 nor 100 % unless it is."""
    if share in (0.0, 1.0):
        return f"{share:.0%}".replace("%", " %")
    return f"{min(99.99, max(0.01, 100 * share)):.2f} %"


def _up(value: float) -> str:
    """Write a number with three digits, rounded so that the text is not smaller than the number."""
    return _rounded(value, +1)


def _down(value: float) -> str:
    return _rounded(value, -1)


def _rounded(value: float, direction: int) -> str:
    if value == 0:
        return "0"
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    text = f"{(math.ceil if direction > 0 else math.floor)(value / step) * step:.3g}"
    while (float(text) - value) * direction < 0:
        text = f"{float(text) + direction * step:.3g}"
    return text


def change(stage: StageResult) -> str:
    """Say in one phrase what an update changes in a stage."""
    code = next((f.code for f in stage.findings if f.code in ("missing_stage", "extra_stage")), None)
    if code == "missing_stage":
        return "removed"
    if code == "extra_stage":
        return "added"
    comparison = stage.comparison
    if comparison is not None and comparison.expected.shape != comparison.actual.shape:
        return f"{_shape(comparison.expected)} -> {_shape(comparison.actual)}"
    if comparison is not None and comparison.match is not None:
        return f"{percent(1 - comparison.match)} of the codes changed"
    if stage.deviation_db is not None:
        return f"changed by {decibel(stage.deviation_db)} dB"
    return stage.reason or "changed"


def _shape(side: Side) -> str:
    return "x".join(map(str, side.shape)) or "scalar"
