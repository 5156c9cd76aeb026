"""Errors that repeat every so many frames: chunk boundaries."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.margins import held_by, stays_clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.diagnosis.explanation import Explanation
    from pytest_audioparity.diagnosis.margins import Margin
    from pytest_audioparity.diagnosis.problem import Problem

    Array = np.ndarray[Any, Any]

# How many times seams have to come to be a rhythm.
_LEAST = 3
# Share of its times, where there is a signal, at which something has to be wrong.
_VISITED = 0.6
# Share of all frames, and of a chunk, that is wrong at most: a mask that lets no frame see what follows in its chunk of
# 64 spoils all but the last.
_MOST = 0.985
# What is right between must be no fainter than this beside what is wrong (10 dB).
_HEARD = 0.1
# How likely errors at any places would have to be in a rhythm like theirs at most.
_BY_CHANCE = 0.01


def seams(problem: Problem, axis: int, margin: Margin) -> Iterator[Explanation]:
    """Yield errors that come in a rhythm; an index of few values is judged with its neighbours, and alone."""
    yield from _of(problem, axis, margin, margin.wrong)
    if margin.alone is not margin.wrong:
        yield from _of(problem, axis, margin, margin.alone)


def _of(problem: Problem, axis: int, margin: Margin, marks: Array) -> Iterator[Explanation]:
    n = marks.size
    if not _LEAST <= np.count_nonzero(marks) <= _MOST * n or (found := _rhythm(margin, marks)) is None:
        return
    period, phase, width = found
    # The first chunk has none before it.
    chosen = (((np.arange(n) - phase) % period) < width) & (np.arange(n) >= phase)
    everywhere = ((np.arange(margin.length) - margin.at(phase)) % period) < width
    if not margin.holds(chosen) or not stays_clean(problem, axis, margin, chosen, everywhere):
        return
    # Where most of a chunk is wrong, and silence between is right, there is no rhythm but that of the signal.
    between = margin.signal[phase:][~chosen[phase:]]
    if 2 * width > period and between.mean() < _HEARD * margin.signal[chosen].mean():
        return
    at = margin.at(phase)
    message = (
        f"errors repeat every {period} frames along {margin.label}, {width} wide, from {margin.label}={at} on; "
        "check chunk boundaries: overlap, context that is too short, and state that is not carried over"
    )
    yield held_by(problem, "seams", message, {"period": period, "width": width, "first": at}, margin, chosen)


def _rhythm(margin: Margin, marks: Array) -> tuple[int, int, int] | None:
    """Return period, first place and width of the wrong runs, if they come in a rhythm."""
    wrong = np.flatnonzero(marks)
    gaps = np.diff(wrong[np.r_[True, np.diff(wrong) > 1]])
    if gaps.size < _LEAST - 1:
        return None
    # Where there is no signal, most of what is wrong does not show.
    told, sounds = (np.r_[0, np.cumsum(side)] for side in (marks, margin.signal > 0))
    periods = np.unique(gaps[gaps > 1])[::-1].tolist()
    # Narrow seams first: twice their period is one too, with two of them in a wide one.
    for most, period in itertools.product((0.5, _MOST), periods):
        used = np.zeros(period, bool)
        used[wrong % period] = True
        width, phase = _narrowest(used)
        if width > most * period:
            continue
        starts = np.arange(phase, marks.size, period)
        stops = np.minimum(starts + width, marks.size)
        is_wrong = told[stops] > told[starts]
        heard = np.count_nonzero(sounds[stops] > sounds[starts])
        if np.count_nonzero(is_wrong) < max(_LEAST, _VISITED * heard):
            continue
        visited = [slice(start, start + width) for start in starts[is_wrong].tolist()]
        if gaps.size * _chance(margin, marks, visited, period) <= _BY_CHANCE:
            first = int(wrong[0])
            start = first - (first - phase) % period
            return period, start if start >= 0 else start + period, width
    return None


def _chance(margin: Margin, marks: Array, visited: list[slice], period: int) -> float:
    """Return how likely runs that begin, peak or end anywhere do so as near to the same phase as these do."""
    inside = [np.flatnonzero(marks[window]) for window in visited]
    peaks = [int(margin.error[window].argmax()) for window in visited]
    phases = [[int(run[0]) for run in inside], peaks, [int(run[-1]) for run in inside]]
    spread = min(max(some) - min(some) for some in phases) + 1
    return float(len(phases) * (spread / period) ** (len(visited) - 1))


def _narrowest(used: Array) -> tuple[int, int]:
    """Return width and start of the shortest cyclic stretch that covers all marks; the start is below its length."""
    marks = np.flatnonzero(used)
    gaps = np.diff(np.r_[marks, marks[0] + used.size])
    widest = int(gaps.argmax())
    return int(used.size - gaps[widest] + 1), int(marks[(widest + 1) % marks.size])
