"""Whether one array is another: the same, rounded to a narrower type, or on a coarse grid; and if not, how far off.

Both arrays have one shape here; which element belongs to which was decided before (`layouts`, `rows`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.comparison.decibels import excess_db, ratio_db
from pytest_audioparity.weights.grids import quantised
from pytest_audioparity.weights.tiles import product, tiles, wide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Array = np.ndarray[Any, Any]

# What weights are rounded to, finest first.
NARROW = ("float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
# What the float16 converters of onnxruntime.transformers and onnxconverter-common raise smaller magnitudes to.
_RAISED_TO = (5.96e-8, 1e-7)
# A grid of 2 bits leaves a correlation above this; what is below is no rounding of the same values.
_LEAST_CORRELATION = 0.85
# What is left of c times the reference beside it: bfloat16 leaves 2^-9, int8 about as much.
SCALED_RESIDUAL = 5e-3
# A factor is one when it is within this many standard errors, or what sums of float32 leave.
_ERRORS, _LEAST_GAIN = 4.0, 1e-6
# Few values are proportional by chance; one always is.
_LEAST_VALUES = 8


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the values relate: same, cast or quantised; `dtype` is the type whose rounding they went through, if any."""

    kind: str
    dtype: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two arrays differ, where none of the relations holds. None is what cannot be measured."""

    correlation: float | None
    gain: float | None
    gain_error: float
    residual: float
    deviation_db: float | None
    level_db: float | None
    changed: int
    nonfinite: int
    count: int

    @property
    def is_scaled(self) -> bool:
        """Whether actual is expected times a factor other than 1."""
        if self.gain is None or self.nonfinite or self.count < _LEAST_VALUES or not self.residual < SCALED_RESIDUAL:
            return False
        # A factor that is smaller than what is left beside it explains little: that is another training.
        return abs(self.gain - 1) > max(_ERRORS * self.gain_error, _LEAST_GAIN, self.residual)


def agreement(
    expected: Array, actual: Array, *, noise: float = 0.0, stored: str | None = None, step: float | None = None
) -> Agreement | None:
    """Return the relation that makes two arrays the same weights, or None.

    Parameters
    ----------
    expected, actual : arrays of one shape
    noise : what the arithmetic behind computed expected values may have left, absolute; 0 for stored ones
    stored : how the file holds actual, where its values were dequantised
    step : the largest scale of integers of more than a byte
    """
    if step is not None and _every(expected, actual, partial(_nearest, step=step, noise=noise)):
        return Agreement("quantised", None, {"stored": stored, "step": step, "bits": 8 * np.dtype(stored).itemsize})
    if not noise and _every(expected, actual, _equal):
        is_cast = expected.dtype.name != actual.dtype.name and {expected.dtype.kind, actual.dtype.kind} <= set("fV")
        detail = {"dtype": f"{expected.dtype.name} -> {actual.dtype.name}", "lossless": True} if is_cast else {}
        return Agreement("cast" if is_cast else "same", None, detail)
    for dtype in _types_to_try(expected, actual):
        if _every(expected, actual, partial(_rounded, dtype=dtype, noise=noise)):
            return Agreement("cast", dtype.name, _cast_detail(expected, actual, dtype))
        for least in _RAISED_TO if dtype.name == "float16" else ():
            if _every(expected, actual, partial(_raised, least=least, noise=noise)):
                detail = {
                    **_cast_detail(expected, actual, dtype),
                    "rounding": f"magnitudes below {least:g} raised to it",
                }
                return Agreement("cast", "float16", detail)
    if _every(expected, actual, _truncated) and actual.dtype.name == "bfloat16":
        return Agreement(
            "cast", "bfloat16", {**_cast_detail(expected, actual, actual.dtype), "rounding": "toward zero"}
        )
    if expected.dtype.kind not in "fV" or not _alike(expected, actual):
        return None
    grid = quantised(expected, actual, stored)
    return None if grid is None else Agreement("quantised", None, grid)


def difference(expected: Array, actual: Array) -> Difference:
    """Measure how far two arrays of one shape differ, in float64."""
    sums = np.zeros(6)
    changed = nonfinite = 0
    for e, a in _wide_tiles(expected, actual):
        changed += int(np.count_nonzero(~((e == a) | (np.isnan(e) & np.isnan(a)))))
        bad = ~(np.isfinite(e) & np.isfinite(a))
        if bad.any():
            nonfinite += int(np.count_nonzero(bad))
            e, a = e[~bad], a[~bad]
        with np.errstate(over="ignore", invalid="ignore"):
            sums += (e.sum(), a.sum(), product(e, e), product(a, a), product(e, a), product(a - e, a - e))
    return _from_sums(sums, max(1, expected.size - nonfinite), changed, nonfinite)


def _from_sums(sums: Array, count: int, changed: int, nonfinite: int) -> Difference:
    sum_e, sum_a, ee, aa, ea, dd = (float(value) for value in sums)
    variances = (ee - sum_e**2 / count) * (aa - sum_a**2 / count)
    correlation = (ea - sum_e * sum_a / count) / math.sqrt(variances) if variances > 0 else None
    gain = ea / ee if ee > 0 and aa > 0 else None
    left = max(0.0, aa - ea * ea / ee) if ee > 0 else aa
    residual = math.sqrt(left / aa) if aa > 0 else math.inf
    deviation = excess_db(math.sqrt(dd), math.sqrt(min(ee, aa))) if math.isfinite(dd) else math.inf
    return Difference(
        None if correlation is None or not math.isfinite(correlation) else max(-1.0, min(1.0, correlation)),
        gain,
        residual / math.sqrt(count),
        residual,
        deviation if math.isfinite(deviation) else None,
        _finite(ratio_db(aa, ee)),
        changed,
        nonfinite,
        count,
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _wide_tiles(expected: Array, actual: Array) -> Iterator[tuple[Array, Array]]:
    for e, a in tiles(expected, actual):
        yield wide(e).reshape(-1), wide(a).reshape(-1)


def _every(expected: Array, actual: Array, holds: Callable[[Array, Array], bool]) -> bool:
    return all(holds(e, a) for e, a in tiles(expected, actual))


def _equal(e: Array, a: Array) -> bool:
    equal = e == a
    if equal.all():
        return True
    with np.errstate(invalid="ignore"):
        return bool((equal | ((e != e) & (a != a))).all())


def _types_to_try(expected: Array, actual: Array) -> list[np.dtype[Any]]:
    """Return the types that actual may have been rounded to: its own, or a narrower one that its values lie on."""
    if not {expected.dtype.kind, actual.dtype.kind} <= set("fV"):
        return []
    own = actual.dtype
    if own.name not in ("float32", "float64"):
        return [own]
    sample = np.ascontiguousarray(actual.reshape(-1)[:4096] if actual.flags.c_contiguous else actual[:1]).reshape(-1)
    narrower = [_dtype(name) for name in NARROW[1:]]
    with np.errstate(over="ignore", invalid="ignore"):
        on_grid = [dtype for dtype in narrower if _equal(sample.astype(dtype).astype(own), sample)]
    wider = [np.dtype(np.float32)] if own.name == "float64" else [own]
    return [*on_grid, *wider]


def _dtype(name: str) -> np.dtype[Any]:
    import ml_dtypes

    return np.dtype(name) if name in ("float16", "float32") else np.dtype(getattr(ml_dtypes, name))


def _rounded(e: Array, a: Array, *, dtype: np.dtype[Any], noise: float) -> bool:
    """Whether actual is the value of a type that is nearest to expected, either one of two that are equally near."""
    with np.errstate(over="ignore", invalid="ignore"):
        nearest = e.astype(dtype)
        on_grid = a.astype(dtype)
        if not noise and dtype == a.dtype and _equal(nearest, a):
            return True
        if dtype != a.dtype and not _equal(on_grid.astype(a.dtype), a):
            return False
        exact, near, given = wide(e), wide(nearest), wide(a)
        # What the arithmetic left may carry a value over the middle between two neighbours.
        allowed = np.abs(near - exact) + 2 * noise
        close = (np.abs(given - exact) <= allowed) | (given == near) | (np.isnan(given) & np.isnan(near))
    overflowed = np.isinf(given) & np.isfinite(exact)
    return bool(close.all()) and not overflowed.any()


def _raised(e: Array, a: Array, *, least: float, noise: float) -> bool:
    """Whether actual is float16 as ONNX's converters round to it, which make nothing but zero a zero."""
    values = wide(e)
    raised = np.where((values != 0) & (np.abs(values) < least), np.copysign(least, values), values)
    return _rounded(raised, a, dtype=np.dtype(np.float16), noise=noise)


def _nearest(e: Array, a: Array, *, step: float, noise: float) -> bool:
    """Whether actual is the value of a grid that is nearest to expected, but for what float32 leaves of both."""
    exact, given = wide(e), wide(a)
    return bool((np.abs(given - exact) <= 0.5 * step + noise + 2.0**-22 * np.abs(exact)).all())


def _truncated(e: Array, a: Array) -> bool:
    """Whether actual holds the upper 16 bits of float32, which some converters take for bfloat16."""
    if a.dtype.name != "bfloat16" or e.dtype.kind not in "fV":
        return False
    cut = e.astype(np.float32).view(np.uint32) >> np.uint32(16)
    return bool((cut.astype(np.uint16) == a.view(np.uint16)).all())


def _cast_detail(expected: Array, actual: Array, dtype: np.dtype[Any]) -> dict[str, Any]:
    detail: dict[str, Any] = {"dtype": f"{expected.dtype.name} -> {dtype.name}"}
    if dtype != actual.dtype:
        detail["stored_as"] = actual.dtype.name
    return detail


def _alike(expected: Array, actual: Array) -> bool:
    """Whether the arrays correlate as a quantised tensor does with its reference."""
    measured = difference(expected, actual)
    cosine_like = measured.correlation if measured.correlation is not None else 1.0
    return cosine_like > _LEAST_CORRELATION and not measured.nonfinite
