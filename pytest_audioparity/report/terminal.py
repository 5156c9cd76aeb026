"""A result as text of at most 80 columns: what fails, the stage table in data-flow order, the details, the way on.

The text is made where the test ran (a pytest-xdist worker has no terminal), so it carries no colour and no width of
its own; pytest colours the failure as a whole.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_audioparity.records import DB_PER_UNIT
from pytest_audioparity.report.attribution import (
    earlier,
    forced_numbers,
    in_short,
    own_lines,
    settings_lines,
    settings_problem,
    told_of,
)
from pytest_audioparity.report.jumps import SECOND_JUMP, second_jump
from pytest_audioparity.report.numbers import decibel, percent, round_down, round_up, share_of, share_text
from pytest_audioparity.report.plain_text import cells, clean, padded, wrapped
from pytest_audioparity.report.roundtrips import roundtrip_lines, roundtrip_problem
from pytest_audioparity.report.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.records import Comparison, Finding
    from pytest_audioparity.results import Criterion, ParityResult, StageResult

WIDTH = 80
_UNIT = {"deviation_db": " dB", "peak_db": " dB", "snr_db": " dB", "pesq_wb": " MOS", "pesq_nb": " MOS"}
# Criteria that limit from below.
_AT_LEAST = {"snr_db": "signal-to-error ratio", "stoi": "STOI", "estoi": "ESTOI", "pesq_wb": "wide-band PESQ"}
_AT_LEAST["pesq_nb"] = "narrow-band PESQ"
_SAY = {
    "deviation_db": "deviation",
    "peak_db": "largest single element against the rms",
    "match": "share of equal codes",
    "excess": "|actual - expected| - rtol*|expected|",
    "drop": "mean below the expected one",
    **_AT_LEAST,
}
_STRUCTURE = {
    "missing_stage": "is missing in actual",
    "extra_stage": "is not among the expected ones",
    "shape": "has another shape",
    "nonfinite": "has values that are not finite",
    "dtype": "has another dtype",
}
_WORDS_LOST = "words are lost, which only words='any' allows"
# An offset below this share of the spread is rounding of the fit, and reads as one.
_NO_OFFSET = 1e-6
# Names of settings are set below one another up to this length.
_LONGEST = 24
# Levels are shown with two decimals; below this there is nothing to see.
_SEEN_DB = 0.005
# Of stages behind the first divergence, only causes that explain this share are told; what they inherited has none.
_WORTH_TELLING = 0.95


def render(result: ParityResult) -> str:
    """Write a whole result: headline, table, details of the first failing stages, and what to do."""
    return clean("\n".join(_inert(line.rstrip()) for line in _lines(result)))


def _inert(line: str) -> str:
    """Keep CI from obeying a stage's name: the log of GitHub Actions takes a line that begins so for a command."""
    return f"'{line}" if line.lstrip().startswith(("::", "##[")) else line


def headline(result: ParityResult) -> str:
    """Say in one line what is wrong, or that all is well."""
    if result.reason is not None:
        return result.reason
    if (wrong := roundtrip_problem(result)) is not None:
        return wrong
    name = result.first_divergence
    if name is None and (wrong := settings_problem(result)) is not None:
        return wrong
    first = next((stage for stage in result.stages if stage.name == name), None)
    if first is None and result.roundtrips:
        return "the round trip passes"
    if first is None:
        return share_of(len(result.stages), len(result.stages), "pass")
    return f"stage {name!r} {_what(first)}"


def _what(stage: StageResult) -> str:
    if stage.verdict == "not_measured":
        return f"cannot be measured: {stage.reason}"
    # What could not be measured comes after what was, and was too little.
    failed = min((c for c in stage.criteria if not c.passed), key=lambda c: c.value is None, default=None)
    found = next((f for f in stage.findings if f.code in _STRUCTURE), None)
    if found and (failed is None or found.code != "dtype"):
        return "; ".join(filter(None, (_STRUCTURE[found.code], found.detail.get("hint"))))
    if failed is not None and failed.name == "words":
        others = [c for c in stage.criteria if not c.passed and c is not failed]
        so_far = "has lost its words" if others else "passes its other limits, but its words are lost"
        return f"{so_far}{_verdict(stage)}"
    if failed is not None and failed.name == "drop":
        return f"has lost {failed.value or 0.0:.3g}, allowed {failed.limit:.6g}"
    if failed is not None and failed.name in _AT_LEAST:
        unit = _UNIT.get(failed.name, "")
        what = f"a {_AT_LEAST[failed.name]} of {_value(failed)}{unit}"
        return f"has {what}, at least {failed.limit:.6g}{unit} is asked for"
    if failed is not None:
        return f"is off by {_amount(failed)}, allowed {_limit(failed)}"
    return f"does not fit: {stage.reason}" if stage.reason else "fails"


def _amount(criterion: Criterion) -> str:
    if criterion.name == "match":
        return f"{percent(1 - (criterion.value or 0.0))} of its codes"
    amount = f"{decibel(criterion.value)}{_UNIT.get(criterion.name, '')}"
    return amount if criterion.name == "deviation_db" else f"{amount} ({_SAY[criterion.name]})"


def _limit(criterion: Criterion) -> str:
    if criterion.name == "match":
        return percent(1 - criterion.limit)
    return _limit_value(criterion)


def _lines(result: ParityResult) -> Iterator[str]:
    if result.title:
        yield result.title
    yield headline(result)
    yield from _nonfinite(result)
    yield from roundtrip_lines(result, WIDTH)
    failing = [stage for stage in result.stages if not stage.passed]
    # Without a golden nothing was compared, and a table would look as if something had been.
    if any(stage.has_both_sides for stage in result.stages) or result.reason is None:
        if failing:
            yield share_of(len(failing), len(result.stages), "fail")
        if (before := earlier(result)) is not None:
            yield from wrapped(f"earlier: {before}", WIDTH)
        if (jump := second_jump(result)) is not None:
            yield from wrapped(f"a second jump: {jump.stage!r}, {jump.text}", WIDTH)
        yield from _settings(result)
        if result.stages:
            yield ""
            yield from table(result)
        yield from _told(result, failing)
    yield ""
    if needed := _needed(failing):
        yield from wrapped(needed, WIDTH)
    yield from _way_on(result)


def _nonfinite(result: ParityResult) -> Iterator[str]:
    """Say which stages have NaN where nothing is compared that would show it: no golden can be made of them."""
    for stage in result.stages:
        side = None if stage.has_both_sides or stage.comparison is None else stage.comparison.actual
        if side is not None and side.nan + side.inf:
            found = " and ".join(
                f"{count} {what}" for count, what in ((side.nan, "NaN"), (side.inf, "infinite")) if count
            )
            where = "" if side.first_nonfinite is None else f", the first at {list(side.first_nonfinite)}"
            yield from wrapped(f"stage {stage.name!r} has {found} values{where}: no golden can be made of it", WIDTH)


def _settings(result: ParityResult) -> Iterator[str]:
    """Write what differs of the hyper-parameters, which come before the stages as they explain many."""
    wrong = list(settings_lines(result))
    if wrong:
        yield ""
        yield f"{len(wrong)} of {len(result.settings)} settings {'differs' if len(wrong) == 1 else 'differ'}"
        widest = min(max(cells(name) for name, _ in wrong), _LONGEST)
        for name, problem in wrong:
            yield from _wrapped(name, problem, widest)


def _way_on(result: ParityResult) -> Iterator[str]:
    """Name the golden, what is to be known of it, and the commands that come next."""
    if result.golden is not None:
        yield f"golden: {result.golden}"
    for label, text in result.notes:
        yield from wrapped(f"{label}: {text}", WIDTH)
    if result.accept is not None:
        yield f"accept: {result.accept}"
    if result.review is not None:
        yield f"review: {result.review}"
    if result.owner is not None:
        yield f"owner: {result.owner} writes this golden, should the reference itself have changed"


def _told(result: ParityResult, failing: list[StageResult]) -> Iterator[str]:
    """Write out the first divergence and a second jump with all their numbers, of others what is not a number."""
    # A stage that only one side has, or that has no golden yet, has nothing to tell beyond its row.
    both = [stage for stage in failing if stage.has_both_sides]
    jump = second_jump(result)
    whole = {result.first_divergence: "first divergence"} | ({} if jump is None else {jump.stage: "second jump"})
    titles = [name for name in whole if name is not None]
    alone = [stage for stage in both if stage.name in titles or _has_causes(stage)]
    for stage in sorted(alone, key=lambda stage: titles.index(stage.name) if stage.name in titles else len(titles)):
        yield ""
        yield f"{stage.name} ({whole[stage.name]})" if stage.name in titles else stage.name
        if jump is not None and stage.name == jump.stage:
            yield from _wrapped("jump", f"{jump.text}: {SECOND_JUMP}")
        yield from _details(stage) if stage.name in titles else _causes(stage)
    yield from _other_names(failing)
    told = {stage.name for stage in alone}
    rest = [stage for stage in both if stage.name not in told and stage.own is not None]
    yield from _block("inherited only", "own ", [stage for stage in rest if stage.is_inherited])
    yield from _block("own part", "", [stage for stage in rest if not stage.is_inherited])


def _other_names(failing: list[StageResult]) -> Iterator[str]:
    """Write which of the stages that only actual has may be one that only expected has."""
    hints = [
        (stage.name, found.detail["hint"]) for stage in failing for found in stage.findings[:1] if _is_extra(found)
    ]
    if hints:
        yield ""
        yield "perhaps another name: record it under that one, or give rename= to load and run"
        for name, hint in hints:
            yield from _wrapped(name, hint)


def _is_extra(finding: Finding) -> bool:
    return finding.code == "extra_stage" and "hint" in finding.detail


def _tells_much(finding: Finding) -> bool:
    """Whether a finding is worth telling of a stage that may only have inherited its difference."""
    if finding.explains is None:
        return finding.code not in ("unexplained", "uncorrelated", "rounding")
    return finding.explains >= _WORTH_TELLING


def _has_causes(stage: StageResult) -> bool:
    """Whether there is more to tell of a stage than its numbers. Causes of what is inherited stand where it began."""
    if stage.audio is not None:
        return True
    is_at_fault = stage.own_result is not None and not stage.own_result.passed
    telling = stage.reason is not None or any(map(_tells_much, stage.findings))
    return is_at_fault or (not stage.is_inherited and telling)


def _block(title: str, word: str, stages: list[StageResult]) -> Iterator[str]:
    if stages:
        yield ""
        yield title
        for name, said in in_short(stages):
            yield from _wrapped(name, f"{word}{said}")


def _details(stage: StageResult) -> Iterator[str]:
    over = [criterion for criterion in stage.criteria if not criterion.passed]
    for criterion in over:
        said = f"{_SAY.get(criterion.name)} {_value(criterion)}{_UNIT.get(criterion.name, '')}"
        said = f"{said}, allowed {_limit_value(criterion)}"
        yield from _wrapped("over", _WORDS_LOST if criterion.name == "words" else said)
    yield from _own(stage)
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
    yield from _why(stage, first=True)


def _causes(stage: StageResult) -> Iterator[str]:
    yield from _own(stage)
    if stage.is_inherited:
        yield from _sound(stage)
    else:
        yield from _why(stage, first=False)


def _own(stage: StageResult) -> Iterator[str]:
    for line in own_lines(stage):
        yield from _wrapped("own", line)
    if (fitted := forced_numbers(stage)) is not None:
        yield from _wrapped("own fit", _fit(fitted))


def _why(stage: StageResult, *, first: bool) -> Iterator[str]:
    """Name the causes: of its own part where that is known, in which what it inherited does not cover them."""
    yield from _sound(stage)
    told = told_of(stage)
    if told.reason:
        yield from _wrapped("problem", told.reason)
    for finding in told.findings:
        # Behind the first divergence a cause may be one only in appearance, unless the stage itself is known to differ.
        if first or told is not stage or _tells_much(finding):
            share = share_text(finding.explains)
            yield from _wrapped("finding", f"{finding.code}{share}: {finding.message}")


def _sound(stage: StageResult) -> Iterator[str]:
    """Say what a waveform sounds like: whether it is still speech, and why not."""
    for line in _heard(stage):
        yield from _wrapped("audio", line)


def _heard(stage: StageResult) -> list[str]:
    if stage.audio is None:
        return []
    # The package of the scorer is loaded where there is a score, and nowhere else.
    from pytest_audioparity.audio.channels import verdict_lines

    return verdict_lines(stage.audio)


def _verdict(stage: StageResult) -> str:
    return "" if stage.audio is None else f" ({stage.audio.worst[1].verdict.replace('_', ' ')})"


def _needed(failing: list[StageResult]) -> str:
    """Say what tolerance the whole test would need, if any would do."""
    if len(failing) < 2 or not all(stage.is_only_too_far for stage in failing):
        return ""
    most = max(failing, key=lambda stage: stage.smallest_tol_db or 0.0)
    return f"all stages would pass with tol_db={round_up(most.smallest_tol_db or 0.0)}, which {most.name!r} needs"


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


def _value(criterion: Criterion) -> str:
    if criterion.value is None:
        return "not measured"
    if criterion.name in _AT_LEAST:
        return round_down(criterion.value)
    return decibel(criterion.value) if criterion.name in ("deviation_db", "peak_db") else f"{criterion.value:.6g}"


def _limit_value(criterion: Criterion) -> str:
    return f"{'' if criterion.at_most else 'at least '}{criterion.limit:.6g}{_UNIT.get(criterion.name, '')}"


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


def _wrapped(label: str, text: str, widest: int = 10) -> Iterator[str]:
    indent = widest + 5
    # What a name that is longer than all labels takes is missing to the first line.
    first, *rest = wrapped(text, WIDTH - indent, taken=max(0, cells(label) - widest))
    yield f"  {padded(label, widest)} : {first}"
    for line in rest:
        yield f"{'':<{indent}}{line}"
