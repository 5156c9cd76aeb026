"""The right channels in another order: halves against pairs, permuted, each a frame later than the one before."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import Explanation
from pytest_audioparity.diagnosis.mixtures import are_mixed
from pytest_audioparity.diagnosis.moves import along, moved_by
from pytest_audioparity.diagnosis.problem import Problem, hashed, rows_of
from pytest_audioparity.diagnosis.timing import best_lag, overlap
from pytest_audioparity.golden.provenance import our_own
from pytest_audioparity.records import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Beyond this many channels the table of all pairs costs more than a second; beyond so many, the best assignment.
_MOST_CHANNELS, _MOST_ASSIGNED = 4096, 1024
_AT_ONCE = 256
# Elements of a channel that take part in finding its partner.
_PER_CHANNEL = 512
_BLOCKS = (2, 3, 4)
# Channels whose order is listed in the message.
_LISTED = 16
# Codebooks that may be delayed, and how many codes have to be right once each is taken at its own time.
_MOST_DELAYED, _RIGHT = 64, 0.9
# By how much more alike another channel has to be than the own one, so that silent and equal channels stay.
_STAYS = 1e-7


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield explanations that put channels in another order and change no value."""
    if (time := problem.axis("T")) is not None:  # frames repeated as a whole for each one repeated
        yield from _interleaved(problem, time)
    for axis in problem.channel_axes():
        if problem.expected.shape[axis] >= 2:
            yield from _interleaved(problem, axis)
            if problem.labels[axis] not in problem.origin:  # a partner may be among those that are not looked at
                yield from _permuted(problem, axis)
                yield from _delayed(problem, axis)


def _interleaved(problem: Problem, axis: int) -> Iterator[Explanation]:
    """Halves against pairs: 0 1 2 3 4 5 becomes 0 3 1 4 2 5 or 0 2 4 1 3 5."""
    n = problem.shape[axis]
    for parts in _BLOCKS:
        # With four, the two in the middle change places, which is a permutation like any other.
        if n % parts or n == parts or n <= 4 or (parts > 2 and n // parts == 2):
            continue
        for rows, word in ((parts, "blocks where pairs are expected"), (n // parts, "pairs where blocks are expected")):
            order = partial(_by_columns, rows=rows, columns=n // rows)
            moved = moved_by(problem, partial(along, shape=problem.shape, axis=axis, order=order))
            if moved is None:
                continue
            label = problem.labels[axis]
            kind = "halves" if parts == 2 else f"{parts} blocks"
            text = word.replace("blocks", kind).replace("pairs", "interleaved values")
            message = f"along {label} one side has {text}; check rotary embeddings, complex pairs and packed gates"
            detail = {"axis": label, "parts": parts, "order": order(np.arange(n)).tolist() if n <= 64 else None}
            yield Explanation("interleaved", message, 0.5, moved, problem.actual, detail)


def _by_columns(index: Array, rows: int, columns: int) -> Array:
    """Return where in a table, written in rows, the elements stand that are read in columns."""
    places: Array = index % rows * columns + index // rows
    return places


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
    said = f"in the order {order.tolist()}" if n <= _LISTED else f"in another order ({moved} of {n} moved)"
    if blocks is not None and n > 4:
        said = f"with its {len(blocks)} blocks in the order {blocks}"
    cycle = int(order[0]) if n > 2 and np.array_equal(order, np.roll(np.arange(n), -int(order[0]))) else None
    if cycle is not None and blocks is None and n > _LISTED:
        said = f"that stand {min(cycle, n - cycle)} {'further on' if cycle <= n / 2 else 'before'}, around the end"
    message = f"actual has expected's indices of {label} {said}; check channel order, and the order of QKV or gates"
    detail = {"axis": label, "moved": moved, "blocks": blocks, "order": order.tolist() if n <= 256 else None}
    # Two channels that were exchanged take two numbers to say, a permutation of all as many as there are.
    yield Explanation(
        "channel_permutation",
        message,
        (len(blocks) if blocks else moved if cycle is None else 1) / 2,
        problem.expected.take(order, axis),
        problem.actual,
        detail,
    )


def _rows(side: Array, axis: int) -> Array:
    rows = rows_of(side, axis)
    step = max(1, rows.shape[1] // _PER_CHANNEL)
    taken: Array = rows[:, ::step]
    return taken


def _partners(rows_e: Array, rows_a: Array) -> Array | None:
    """Return for each row of actual the row of expected that it is, so that all rows together are most alike.

    None if two of them have the nearest row in common, and there are too many to choose for all at once.

    A gain or another sign may come on top, so likeness is by angle; of rows that are alike by it, each stays.
    """
    size_e, size_a = (np.linalg.norm(rows, axis=1) for rows in (rows_e, rows_a))
    unit_e, unit_a = _unit(rows_e), _unit(rows_a)

    def likeness(some: Array) -> Array:
        """Return the likeness of some rows of actual to all of expected."""
        table = np.abs(unit_a[some] @ unit_e.T)
        table -= 1e-6 * np.abs(size_a[some, None] - size_e[None, :]) / max(float(size_e.max()), 1e-300)
        table[np.arange(some.size), some] += _STAYS
        return np.asarray(table)

    every = np.arange(len(rows_a))
    nearest = np.concatenate([likeness(every[i : i + _AT_ONCE]).argmax(axis=1) for i in range(0, every.size, _AT_ONCE)])
    if np.unique(nearest).size == nearest.size:
        return nearest  # each has another, so that no assignment does better
    if nearest.size > _MOST_ASSIGNED:
        return None
    our_own("scipy")
    from scipy.optimize import linear_sum_assignment

    partners: Array = linear_sum_assignment(likeness(every), maximize=True)[1]
    return partners


def _ranks(problem: Problem, axis: int) -> Array | None:
    """Return the permutation between rows of a few numbers, which are the same in another order, by sorting both."""
    e, a = (rows_of(side, axis) for side in (problem.expected, problem.actual))
    near = max(problem.allowed, problem.floor)
    from_e, from_a = (np.lexsort(rows.T) for rows in (e, a))
    if float(np.abs(e[from_e] - a[from_a]).max()) > near:
        return None
    order = np.empty(len(e), int)
    order[from_a] = from_e
    same = (np.abs(e - a) <= near).all(axis=1)
    order[same] = np.flatnonzero(same)
    return order if np.unique(order).size == len(e) else None


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
    """Row k is shifted by a number of frames of its own, as codec language models lay out their codebooks."""
    for time in problem.time_axes:
        n, frames = problem.expected.shape[axis], problem.expected.shape[time]
        if time == axis or not 2 <= n <= _MOST_DELAYED or frames <= 2 * n:
            continue
        if problem.labels[axis] == "B":
            yield from _padded(problem, axis, time)
            continue
        e, a = (np.moveaxis(side, (axis, time), (-2, -1)) for side in (problem.expected, problem.actual))
        # Undone twice, a row comes early, and may be trimmed so that the last one is in its place.
        known = [[first + direction * k for k in range(n)] for direction, first in ((1, 0), (-1, 0), (-1, n - 1))]
        own = [best_lag(*(side[..., k, :].reshape(-1, frames).T for side in (e, a))) for k in range(n)]
        for shifts in known if own in known else (*known, own):
            if min(shifts) == max(shifts) or max(0, *shifts) - min(0, *shifts) >= frames / 2:
                continue
            # Row k of actual at t + shift is row k of expected at t, for as long as both have it.
            pairs = [_met(e[..., k, :], a[..., k, :], shift) for k, shift in enumerate(shifts)]
            yield _as_pattern(problem.labels[axis], shifts, *map(np.concatenate, zip(*pairs, strict=True)))


def _met(e: Array, a: Array, shift: int) -> tuple[Array, Array]:
    """Return what two sides with time last have in common when actual comes so many frames later; flat."""
    n = e.shape[-1] - abs(shift)
    start_e, start_a = max(0, -shift), max(0, shift)
    return e[..., start_e : start_e + n].ravel(), a[..., start_a : start_a + n].ravel()


def _padded(problem: Problem, axis: int, time: int) -> Iterator[Explanation]:
    """Each item of a batch is shifted by frames of its own, its padding goes around, and it may be turned as well."""
    e, a = (np.moveaxis(side, (axis, time), (0, 1)) for side in (problem.expected, problem.actual))
    n, frames = e.shape[:2]
    for code, items in (("time_shift", e), ("reversed", e[:, ::-1])):
        shifts = [
            best_lag(item.reshape(frames, -1), there.reshape(frames, -1)) for item, there in zip(items, a, strict=True)
        ]
        if not any(shifts) or (len(set(shifts)) == 1 and code == "time_shift"):
            continue
        moved = np.stack([np.roll(item, shift, axis=0) for item, shift in zip(items, shifts, strict=True)])
        label = problem.labels[time]
        said = f"later by {', '.join(map(str, shifts[:8]))}{' ...' if n > 8 else ''} frames along {label}"
        message = f"the items of B come {said}, each by a number of its own; check padding in front of and behind them"
        if code == "reversed":
            message = (
                f"each item of B runs backwards along {label} within its own length; check masks of recurrent layers"
            )
        detail = {"axis": label, "each": "B", "shifts": shifts}
        predicted = np.moveaxis(moved, (0, 1), (axis, time))
        yield Explanation(code, message, n / 2, predicted, problem.actual, detail)


def delayed_rows(e: Array, a: Array, time: int, labels: tuple[str, ...]) -> Iterator[Finding]:
    """Yield delay_pattern for codes of two lengths along time, where a delay that was not undone made them longer."""
    for axis, n in enumerate(e.shape):
        if axis == time or not 2 <= n <= _MOST_DELAYED:
            continue
        rows_e, rows_a = (np.moveaxis(side, (axis, time), (0, 1)) for side in (e, a))
        rows_e, rows_a = (side.reshape(n, side.shape[1], -1) for side in (rows_e, rows_a))
        shifts = [best_lag(hashed(row_e), hashed(row_a)) for row_e, row_a in zip(rows_e, rows_a, strict=True)]
        pairs = [overlap(row_e, row_a, lag) for row_e, row_a, lag in zip(rows_e, rows_a, shifts, strict=True)]
        right = sum(int((row_e == row_a).sum()) for row_e, row_a in pairs)
        share = right / max(1, sum(row_e.size for row_e, _ in pairs))
        if min(shifts) < max(shifts) and share >= _RIGHT:
            found = _as_pattern(labels[axis], shifts, rows_e, rows_e)
            yield Finding(found.code, found.message, explains=share, detail=found.detail)


def _as_pattern(label: str, shifts: list[int], e: Array, a: Array) -> Explanation:
    """Say by how many frames each index comes late or early: by as many as its number, by a multiple, or any."""
    step = shifts[1] - shifts[0]
    is_even = all(after - before == step for before, after in itertools.pairwise(shifts))
    frames = "k" if abs(step) == 1 else f"{abs(step)}*k"
    word = f"is delayed by {frames} frames" if step > 0 else f"comes {frames} frames early"
    if not is_even:
        word = f"is delayed by a number of frames of its own, {', '.join(map(str, shifts[:16]))}"
        word += " ..." if len(shifts) > 16 else " for k = 0, 1 ..." if len(shifts) > 2 else ""
    message = f"index k of {label} {word}; check the delay pattern of the codebooks, and where it is undone"
    detail = {"axis": label, "frames_per_index": step if is_even else None, "frames": shifts}
    parameters = 0.5 if is_even and abs(step) == 1 else 1 if is_even else len(shifts) / 2
    return Explanation("delay_pattern", message, parameters, e, a, detail)
