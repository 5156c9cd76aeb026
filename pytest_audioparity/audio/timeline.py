"""Where the parts of the reference stand in the estimate: one piece, or several where time jumps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]
    Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples `start` to `end` of the reference, which the estimate has `lag` samples later."""

    start: int
    end: int
    lag: int

    def at(self, rate: int, new_rate: int) -> Piece:
        """Return the same piece in samples of another rate."""
        return Piece(*(round(value * new_rate / rate) for value in (self.start, self.end, self.lag)))


def placed(estimate: Array, pieces: tuple[Piece, ...], size: int) -> Array:
    """Return the estimate on the reference's time, shape (size,); silence where it has nothing."""
    result = np.zeros(size)
    for piece in pieces:
        start, end = max(piece.start, -piece.lag), min(piece.end, estimate.size - piece.lag)
        if end > start:
            result[start:end] = estimate[start + piece.lag : end + piece.lag]
    return result


def common(reference: Array, estimate: Array, pieces: tuple[Piece, ...]) -> tuple[Array, Array]:
    """Return what both sides have, piece after piece, equally long."""
    ranges = [(max(p.start, -p.lag), min(p.end, estimate.size - p.lag), p.lag) for p in pieces]
    ranges = [(start, max(start, end), lag) for start, end, lag in ranges]
    if len(ranges) == 1:  # views, no copies
        start, end, lag = ranges[0]
        return reference[start:end], estimate[start + lag : end + lag]
    return (
        np.concatenate([reference[start:end] for start, end, _ in ranges]),
        np.concatenate([estimate[start + lag : end + lag] for start, end, lag in ranges]),
    )


@dataclass(frozen=True, slots=True)
class Beside:
    """Both sides whole, each silent where only the other has something.

    Attributes
    ----------
    reference, estimate : shape (time,), equally long
    inserted : place and number of samples of what only the estimate has: before, between the pieces, after
    """

    reference: Array
    estimate: Array
    inserted: tuple[tuple[int, int], ...]

    def on_reference(self, span: Span, rate: int) -> Span:
        """Turn a span of seconds of these sides into one of the reference, of the same length."""
        surplus = sum(min(count, max(0.0, span[0] * rate - at)) for at, count in self.inserted[1:-1])
        start = span[0] - (surplus + self.inserted[0][1]) / rate
        return start, start + span[1] - span[0]


def beside(reference: Array, estimate: Array, pieces: tuple[Piece, ...]) -> Beside:
    """Put all of both sides beside each other."""
    parts = list(_parts(reference.size, estimate.size, pieces))
    inserted, at = [], 0
    for start, end, where in parts:
        if where == "estimate":
            inserted.append((at, end - start))
        at += end - start
    left = [np.zeros(end - start) if where == "estimate" else reference[start:end] for start, end, where in parts]
    on_time = placed(estimate, pieces, reference.size)
    right = [(estimate if where == "estimate" else on_time)[start:end] for start, end, where in parts]
    return Beside(np.concatenate(left), np.concatenate(right), tuple(inserted))


def _parts(size: int, estimate_size: int, pieces: tuple[Piece, ...]) -> Iterator[tuple[int, int, str]]:
    """Yield ranges in order: of the reference, with what both have, or of what one side has alone."""
    reached, heard = 0, 0
    for piece in pieces:
        yield heard, max(heard, min(piece.start + piece.lag, estimate_size)), "estimate"
        yield reached, piece.start, "reference"
        yield piece.start, piece.end, "both"
        reached, heard = piece.end, piece.end + piece.lag
    yield reached, size, "reference"
    yield min(max(0, heard), estimate_size), estimate_size, "estimate"
