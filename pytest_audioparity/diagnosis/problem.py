"""What a diagnosis works on: a bounded float64 sample of both sides (see `sample`), and sums over arrays of it."""

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
# A residual at this share of the tolerance, or of the error itself where that is smaller, is as good as none.
_FLOOR_OF_TOLERANCE = 0.5
_FLOOR_OF_ERROR = 0.03
# A part that is less wrong than this share of the whole does not stand for it (10 dB).
_TYPICAL = 0.1


@dataclass(frozen=True, slots=True)
class Whole:
    """A stage of which only a part is looked at.

    Attributes
    ----------
    expected, actual : both sides as they are
    where : which part that is
    beside : the squared error of the part, beside the signal there, as a share of what it is in the whole
    """

    expected: Array
    actual: Array
    where: tuple[slice, ...]
    beside: float


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
    whole : the stage, where only a part is looked at and its elements may be moved
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
    whole: Whole | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole stage."""
        shape: tuple[int, ...] = (self.expected if self.whole is None else self.whole.expected).shape
        return shape

    @cached_property
    def places(self) -> Array:
        """The place of each element of the sample in the whole stage, counted in the order of its axes; flat."""
        return np.arange(self.size) if self.whole is None else places_in(self.shape, self.whole.where)

    def read(self, places: Array, *, actual: bool = False) -> Array:
        """Return what expected, or actual, has at some places of the whole stage; flat."""
        if self.whole is None:
            return (self.actual if actual else self.expected).reshape(-1)[places]
        taken = elements(self.whole.actual if actual else self.whole.expected, places)
        return hashed(taken) if self.is_codes else np.asarray(taken, np.float64)

    def at(self, label: str, index: int) -> int:
        """Return the index in the whole stage of one in the part that is looked at."""
        return int(index) + self.origin.get(label, (0, 0))[0]

    def length(self, label: str, size: int) -> int:
        """Return the length of an axis in the whole stage."""
        return self.origin.get(label, (0, size))[1]

    @property
    def is_typical(self) -> bool:
        """Whether what is looked at is so wrong that it may stand for the whole stage."""
        return self.whole is None or self.whole.beside >= _TYPICAL

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

    def groups(self, fewest: int) -> list[tuple[int, ...]]:
        """Return the axes, alone and together, that may have numbers for each index, which `fewest` values tell.

        Together: all but the one over which a norm takes its means, and each axis within the items of a batch.
        """
        long = [i for i, n in enumerate(self.expected.shape) if n > 1]
        sets = [(i,) for i in long] + [tuple(i for i in long if i != over) for over in long]
        if (batch := self.axis("B")) in long:
            sets += [tuple(sorted((batch, i))) for i in long if i != batch]
        return [
            axes
            for axes in dict.fromkeys(sets)
            if axes and self.size // math.prod(self.expected.shape[i] for i in axes) >= fewest
        ]

    def channel_axes(self) -> list[int]:
        """Return the axes that may be channels, the declared one first: every axis but time."""
        axes = [i for i, n in enumerate(self.expected.shape) if n > 1 and self.labels[i] != "T"]
        return sorted(axes, key=lambda i: self.labels[i] != "C")


def labels_of(side: Array, meta: StageMeta) -> tuple[str, ...]:
    """Return the names of the axes, numbered where they are not declared."""
    return tuple(meta.axes) if meta.axes else tuple(f"axis {i}" for i in range(side.ndim))


def _in_common(side: Array, axis: int) -> float:
    """Return the correlation of neighbours along an axis, over what varies along it."""
    rows = rows_of(side, axis)
    rows = rows - rows.mean(axis=0)
    power = product(rows, rows)
    return product(rows[1:], rows[:-1]) / power if power > 0 else 0.0


def places_in(shape: tuple[int, ...], where: Sequence[slice]) -> Array:
    """Return the places of a block in an array of a shape, counted in the order of its axes; flat.

    Flat, because numpy's `unravel_index` (2.4.6) is wrong for some arrays of several axes whose last one has length 1.
    """
    grid = np.ix_(*(np.arange(part.start, part.stop) for part in where))
    return np.asarray(np.ravel_multi_index(grid, shape)).reshape(-1)


def strides(sizes: Sequence[int], most: float) -> list[int]:
    """Return for each axis how far apart evenly spread elements are of which there are about so many in all."""
    excess, steps = math.prod(sizes) / most, []
    for n in sizes:
        steps.append(min(n, max(1, math.ceil(excess))))
        excess /= steps[-1]
    return steps


def elements(side: Array, places: Array) -> Array:
    """Return what an array has at some places, without a copy of it."""
    taken: Array = side[np.unravel_index(places, side.shape)]
    return taken


def rows_of(side: Array, axis: int | tuple[int, ...]) -> Array:
    """Return the elements at each index of an axis, or at each of some axes together, as one row of a matrix."""
    axes = (axis,) if isinstance(axis, int) else axis
    return np.moveaxis(side, axes, range(len(axes))).reshape(math.prod(side.shape[i] for i in axes), -1)


def squared(expected: Array, actual: Array) -> float:
    """Return the sum of squared differences."""
    return energy((actual - expected).ravel())


def energy(flat: Array) -> float:
    """Return the sum of squares of a flat array; einsum, since BLAS starts threads for the smallest sizes."""
    return float(np.einsum("i,i->", flat, flat))


def product(p: Array, q: Array) -> float:
    """Return the inner product of two arrays."""
    return float(np.einsum("i,i->", p.ravel(), q.ravel()))


def numbers_for(signals: Sequence[Array], target: Array) -> Array | None:
    """Return by which numbers signals add up to what is most like a target; None where they are nearly one signal."""
    gram = np.array([[product(p, q) for q in signals] for p in signals])
    if not np.linalg.cond(gram) < 1 / np.finfo(np.float32).eps:
        return None
    numbers: Array = np.linalg.solve(gram, np.array([product(signal, target) for signal in signals]))
    return numbers


def unit_of(meta: StageMeta, count: float) -> str:
    """Return what so many steps of time are called."""
    return f"{'sample' if meta.kind == 'waveform' else 'frame'}{'' if count == 1 else 's'}"


def likeness(e: Array, a: Array) -> float:
    """Return the magnitude of the correlation of what varies in each column of two arrays of frames in rows."""
    e, a = e - e.mean(axis=0), a - a.mean(axis=0)
    power = product(e, e) * product(a, a)
    return abs(product(e, a)) / math.sqrt(power) if power > 0 else 0.0


def centered(side: Array, labels: Sequence[str]) -> Array:
    """Remove the mean over time of each channel, or of everything where no axis is long enough for one."""
    axis = labels.index("T") if "T" in labels else int(np.argmax(side.shape)) if side.ndim else 0
    if side.ndim == 0 or side.shape[axis] < _FRAMES_FOR_A_MEAN:
        flat: Array = side - side.mean()
        return flat
    kept: Array = side - side.mean(axis=axis, keepdims=True)
    return kept


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


def left_by(problem: Problem, e: Array, a: Array) -> Problem:
    """Return the two sides that an explanation leaves as a problem of its own."""
    return restate(e, a, _labels_of(problem, e.shape), problem.meta, problem.allowed, problem.origin)


def _labels_of(problem: Problem, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return the labels of what an explanation compares; those of time have frames in rows."""
    sides = zip(problem.labels, problem.expected.shape, shape, strict=False)
    stays = len(shape) != 2 or all(was == now for label, was, now in sides if label != "T")
    if stays and len(shape) == len(problem.labels):
        return problem.labels
    others = [label for label in problem.labels if label != "T"]
    return ("T", others[0] if len(others) == 1 else "rest")[: len(shape)]


def hashed(codes: Array) -> Array:
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
