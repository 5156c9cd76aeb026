"""A result as text of at most 80 columns: what fails, the stage table in data-flow order, the details, the way on.

The text is made where the test ran (a pytest-xdist worker has no terminal), so it carries no colour and no width of
its own; pytest colours the failure as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.report.attribution import earlier, in_short, settings_lines
from pytest_audioparity.report.details import cause_lines, detail_lines, has_causes
from pytest_audioparity.report.headline import headline
from pytest_audioparity.report.jumps import SECOND_JUMP, second_jump
from pytest_audioparity.report.numbers import round_up, share_of
from pytest_audioparity.report.plain_text import WIDTH, cells, clean, labelled, wrapped
from pytest_audioparity.report.roundtrips import roundtrip_lines
from pytest_audioparity.report.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.records import Finding
    from pytest_audioparity.results import ParityResult, StageResult

# Names of settings are set below one another up to this length.
_LONGEST = 24


def render(result: ParityResult) -> str:
    """Write a whole result: headline, table, details of the first failing stages, and what to do."""
    return clean("\n".join(_inert(line.rstrip()) for line in _lines(result)))


def _inert(line: str) -> str:
    """Keep CI from obeying a stage's name: the log of GitHub Actions takes a line that begins so for a command."""
    return f"'{line}" if line.lstrip().startswith(("::", "##[")) else line


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
            yield from labelled(name, problem, widest)


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
    alone = [stage for stage in both if stage.name in titles or has_causes(stage)]
    for stage in sorted(alone, key=lambda stage: titles.index(stage.name) if stage.name in titles else len(titles)):
        yield ""
        yield f"{stage.name} ({whole[stage.name]})" if stage.name in titles else stage.name
        if jump is not None and stage.name == jump.stage:
            yield from labelled("jump", f"{jump.text}: {SECOND_JUMP}")
        yield from detail_lines(stage) if stage.name in titles else cause_lines(stage)
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
            yield from labelled(name, hint)


def _is_extra(finding: Finding) -> bool:
    return finding.code == "extra_stage" and "hint" in finding.detail


def _block(title: str, word: str, stages: list[StageResult]) -> Iterator[str]:
    if stages:
        yield ""
        yield title
        for name, said in in_short(stages):
            yield from labelled(name, f"{word}{said}")


def _needed(failing: list[StageResult]) -> str:
    """Say what tolerance the whole test would need, if any would do."""
    if len(failing) < 2 or not all(stage.is_only_too_far for stage in failing):
        return ""
    most = max(failing, key=lambda stage: stage.smallest_tol_db or 0.0)
    return f"all stages would pass with tol_db={round_up(most.smallest_tol_db or 0.0)}, which {most.name!r} needs"
