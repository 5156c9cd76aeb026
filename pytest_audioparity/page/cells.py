"""Tensors of any size reduced to the cells of a picture, some elements at a time: no copy of the whole is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Array = np.ndarray[Any, Any]

# Cells of a picture; more would not be seen, and a failing test's page is to stay under 300 kB.
WIDTH, HEIGHT = 200, 64
# Elements that are converted at once: 8 MB as float64.
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Grid:
    """How a matrix is cut into cells.

    Attributes
    ----------
    rows, columns : the first row and column of each cell, and the end
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """How many cells there are, from bottom to top and from left to right."""
        return len(self.rows) - 1, len(self.columns) - 1

    @property
    def largest(self) -> tuple[int, int]:
        """How many rows and columns the largest cell has."""
        return int(max(np.diff(self.rows))), int(max(np.diff(self.columns)))

    def slabs(self) -> Iterator[tuple[int, slice, slice, slice]]:
        """Yield a row of cells at a time, or less: its place, its columns of cells, its rows and columns."""
        widest = self.largest[1]
        for place, (top, bottom) in enumerate(zip(self.rows, self.rows[1:], strict=False)):
            step = max(1, _BLOCK // (widest * (bottom - top)))
            for start in range(0, self.shape[1], step):
                end = min(start + step, self.shape[1])
                yield place, slice(start, end), slice(top, bottom), slice(self.columns[start], self.columns[end])


def grid(shape: tuple[int, int], rows: int = HEIGHT, columns: int = WIDTH) -> Grid:
    """Cut a matrix that is not empty into at most so many cells of about one size."""
    sides = zip(shape, (rows, columns), strict=True)
    edges = [tuple(np.linspace(0, size, min(size, most) + 1).astype(int).tolist()) for size, most in sides]
    return Grid(*edges)


def means(matrix: Array, cut: Grid) -> Array:
    """Return the mean of each cell; NaN where it holds anything that is not finite.

    Parameters
    ----------
    matrix : shape (rows, columns), of any dtype; of complex numbers the magnitude is taken
    cut : see `grid`
    """
    return _reduced(cut, lambda rows, columns: real(matrix[rows, columns]), _mean)


def firsts(matrix: Array, cut: Grid) -> Array:
    """Return the first value of each cell: a mean of codes is no code."""
    return real(matrix[np.asarray(cut.rows[:-1])[:, None], np.asarray(cut.columns[:-1])])


def farthest(expected: Array, actual: Array, cut: Grid) -> Array:
    """Return of actual less expected the value of each cell that is farthest from zero; NaN where one is not finite."""
    return _reduced(cut, lambda rows, columns: _difference(expected, actual, (rows, columns)), _extreme)


def shares_unequal(expected: Array, actual: Array, cut: Grid) -> Array:
    """Return the share of each cell's elements that are not equal, compared as they are, whatever their size."""
    return _reduced(
        cut, lambda rows, columns: (expected[rows, columns] != actual[rows, columns]).astype(np.float64), _mean
    )


def biases(expected: Array, actual: Array, cut: Grid) -> Array:
    """Return the mean of actual less expected over each row of cells; NaN where one is not finite."""
    rows = _reduced(cut, lambda rows, columns: _difference(expected, actual, (rows, columns)), _mean)
    # Divided first, so that the sum of large values stays finite.
    mean: Array = rows @ (np.diff(cut.columns) / cut.columns[-1])
    return mean


def spans(values: Array, points: int) -> tuple[Array, Array, Array]:
    """Return the smallest and largest finite value of each point of a line, and where there is any other.

    Parameters
    ----------
    values : shape (elements,), of any dtype
    points : at most
    """
    cut = grid((1, values.size), columns=points)
    row = values.reshape(1, -1)

    def low(block: Array, edges: Array) -> Array:
        return np.asarray(np.fmin.reduceat(np.where(np.isfinite(block), block, np.nan), edges, axis=1).min(axis=0))

    def high(block: Array, edges: Array) -> Array:
        return np.asarray(np.fmax.reduceat(np.where(np.isfinite(block), block, np.nan), edges, axis=1).max(axis=0))

    def odd(block: Array, edges: Array) -> Array:
        return np.asarray(np.add.reduceat(~np.isfinite(block), edges, axis=1, dtype=np.float64).max(axis=0))

    lows, highs, others = (
        _reduced(cut, lambda rows, columns: real(row[rows, columns]), each)[0] for each in (low, high, odd)
    )
    return lows, highs, others > 0


def real(block: Array) -> Array:
    """Return values as float64, of complex ones the magnitude."""
    return np.abs(block).astype(np.float64) if block.dtype.kind == "c" else block.astype(np.float64)


def _difference(expected: Array, actual: Array, place: tuple[slice, slice]) -> Array:
    one, other = expected[place], actual[place]
    with np.errstate(all="ignore"):
        if "c" in (one.dtype.kind, other.dtype.kind):
            return np.abs(other.astype(np.complex128) - one.astype(np.complex128))
        return np.asarray(other.astype(np.float64) - one.astype(np.float64))


def _reduced(cut: Grid, read: Callable[[slice, slice], Array], reduce: Callable[[Array, Array], Array]) -> Array:
    result = np.empty(cut.shape)
    for place, cells, rows, columns in cut.slabs():
        edges = np.asarray(cut.columns[cells]) - columns.start
        with np.errstate(all="ignore"):
            result[place, cells] = reduce(read(rows, columns), edges)
    return result


def _mean(block: Array, edges: Array) -> Array:
    counts = np.diff([*edges, block.shape[1]]) * block.shape[0]
    # Divided first, so that the sum of large values stays finite.
    mean = np.add.reduceat(block / block.shape[0], edges, axis=1).sum(axis=0) * (block.shape[0] / counts)
    broken = ~np.logical_and.reduceat(np.isfinite(block), edges, axis=1).all(axis=0)
    return np.where(broken, np.nan, mean)


def _extreme(block: Array, edges: Array) -> Array:
    high = np.maximum.reduceat(block, edges, axis=1).max(axis=0)
    low = np.minimum.reduceat(block, edges, axis=1).min(axis=0)
    broken = ~np.logical_and.reduceat(np.isfinite(block), edges, axis=1).all(axis=0)
    return np.where(broken, np.nan, np.where(np.abs(high) >= np.abs(low), high, low))
