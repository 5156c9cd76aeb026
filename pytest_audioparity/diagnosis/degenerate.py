"""Tensors that carry no signal at all: NaN and infinities, all zero, one constant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.records import Comparison, Finding, Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    Array = np.ndarray[Any, Any]


def find(_expected: Array, _actual: Array, comparison: Comparison) -> Iterator[Finding]:
    """Yield `nonfinite` for either side, else `all_zero` or `constant` where expected is not."""
    sides = (("expected", comparison.expected), ("actual", comparison.actual))
    broken = [(name, side) for name, side in sides if side.nan or side.inf]
    for name, side in broken:
        yield _nonfinite(name, side, comparison.size)
    if broken or comparison.size < 2 or _is_constant(comparison.expected):
        return
    if comparison.actual.min == 0 == comparison.actual.max:
        yield Finding("all_zero", "actual is zero everywhere; check that the buffer was filled before it was recorded")
    elif _is_constant(comparison.actual):
        value = comparison.actual.min
        message = f"actual is {value:.6g} everywhere; check for an uninitialised buffer or a saturated activation"
        yield Finding("constant", message, detail={"value": value})


def _is_constant(side: Side) -> bool:
    return side.min is not None and side.min == side.max


def _nonfinite(name: str, side: Side, size: int) -> Finding:
    index = list(side.first_nonfinite or ())
    message = f"{name} has {side.nan} NaN and {side.inf} infinite of {size} values, the first at {index}"
    if name == "expected":
        message += "; the golden itself is bad"
    return Finding("nonfinite", message, detail={"side": name, "nan": side.nan, "inf": side.inf, "first": index})
