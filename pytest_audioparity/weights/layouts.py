"""Axes in another order, reversed, merged, split or of length one: how a candidate may hold the same tensor.

Everything here is a view. Which views are worth comparing is decided on a few elements of each.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.weights.tiles import product, wide

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]
    Shape = tuple[int, ...]

# Tensors of weights have up to five axes; all orders of six would be 720.
_MOST_AXES = 5
# Elements that a probe looks at along one axis, and all in all.
_ALONG, _PROBED = 64, 2048
# What int4 and bfloat16 leave beside the values, with room: verification decides, this only leaves out.
_ALIKE = 0.35


@dataclass(frozen=True, slots=True)
class Layout:
    """How the reference's axes became the candidate's, both without axes of length one.

    Attributes
    ----------
    shape : of both views; the side with fewer axes is split into it
    order : the axes of the side that has more of them, in the order of the other
    of_reference : whether that side is the reference
    flips : axes of the views along which one side runs backwards
    """

    shape: Shape
    order: tuple[int, ...]
    of_reference: bool
    flips: tuple[int, ...] = ()
    is_merged: bool = False

    @property
    def is_identity(self) -> bool:
        """Whether nothing moves."""
        return self.order == tuple(range(len(self.order))) and not self.flips

    def views(self, expected: Array, actual: Array) -> tuple[Array, Array]:
        """Return both sides so that equal places hold what should be equal."""
        finer, coarser = (expected, actual) if self.of_reference else (actual, expected)
        fine = finer.reshape(squeezed(finer.shape)).transpose(self.order)
        coarse = coarser.reshape(self.shape)
        pair = (fine, coarse) if self.of_reference else (coarse, fine)
        if not self.flips:
            return pair
        backwards = tuple(slice(None, None, -1 if axis in self.flips else 1) for axis in range(len(self.shape)))
        return pair[0][backwards], pair[1]

    def detail(self, expected: Shape, actual: Shape) -> dict[str, Any]:
        """Say what moved, in words of the two shapes."""
        said: dict[str, Any] = {"shape": [list(expected), list(actual)]}
        if self.order != tuple(range(len(self.order))):
            said["axes" if self.of_reference else "axes_back"] = list(self.order)
        if self.flips:
            said["reversed_axes"] = list(self.flips)
        if self.is_merged:
            said["reshaped"] = "axes merged" if self.of_reference else "axes split"
        elif len(expected) != len(actual):
            said["reshaped"] = "axes of length 1"
        return said


def squeezed(shape: Shape) -> Shape:
    """Return a shape without axes of length one."""
    return tuple(size for size in shape if size != 1)


def layouts(expected: Shape, actual: Shape, *, flipped: bool = False) -> Iterator[Layout]:
    """Yield the layouts that two shapes allow, those that move least first.

    Parameters
    ----------
    expected, actual : shapes of equal size
    flipped : yield those with reversed kernel axes instead
    """
    one, other = squeezed(expected), squeezed(actual)
    of_reference = len(one) >= len(other)
    fine, coarse = (one, other) if of_reference else (other, one)
    if len(fine) > _MOST_AXES:
        if fine == coarse and not flipped:
            yield Layout(fine, tuple(range(len(fine))), True)
        return
    is_merged = len(fine) != len(coarse)
    for order in itertools.permutations(range(len(fine))):
        shape = tuple(fine[axis] for axis in order)
        if not (_refines(shape, coarse) if is_merged else shape == coarse):
            continue
        for flips in _flips(shape) if flipped else ((),):
            yield Layout(shape, order, of_reference, flips, is_merged)


def _flips(shape: Shape) -> Iterator[tuple[int, ...]]:
    """Yield sets of axes that may be those of a kernel: all but two of them at most."""
    for count in range(1, len(shape) - 1):
        yield from itertools.combinations(range(len(shape)), count)


def _refines(fine: Shape, coarse: Shape) -> bool:
    """Whether runs of one shape's axes multiply to the other's axes in order."""
    sizes = iter(fine)
    for size in coarse:
        product = 1
        while product < size:
            step = next(sizes, None)
            if step is None:
                return False
            product *= step
        if product != size:
            return False
    return next(sizes, None) is None


def unlikeness(expected: Array, actual: Array) -> float:
    """Return how far a sample of two views is from being proportional: 0 is proportional, 1 is unrelated."""
    places = _sample(expected.shape)
    e, a = wide(expected[places]).ravel(), wide(actual[places]).ravel()
    good = np.isfinite(e) & np.isfinite(a)
    if not good.all():
        if not np.array_equal(np.isfinite(e), np.isfinite(a)):
            return 1.0
        e, a = e[good], a[good]
    ee, aa, ea = product(e, e), product(a, a), product(e, a)
    if ee == 0 or aa == 0:
        return 0.0 if ee == aa else 1.0
    return math.sqrt(max(0.0, 1 - ea * ea / ee / aa))


def likely(expected: Array, actual: Array, *, flipped: bool = False) -> list[Layout]:
    """Return the layouts that a sample does not rule out: the one that moves nothing first, then the best."""
    told = [
        (unlikeness(*layout.views(expected, actual)), layout)
        for layout in layouts(expected.shape, actual.shape, flipped=flipped)
    ]
    told.sort(key=lambda pair: (not pair[1].is_identity, pair[0]))
    return [layout for far, layout in told if far < _ALIKE]


def is_reshaped(expected: Array, actual: Array) -> bool:
    """Whether both hold the same values in the same order of memory though their axes are not the same ones."""
    if expected.size != actual.size or squeezed(expected.shape) == squeezed(actual.shape) or expected.ndim < 2:
        return False
    e, a = (wide(side.reshape(-1)[:_PROBED]) for side in (expected, actual))
    return bool(np.allclose(e, a, rtol=1e-2, atol=0) and unlikeness(expected.reshape(-1), actual.reshape(-1)) < _ALIKE)


def _sample(shape: Shape) -> Any:
    """Return an index of a few places along every axis, ends included."""
    if not shape:
        return ()
    along = min(_ALONG, max(3, int(_PROBED ** (1 / len(shape)))))
    if len(shape) == 1:
        along = _PROBED
    chosen = [np.unique(np.linspace(0, size - 1, min(size, along)).astype(int)) for size in shape]
    return np.ix_(*chosen)
