"""Which element belongs to which: declarations merged, axes brought into one order, shapes and dtypes held together.

Nothing is cropped, broadcast or reshaped. What does not fit is a finding; a dtype that differs is one too, but the
values are still compared, so that one report tells both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_audioparity.comparison.tolerances import FLOAT_OF_PRECISION, accepted_dtypes
from pytest_audioparity.records import DECLARED, Finding, StageMeta, StageTensor, Tolerance, shape_text

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Rates closer than this are one rate written with fewer digits; real ones differ by more (44 100 and 44 056 by 1e-3).
_SAME_RATE = 1e-4
# Declarations that must agree where both sides make them; axes may differ in their order.
_IN_COMMON = tuple(name for name in DECLARED if name != "axes")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two arrays in the axis order of the expected one. They can be compared only if `comparable`."""

    meta: StageMeta
    expected: Array
    actual: Array
    comparable: bool
    findings: tuple[Finding, ...] = ()
    conflict: str | None = None


def pair(expected: StageTensor, actual: StageTensor, tolerance: Tolerance) -> Pair:
    """Bring two stages together; declarations of the actual side win where the expected side is silent."""
    meta = _merge(expected.meta, actual.meta, expected.array)
    conflict = _conflict(expected.meta, actual.meta)
    array, axes_problem = _in_order(actual, expected.meta.axes)
    conflict = conflict or axes_problem
    if meta.axes is not None and len(meta.axes) != expected.array.ndim:
        conflict = conflict or f"axes={meta.axes!r} does not name the {expected.array.ndim} dimensions of the golden"
        meta = replace(meta, axes=None)
    findings = [
        finding
        for finding in (_shape(expected, actual, array), _dtype(expected.array, array, tolerance))
        if finding is not None
    ]
    comparable = expected.array.shape == array.shape
    return Pair(meta, expected.array, array, comparable, tuple(findings), conflict)


def kind_of(meta: StageMeta, array: Array) -> str:
    """Return the declared kind, or the default: `codes` for integers and booleans, `tensor` for floats."""
    return meta.kind or ("codes" if array.dtype.kind in "iub" else "tensor")


def _merge(expected: StageMeta, actual: StageMeta, array: Array) -> StageMeta:
    return StageMeta(
        actual.name,
        expected.kind or actual.kind or kind_of(expected, array),
        expected.axes or actual.axes,
        expected.unit or actual.unit,
        expected.sample_rate or actual.sample_rate,
        expected.frame_rate or actual.frame_rate,
        expected.role or actual.role,
    )


def _conflict(expected: StageMeta, actual: StageMeta) -> str | None:
    for name in _IN_COMMON:
        old, new = getattr(expected, name), getattr(actual, name)
        if old is not None and new is not None and not _agree(old, new):
            return f"declared {name}={new!r}, but the expected side has {name}={old!r}"
    return None


def _agree(old: str | float, new: str | float) -> bool:
    """Whether two declarations say the same; a rate may be rounded, as 86.13 for 22050/256."""
    if isinstance(old, str) or isinstance(new, str):
        return old == new
    return math.isclose(old, new, rel_tol=_SAME_RATE)


def _in_order(actual: StageTensor, axes: str | None) -> tuple[Array, str | None]:
    own = actual.meta.axes
    if own is None or axes is None or own == axes:
        return actual.array, None
    if sorted(own) != sorted(axes) or len(set(own)) != len(own) or len(own) != actual.array.ndim:
        return actual.array, f"declared axes={own!r}, but the expected side has axes={axes!r}"
    return actual.array.transpose([own.index(letter) for letter in axes]), None


def _shape(expected: StageTensor, actual: StageTensor, array: Array) -> Finding | None:
    """Compare shapes, those of actual in the axis order of expected."""
    shape = expected.array.shape
    if shape == array.shape:
        return None
    message = f"shape {shape_text(array.shape)} where {shape_text(shape)} is expected"
    if sorted(shape) == sorted(array.shape):
        declared = [f"axes={side.meta.axes!r}" if side.meta.axes else "no axes" for side in (expected, actual)]
        message += (
            f"; the same sizes in another order: expected declares {declared[0]}, actual {declared[1]}; "
            f"with axes= declared on both sides the layouts are brought together"
        )
        if actual.meta.axes and not expected.meta.axes:
            message += "; declare them in the test that owns the golden as well, and update it"
    return Finding("shape", message, detail={"expected": list(shape), "actual": list(array.shape)})


def _dtype(expected: Array, actual: Array, tolerance: Tolerance) -> Finding | None:
    if expected.dtype == actual.dtype:
        return None
    accepted = accepted_dtypes(expected.dtype.name, tolerance)
    if not accepted or actual.dtype.name in accepted:
        return None
    message = f"dtype {actual.dtype.name} where {' or '.join(accepted)} is expected"
    message += f"; if that is meant: {_allow(expected, actual)}"
    return Finding("dtype", message, detail={"expected": expected.dtype.name, "actual": actual.dtype.name})


def _allow(expected: Array, actual: Array) -> str:
    """Return the keyword that lets a dtype pass: the precision it belongs to, or any."""
    for precision, dtype in FLOAT_OF_PRECISION.items():
        if (expected.dtype.name, actual.dtype.name) == ("float32", dtype):
            return f"precision={precision!r} in the mark or record"
    return "dtype='any' in the mark or record"
