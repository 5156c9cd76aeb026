"""Tensors that carry no signal at all: NaN and infinities, all zero, one constant, one frame at all times."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.records import Comparison, Finding, Side, StageMeta

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Frames that are looked at together.
_FRAMES = 64
# What varies less along time, as a share of all that varies, may be noise on what is the same at all times.
_VARIES = 0.1


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


def held(expected: Array, actual: Array, meta: StageMeta) -> Finding | None:
    """Return `constant` where every frame of actual is its first one, and those of expected are not."""
    axis = (meta.axes or "").find("T")
    if axis < 0 or expected.shape != actual.shape or actual.shape[axis] < 2:
        return None
    frames = np.moveaxis(actual, axis, 0)
    blocks = (frames[at : at + _FRAMES] for at in range(0, len(frames), _FRAMES))
    if not all((block == frames[0]).all() for block in blocks) or not _varies(np.moveaxis(expected, axis, 0)):
        return None
    message = (
        f"actual is the same in all {len(frames)} frames of T; check that the input reaches this stage, and "
        "conditioning that was dropped"
    )
    return Finding("constant", message, detail={"axis": "T"})


def _varies(frames: Array) -> bool:
    """Whether frames are more than one frame with noise on top: judged by some of them, evenly spread."""
    some = frames[:: math.ceil(len(frames) / _FRAMES)]
    if some.dtype.kind in "iub":
        return float((some != some[0]).mean()) > _VARIES
    some = some.astype(np.complex128)
    return float(np.linalg.norm(some - some.mean(axis=0))) > _VARIES * float(np.linalg.norm(some - some.mean()))


def _is_constant(side: Side) -> bool:
    return side.min is not None and side.min == side.max


def _nonfinite(name: str, side: Side, size: int) -> Finding:
    index = list(side.first_nonfinite or ())
    message = f"{name} has {side.nan} NaN and {side.inf} infinite of {size} values, the first at {index}"
    if name == "expected":
        message += "; the golden itself is bad"
    return Finding("nonfinite", message, detail={"side": name, "nan": side.nan, "inf": side.inf, "first": index})
