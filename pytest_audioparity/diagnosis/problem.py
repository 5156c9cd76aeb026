"""What a diagnosis works on: a bounded float64 sample of both sides, and sums over arrays of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_audioparity.records import StageMeta

    Array = np.ndarray[Any, Any]

# Elements of the sample: enough that every parameter counted here is paid by thousands of elements, and 100
# explanations take a fraction of a second.
SAMPLE = 1 << 18
_FRAMES_FOR_A_MEAN = 8
# Neighbouring frames of speech have more in common than neighbouring channels of a hidden layer, by more than this.
_AS_SMOOTH = 0.15
# Indices per axis among which the largest difference is looked for.
_LOOKED_AT = 64
# No axis is cut below this while another one is longer, so that channels stay together and lags have room.
_KEEP = 512
# A residual at this share of the tolerance, or of the error itself where that is smaller, is as good as none.
_FLOOR_OF_TOLERANCE = 0.5
_FLOOR_OF_ERROR = 0.03


@dataclass(frozen=True)
class Problem:
    """Two arrays of one shape that differ.

    Attributes
    ----------
    expected, actual : float64, contiguous; codes are hashed to random numbers, so that equal ones only are near
    labels : names of the axes, as in "T" or "axis 1"
    meta : what is declared
    floor : residual (rms) that counts as none
    error : sum of the squared differences
    variances : sums of squares of expected and of actual around their channels' means: what is left of a side of which
        the other says nothing
    allowed : residual (rms) that the tolerance allows
    origin : of axes of which only a part is looked at, by label, the index where it begins and the length of all
    """

    expected: Array
    actual: Array
    labels: tuple[str, ...]
    meta: StageMeta
    floor: float
    allowed: float
    error: float
    variances: tuple[float, float] = (0.0, 0.0)
    origin: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def at(self, label: str, index: int) -> int:
        """Return the index in the whole stage of one in the part that is looked at."""
        return int(index) + self.origin.get(label, (0, 0))[0]

    def whole(self, label: str, size: int) -> int:
        """Return the length of an axis in the whole stage."""
        return self.origin.get(label, (0, size))[1]

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.expected.size

    @property
    def is_codes(self) -> bool:
        """Whether values are labels that have no distance."""
        return self.meta.kind == "codes"

    def axis(self, letter: str) -> int | None:
        """Return the place of an axis by its declared letter."""
        return self.labels.index(letter) if letter in self.labels else None

    @cached_property
    def time_axes(self) -> list[int]:
        """Return the axes that may be time: the declared one, else the smoothest of those that are long enough."""
        declared = self.axis("T")
        if declared is not None:
            return [declared]
        long = [i for i, n in enumerate(self.expected.shape) if n > 3 and self.labels[i] not in ("C", "B")]
        if len(long) < 2:
            return long
        common = [_in_common(self.expected, axis) for axis in long]
        return [axis for axis, share in zip(long, common, strict=True) if share > max(common) - _AS_SMOOTH]

    def channel_axes(self) -> list[int]:
        """Return the axes that may be channels, the declared one first: every axis but time."""
        axes = [i for i, n in enumerate(self.expected.shape) if n > 1 and self.labels[i] != "T"]
        return sorted(axes, key=lambda i: self.labels[i] != "C")


def _in_common(side: Array, axis: int) -> float:
    """Return the correlation of neighbours along an axis, over what varies along it."""
    rows = rows_of(side, axis)
    rows = rows - rows.mean(axis=0)
    power = product(rows, rows)
    return product(rows[1:], rows[:-1]) / power if power > 0 else 0.0


def rows_of(side: Array, axis: int) -> Array:
    """Return the elements at each index of an axis as one row of a matrix."""
    return np.moveaxis(side, axis, 0).reshape(side.shape[axis], -1)


def squared(expected: Array, actual: Array) -> float:
    """Return the sum of squared differences."""
    return energy((actual - expected).ravel())


def energy(flat: Array) -> float:
    """Return the sum of squares of a flat array; einsum, since BLAS starts threads for the smallest sizes."""
    return float(np.einsum("i,i->", flat, flat))


def product(p: Array, q: Array) -> float:
    """Return the inner product of two arrays."""
    return float(np.einsum("i,i->", p.ravel(), q.ravel()))


def centered(side: Array, labels: Sequence[str]) -> Array:
    """Remove the mean over time of each channel, or of everything where no axis is long enough for one."""
    axis = labels.index("T") if "T" in labels else int(np.argmax(side.shape)) if side.ndim else 0
    if side.ndim == 0 or side.shape[axis] < _FRAMES_FOR_A_MEAN:
        flat: Array = side - side.mean()
        return flat
    kept: Array = side - side.mean(axis=axis, keepdims=True)
    return kept


def pose(
    expected: Array, actual: Array, meta: StageMeta, allowed: float, worst: Sequence[int] | None = None
) -> Problem:
    """Take a bounded sample of two arrays of one shape.

    Parameters
    ----------
    expected, actual : finite, of one shape
    meta : what is declared; axes that are not declared are numbered
    allowed : residual (rms) that the tolerance allows
    worst : the index of the largest difference, around which the sample is taken
    """
    labels = tuple(meta.axes) if meta.axes else tuple(f"axis {i}" for i in range(expected.ndim))
    where = _window(expected, labels, worst or _busiest(expected, actual))
    origin = {
        label: (part.start, n)
        for label, part, n in zip(labels, where, expected.shape, strict=False)
        if part.start is not None and part.stop - part.start < n
    }
    e, a = _wide(expected[where], actual[where])
    if meta.kind == "codes":
        e, a = _hashed(e), _hashed(a)
    if e.ndim > len(labels):
        labels = (*labels, "part")
    return restate(e, a, labels, meta, allowed, origin)


def restate(
    e: Array,
    a: Array,
    labels: tuple[str, ...],
    meta: StageMeta,
    allowed: float,
    origin: Mapping[str, tuple[int, int]] | None = None,
) -> Problem:
    """Make a problem of two float64 arrays."""
    error = squared(e, a)
    rms = math.sqrt(error / e.size) if e.size else 0.0
    floor = max(min(_FLOOR_OF_TOLERANCE * allowed, _FLOOR_OF_ERROR * rms), np.finfo(np.float64).tiny ** 0.5)
    e, a = np.ascontiguousarray(e), np.ascontiguousarray(a)
    variances = energy(centered(e, labels).ravel()), energy(centered(a, labels).ravel())
    return Problem(e, a, labels, meta, floor, allowed, error, variances, origin or {})


def _window(expected: Array, labels: Sequence[str], worst: Sequence[int]) -> tuple[slice, ...]:
    """Return the part to work on: all of it, or the neighbourhood of the largest difference, long axes cut first."""
    sizes = list(expected.shape)
    while math.prod(sizes) > SAMPLE:
        order = sorted(range(len(sizes)), key=lambda i: (sizes[i] > _KEEP, labels[i] == "T", sizes[i]))
        longest = order[-1]
        others = math.prod(sizes) // sizes[longest]
        sizes[longest] = max(SAMPLE // max(others, 1), min(_KEEP, sizes[longest] // 2), 1)
    if sizes == list(expected.shape):
        return (slice(None),) * expected.ndim
    return tuple(_around(n, size, at) for n, size, at in zip(expected.shape, sizes, worst, strict=True))


def _busiest(expected: Array, actual: Array) -> list[int]:
    """Return the place of the largest difference among evenly spread elements."""
    step = tuple(slice(None, None, max(1, n // _LOOKED_AT)) for n in expected.shape)
    e, a = _wide(expected[step], actual[step])
    difference = np.abs(e - a)
    place = np.unravel_index(int(difference.argmax()), difference.shape)[: expected.ndim]
    return [int(i) * max(1, n // _LOOKED_AT) for i, n in zip(place, expected.shape, strict=True)]


def _around(n: int, size: int, at: int) -> slice:
    start = min(max(0, at - size // 2), n - size)
    return slice(start, start + size)


def _wide(*sides: Array) -> list[Array]:
    """Return float64; where one side is complex, both become pairs in a last axis."""
    if not any(side.dtype.kind == "c" for side in sides):
        return [np.asarray(side, np.float64) for side in sides]
    whole = [np.ascontiguousarray(side, np.complex128) for side in sides]
    return [wide.view(np.float64).reshape(*side.shape, 2) for wide, side in zip(whole, sides, strict=True)]


def _hashed(codes: Array) -> Array:
    """Map each code to a number of its own, normally distributed, so that unequal codes are unrelated."""
    bits = codes.astype(np.int64).view(np.uint64)
    bits = (bits + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    uniform = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    # Any fixed distribution without repetitions does; this one has mean 0 and variance 1.
    centred: Array = (uniform - 0.5) * math.sqrt(12.0)
    return centred
