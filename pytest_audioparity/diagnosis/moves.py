"""Where the elements of a sample come from when axes are read in another order or direction.

Places are counted in the order of a stage's axes, over the whole stage: what moves far away is read from there, and of
a large stage nothing is copied but the sample.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.problem import energy, product, squared

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_audioparity.diagnosis.problem import Problem

    Array = np.ndarray[Any, Any]
    Source = Callable[[Array], Array]

# Of so many elements a move that is none leaves no more likeness than this, and it leaves more of actual than that.
_FEW, _BY_CHANCE, _MISFIT = 4096, 0.25, 0.75


def moved_by(problem: Problem, source: Source) -> Array | None:
    """Return what expected has where the elements of the sample come from; None where no more than chance agrees.

    Parameters
    ----------
    problem : the two sides
    source : the places in the whole stage that elements at some places are taken from
    """
    few = few_of(problem.size)
    moved = problem.read(source(problem.places[few]))
    if not may_agree(moved, problem.actual.reshape(-1)[few]):
        return None
    if few.size < problem.size:
        moved = problem.read(source(problem.places))
    return np.asarray(moved.reshape(problem.expected.shape))


def few_of(size: int) -> Array:
    """Return which elements tell whether a move is worth applying to all: chance ones, since rows have a rhythm."""
    return np.random.default_rng(0).integers(size, size=_FEW) if size > _FEW else np.arange(size)


def may_agree(e: Array, a: Array) -> bool:
    """Whether two sides have more in common than by chance, a gain on top left aside."""
    return product(e, a) ** 2 >= _BY_CHANCE**2 * energy(e) * energy(a) or squared(e, a) <= _MISFIT * energy(a)


def turned(places: Array, shape: tuple[int, ...], order: tuple[int, ...]) -> Array:
    """Return the places in an array of what its elements in another order of axes have at some places."""
    coordinates = np.unravel_index(places, tuple(shape[i] for i in order))
    back = [coordinates[order.index(i)] for i in range(len(order))]
    return np.asarray(np.ravel_multi_index(back, shape))


def along(places: Array, shape: tuple[int, ...], axis: int, order: Source) -> Array:
    """Return the places of what stands elsewhere along one axis: at the indices `order` gives for some."""
    stride = math.prod(shape[axis + 1 :])
    index = places // stride % shape[axis]
    moved: Array = places + (order(index) - index) * stride
    return moved
