"""A few frames that are wrong, anywhere, or one stretch behind which all is right: glitches, lost chunks, races."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.margins import gain_there, held_by, smoothed, stays_clean

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
# Frames over which a level is taken, the longer ones where so many runs are wrong: limiters and gates follow a mean.
_AROUND, _RUNS = (1, 32, 256, 2048), 4
# Share of a stretch that is wrong, and the power before and behind it beside its own (20 dB).
_FULL, _LOUD = 0.9, 0.01
# Runs that a finding lists.
_SHOWN = 64


def bursts(problem: Problem, axis: int, margin: Margin) -> Iterator[Place]:
    """Yield the frames that are wrong where the others are right, up to the end."""
    wrong = np.flatnonzero(margin.wrong)
    n = margin.wrong.size
    runs = np.split(wrong, np.flatnonzero(np.diff(wrong) > 1) + 1)
    if not 0 < wrong.size < n or margin.is_rounding or _is_level(problem, margin, len(runs)):
        return
    if margin.expected.shape[1] == 1 and len(runs) == wrong.size:
        return  # single elements
    # At an end it is an edge, or where it diverges, also where nothing but silence is behind.
    if len(runs) == 1 and not (margin.signal[: wrong[0]].any() and margin.signal[wrong[-1] + 1 :].any()):
        return
    first, last = margin.at(wrong[0]), margin.at(wrong[-1])
    whole = f"{margin.length} along {margin.label}"
    if wrong.size <= _FEW * n and stays_clean(problem, axis, margin, margin.wrong, _everywhere(margin)):
        at = [[margin.at(run[0]), margin.at(run[-1])] for run in runs[:_SHOWN]]
        shown = ", ".join(f"{start}" if start == stop else f"{start} to {stop}" for start, stop in at[:4])
        message = (
            f"only {wrong.size} of {whole} {'differ' if wrong.size > 1 else 'differs'} ({shown}"
            f"{' ...' if len(runs) > 4 else ''}){gain_there(problem, margin)}, and the rest is right; check chunks "
            "that were lost, races and uninitialised memory"
        )
        place = held_by(problem, "spikes", message, {"count": wrong.size, "runs": at}, margin, margin.wrong)
    elif wrong.size > _FULL * (wrong[-1] - wrong[0] + 1) and _is_loud_outside(margin, wrong):
        message = (
            f"actual differs from expected from {margin.label}={first} to {last} alone, and is right before and behind"
            "; check the chunk that was made there, state and caches"
        )
        place = held_by(problem, "diverges_from", message, {"from": first, "to": last}, margin, margin.wrong)
    else:
        return
    if margin.holds(margin.wrong):
        yield place


def _everywhere(margin: Margin) -> Array:
    """Return which indices of the whole axis are wrong, of those that were looked at."""
    return np.isin(np.arange(margin.length), margin.start + np.flatnonzero(margin.wrong))


def _is_loud_outside(margin: Margin, wrong: Array) -> bool:
    """Whether what is before and behind a stretch has about its level, and is not right for being quiet."""
    before, behind = margin.signal[: wrong[0]], margin.signal[wrong[-1] + 1 :]
    least = _LOUD * float(margin.signal[wrong].mean())
    return all(side.size > 0 and float(side.mean()) >= least for side in (before, behind))


def _is_level(problem: Problem, margin: Margin, runs: int) -> bool:
    """Whether the level of a frame, or of what is around it, tells whether it is wrong."""
    if problem.is_codes:
        return False
    is_log = problem.meta.kind == "log_spectrum"
    level = (margin.expected if is_log else margin.expected**2).mean(axis=1)
    return any(
        not 1 - _BY_LEVEL <= _louder(smoothed(level, min(width, level.size // 16)), margin.wrong) <= _BY_LEVEL
        # One place may be the loudest by chance.
        for width in (_AROUND if runs >= _RUNS else _AROUND[:1])
    )


def _louder(level: Array, wrong: Array) -> float:
    """Return the share of pairs of a wrong and a right one of which the wrong one is louder."""
    right, of_wrong = np.sort(level[~wrong]), level[wrong]
    below, upto = (np.searchsorted(right, of_wrong, side).mean() for side in ("left", "right"))
    return float(below + upto) / (2 * right.size)
