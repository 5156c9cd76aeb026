"""A few frames that are wrong, anywhere, or one stretch behind which all is right: glitches, lost chunks, races."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.margins import gain_there, held_by, stays_clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.diagnosis.margins import Margin, Place
    from pytest_audioparity.diagnosis.problem import Problem

    Array = np.ndarray[Any, Any]

# Share of the frames that are still a few.
_FEW = 0.34
# Where nearly all frames that are wrong are louder than nearly all that are right, or quieter, the level decides what
# is wrong and not the time: the share of pairs of which the wrong one is louder (Mann and Whitney's U).
_BY_LEVEL = 0.97
# Frames over which a level is taken: limiters and gates follow a mean, of what is around or of what came before.
_AROUND = (1, 32, 256, 2048)
# Share of a stretch that is wrong, and the power before and behind it beside its own (20 dB). What is right there is a
# tenth of all: filters and interpolations leave a frame or two at the ends.
_FULL, _LOUD, _OUTSIDE = 0.9, 0.01, 0.1
# Runs that a finding lists.
_SHOWN = 64


def bursts(problem: Problem, axis: int, part: Margin, margin: Margin) -> Iterator[Place]:
    """Yield the frames that are wrong where the others are right, up to the end.

    Parameters
    ----------
    problem, axis : what is looked at
    part, margin : its sums along that axis, and those from end to end, if there are any
    """
    # Codes are equal or not: their neighbours say nothing of them.
    marks = margin.alone if problem.is_codes else margin.wrong
    wrong, n = np.flatnonzero(marks), marks.size
    runs = np.split(wrong, np.flatnonzero(np.diff(wrong) > 1) + 1)
    if not 0 < wrong.size < n or margin.is_rounding or not margin.holds(marks):
        return
    if _is_level(problem, margin, marks, len(runs)):
        return
    if margin.expected.shape[1] == 1 and len(runs) == wrong.size:
        return  # single elements
    # At an end it is an edge, or where it diverges, also where nothing but silence is behind.
    if len(runs) == 1 and not (margin.signal[: wrong[0]].any() and margin.signal[wrong[-1] + 1 :].any()):
        return
    place = held_by(problem, "spikes", "", {"count": wrong.size}, margin, marks)
    # From end to end some channels are looked at, and in the part all.
    everywhere = np.isin(np.arange(margin.length), margin.start + wrong)
    if not part.holds(place.chosen):
        return
    if part.wrong.size == n and not stays_clean(problem, axis, part, marks, everywhere):
        return
    if wrong.size <= _FEW * n:
        yield _few(problem, margin, place, runs)
    elif _FULL * (wrong[-1] - wrong[0] + 1) < wrong.size < (1 - _OUTSIDE) * n and _is_loud_outside(margin, wrong):
        first, last = margin.at(wrong[0]), margin.at(wrong[-1])
        seen = ", where it was looked at" if _is_part(margin) else ""
        message = (
            f"actual differs from expected from {margin.label}={first} to {last} alone, and is right before and behind"
            f"{seen}; check the chunk that was made there, state and caches"
        )
        detail = {"axis": margin.label, "from": first, "to": last}
        yield replace(place, code="diverges_from", message=message, detail=detail)


def _few(problem: Problem, margin: Margin, place: Place, runs: list[Array]) -> Place:
    count = place.detail["count"]
    at = [[margin.at(run[0]), margin.at(run[-1])] for run in runs[:_SHOWN]]
    shown = ", ".join(f"{start}" if start == stop else f"{start} to {stop}" for start, stop in at[:4])
    whole = f"{margin.wrong.size} along {margin.label}{' that were looked at' if _is_part(margin) else ''}"
    message = (
        f"only {count} of {whole} {'differ' if count > 1 else 'differs'} ({shown}"
        f"{' ...' if len(runs) > 4 else ''}){gain_there(problem, place)}, and the rest is right; check chunks "
        "that were lost, overlap or forgot their state, races and uninitialised memory"
    )
    return replace(place, message=message, detail={**place.detail, "runs": at})


def _is_loud_outside(margin: Margin, wrong: Array) -> bool:
    """Whether what is before and behind a stretch has about its level, and is not right for being quiet."""
    before, behind = margin.signal[: wrong[0]], margin.signal[wrong[-1] + 1 :]
    least = _LOUD * float(margin.signal[wrong].mean())
    return all(side.size > 0 and float(side.mean()) >= least for side in (before, behind))


def _is_part(margin: Margin) -> bool:
    return margin.wrong.size < margin.length


def _is_level(problem: Problem, margin: Margin, marks: Array, runs: int) -> bool:
    """Whether the level of a frame, or of what is around or before it, tells whether it is wrong."""
    if problem.is_codes:
        return False
    is_log = problem.meta.kind == "log_spectrum"
    level = (margin.expected if is_log else margin.expected**2).mean(axis=1)
    # One place may be the loudest by chance.
    for width in _AROUND if runs > 1 else _AROUND[:1]:
        length = min(width, level.size // 16)
        around = _means(level, length)
        for late in (0, length // 2, length):
            shifted = np.r_[np.full(late, around[0]), around[: around.size - late]]
            if not 1 - _BY_LEVEL <= _louder(shifted, marks) <= _BY_LEVEL:
                return True
    return False


def _means(level: Array, width: int) -> Array:
    """Return means over neighbourhoods of a width, however large it is."""
    if width <= 1:
        return level
    sums = np.cumsum(np.r_[0.0, np.pad(level, (width // 2, width - width // 2 - 1), mode="edge")])
    means: Array = (sums[width:] - sums[:-width]) / width
    return means


def _louder(level: Array, wrong: Array) -> float:
    """Return the share of pairs of a wrong and a right one of which the wrong one is louder."""
    right, of_wrong = np.sort(level[~wrong]), level[wrong]
    below, upto = (np.searchsorted(right, of_wrong, side).mean() for side in ("left", "right"))
    return float(below + upto) / (2 * right.size)
