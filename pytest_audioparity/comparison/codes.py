"""Discrete values: exact equality, counted per codebook. A cosine or a mean over codes would mean nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]


def match_rate(expected: Array, actual: Array) -> tuple[float, int | None]:
    """Return the share of equal elements, 0 to 1, and the flat C-order index of the first wrong one (None if none)."""
    wrong = np.not_equal(expected, actual)
    if actual.dtype.kind not in "iub":
        # numpy compares integers with floats as floats, which skip integers above 2^53.
        with np.errstate(invalid="ignore"):
            wrong |= np.not_equal(expected, actual.real.astype(expected.dtype))
    count = int(np.count_nonzero(wrong))
    # One division of whole numbers, so that 2 of 10 is the 0.2 that a test author writes.
    return (wrong.size - count) / wrong.size, int(wrong.argmax()) if count else None


def match_per_codebook(expected: Array, actual: Array, axis: int) -> list[dict[str, Any]]:
    """Return, per index of the codebook axis, its `match` and the flat index of its `first` mismatch or None."""
    rows = []
    for codebook in range(expected.shape[axis]):
        where = (slice(None),) * axis + (codebook,)
        match, first = match_rate(expected[where], actual[where])
        rows.append({"match": match, "first": first})
    return rows
