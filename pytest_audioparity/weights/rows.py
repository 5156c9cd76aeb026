"""Rows in another order, or among those of a larger tensor: gates, heads, rotary pairs, concatenations.

A row is one index of an axis. Rows are told apart by a few numbers each, then every hypothesis is verified in full by
whoever asked. Orders that frameworks use are tried before any order at all.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.weights.tiles import wide

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]
    Known = dict[tuple[Any, ...], Array]

# Halves of a gated unit, gates of GRU and the parts of QKV, gates of LSTM.
_BLOCKS = (2, 3, 4)
# Sizes of heads that models may have: even ones.
_HEADS = range(4, 257, 2)
# Rows are the same when their numbers are this close beside the spread between rows: int8 leaves a few percent.
_CLOSE = 0.08
# Neighbours in the order of one number that are looked at for the nearest row.
_WINDOW = 8
_SEED = 20
_PROJECTIONS = 4
# Values that stand together at least where vectors take turns: the smallest head.
_LEAST_RUN = 4
# Rows that must be there before all are compared.
_PROBES = 24


@dataclass(frozen=True, slots=True)
class RowOrder:
    """Where each row of expected is in actual.

    Attributes
    ----------
    axis : of both views
    index : for each row of expected, the row of actual
    blocks : the order of equal blocks, each by its place in expected, where the order is one of blocks
    rotary : size of the head where rotary halves and pairs were exchanged
    """

    axis: int
    index: Array
    blocks: tuple[int, ...] | None = None
    rotary: int | None = None

    @property
    def is_contiguous(self) -> bool:
        """Whether the rows stand one after the other in actual, in order."""
        return bool((np.diff(self.index) == 1).all())

    @property
    def is_any(self) -> bool:
        """Whether this is an order that no framework has."""
        return self.blocks is None and self.rotary is None and not _is_strided(self.index)

    def turned(self) -> RowOrder:
        """Return the order told from the other side: the same rows, the blocks by their place in actual."""
        return self if self.blocks is None else replace(self, blocks=tuple(int(b) for b in np.argsort(self.blocks)))

    def detail(self) -> dict[str, Any]:
        """Say which rows."""
        said: dict[str, Any] = {"axis": self.axis}
        if self.rotary is not None:
            said["rotary"] = f"halves against pairs in heads of {self.rotary}"
        elif self.blocks is not None and self.blocks != tuple(range(len(self.blocks))):
            said["blocks"] = list(self.blocks)
        first, last = int(self.index.min()), int(self.index.max()) + 1
        said["rows"] = [first, last]
        if last - first != len(self.index):
            said["every"] = _is_strided(self.index)
        return said


def reordered(expected: Array, actual: Array) -> Iterator[RowOrder]:
    """Yield the orders of rows along any axis that would make two views of one shape equal, likely ones only."""
    for axis in range(expected.ndim):
        e, a = (_order_free(side, axis) for side in (expected, actual))
        if len(e) < 2 or _far(e, a) < _CLOSE:  # in order, as far as rows can be told apart
            continue
        if _far(np.sort(e, axis=0), np.sort(a, axis=0)) > _CLOSE:  # not the same rows, in whatever order
            return
        for order in _named_orders(len(e), axis):
            if _far(e, a[order.index]) < _CLOSE:
                yield order
                break
        else:
            index = _nearest(e, a)
            if index is not None and _far(e, a[index]) < _CLOSE:
                yield RowOrder(axis, index)


def among(expected: Array, actual: Array, axis: int, of_expected: Known, of_actual: Known) -> RowOrder | None:
    """Return where the rows of expected are among the more rows of actual, the other axes being equal; or None.

    Parameters
    ----------
    expected, actual : views of two tensors
    axis : of the rows
    of_expected, of_actual : what was computed of other views of these tensors, to which this is added
    """
    e, a = _projected(expected, axis, of_expected), _projected(actual, axis, of_actual)
    count = len(e)
    scale = float(np.abs(a).mean()) or 1.0
    if e.shape[1] > 1 and _loneliness(e, a) > _CLOSE * scale:
        return None
    identity = RowOrder(axis, np.arange(count), (0,))
    for order in (identity, *_named_orders(count, axis)):
        # order.index says where a row went inside the block; its first row in actual is then the block's first.
        inside = np.empty_like(order.index)
        inside[order.index] = np.arange(count)
        start = _offset(e[inside], a, scale)
        if start is not None:
            return RowOrder(axis, order.index + start, order.blocks, order.rotary)
    # Single values have a neighbour everywhere: only runs of them mean anything.
    index = _nearest(e, a) if e.shape[1] > 1 else _interleaved(e[:, 0], a[:, 0], scale)
    return None if index is None or _far(e, a[index]) > _CLOSE else RowOrder(axis, index)


def _offset(e: Array, a: Array, scale: float) -> int | None:
    """Return where one run of rows begins inside another."""
    starts = np.arange(len(a) - len(e) + 1)
    for probe in np.unique(np.linspace(0, len(e) - 1, _PROBES).astype(int)):
        starts = starts[np.abs(a[starts + probe] - e[probe]).max(axis=1) < _CLOSE * scale]
        if not starts.size:
            return None
    best = min(starts, key=lambda start: _far(e, a[start : start + len(e)]))
    return None if _far(e, a[best : best + len(e)]) > _CLOSE else int(best)


def _interleaved(e: Array, a: Array, scale: float) -> Array | None:
    """Return where a vector stands in a longer one in which several take turns: a bias of Q, K and V by heads."""
    for runs in range(2, len(e) // _LEAST_RUN + 1):
        if len(e) % runs or len(a) % runs:
            continue
        apart = len(a) // runs
        run = len(e) // runs
        index = (np.arange(runs)[:, None] * apart + np.arange(run)).reshape(-1)
        starts = np.arange(apart - run + 1)
        for probe in np.unique(np.linspace(0, len(e) - 1, _PROBES).astype(int)):
            starts = starts[np.abs(a[starts + index[probe]] - e[probe]) < _CLOSE * scale]
        for start in starts:
            if _far(e[:, None], a[index + start][:, None]) < _CLOSE:
                return np.asarray(index + start)
    return None


def _named_orders(count: int, axis: int) -> Iterator[RowOrder]:
    """Yield the orders that frameworks use for so many rows."""
    for parts in _BLOCKS:
        if count % parts:
            continue
        size = count // parts
        for blocks in itertools.permutations(range(parts)):
            if blocks != tuple(range(parts)):
                went = np.argsort(blocks)
                yield RowOrder(axis, (went[:, None] * size + np.arange(size)).reshape(-1), blocks)
    for head in _HEADS:
        if count % head == 0:
            within = np.arange(head).reshape(2, head // 2).T.reshape(-1)
            for one in (within, np.argsort(within)):
                index = (np.arange(count // head)[:, None] * head + one).reshape(-1)
                yield RowOrder(axis, index, None, head)


def _rows(array: Array, axis: int) -> Iterator[Array]:
    """Yield rows as float64 of two axes, some at a time."""
    moved = np.moveaxis(array, axis, 0)
    width = max(1, array.size // max(1, len(moved)))
    some = max(1, (1 << 18) // width)
    for first in range(0, len(moved), some):
        part = wide(moved[first : first + some])
        yield part.reshape(len(part), -1)


def _order_free(array: Array, axis: int) -> Array:
    """Return numbers of each row that do not depend on the order inside it."""
    parts = []
    for rows in _rows(array, axis):
        if rows.shape[1] == 1:
            parts.append(rows)
            continue
        square = rows * rows
        parts.append(
            np.stack(
                [rows.mean(1), np.sqrt(square.mean(1)), np.abs(rows).mean(1), np.cbrt((square * rows).mean(1))], axis=1
            )
        )
    return np.concatenate(parts)


def _projected(array: Array, axis: int, known: Known) -> Array:
    """Return numbers of each row that do, computed once for each view of a tensor."""
    view = (array.shape, array.strides, axis)
    if view not in known:
        known[view] = _projections(array, axis)
    return known[view]


def _projections(array: Array, axis: int) -> Array:
    width = array.size // array.shape[axis]
    if width == 1:
        return np.concatenate(list(_rows(array, axis)))
    directions = np.random.default_rng(_SEED).standard_normal((width, _PROJECTIONS)) / np.sqrt(width)
    return np.concatenate([np.einsum("ij,jk->ik", rows, directions) for rows in _rows(array, axis)])


def _far(e: Array, a: Array) -> float:
    """Return the mean distance between rows beside the spread of rows, of the number where that is largest."""
    spread = e.std(axis=0)
    away = np.abs(e - a).mean(axis=0)
    known = spread > 1e-12 * (np.abs(e).mean(axis=0) + 1e-300)
    if not known.any():
        return 0.0 if np.allclose(e, a, rtol=1e-2) else 1.0
    return float((away[known] / spread[known]).max())


def _nearest(e: Array, a: Array) -> Array | None:
    """Return for each row the nearest of the others, each taken once; None when that is not possible."""
    index, _ = _neighbours(e, a)
    if np.unique(index).size == len(index):
        return np.asarray(index)
    if len(e) != len(a):
        return None
    # Equal rows: any of them will do, in the order of both.
    order = np.empty(len(e), int)
    order[np.lexsort(e.T[::-1])] = np.lexsort(a.T[::-1])
    return order


def _neighbours(e: Array, a: Array) -> tuple[Array, Array]:
    """Return for each row the nearest of the others, by a window in the order of one number, and how far it is."""
    ranked = np.argsort(a[:, 0], kind="stable")
    place = np.searchsorted(a[ranked, 0], e[:, 0])
    window = np.clip(place[:, None] + np.arange(-_WINDOW, _WINDOW + 1), 0, len(a) - 1)
    far = np.abs(a[ranked[window]] - e[:, None, :]).sum(axis=2)
    best = far.argmin(axis=1)
    rows = np.arange(len(e))
    return np.asarray(ranked[window[rows, best]]), np.asarray(far[rows, best])


def _loneliness(e: Array, a: Array) -> float:
    """Return how far a typical row of a sample is from its neighbour."""
    some = e[np.unique(np.linspace(0, len(e) - 1, 64).astype(int))]
    return float(np.median(_neighbours(some, a)[1])) / float(e.shape[1])


def _is_strided(index: Array) -> str:
    """Return how the rows lie where runs of one length follow each other at one distance, else nothing."""
    breaks = np.flatnonzero(np.diff(index) != 1) + 1
    if not breaks.size:
        return "row"
    run, count = int(breaks[0]), len(index)
    if count % run or len(breaks) != count // run - 1:
        return ""
    starts = index[::run]
    steps = np.diff(starts)
    if (breaks == np.arange(run, count, run)).all() and (steps == steps[0]).all() and steps[0] > run:
        return f"{run} of {int(steps[0])}"
    return ""
