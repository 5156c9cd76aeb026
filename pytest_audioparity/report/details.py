"""One stage that fails in full: what is over its limit, its numbers, its own part, its causes, its sound."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_audioparity.records import DB_PER_UNIT
from pytest_audioparity.report.attribution import forced_numbers, own_lines, told_of
from pytest_audioparity.report.criteria import over_text
from pytest_audioparity.report.numbers import percent, round_up, share_text
from pytest_audioparity.report.plain_text import labelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.records import Comparison, Finding
    from pytest_audioparity.results import StageResult

# An offset below this share of the spread is rounding of the fit, and reads as one.
_NO_OFFSET = 1e-6
# Levels are shown with two decimals; below this there is nothing to see.
_SEEN_DB = 0.005
# Of stages behind the first divergence, only causes that explain this share are told; what they inherited has none.
_WORTH_TELLING = 0.95


def detail_lines(stage: StageResult) -> Iterator[str]:
    """Write all that is known of the stage that diverged first: its numbers, what it is off by, and the causes."""
    for criterion in stage.criteria:
        if not criterion.passed:
            yield from labelled("over", over_text(criterion))
    yield from _own(stage)
    comparison = stage.comparison
    assert comparison is not None
    for label, text in _numbers(comparison, stage):
        yield from labelled(label, text)
    if stage.is_only_too_far:
        yield from labelled("would pass", f"tol_db={round_up(stage.smallest_tol_db or 0.0)}, the smallest that does")
    if stage.deviation_db == math.inf:
        silent = "expected" if comparison.expected.max == comparison.expected.min == 0 else "actual"
        yield from labelled(
            "note", f"{silent} is silent, so there is no ratio; a limit in its unit: tol_db=None, atol=..."
        )
    yield from _why(stage, first=True)


def cause_lines(stage: StageResult) -> Iterator[str]:
    """Write of a stage behind the first divergence what is its own, and why."""
    yield from _own(stage)
    if stage.is_inherited:
        yield from _sound(stage)
    else:
        yield from _why(stage, first=False)


def _own(stage: StageResult) -> Iterator[str]:
    for line in own_lines(stage):
        yield from labelled("own", line)
    if (fitted := forced_numbers(stage)) is not None:
        yield from labelled("own fit", _fit(fitted))


def _why(stage: StageResult, *, first: bool) -> Iterator[str]:
    """Name the causes: of its own part where that is known, in which what it inherited does not cover them."""
    yield from _sound(stage)
    told = told_of(stage)
    if told.reason:
        yield from labelled("problem", told.reason)
    for finding in told.findings:
        # Behind the first divergence a cause may be one only in appearance, unless the stage itself is known to differ.
        if first or told is not stage or _tells_much(finding):
            share = share_text(finding.explains)
            yield from labelled("finding", f"{finding.code}{share}: {finding.message}")


def _tells_much(finding: Finding) -> bool:
    """Whether a finding is worth telling of a stage that may only have inherited its difference."""
    if finding.explains is None:
        return finding.code not in ("unexplained", "uncorrelated", "rounding")
    return finding.explains >= _WORTH_TELLING


def has_causes(stage: StageResult) -> bool:
    """Whether there is more to tell of a stage than its numbers. Causes of what is inherited stand where it began."""
    if stage.audio is not None:
        return True
    is_at_fault = stage.own_result is not None and not stage.own_result.passed
    telling = stage.reason is not None or any(map(_tells_much, stage.findings))
    return is_at_fault or (not stage.is_inherited and telling)


def _sound(stage: StageResult) -> Iterator[str]:
    """Say what a waveform sounds like: whether it is still speech, and why not."""
    for line in _heard(stage):
        yield from labelled("audio", line)


def _heard(stage: StageResult) -> list[str]:
    if stage.audio is None:
        return []
    # The package of the scorer is loaded where there is a score, and nowhere else.
    from pytest_audioparity.audio.channels import verdict_lines

    return verdict_lines(stage.audio)


def _numbers(comparison: Comparison, stage: StageResult) -> Iterator[tuple[str, str]]:
    if stage.tolerance.max_drop is not None:  # of a score, its drop says all
        return
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
