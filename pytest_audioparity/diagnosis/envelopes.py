"""A gain that changes with time, of samples: chunks that are normalised one by one, gain control, limiters, fades."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import Explanation, is_complete
from pytest_audioparity.diagnosis.problem import rows_of, squared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.diagnosis.problem import Problem

    Array = np.ndarray[Any, Any]

# Lengths of stretches that have a gain of their own, in samples, and how many there are at least.
_LENGTHS, _FEWEST = (4096, 1024, 256, 64), 4
# Values of a frame from which on each frame has a gain that is known without its neighbours.
_WIDE = 8
# A stretch this far under the mean power (80 dB) says nothing of its gain.
_SILENT = 1e-8
# What a shorter stretch has to leave of what a longer one does to be worth so many more numbers.
_WORTH = 0.5


def envelopes(problem: Problem, axis: int) -> Iterator[Explanation]:
    """Yield channel_gain along an axis that is time and has few values at each index."""
    e, a = (rows_of(side, axis) for side in (problem.expected, problem.actual))
    if e.shape[1] >= _WIDE:
        return
    least = problem.error
    for length in _LENGTHS:
        if len(e) < _FEWEST * length:
            continue
        gains = _gains(e, a, length)
        predicted = min((e * gain for gain in _spread(gains, length, len(e))), key=lambda side: squared(side, a))
        if (left := squared(predicted, a)) > _WORTH * least:
            continue
        least = left
        label, low, high = problem.labels[axis], float(gains.min()), float(gains.max())
        message = (
            f"the gain changes along {label}, from {low:.4g} to {high:.4g}; check chunks that are normalised one by "
            "one, gain control, limiters and fades"
        )
        detail = {"axis": label, "gain": [low, high], "each": length}
        found = Explanation("channel_gain", message, gains.size, predicted, a, detail)
        yield found
        if is_complete(problem, found):
            return


def _gains(e: Array, a: Array, length: int) -> Array:
    """Return the gain of each stretch; where it is not known, in silence, that of the stretch before or behind."""
    starts = np.arange(0, len(e) - length + 1, length)  # what is left at the end belongs to the last
    powers, products = (np.add.reduceat((e * side).sum(axis=1), starts) for side in (e, a))
    known = np.flatnonzero(powers > _SILENT * powers.mean())
    if not known.size:
        return np.ones(starts.size)
    return np.interp(np.arange(starts.size), known, products[known] / powers[known])


def _spread(gains: Array, length: int, n: int) -> tuple[Array, Array]:
    """Return the gain at each frame: in steps, and on lines between the middles of the stretches."""
    frames, last = np.arange(n), gains.size - 1
    steps = gains[np.minimum(frames // length, last)]
    lines = np.interp(frames, np.arange(gains.size) * length + (length - 1) / 2, gains)
    return steps[:, None], lines[:, None]
