"""The right values in other places: axes, memory order, direction, order of channels, delayed codebooks."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.channels import are_mixed
from pytest_audioparity.diagnosis.explanation import Explanation
from pytest_audioparity.diagnosis.problem import Problem, rows_of
from pytest_audioparity.golden.provenance import our_own

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Beyond this many channels the table of all pairs costs more than a second.
_MOST_CHANNELS = 1024
# Elements of a channel that take part in finding its partner.
_PER_CHANNEL = 512
_MOST_AXES = 5
_BLOCKS = (2, 3, 4)
# By how much more alike another channel has to be than the own one, so that silent and equal channels stay.
_STAYS = 1e-7


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield explanations that move values and change none."""
    yield from _transposed(problem)
    yield from _reshaped(problem)
    if problem.expected.ndim >= 2:
        yield from _of_buffers(problem)
    for axis, size in enumerate(problem.expected.shape):
        if size > 2:  # two channels that are swapped are permuted
            yield _reversed(problem, axis)
    for axis in problem.channel_axes():
        if problem.expected.shape[axis] >= 2:
            yield from _interleaved(problem, axis)
            yield from _permuted(problem, axis)
            yield from _delayed(problem, axis)


def _transposed(problem: Problem) -> Iterator[Explanation]:
    """Two axes of one length were exchanged."""
    e = problem.expected
    if not 2 <= e.ndim <= _MOST_AXES:
        return
    for order in itertools.permutations(range(e.ndim)):
        if _moves(order, e.shape) and tuple(e.shape[i] for i in order) == e.shape:
            yield permuted_axes(problem, e.transpose(order), problem.actual, order)


def _moves(order: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether an order of axes changes more than the places of axes of length 1."""
    long = [i for i in order if shape[i] > 1]
    return long != sorted(long)


def permuted_axes(problem: Problem, expected: Array, actual: Array, order: tuple[int, ...]) -> Explanation:
    """Say that actual has the axes of expected in another order, which `order` gives."""
    names = [problem.labels[i] for i in order]
    said = "".join(names) if all(len(name) == 1 for name in names) else f"({', '.join(names)})"
    message = (
        f"actual has the axes of expected in the order {said}; if that is its layout, declare it with axes=, "
        f"else check a transposition"
    )
    return Explanation("axes_permuted", message, 0, expected, actual, {"order": list(order), "axes": said})


def _reshaped(problem: Problem) -> Iterator[Explanation]:
    """Read the memory in another order of axes and cut it to the right shape."""
    e = problem.expected
    if not 2 <= e.ndim <= _MOST_AXES or sum(n > 1 for n in e.shape) < 2:
        return
    for order in itertools.permutations(range(e.ndim)):
        moved = e.transpose(order)
        # Where the order keeps the shape, it is a plain transposition.
        if order == tuple(range(e.ndim)) or moved.shape == e.shape:
            continue
        yield reshaped(problem, moved.reshape(e.shape), problem.actual, order)
        inverse = np.ascontiguousarray(e.reshape(moved.shape).transpose(np.argsort(order)))
        yield reshaped(problem, inverse, problem.actual, order)


def _of_buffers(problem: Problem) -> Iterator[Explanation]:
    """Rows with unused bytes between them were read as if they had none, or heads were merged without moving them."""
    e, a = problem.expected, problem.actual
    *_, rows, row = e.shape
    if rows < 2 or row < 4:
        return
    flat_e, flat_a = e.reshape(-1, row), a.reshape(-1)
    for step in (2, 4, 8, 16, 32, 64, 128):
        stride = -(-row // step) * step
        # The unused part may be up to a whole unit as well.
        for width in {stride, stride + step} - {row}:
            places = (np.arange(len(flat_e))[:, None] * width + np.arange(row)).ravel()
            inside = places < flat_a.size
            if inside.sum() < flat_a.size / 2:
                continue
            message = (
                f"actual has the rows of expected with {width - row} unused values between them: strides that are "
                "ignored when a buffer is read"
            )
            taken_e, taken_a = flat_e.reshape(-1)[inside], flat_a[places[inside]]
            yield Explanation("reshaped", message, 1, taken_e, taken_a, {"stride": width})
    yield from _merged(e, a, swapped=False)
    yield from _merged(np.swapaxes(e, -1, -2), a, swapped=True)


def _merged(e: Array, a: Array, *, swapped: bool) -> Iterator[Explanation]:
    """Merge heads of the last axis without moving their axis back, or part them so."""
    *_, rows, row = e.shape
    for heads in (2, 4, 8, 12, 16):
        if row % heads:
            continue
        split = e.reshape(*e.shape[:-1], heads, row // heads)
        merged = np.moveaxis(split, -2, -3).reshape(e.shape)
        parted = np.moveaxis(e.reshape(*e.shape[:-2], heads, rows, row // heads), -3, -2).reshape(e.shape)
        for candidate in (merged, parted):
            message = f"actual has expected's {heads} heads merged without moving their axis back; check the transpose"
            there = np.swapaxes(candidate, -1, -2) if swapped else candidate
            yield Explanation("reshaped", message, 1, there, a, {"heads": heads})


def reshaped(problem: Problem, expected: Array, actual: Array, order: tuple[int, ...]) -> Explanation:
    """Say that actual has the values of expected in the memory order of other axes."""
    names = ", ".join(problem.labels[i] for i in order)
    message = (
        f"actual has the values of expected in the memory order ({names}), cut to the right shape; "
        f"check a reshape where a transpose is meant, and strides that are ignored when a buffer is read"
    )
    return Explanation("reshaped", message, 0.5, expected, actual, {"order": list(order)})


def _reversed(problem: Problem, axis: int) -> Explanation:
    label = problem.labels[axis]
    message = f"actual runs backwards along {label}; check a flip, and the direction of a recurrent layer"
    return Explanation(
        "reversed", message, 0, np.flip(problem.expected, axis), problem.actual, {"axis": label, "index": axis}
    )


def _interleaved(problem: Problem, axis: int) -> Iterator[Explanation]:
    """Halves against pairs: 0 1 2 3 4 5 becomes 0 3 1 4 2 5 or 0 2 4 1 3 5."""
    n = problem.expected.shape[axis]
    for parts in _BLOCKS:
        # With four, the two in the middle change places, which is a permutation like any other.
        if n % parts or n == parts or n <= 4 or (parts > 2 and n // parts == 2):
            continue
        for order, word in (
            (np.arange(n).reshape(parts, -1).T.ravel(), "blocks where pairs are expected"),
            (np.arange(n).reshape(-1, parts).T.ravel(), "pairs where blocks are expected"),
        ):
            label = problem.labels[axis]
            kind = "halves" if parts == 2 else f"{parts} blocks"
            text = word.replace("blocks", kind).replace("pairs", "interleaved values")
            message = f"along {label} one side has {text}; check rotary embeddings, complex pairs and packed gates"
            yield Explanation(
                "interleaved",
                message,
                0.5,
                problem.expected.take(order, axis),
                problem.actual,
                {"axis": label, "parts": parts, "order": order.tolist() if n <= 64 else None},
            )


def _permuted(problem: Problem, axis: int) -> Iterator[Explanation]:
    """Every channel of actual is another channel of expected."""
    n = problem.expected.shape[axis]
    rows_e, rows_a = (_rows(side, axis) for side in (problem.expected, problem.actual))
    if not 2 <= n <= _MOST_CHANNELS:
        return
    order = _partners(rows_e, rows_a) if rows_e.shape[1] >= 4 else _ranks(problem, axis)
    moved = 0 if order is None else int((order != np.arange(n)).sum())
    if order is None or moved == 0 or are_mixed(rows_e, rows_a, order):
        return
    label = problem.labels[axis]
    blocks = _as_blocks(order)
    said = f"in the order {order.tolist()}" if n <= 16 else f"in another order ({moved} of {n} moved)"
    if blocks is not None and n > 4:
        said = f"with its {len(blocks)} blocks in the order {blocks}"
    message = f"actual has expected's indices of {label} {said}; check channel order, and the order of QKV or gates"
    detail = {"axis": label, "moved": moved, "blocks": blocks, "order": order.tolist() if n <= 256 else None}
    # Two channels that were exchanged take two numbers to say, a permutation of all as many as there are.
    yield Explanation(
        "channel_permutation",
        message,
        (len(blocks) if blocks else moved) / 2,
        problem.expected.take(order, axis),
        problem.actual,
        detail,
    )


def _rows(side: Array, axis: int) -> Array:
    rows = rows_of(side, axis)
    step = max(1, rows.shape[1] // _PER_CHANNEL)
    taken: Array = rows[:, ::step]
    return taken


def _partners(rows_e: Array, rows_a: Array) -> Array:
    """Return for each row of actual the row of expected that it is, so that all rows together are most alike.

    A gain or another sign may come on top, so likeness is by angle; of rows that are alike by it, each stays.
    """
    our_own("scipy")
    from scipy.optimize import linear_sum_assignment

    size_e, size_a = (np.linalg.norm(rows, axis=1) for rows in (rows_e, rows_a))
    likeness = np.abs(_unit(rows_a) @ _unit(rows_e).T)
    likeness -= 1e-6 * np.abs(size_a[:, None] - size_e[None, :]) / max(float(size_e.max()), 1e-300)
    likeness[np.diag_indices(len(likeness))] += _STAYS
    partners: Array = linear_sum_assignment(likeness, maximize=True)[1]
    return partners


def _ranks(problem: Problem, axis: int) -> Array | None:
    """Return the permutation between two vectors that have the same values, by sorting both."""
    e, a = (rows_of(side, axis)[:, 0] for side in (problem.expected, problem.actual))
    from_e, from_a = np.argsort(e, kind="stable"), np.argsort(a, kind="stable")
    if problem.expected.size != e.size or float(np.abs(e[from_e] - a[from_a]).max()) > max(
        problem.allowed, problem.floor
    ):
        return None
    order = np.empty(e.size, int)
    order[from_a] = from_e
    same = np.abs(e - a) <= max(problem.allowed, problem.floor)
    order[same] = np.flatnonzero(same)
    return order if np.unique(order).size == e.size else None


def _unit(rows: Array) -> Array:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Array = rows / np.where(norms > 0, norms, 1)
    return unit


def _as_blocks(order: Array) -> list[int] | None:
    """Return the order of equal blocks, such as [0, 2, 1] of thirds, if the permutation only exchanges those."""
    n = order.size
    for count in (2, 3, 4, 6, 8):
        if n % count == 0 and n > count:
            table = order.reshape(count, -1)
            starts = table[:, 0]
            whole = (table == starts[:, None] + np.arange(n // count)).all() and (starts % (n // count) == 0).all()
            if whole:
                return [int(start) // (n // count) for start in starts]
    return None


def _delayed(problem: Problem, axis: int) -> Iterator[Explanation]:
    """Row k is shifted by k frames, as codec language models lay out their codebooks."""
    for time in problem.time_axes:
        n, frames = problem.expected.shape[axis], problem.expected.shape[time]
        if time == axis or not 2 <= n <= 64 or frames <= 2 * n:
            continue
        e, a = (np.moveaxis(side, (axis, time), (-2, -1)) for side in (problem.expected, problem.actual))
        # Undone twice, a row comes early, and may be trimmed so that the last one is in its place.
        for direction, first in ((1, 0), (-1, 0), (-1, n - 1)):
            shifts = [first + direction * k for k in range(n)]
            start, stop = max(0, *shifts), frames + min(0, *shifts)
            # Row k of actual at t + shift is row k of expected at t.
            taken_e = np.stack([e[..., k, start - shift : stop - shift] for k, shift in enumerate(shifts)], -2)
            taken_a = a[..., start:stop]
            label = problem.labels[axis]
            word = "is delayed by k frames" if direction > 0 else "comes k frames early"
            message = f"index k of {label} {word}; check the delay pattern of the codebooks, and where it is undone"
            yield Explanation(
                "delay_pattern", message, 0.5, taken_e, taken_a, {"axis": label, "frames_per_index": direction}
            )
