"""Whose fault a deviation is, in words: a stage's own, what it inherited from, hyper-parameters that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.report.numbers import decibel, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_audioparity.records import Comparison
    from pytest_audioparity.results import Own, ParityResult, StageResult

# Of stages that only inherited; they are many when the first of a long chain is wrong, and the table has them all.
_SHOWN = 6


def settings_problem(result: ParityResult) -> str | None:
    """Say in one line which hyper-parameter differs first, or return None."""
    wrong = next((setting for setting in result.settings if not setting.passed), None)
    return None if wrong is None else f"setting {wrong.name!r}: {wrong.problem}"


def settings_lines(result: ParityResult) -> Iterator[tuple[str, str]]:
    """Write each hyper-parameter that differs as its name and what is wrong."""
    yield from ((setting.name, setting.problem) for setting in result.settings if setting.problem is not None)


def earlier(result: ParityResult) -> str | None:
    """Say what became of the stages before the first divergence, where it is known that the fault is its own."""
    names = [stage.name for stage in result.stages]
    if result.first_divergence is None:
        return None
    place = names.index(result.first_divergence)
    first, before = result.stages[place], result.stages[:place]
    if first.own_result is None or first.is_inherited:
        return None
    heirs = [stage.name for stage in before if stage.is_inherited]
    starts = f"the difference starts in {first.name!r} (own {amount(first.own_result)})"
    if heirs:
        fail, they = ("fails", "it") if len(heirs) == 1 else ("fail", "they")
        return f"{_names(heirs)} {fail} too, but only by what {they} inherited; {starts}"
    if before and all(stage.passed for stage in before):
        return f"{_names([stage.name for stage in before])} {'passes' if len(before) == 1 else 'pass'}; {starts}"
    return starts


def own_lines(stage: StageResult) -> Iterator[str]:
    """Say what part of a stage's deviation is its own, or why that is not known."""
    own = stage.own
    if own is None:
        return
    if own.result is None:
        yield f"not measured: {own.note}"
        return
    said = f"{amount(own.result)} on the golden's inputs"
    if own.inherited_from and own.result.passed:
        said += f", the rest of {amount(stage)} is inherited from {_names(own.inherited_from)}"
    elif own.inherited_from:
        said += f", {amount(stage)} with what it inherited from {_names(own.inherited_from)}"
    else:
        said += ", which are those that it got"
    yield said
    if not own.result.passed and own.as_given:
        yield f"{_listed(own.as_given)}: no recorded stage, used as given"


def forced_numbers(stage: StageResult) -> Comparison | None:
    """Return the numbers of a step that fails on the golden's inputs too, where those differ from what it got."""
    own, result = stage.own, stage.own_result
    if own is None or not own.inherited_from or result is None or result.passed or result.comparison is None:
        return None
    return None if result.comparison.correlation is None else result.comparison


def told_of(stage: StageResult) -> StageResult:
    """Return the result whose causes are told: that on the golden's inputs where it fails."""
    own = stage.own_result
    return stage if own is None or own.passed else own


def in_short(stages: Sequence[StageResult]) -> Iterator[tuple[str, str]]:
    """Write of some stages their names and what is to be said of their own part, once where it is the same for several.

    Of many only the first few are named.
    """
    names: dict[str, list[str]] = {}
    for stage in stages[:_SHOWN]:
        names.setdefault(" ".join(own_lines(stage)), []).append(stage.name)
    for said, alike in names.items():
        yield _listed(alike), said
    if len(stages) > _SHOWN:
        yield f"and {len(stages) - _SHOWN} more", "see the table"


def amount(stage: StageResult) -> str:
    """Write how far a stage is off, in the unit that it is measured in."""
    comparison = stage.comparison
    if comparison is not None and comparison.match is not None:
        return f"{percent(1 - comparison.match)} of the codes"
    if stage.deviation_db is not None:
        return f"{decibel(stage.deviation_db)} dB"
    return stage.findings[0].code if stage.findings else "not measured"


def own_cell(own: Own | None) -> str:
    """Write a stage's own part for a column of the table, or a dash where it is not known."""
    result = None if own is None else own.result
    if result is None:
        return "-"
    match = None if result.comparison is None else result.comparison.match
    if match is not None:
        return "exact" if match == 1 else percent(1 - match)
    return decibel(result.deviation_db) if result.deviation_db is not None else "fails"


def _names(names: tuple[str, ...] | list[str]) -> str:
    return _listed([repr(name) for name in names])


def _listed(names: tuple[str, ...] | list[str]) -> str:
    """Join names as a sentence does; of a long list the ends."""
    if len(names) > 3:
        return f"{names[0]}..{names[-1]}"
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]
