"""How fast a signal runs beside another that begins where it does: looked for from coarse to fine.

A long signal is first seen as some hundred pieces, by what stays in the mean of a piece or, of a waveform, by its
level; every speed is tried on them. What fits best is followed with ever shorter pieces down to single frames, where a
speed that is one frame off at the end is seen.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.problem import likeness

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# Speeds that are looked for: those between the usual sample rates, 8 to 48 kHz.
SLOWEST, FASTEST = 0.16, 6.2
# Pieces that a long signal is seen as at first, how much shorter they become at a time, and how far apart the speeds
# lie that are tried: by so many pieces at the end. Of each round the best are followed, each with its neighbours.
_PIECES, _FINER, _STEP, _BEST = 128, 4, 0.5, 3
# Pieces are told by their means where these keep this share of the variance, as those of features do, or else by level.
_KEPT = 0.3
# Where expected leaves no more of actual, linear interpolation included, the two run together.
ALIKE = 0.5
# Columns that are looked at.
_COLUMNS = 8
# Frames of the two that have to meet, and the share of actual.
FEWEST, _MET = 24, 0.15
# In which steps the speed of single frames is followed, by frames at the end.
_LAST_STEPS = (1.0, 0.25, 0.0625)


def speed(e: Array, a: Array) -> float:
    """Return how many frames of expected go by in one of actual, if they do so evenly from a common beginning.

    Parameters
    ----------
    e, a : frames in rows, of any two numbers of rows
    """
    columns = slice(None, None, -(-e.shape[1] // _COLUMNS))
    e, a = e[:, columns], a[:, columns]
    if misfit(e, a, 1.0) <= ALIKE:
        return _followed(e, a, 1.0)
    size = max(1, len(a) // _PIECES)
    seen = _pieces(e, a, size)
    step = _STEP / len(seen[1])
    tried = np.exp(np.arange(math.log(SLOWEST), math.log(FASTEST), step)).tolist()
    best = _least(seen, tried)
    while size > 1:
        finer = max(1, size // _FINER)
        seen, width = _pieces(e, a, finer), 2 * math.ceil(size / finer)
        step = _STEP / len(seen[1])
        best = _least(seen, [ratio * (1 + i * step) for ratio in best for i in range(-width, width + 1)])
        size = finer
    return _followed(e, a, best[0])


def misfit(e: Array, a: Array, ratio: float) -> float:
    """Return the share of actual that expected, read at a speed, does not explain; linear interpolation will do."""
    n = min(len(a), int((len(e) - 1) / ratio))
    if n < max(FEWEST, _MET * len(a)):
        return 1.0
    return 1.0 - likeness(linear(e, np.arange(n) * ratio), a[:n])


def linear(e: Array, at: Array) -> Array:
    """Return expected at places between its frames, on straight lines."""
    left = at.astype(int)
    part = (at - left)[:, None]
    between: Array = e[left] * (1 - part) + e[np.minimum(left + 1, len(e) - 1)] * part
    return between


def _least(seen: tuple[Array, Array], ratios: list[float]) -> list[float]:
    return sorted(ratios, key=lambda ratio: misfit(*seen, ratio))[:_BEST]


def _followed(e: Array, a: Array, ratio: float) -> float:
    """Return the speed near one that fits best."""
    least = misfit(e, a, ratio)
    n = max(1, min(len(a), int((len(e) - 1) / ratio)))
    for step in _LAST_STEPS:
        for by in (ratio * step / n, -ratio * step / n):
            while (left := misfit(e, a, ratio + by)) < least:
                ratio, least = ratio + by, left
    return ratio


def _pieces(e: Array, a: Array, size: int) -> tuple[Array, Array]:
    """Return the means of pieces of both sides, or their levels where means keep little."""
    if size == 1:
        return e, a
    cut_e, cut_a = (side[: len(side) // size * size].reshape(-1, size, side.shape[1]) for side in (e, a))
    means = cut_a.mean(axis=1)
    if means.var() > _KEPT * a.var():
        return cut_e.mean(axis=1), means
    return cut_e.std(axis=1), cut_a.std(axis=1)
