"""What a generator of faults sees of a stage, and what it hands back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.comparison.structure import kind_of

if TYPE_CHECKING:
    from pytest_audioparity.records import StageMeta, StageTensor

Array = np.ndarray[Any, Any]

# Share of neighbouring frames' energy that must be common for an axis to look like time where another does not.
_SMOOTHER_BY = 0.15
# A leading axis of at most this size is a batch, in a tensor of three dimensions or more without declared axes.
_BATCH = 4


@dataclass(frozen=True, slots=True)
class Change:
    """What a generator yields: the wrong values of a stage, before they return to the stage's dtype.

    Attributes
    ----------
    name : what happened
    array : the wrong values; float64 for float stages
    detail : the true parameters
    also : further codes that are equally true
    meta : the declaration of the wrong stage, where it is not that of the right one
    exact : whether the fault leaves no room for rounding on top, as a NaN or a coarser grid do
    absent : whether there is no actual stage at all
    """

    name: str
    array: Array
    detail: Mapping[str, Any] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    meta: StageMeta | None = None
    exact: bool = False
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """A stage with its axes found.

    Attributes
    ----------
    stage : as recorded
    x : its values, float64 unless they are integers
    kind : declared or the default of its dtype
    time, channel : the axes along which faults run, None where there is none
    others : further stages of the same run
    """

    stage: StageTensor
    x: Array
    kind: str
    time: int | None
    channel: int | None
    others: Sequence[StageTensor] = ()

    @property
    def frames(self) -> int:
        """Number of frames along time, 0 without a time axis."""
        return 0 if self.time is None else self.x.shape[self.time]

    @property
    def channels(self) -> int:
        """Number of channels, 0 without a channel axis."""
        return 0 if self.channel is None else self.x.shape[self.channel]

    @property
    def is_float(self) -> bool:
        """Whether values are real numbers, not codes."""
        return self.x.dtype.kind == "f" and self.kind != "codes"

    @property
    def rms(self) -> float:
        """Root of the mean square."""
        return math.sqrt(float(np.mean(np.square(self.x, dtype=np.float64))))

    @property
    def std(self) -> float:
        """Standard deviation over all elements."""
        return float(np.std(self.x, dtype=np.float64))

    def timed(self) -> Array:
        """Return a copy with time as the last axis."""
        assert self.time is not None
        return np.array(np.moveaxis(self.x, self.time, -1), order="C")

    def untimed(self, array: Array) -> Array:
        """Undo `timed`; the number of frames may have changed."""
        assert self.time is not None
        result: Array = np.ascontiguousarray(np.moveaxis(array, -1, self.time))
        return result

    def by_channel(self) -> Array:
        """Return a copy with channels as the first axis."""
        assert self.channel is not None
        return np.array(np.moveaxis(self.x, self.channel, 0), order="C")

    def unchanneled(self, array: Array) -> Array:
        """Undo `by_channel`; the number of channels may have changed."""
        assert self.channel is not None
        result: Array = np.ascontiguousarray(np.moveaxis(array, 0, self.channel))
        return result

    def per_channel(self, values: Array) -> Array:
        """Shape one value per channel so that it broadcasts against `x`."""
        shape = [1] * self.x.ndim
        if self.channel is not None:
            shape[self.channel] = -1
        return values.reshape(shape)

    def per_frame(self, values: Array) -> Array:
        """Shape one value per frame so that it broadcasts against `x`."""
        shape = [1] * self.x.ndim
        if self.time is not None:
            shape[self.time] = -1
        return values.reshape(shape)


# A generator of one cause: everything it yields has that cause's code.
Generator = Callable[[Subject, np.random.Generator], Iterator[Change]]


def subject_of(stage: StageTensor, others: Sequence[StageTensor] = ()) -> Subject:
    """Find the axes of a stage and widen its values."""
    array = stage.array
    kind = kind_of(stage.meta, array)
    # Extension floats (bfloat16, float8) have kind V; they are real numbers all the same.
    is_number = array.dtype.kind in "iubc" or kind == "codes"
    x = np.array(array) if is_number else np.asarray(array).astype(np.float64)
    time, channel = axes_of(stage, x, kind)
    return Subject(stage, x, kind, time, channel, others)


def axes_of(stage: StageTensor, x: Array, kind: str) -> tuple[int | None, int | None]:
    """Return the time and the channel axis: the declared ones, else the likely ones.

    A fault happens along the true axes whether or not they were declared, so that here, unlike in the comparison, a
    guess is better than none: time is the axis along which neighbours resemble each other most, else the longest.
    """
    axes = stage.meta.axes
    if axes is not None and len(axes) == x.ndim:
        time = axes.index("T") if "T" in axes else None
        letter = next((a for a in "CVDHF" if a in axes), None)
        return time, axes.index(letter) if letter else None
    if x.ndim == 0:
        return None, None
    if x.ndim == 1:
        return (None, 0) if kind == "embedding" else (0, None)
    free = [a for a in range(x.ndim) if x.shape[a] > 1 and not (a == 0 and x.ndim > 2 and x.shape[0] <= _BATCH)]
    if len(free) < 2:
        # One axis that has a length: the samples of a clip, or the components of a vector.
        only = free[0] if free else x.ndim - 1
        return (None, only) if kind in ("embedding", "logits") else (only, None)
    first, second = free[-2:]
    difference = smoothness(x, first) - smoothness(x, second)
    by_length = x.shape[first] > x.shape[second]
    time_first = difference > 0 if abs(difference) > _SMOOTHER_BY else by_length
    return (first, second) if time_first else (second, first)


def wide(array: Array) -> Array:
    """Return values as float64 or complex128."""
    # Extension floats (bfloat16, float8) have no isfinite and no square root of their own in every version.
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def smoothness(x: Array, axis: int) -> float:
    """Return the correlation of neighbours along an axis, over what varies along it."""
    rows = np.moveaxis(x.real, axis, -1).astype(np.float64)
    rows = rows - rows.mean(axis=-1, keepdims=True)
    energy = float(np.sum(rows * rows))
    return float(np.sum(rows[..., 1:] * rows[..., :-1])) / energy if energy > 0 else 0.0
