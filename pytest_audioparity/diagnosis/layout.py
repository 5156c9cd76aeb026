"""The right values in other places: axes, memory order, direction."""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import Explanation
from pytest_audioparity.diagnosis.moves import along, few_of, may_agree, moved_by, turned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.diagnosis.moves import Source
    from pytest_audioparity.diagnosis.problem import Problem

    Array = np.ndarray[Any, Any]

_MOST_AXES = 5
# A layer has no more heads.
_MOST_HEADS = 32
# By which upsampling layers multiply the frames.
_FACTORS = (2, 3, 4, 5, 6, 8, 10)


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield explanations that move values and change none."""
    yield from _transposed(problem)
    yield from _reshaped(problem)
    yield from _split(problem)
    if problem.expected.ndim >= 2:
        yield from _of_buffers(problem)
        # No layer makes the frames of a spectrum out of its bins.
        if problem.meta.kind != "log_spectrum":
            yield from _shuffled(problem)
    for axis, size in enumerate(problem.shape):
        if size > 2:  # two channels that are swapped are permuted
            yield from _reversed(problem, axis)


def _transposed(problem: Problem) -> Iterator[Explanation]:
    """Two axes of one length were exchanged."""
    shape = problem.shape
    if not 2 <= len(shape) <= _MOST_AXES:
        return
    for order in itertools.permutations(range(len(shape))):
        if not _moves(order, shape) or tuple(shape[i] for i in order) != shape:
            continue
        moved = moved_by(problem, partial(turned, shape=shape, order=order))
        if moved is not None:
            yield permuted_axes(problem, moved, problem.actual, order)


def _moves(order: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether an order of axes changes more than the places of axes of length 1."""
    long = [i for i in order if shape[i] > 1]
    return long != sorted(long)


def permuted_axes(problem: Problem, expected: Array, actual: Array, order: tuple[int, ...]) -> Explanation:
    """Say that actual has the axes of expected in another order, which `order` gives."""
    order = tuple(i for i in order if problem.labels[i] != "part")  # real and imaginary parts have no axis
    names = [problem.labels[i] for i in order]
    said = "".join(names) if all(len(name) == 1 for name in names) else f"({', '.join(names)})"
    message = (
        f"actual has the axes of expected in the order {said}; if that is its layout, declare it with axes=, "
        f"else check a transposition"
    )
    return Explanation("axes_permuted", message, 0, expected, actual, {"order": list(order), "axes": said})


def _reshaped(problem: Problem) -> Iterator[Explanation]:
    """Read the memory in another order of axes and cut it to the right shape."""
    shape = problem.shape
    if not 2 <= len(shape) <= _MOST_AXES or sum(n > 1 for n in shape) < 2:
        return
    for order in itertools.permutations(range(len(shape))):
        other = tuple(shape[i] for i in order)
        # Where the order keeps the shape, it is a plain transposition.
        if order == tuple(range(len(shape))) or other == shape:
            continue
        back = tuple(order.index(i) for i in range(len(order)))
        for source in (partial(turned, shape=shape, order=order), partial(turned, shape=other, order=back)):
            if (moved := moved_by(problem, source)) is not None:
                yield reshaped(problem, moved, problem.actual, order)


def _split(problem: Problem) -> Iterator[Explanation]:
    """Cut one axis into two, as channels into heads, where the other of both is meant to be the first."""
    shape, names = problem.shape, problem.labels
    axes = [axis for axis, n in enumerate(shape) if n > 1 and names[axis] not in ("B", "T", "part")]
    for first, second in itertools.combinations(axes, 2):
        # Without other axes between or behind them, that is a memory order, as above.
        if second == first + 1 or shape[first] * shape[second] == problem.size:
            continue
        for forward in (True, False):
            moved = moved_by(problem, partial(_cut, shape=shape, axes=(first, second), forward=forward))
            if moved is None:
                continue
            one, other = names[first], names[second]
            message = (
                f"actual has {one} and {other} of expected as if the axis that they were cut from held {other} first: "
                "check the view that parts heads, (heads, width) against (width, heads)"
            )
            yield Explanation("reshaped", message, 0.5, moved, problem.actual, {"axes": [one, other]})


def _cut(places: Array, shape: tuple[int, ...], axes: tuple[int, int], *, forward: bool) -> Array:
    """Return the places that values come from when two axes were cut from one in the other order."""
    coordinates = list(np.unravel_index(places, shape))
    first, second = axes
    if forward:
        one, other = np.divmod(coordinates[second] * shape[first] + coordinates[first], shape[second])
    else:
        other, one = np.divmod(coordinates[first] * shape[second] + coordinates[second], shape[first])
    coordinates[first], coordinates[second] = one, other
    return np.asarray(np.ravel_multi_index(coordinates, shape))


def _of_buffers(problem: Problem) -> Iterator[Explanation]:
    """Rows with unused bytes between them were read as if they had none, or heads were merged without moving them."""
    *_, rows, row = problem.shape
    if rows < 2 or row < 4:
        return
    size, places = math.prod(problem.shape), problem.places
    before = places // row
    for step in (2, 4, 8, 16, 32, 64, 128):
        stride = -(-row // step) * step
        # The unused part may be up to a whole unit as well.
        for width in {stride, stride + step} - {row}:
            there = places + before * (width - row)
            inside = there < size
            if inside.sum() < problem.size / 2:
                continue
            message = (
                f"actual has the rows of expected with {width - row} unused values between them: strides that are "
                "ignored when a buffer is read"
            )
            e, there = problem.expected.reshape(-1)[inside], there[inside]
            few = few_of(e.size)
            if not may_agree(e[few], problem.read(there[few], actual=True)):
                continue
            taken_a = problem.read(there, actual=True)
            yield Explanation("reshaped", message, 1, e, taken_a, {"stride": width})
    shape = problem.shape
    swap = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
    swapped = tuple(shape[i] for i in swap)
    yield from _merged(problem, shape, lambda places: places, lambda places: places)
    # As stages with channels before time have their heads.
    into, back = partial(turned, shape=swapped, order=swap), partial(turned, shape=shape, order=swap)
    yield from _merged(problem, swapped, into, back)


def _merged(problem: Problem, shape: tuple[int, ...], into: Source, back: Source) -> Iterator[Explanation]:
    """Merge heads of the last axis without moving their axis back, or part them so.

    Parameters
    ----------
    problem : the two sides
    shape : of the stage with the heads in its last axis
    into, back : from places in the stage to those in that shape, and back
    """
    *batch, rows, row = shape
    ahead = tuple(range(len(batch)))
    order = (*ahead, len(batch) + 1, len(batch), len(batch) + 2)
    for heads in range(2, _MOST_HEADS + 1):
        if row % heads:
            continue
        width = row // heads
        for split in ((*batch, rows, heads, width), (*batch, heads, rows, width)):
            moved = moved_by(problem, partial(_through, into=into, shape=split, order=order, back=back))
            if moved is None:
                continue
            message = f"actual has expected's {heads} heads merged without moving their axis back; check the transpose"
            yield Explanation("reshaped", message, 1, moved, problem.actual, {"heads": heads})


def _shuffled(problem: Problem) -> Iterator[Explanation]:
    """Deal channels out over time in another order: of each channel's phases, or of each phase's channels."""
    declared, channels = problem.axis("T"), problem.channel_axes()
    for time, axis in itertools.product(channels if declared is None else [declared], channels):
        frames, n = problem.shape[time], problem.shape[axis]
        for factor in _FACTORS:
            if time == axis or frames % factor or frames == factor or n < 2:
                continue
            for forward in (True, False):
                source = partial(_dealt, shape=problem.shape, axes=(axis, time), factor=factor, forward=forward)
                moved = moved_by(problem, source)
                if moved is None:
                    continue
                label, channel = problem.labels[time], problem.labels[axis]
                message = (
                    f"actual has {factor} values along {label} and those along {channel} dealt out in the other "
                    "order: a pixel shuffle of the channels of each phase for the phases of each channel; check the "
                    "reshape of an upsampling layer"
                )
                yield Explanation("reshaped", message, 1, moved, problem.actual, {"factor": factor, "axis": label})


def _dealt(places: Array, shape: tuple[int, ...], axes: tuple[int, int], factor: int, *, forward: bool) -> Array:
    """Return the places that values of a channel and a phase come from when both were one axis in the other order."""
    coordinates = list(np.unravel_index(places, shape))
    axis, time = axes
    channel, phase = coordinates[axis], coordinates[time] % factor
    if forward:  # phase by phase what was channel by channel
        dealt = phase * shape[axis] + channel
        channel, there = dealt // factor, dealt % factor
    else:
        dealt = channel * factor + phase
        channel, there = dealt % shape[axis], dealt // shape[axis]
    coordinates[axis], coordinates[time] = channel, coordinates[time] - phase + there
    return np.asarray(np.ravel_multi_index(coordinates, shape))


def _through(places: Array, into: Source, shape: tuple[int, ...], order: tuple[int, ...], back: Source) -> Array:
    """Return the places of what stands elsewhere in another shape."""
    return back(turned(into(places), shape, order))


def reshaped(problem: Problem, expected: Array, actual: Array, order: tuple[int, ...]) -> Explanation:
    """Say that actual has the values of expected in the memory order of other axes."""
    names = ", ".join(problem.labels[i] for i in order)
    message = (
        f"actual has the values of expected in the memory order ({names}), cut to the right shape; "
        f"check a reshape where a transpose is meant, and strides that are ignored when a buffer is read"
    )
    return Explanation("reshaped", message, 0.5, expected, actual, {"order": list(order)})


def _reversed(problem: Problem, axis: int) -> Iterator[Explanation]:
    label, shape = problem.labels[axis], problem.shape
    message = f"actual runs backwards along {label}; check a flip, and the direction of a recurrent layer"
    moved = moved_by(problem, partial(along, shape=shape, axis=axis, order=lambda index: shape[axis] - 1 - index))
    # What stands still has no direction, and may come from anywhere.
    if moved is not None and (moved.shape[axis] == 1 or np.ptp(moved, axis=axis).any()):
        yield Explanation("reversed", message, 0, moved, problem.actual, {"axis": label, "index": axis})
