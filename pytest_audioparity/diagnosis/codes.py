"""Codes as the numbers they are: an offset, a clipped range. All else about codes is about places (see `search`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.problem import rows_of
from pytest_audioparity.records import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray[Any, Any]

_MOST = 0.99
_SAMPLE = 1 << 20
_FEWEST = 8
# Share of the times at which offsets that change with time are none of 0.
_MOST_TIMES = 0.5


def find(expected: Array, actual: Array, labels: Sequence[str]) -> Finding | None:
    """Return offset, channel_offset or clipped, if that explains nearly every wrong code, else None."""
    if expected.dtype.kind not in "iu" or actual.dtype.kind not in "iu":
        return None
    e, a = (side.reshape(-1)[:: max(1, side.size // _SAMPLE)].astype(np.int64) for side in (expected, actual))
    wrong = e != a
    if not wrong.any():
        return None
    steps = a - e
    shift = int(np.median(steps[wrong]))
    share = 1.0 - float(np.mean(steps != shift)) / float(np.mean(wrong))
    if shift and share >= _MOST:
        message = (
            f"every code is {shift:+d} from expected; check special tokens, ranges that start at 0 or 1, and offsets "
            "between codebooks"
        )
        return Finding("offset", message, explains=share, detail={"offset": shift})
    if (found := _per_index(expected, actual, labels)) is not None:
        return found
    low, high = int(a.min()), int(a.max())
    share = 1.0 - float(np.mean(a != np.clip(e, low, high))) / float(np.mean(wrong))
    if share >= _MOST:
        message = f"codes are clipped to {low} to {high}; check the size of the codebook and the integer type"
        return Finding("clipped", message, explains=share, detail={"low": low, "high": high})
    return _wrapped(e, a, float(np.mean(wrong)))


def _wrapped(e: Array, a: Array, wrong: float) -> Finding | None:
    """Return clipped where codes begin again behind the largest number that a small integer type has."""
    for name in ("uint8", "int8", "uint16", "int16"):
        share = 1.0 - float(np.mean(a != e.astype(name))) / wrong
        if share >= _MOST:
            message = f"codes overflow as {name}: beyond {np.iinfo(name).max} they wrap; check the integer type"
            return Finding("clipped", message, explains=share, detail={"dtype": name})
    return None


def _per_index(expected: Array, actual: Array, labels: Sequence[str]) -> Finding | None:
    """Return channel_offset when each index of an axis, as each codebook, has an offset of its own."""
    for axis, n in enumerate(expected.shape):
        if n < 2 or expected.size // n < _FEWEST:
            continue
        e, a = (rows_of(side, axis).astype(np.int64) for side in (expected, actual))
        offsets = np.median(a - e, axis=1).astype(np.int64)
        if labels[axis] == "T" and np.count_nonzero(offsets) < _MOST_TIMES * n:
            continue  # a few frames that are wrong, each by one number
        share = 1.0 - float(np.mean(a != e + offsets[:, None])) / float(np.mean(a != e))
        if share >= _MOST:
            message = (
                f"each index of {labels[axis]} has an offset of its own, {offsets.tolist()[:8]}; check offsets between "
                "codebooks that are added for an embedding and not taken off again"
            )
            return Finding(
                "channel_offset", message, explains=share, detail={"axis": labels[axis], "offsets": offsets.tolist()}
            )
    return None
