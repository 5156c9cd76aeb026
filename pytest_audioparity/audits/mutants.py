"""`--parity-mutants`: what a test that passes would let pass as well. A test that cannot fail is not a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.audits.injection import injected
from pytest_audioparity.report.numbers import decibel, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_audioparity.audits.injection import Injected
    from pytest_audioparity.records import StageTensor
    from pytest_audioparity.results import StageResult

# Causes that a line of the terminal names per stage; -v shows all.
_SHOWN = 3


def audit(
    stages: Iterable[tuple[StageTensor, StageResult]],
    *,
    test: str,
    others: Callable[[StageTensor], Sequence[StageTensor]],
    left_out: Sequence[str] = (),
    covers: Callable[[str], bool] = lambda _: True,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return, in plain types, how many faults were injected into the stages of a test and which pass.

    Parameters
    ----------
    stages : the golden's, each with the result of the test that passed
    test : its id, which decides what is random
    others : gives the golden's other stages that one might be by mistake
    left_out : stages that the test records and does not compare
    covers : whether it compares a stage of some name
    progress : is told the stage with every fault
    """
    made, unnoticed = 0, []
    for stage, result in stages:
        for one in injected(stage, result.tolerance, others=others(stage), seed=test, covers=covers):
            made += 1
            progress(stage.meta.name)
            if not one.noticed:
                unnoticed.append(_plain(stage.meta.name, one))
    return {"injected": made, "unnoticed": unnoticed, "left_out": list(left_out)}


def _plain(stage: str, one: Injected) -> dict[str, Any]:
    comparison = one.result.comparison
    return {
        "stage": stage,
        "code": one.fault.code,
        "fault": one.fault.name,
        "deviation_db": one.result.deviation_db,
        "match": None if comparison is None else comparison.match,
        "smallest_tol_db": one.result.smallest_tol_db,
        "tol_db": one.result.tolerance.tol_db,
    }


def lines(tests: Iterable[Mapping[str, Any]], *, show_all: bool = False) -> Iterator[str]:
    """Say what would go unnoticed: a line per stage, the largest first, and how many faults there were in all.

    Parameters
    ----------
    tests : what the run recorded of each
    show_all : whether every cause of a stage is shown
    """
    audited = [(test["test"], test["mutants"]) for test in tests if test.get("mutants")]
    made = sum(found["injected"] for _, found in audited)
    missed = sum(len(found["unnoticed"]) for _, found in audited)
    for test, found in audited:
        if found["unnoticed"] or found["left_out"]:
            yield f"{test}: {len(found['unnoticed'])} of {found['injected']} faults would go unnoticed"
            yield from (f"  {line}" for line in _stages(found["unnoticed"], show_all=show_all))
        if found["left_out"]:
            yield f"  left out by only=, so nothing in them is noticed: {', '.join(found['left_out'])}"
    if not audited:
        yield "no test passed, so there is none whose tolerances could be audited"
    elif not made:
        yield "no fault could be injected: no test that passed compared a stage"
    elif not missed:
        yield f"all {made} faults would be noticed"


def _stages(unnoticed: Iterable[Mapping[str, Any]], *, show_all: bool) -> Iterator[str]:
    by_stage: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for one in unnoticed:
        by_stage.setdefault(one["stage"], {}).setdefault(one["code"], []).append(one)
    for stage, by_code in by_stage.items():
        # Of one cause at several strengths the strongest says enough.
        worst = [max(some, key=_size) for some in by_code.values()]
        worst.sort(key=_size, reverse=True)
        shown = worst if show_all else worst[:_SHOWN]
        more = len(worst) - len(shown)
        for one in shown:
            yield f"{stage}: {one['code']} ({one['fault']}), {_measured(one)}"
        if more:
            yield f"{stage}: and {more} more {'cause' if more == 1 else 'causes'} (-v shows all)"


def _size(one: Mapping[str, Any]) -> float:
    if one["match"] is not None:
        return 1 - float(one["match"])
    return float(one["deviation_db"] or 0.0)


def _measured(one: Mapping[str, Any]) -> str:
    if one["match"] is not None:
        return f"{percent(one['match'])} equal"
    if one["deviation_db"] is None:
        return "which the tolerance does not measure"
    allowed = "no tol_db" if one["tol_db"] is None else f"tol_db={one['tol_db']:g}"
    return f"{decibel(one['deviation_db'])} dB with {allowed}"
