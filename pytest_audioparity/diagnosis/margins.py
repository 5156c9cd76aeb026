"""What is wrong along one axis of a stage: the squared error of each of its indices beside the signal there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import COMPLETE, Explanation
from pytest_audioparity.diagnosis.problem import SAMPLE, energy, hashed, product, rows_of, strides

if TYPE_CHECKING:
    from pytest_audioparity.diagnosis.problem import Problem

    Array = np.ndarray[Any, Any]

# What a place has to hold of the squared error.
SHARE = 0.98
# The rest is clean only if its error is this much smaller, relative to its signal, than that of the place.
CLEANER = 0.05
# Values that are judged together, and by how much wrong ones exceed the twentieth of all that has the least error: of
# normal noise, one square in ten thousand is 15 times their mean, and that twentieth may be half of it.
_VALUES = 32
_ABOVE = 50.0
# Values that tell a gain of a place: of fewer, the largest alone makes one.
_TELLING = 8
# Rounding of float32, a few times over.
_ULPS = 8 * 2.0**-23
# Beyond this length, an axis is looked at where the sample is, and not from end to end.
_LONGEST = 1 << 19
# Rounding of values near zero is that of the sums they came from, about as large as for this share of the mean power.
_QUIET = 0.1


@dataclass(frozen=True, slots=True)
class Margin:
    """Sums along one axis.

    Attributes
    ----------
    label : the axis
    expected : its values at each index in a row, or some of them
    error, signal : of each index: the sum of squares
    wrong : which indices differ by more than is allowed, and than rounding
    alone : the same, where each is judged without its neighbours
    start : the index in the whole stage of the first
    length : of the axis in the whole stage
    """

    label: str
    expected: Array
    error: Array
    signal: Array
    wrong: Array
    alone: Array
    start: int
    length: int

    def at(self, index: int) -> int:
        """Return the index in the whole stage."""
        return self.start + int(index)

    @property
    def is_rounding(self) -> bool:
        """Whether indices of a few values are off by what float32 rounds: any few of them are, by chance."""
        few = self.expected.shape[1] < _VALUES
        # That of sums is relative to their terms, and not to a result near zero.
        return few and bool((self.error <= _ULPS**2 * (self.signal + self.signal.mean())).all())

    @property
    def total(self) -> float:
        """The squared error of all."""
        return float(self.error.sum())

    def holds(self, chosen: Array) -> bool:
        """Whether chosen indices hold the error, and the others carry signal without it."""
        inside, outside = float(self.error[chosen].sum()), float(self.error[~chosen].sum())
        signal_in, signal_out = float(self.signal[chosen].sum()), float(self.signal[~chosen].sum())
        if inside < SHARE * self.total or signal_out <= 0:
            return False
        return outside / signal_out <= CLEANER**2 * inside / max(signal_in, 1e-300) or outside == 0


def margin_of(problem: Problem, axis: int) -> Margin:
    """Return the sums along an axis of more than one element, in what is looked at."""
    e, a = (rows_of(side, axis) for side in (problem.expected, problem.actual))
    label = problem.labels[axis]
    return _margin(problem, label, e, a, problem.at(label, 0), problem.length(label, len(e)))


def margin_from_end_to_end(problem: Problem, axis: int) -> Margin:
    """Return the sums along the whole of an axis of which the sample is a part, of some indices of the others."""
    if problem.whole is None or problem.shape[axis] > _LONGEST or problem.labels[axis] not in problem.origin:
        return margin_of(problem, axis)
    margin = _margin_of_all(problem, axis)
    if margin.total == 0:  # single elements, which are not among these
        return margin_of(problem, axis)
    # As much error as the sample has, so that shares of it are those of its problem.
    return replace(margin, error=margin.error * (problem.error / margin.total))


def stays_clean(problem: Problem, axis: int, margin: Margin, chosen: Array, everywhere: Array) -> bool:
    """Whether the other indices are clean in the whole stage too, beside those that were chosen in a part of it.

    Parameters
    ----------
    problem, axis : what is looked at
    margin, chosen : its sums along that axis, and which of its indices are wrong
    everywhere : which indices of the whole stage are wrong by that
    """
    if problem.whole is None or everywhere.size > _LONGEST:
        return True
    whole = _margin_of_all(problem, axis)
    wrong = float(margin.error[chosen].sum()) / max(float(margin.signal[chosen].sum()), 1e-300)
    return float(whole.error[~everywhere].sum()) <= CLEANER**2 * wrong * float(whole.signal[~everywhere].sum())


def _margin_of_all(problem: Problem, axis: int) -> Margin:
    """Return the sums along the whole of an axis of a large stage, over evenly spread indices of the others."""
    assert problem.whole is not None
    others = sorted(set(range(len(problem.shape))) - {axis}, key=lambda i: -problem.shape[i])
    most = max(SAMPLE, problem.shape[axis]) / problem.shape[axis]
    steps = [slice(None)] * len(problem.shape)
    for other, step in zip(others, strides([problem.shape[i] for i in others], most), strict=True):
        steps[other] = slice(None, None, step)
    sides = (side[tuple(steps)] for side in (problem.whole.expected, problem.whole.actual))
    wide = (hashed(side) if problem.is_codes else np.asarray(side, np.float64) for side in sides)
    e, a = (rows_of(side, axis) for side in wide)
    return _margin(problem, problem.labels[axis], e, a, 0, len(e))


def _margin(problem: Problem, label: str, e: Array, a: Array, start: int, length: int) -> Margin:
    error = _energies(a - e)
    is_loud = problem.meta.kind not in ("log_spectrum", "codes")
    signal = (_energies(e) + _energies(a)) / 2 if is_loud else np.full(len(e), float(e.shape[1]))
    allowed = problem.allowed if not problem.is_codes else 1e-6
    limit = min(allowed**2, float(error.sum()) / e.size / 4) * e.shape[1]
    # Neighbours in time have something in common, channels and items have not.
    width = min(_VALUES // e.shape[1], error.size // 16) if label not in ("B", "C") else 1
    alone = _wrong(error, signal, limit, 1)
    wrong = alone if width <= 1 else _wrong(error, signal, limit, width)
    return Margin(label, e, error, signal, wrong, alone, start, length)


def _energies(rows: Array) -> Array:
    """Return the sum of squares of each row, without a copy of them."""
    sums: Array = np.einsum("ij,ij->i", rows, rows)
    return sums


def _wrong(error: Array, signal: Array, limit: float, width: int) -> Array:
    """Tell which indices are wrong: above the limit, and above what most others have of rounding.

    Rounding is relative to the signal, so the loud are allowed more than the quiet, beyond what all are. An index of
    few values, as a sample, is noisy; it is judged with its neighbours, of which so many are asked.
    """
    around, loudness = (_smoothed(side, width) for side in (error, signal))
    mean = float(signal.mean())
    loudness = _QUIET + loudness / mean if mean > 0 else np.ones_like(signal)
    allowed = np.maximum(limit, _ABOVE * _least(around / loudness) * loudness)
    if width <= 1:
        found: Array = error > allowed
        return found
    # A neighbourhood is wrong from its first to its last wrong index, not beyond.
    wrong: Array = (around > allowed / width) & _near(error > allowed, width)
    return wrong


def _smoothed(side: Array, width: int) -> Array:
    """Return means over neighbourhoods of a width."""
    if width <= 1:
        return side
    around = np.convolve(np.pad(side, width // 2, mode="edge"), np.ones(width) / width, "same")
    return around[width // 2 : width // 2 + side.size]


def _least(error: Array) -> float:
    """Return the error of the best indices, which is rounding if any is right."""
    count = min(max(1, error.size // 20), error.size - 1)
    least = float(np.partition(error, count)[count])
    return least if least <= CLEANER * float(error.mean()) else 0.0


def _near(marks: Array, width: int) -> Array:
    """Return marks with the gaps between those that are less than a width apart filled."""
    places = np.flatnonzero(marks)
    filled: Array = marks.copy()
    if places.size > 1:
        gaps = np.diff(places)
        inside = np.zeros(marks.size + 1, np.int64)
        close = gaps <= width
        np.add.at(inside, places[:-1][close], 1)
        np.add.at(inside, places[1:][close], -1)
        filled |= np.cumsum(inside[:-1]) > 0
    return filled


def density(problem: Problem, axis: int, chosen: Array) -> float:
    """Return the share of elements at chosen indices of an axis that differ."""
    return float(np.compress(chosen, problem.expected != problem.actual, axis=axis).mean())


@dataclass(frozen=True, slots=True)
class Place(Explanation):
    """The explanation that some indices of an axis hold the error, and the rest is right.

    Attributes
    ----------
    axis : which it is
    chosen : which of its indices, of those that are looked at
    """

    axis: int = 0
    chosen: Array = field(default_factory=lambda: np.zeros(0, bool))

    def there(self) -> tuple[Array, Array]:
        """Return both sides at these indices alone."""
        e, a = (np.compress(self.chosen, side, axis=self.axis) for side in (self.expected, self.actual))
        return e, a

    @property
    def is_filled(self) -> bool:
        """Whether one side has a single value there, as where it is masked, cut off or not yet filled."""
        return any(side.size > 0 and bool((side == side.flat[0]).all()) for side in self.there())


def held_by(problem: Problem, code: str, message: str, detail: dict[str, Any], margin: Margin, chosen: Array) -> Place:
    """Return the explanation that chosen indices of an axis hold the error; it costs as many numbers as they are."""
    left = float(margin.error[~chosen].sum())
    count = round(float(chosen.mean()) * problem.size)
    axis = problem.labels.index(margin.label)
    first = problem.at(margin.label, 0) - margin.start
    here = chosen[first : first + problem.expected.shape[axis]]
    detail = {"axis": margin.label, **detail}
    return Place(code, message, count, problem.expected, problem.actual, detail, left, axis, here)


def gain_there(problem: Problem, place: Place) -> str:
    """Say which gain makes the wrong indices, if one does: the fit of the whole stage says nothing of it."""
    e, a = (side.ravel() for side in place.there())
    power = energy(e)
    if problem.is_codes or not power:
        return ""
    gain = product(e, a) / power
    if not gain and not a.any():
        return ", actual is 0 there"
    if e.size < _TELLING or energy(a - gain * e) > (1 - COMPLETE) * energy(a - e):
        return ""
    return f", actual = {gain:.6g} * expected there"
