"""Tolerances between the noise that repetitions showed and the smallest fault that matters, as text to paste.

Everything here is decided from plain numbers of the run's record. Rows of one function's parameters, and of stages that
differ in a number only (``ode/0``, ``ode/1``), are put together first: one tolerance has to serve them all.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from pytest_audioparity.comparison.tolerances import PRESET_DB, unmatched
from pytest_audioparity.report.numbers import counted, decibel, percent
from pytest_audioparity.report.plain_text import cells, padded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# What another machine may add to the noise measured here: healthy fp32 ports stay under 0.001 dB at every stage, which
# is this share of the preset.
_UNSEEN = 0.1
# A few repetitions show about half of the largest deviation that many would, and a fault may be half as strong.
_HEADROOM = 2.0
# Where the runs differ among themselves by this share of what they are off the golden, they differ from it by chance:
# two draws of one noise are as far apart as each is from a third, or √2 farther than from its middle.
_CHANCE = 0.7
# A tolerance that more than this share of the faults would pass is none.
_MOST_HIDDEN = 0.5
_DIGITS = re.compile(r"\d+")
_WIDTH = 18


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is measured of a stage, or of several that one glob means, and the tolerance that follows from it.

    Attributes
    ----------
    glob : the stage, or a glob
    measure : `tol_db`, or `mismatch` of codes, the share that is wrong
    to_golden, run_to_run : the largest over the repetitions, in the measure; None where there is nothing to compare
    limit, fault : the smallest fault that lies well above the noise, and what it is; None without one
    now : what the stage is allowed, None where the measure decides nothing
    proposed : None where what there is should stay, or where there is an objection
    is_sound : whether there is no objection to a tolerance for this
    in_record : whether the tolerance was given where the stage is recorded, which no mark changes
    note : what else is to be said
    """

    glob: str
    measure: str
    to_golden: float | None
    run_to_run: float | None
    limit: float | None
    fault: str | None
    now: float | None
    proposed: float | None
    is_sound: bool
    in_record: bool
    note: str | None


def proposals(rows: Sequence[Mapping[str, Any]]) -> list[Proposal]:
    """Decide on the rows of one test function, see `Calibration.measured`."""
    names = list(dict.fromkeys(row["stage"] for row in rows))
    groups: dict[tuple[str, Any], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((_glob(row["stage"], names), row["measure"]), []).append(row)
    return [_decided(glob, measure, group) for (glob, measure), group in groups.items()]


def _glob(name: str, names: Sequence[str]) -> str:
    """Return a glob for the stages that differ from one in numbers alone, if it means no other; else its name."""
    glob = _DIGITS.sub("*", name.replace("[", "[[]"))
    alike = [other for other in names if _DIGITS.sub("", other) == _DIGITS.sub("", name)]
    return glob if len(alike) > 1 and alike == [other for other in names if fnmatchcase(other, glob)] else name


def _decided(glob: str, measure: str, rows: Sequence[Mapping[str, Any]]) -> Proposal:
    to_golden, run_to_run = _largest(rows, "to_golden"), _largest(rows, "run_to_run")
    noise = max(to_golden or 0.0, run_to_run or 0.0)
    least = 0.0 if measure == "mismatch" else _UNSEEN * max(PRESET_DB[row["precision"]] for row in rows)
    floor = max(noise, least)
    faults = sorted(tuple(fault) for row in rows for fault in row["faults"])
    near = floor * _HEADROOM**2
    limit, fault = next(((size, name) for size, name in faults if size > near), (None, None))
    now = min((row["now"] for row in rows if row["now"] is not None), default=None)
    hidden = sum(size <= near for size, _ in faults)
    objection = _objection(rows, now, limit, hidden=hidden / len(faults) if faults else 0.0)
    proposed = None
    if objection is None and limit is not None and now is not None and not floor * _HEADROOM <= now < limit:
        proposed = _between(floor, limit)
    note = objection
    in_record = any(row["in_record"] for row in rows)
    if proposed is not None and in_record:
        note = "its tolerance is given where it is recorded; change it there"
    elif objection is None and hidden:
        note = f"{hidden} of {len(faults)} faults are below {decibel(near)} dB, too near the noise"
    return Proposal(
        glob, measure, to_golden, run_to_run, limit, fault, now, proposed, objection is None, in_record, note
    )


def _largest(rows: Iterable[Mapping[str, Any]], key: str) -> float | None:
    return max((row[key] for row in rows if row[key] is not None), default=None)


def _objection(
    rows: Sequence[Mapping[str, Any]], now: float | None, limit: float | None, *, hidden: float
) -> str | None:
    """Say why no tolerance is proposed, or return None. A tolerance is for noise; it must not bless a fault."""
    for row in rows:
        if not row["measurable"]:
            return "its structure differs or one side is silent; mend that first"
        if row["to_golden"] is None and row["run_to_run"] is None:
            return "it was there once, with nothing to compare it with"
        is_chance = (row["run_to_run"] or 0.0) >= _CHANCE * (row["to_golden"] or 0.0)
        if row["cause"] is not None and not is_chance:
            return f"not noise but {row['cause']}, in every run; mend that first"
        if row["failing"]:
            return f"{', '.join(row['failing'])} fails, which no tol_db changes"
    if now is None:
        return "judged without tol_db"
    if hidden > _MOST_HIDDEN:
        return "most faults would drown in this noise; fix its seed, or compare earlier stages"
    if limit is None:
        is_strict = any(row["injected"] for row in rows)
        return "every fault is noticed whatever tol_db is" if is_strict else "no fault could be injected"
    return None


def _between(floor: float, limit: float) -> float:
    """Return the geometric mean, in as few digits as keep it between; 0 where nothing is to be allowed."""
    mean = math.sqrt(floor * limit)
    texts = (f"{mean:.{digits}g}" for digits in range(1, 17))
    return next((float(text) for text in texts if floor < float(text) < limit), mean)


def lines(tests: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Show what was measured of each test function, and the mark that follows from it."""
    by_function: dict[str, list[Mapping[str, Any]]] = {}
    for test in tests:
        if test.get("calibration"):
            by_function.setdefault(_marked(test), []).append(test)
    if not by_function:
        yield "no test ended, so there is nothing to measure"
    for function, some in by_function.items():
        yield function
        yield from (f"  {line}" for line in _function([test["calibration"] for test in some]))


def _function(some: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = [row for one in some for row in one["stages"]]
    for problem in dict.fromkeys(one["problem"] for one in some if one["problem"] is not None):
        yield f"a run failed otherwise, so this test cannot be repeated as it is: {problem}"
    if not rows:
        yield "no stage was compared in its last run"
        return
    yield counted(max(row["repetitions"] for row in rows), "run")
    yield f"{'stage':<{_WIDTH}} {'to golden':>9} {'run to run':>10}  {'smallest fault':<19} {'now':>7} proposed"
    found = proposals(rows)
    for one in found:
        if cells(one.glob) > _WIDTH:
            yield one.glob
        yield f"{padded(one.glob if cells(one.glob) <= _WIDTH else '', _WIDTH)} {_row(one)}"
        if one.note is not None:
            yield f"    {one.note}"
    changed = {one.glob: _keyword(one) for one in found if one.proposed is not None and not one.in_record}
    stages = [[row["stage"] for row in one["stages"]] for one in some]
    common = {glob: value for glob, value in changed.items() if _means(glob, stages)}
    if common:
        mark = some[0]["mark"]
        # Those of a class need not mean a stage of each test; in the mark of the test itself that is an error.
        meant = {glob: value for glob, value in (mark.get("stages") or {}).items() if _means(glob, stages)}
        yield _mark({**mark, "stages": meant}, common)
    for glob, tolerance in changed.items():
        if glob not in common:  # in a mark it would be an error for the other parameters
            text = ", ".join(f"{name}={value!r}" for name, value in tolerance.items())
            yield f"not every parameter has {glob!r}; as a line of the ini option audioparity_stages: {glob}: {text}"


def _means(glob: str, stages: Iterable[Sequence[str]]) -> bool:
    """Whether a glob means a stage of every parameter."""
    return all(unmatched([glob], names) is None for names in stages)


def _marked(test: Mapping[str, Any]) -> str:
    """Return what the mark of a test stands on: its function, or the one parameter that has a mark of its own."""
    file, separator, name = test["test"].partition("::")
    return test["test"] if test["calibration"]["of_parameter"] else f"{file}{separator}{name.partition('[')[0]}"


def _mark(keywords: Mapping[str, Any], changed: Mapping[str, Mapping[str, float]]) -> str:
    """Write a test's mark with the tolerances of some stages changed; of two globs for one stage the last counts."""
    stages = dict(keywords.get("stages") or {})
    for glob, tolerance in changed.items():
        stages[glob] = {**stages.pop(glob, {}), **tolerance}
    return f"@parity({', '.join(f'{name}={value!r}' for name, value in {**keywords, 'stages': stages}.items())})"


def _row(one: Proposal) -> str:
    fault = "-" if one.limit is None else f"{_shown(one, one.limit)} {(one.fault or '').partition(' ')[0]}"
    proposed = _shown(one, one.proposed) if one.proposed is not None else "keep" if one.is_sound else "-"
    numbers = f"{_shown(one, one.to_golden):>9} {_shown(one, one.run_to_run):>10}"
    return f"{numbers}  {fault:<19.19} {_shown(one, one.now):>7} {proposed}"


def _shown(one: Proposal, value: float | None) -> str:
    return percent(value) if one.measure == "mismatch" and value is not None else decibel(value)


def _keyword(one: Proposal) -> dict[str, float]:
    assert one.proposed is not None
    return {"min_match": round(1 - one.proposed, 12)} if one.measure == "mismatch" else {"tol_db": one.proposed}
