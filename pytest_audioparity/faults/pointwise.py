"""Faults that are a function of each value: activations, clamps, floors, coarser grids, rounding."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from pytest_audioparity.faults.subject import Change, Subject
from pytest_audioparity.records import DB_PER_UNIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Array = np.ndarray[Any, Any]
_Function: TypeAlias = "Callable[[Array], Array]"

# GELU falls to its minimum of −0.17 at −0.7518 and rises from there; above, it can be inverted.
_GELU_MINIMUM, _GELU_TURN = -0.16997, -0.7517
# Values that spread less than this lie on a nearly straight piece of tanh, GELU or exp: a line says as much.
_BENT = 0.3
# What a function leaves of the deviation must be more than this, or it is a constant.
_FLAT = 1e-3
# Clamps and floors that move fewer elements than this are glitches.
_FEWEST = 3
# Rounding that float32 leaves after sums of some thousands of terms, and float16 arithmetic after a few.
_ROUNDING = (1e-6, 1e-5, 1e-4, 4e-4)


def _erf(x: Array) -> Array:
    # numpy has no erf; a table of this step is good to 1e-9, far below the approximations that are told apart here.
    result: Array = np.interp(x, *_erf_table())
    return result


@functools.cache
def _erf_table() -> tuple[Array, Array]:
    grid = np.linspace(-6, 6, 48001)
    return grid, np.array([math.erf(value) for value in grid.tolist()])


def gelu(x: Array) -> Array:
    """GELU by the error function."""
    result: Array = 0.5 * x * (1 + _erf(x / math.sqrt(2)))
    return result


def gelu_tanh(x: Array) -> Array:
    """GELU by its tanh approximation, at most 4.7e-4 away."""
    result: Array = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return result


def silu(x: Array) -> Array:
    """X times its sigmoid."""
    result: Array = x * 0.5 * (1 + np.tanh(0.5 * x))
    return result


def pointwise(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Apply a function that is not there, leave one out, or take one for another."""
    x = subject.x
    for name, function in _functions(subject):
        # A ReLU that should not be there is a clamp at zero: both words say the same.
        also = ("clipped",) if name == "extra ReLU" else ()
        wrong = function(x)
        # All that is left of a tensor on the flat side of a function is a constant.
        if float(wrong.std()) > _FLAT * subject.std:
            yield Change(name, wrong, {"function": name}, also)


def _functions(subject: Subject) -> Iterator[tuple[str, _Function]]:
    """Yield what a port could apply to values of this kind, where they reach far enough to be bent by it."""
    low, high = float(subject.x.min()), float(subject.x.max())
    if low > -1 and high < 1 and max(-low, high) > _BENT:
        yield "missing tanh", np.arctanh
    if subject.kind == "log_spectrum":
        yield "missing log", np.exp
    elif subject.kind == "waveform":
        yield "extra tanh", np.tanh
        yield "mu-law not expanded", lambda x: np.sign(x) * np.log1p(255 * np.abs(x)) / math.log(256)
    elif low >= -0.01 * subject.rms:
        yield "square root (amplitude for power)", lambda x: np.sqrt(np.maximum(x, 0))
        yield "square (power for amplitude)", np.square
        if subject.std > _BENT:
            yield "extra log(1 + x)", np.log1p
    else:
        yield from _activations(subject.std > _BENT)
        if low >= _GELU_MINIMUM and high > _BENT:
            yield "GELU by tanh for GELU by erf", lambda x: gelu_tanh(_inverse_gelu(x))
            yield "SiLU for GELU", lambda x: silu(_inverse_gelu(x))


def _activations(is_bent: bool) -> Iterator[tuple[str, _Function]]:
    yield "extra ReLU", lambda x: np.maximum(x, 0.0)
    yield "leaky slope 0.1 for 1", lambda x: np.where(x < 0, 0.1 * x, x)
    yield "leaky slope 0.1 for 0.01", lambda x: np.where(x < 0, 10 * x, x)
    yield "magnitude for signed value", np.abs
    if is_bent:
        yield "extra tanh", np.tanh
        yield "extra GELU", gelu
        yield "extra SiLU", silu
        yield "extra softplus", lambda x: np.logaddexp(0.0, x)
        yield "exp where there is none", np.exp


def _inverse_gelu(y: Array) -> Array:
    grid = np.linspace(_GELU_TURN, max(1.0, float(y.max())) + 1, 40001)
    result: Array = np.interp(y, gelu(grid), grid)
    return result


def clipped(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Clamp the largest values: overdriven int16, a clamp that is not there, saturation."""
    yield from _moving_enough(subject, _clamps(subject))


def _moving_enough(subject: Subject, changes: Iterator[Change]) -> Iterator[Change]:
    for change in changes:
        if np.count_nonzero(change.array != subject.x) >= _FEWEST:
            yield change


def _clamps(subject: Subject) -> Iterator[Change]:
    x = subject.x
    if subject.kind == "log_spectrum":
        for share in (99.5, 95.0, 80.0):
            limit = float(np.percentile(x, share))
            yield Change(f"log spectrum clamped above at {limit:.4g}", np.minimum(x, limit), {"high": limit})
        return
    for share in (99.9, 99.0, 90.0):
        limit = float(np.percentile(np.abs(x), share))
        detail = {"low": -limit, "high": limit}
        yield Change(f"clamped at ±{limit:.4g}, its {share:g}th percentile", np.clip(x, -limit, limit), detail)
    high = float(np.percentile(x, 99.0))
    yield Change(f"clamped above at {high:.4g}", np.minimum(x, high), {"high": high})
    if np.abs(x).max() > 1:
        yield Change("clamped at ±1", np.clip(x, -1, 1), {"low": -1.0, "high": 1.0})


def codes_clipped(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Clamp codes into a vocabulary that is too small."""
    high = int(subject.x.max())
    for share in (0.5, 0.9):
        limit = int(high * share)
        if 0 < limit < high:
            yield Change(f"codes clamped at {limit}", np.minimum(subject.x, limit), {"high": limit})


def floor(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Differ near the floor of a logarithm: another ε, ε added for a maximum, a clamp below the peak."""
    worth = DB_PER_UNIT.get(subject.stage.meta.unit or "")
    if subject.kind == "log_spectrum" and worth is not None:
        yield from _moving_enough(subject, _floors(subject, worth, rng))


def _floors(subject: Subject, worth: float, rng: np.random.Generator) -> Iterator[Change]:
    x = subject.x
    for share in (2.0, 10.0, 25.0):
        level = float(np.percentile(x, share))
        yield Change(f"log floor at {level:.4g}", np.maximum(x, level), {"floor": level})
        # ln(e^x + e^level) in natural units of the scale.
        scale = worth / (20 / math.log(10))
        added = np.logaddexp(x * scale, level * scale) / scale
        yield Change(f"ε of {level:.4g} added, not the larger taken", added, {"floor": level, "added": True})
    for range_db in (80.0, 60.0):
        level = float(x.max()) - range_db / worth
        yield Change(f"clamped {range_db:g} dB below the peak", np.maximum(x, level), {"floor": level})
    low = float(x.min())
    at_floor = x <= low + 1e-6 * abs(low)
    if 0.002 < at_floor.mean() < 0.9:
        for ratio_db, name in ((80.0, "1e-9 for 1e-5"), (100.0, "1e-10 for 1e-5")):
            depth = rng.uniform(0, ratio_db / worth, x.shape)
            deeper = np.where(at_floor, x - depth, x)
            yield Change(f"log floor {name}", deeper, {"floor": low - ratio_db / worth})
        yield Change(
            "log floor 1e-6 for 1e-5, silence", np.where(at_floor, x - 20 / worth, x), {"floor": low - 20 / worth}
        )


def quantised(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Round to a coarser grid: half floats, integers per tensor or per channel."""
    x = subject.x
    if np.abs(x).max() < 60000:
        half = x.astype(np.float32).astype(np.float16).astype(np.float64)
        yield Change("went through float16", half, {"grid": "float16"}, exact=True)
    yield Change("went through bfloat16", _bfloat16(x), {"grid": "bfloat16"}, exact=True)
    bits = (8, 4) if subject.kind != "waveform" else (16, 8)
    for width in bits:
        step = float(np.abs(x).max()) / (2 ** (width - 1) - 1)
        detail = {"grid": f"int{width}", "step": step}
        yield Change(f"int{width} per tensor", np.round(x / step) * step, detail, exact=True)
        low, high = float(x.min()), float(x.max())
        step = (high - low) / (2**width - 1)
        detail = {"grid": f"uint{width}", "step": step}
        yield Change(f"uint{width} with a zero point", np.round((x - low) / step) * step + low, detail, exact=True)
    if subject.channels >= 4:
        by = subject.by_channel()
        largest = np.abs(by).reshape(len(by), -1).max(axis=1)
        for width in bits:
            steps = subject.per_channel(np.where(largest > 0, largest, 1.0) / (2 ** (width - 1) - 1))
            detail = {"grid": f"int{width}", "per_channel": True}
            yield Change(f"int{width} per channel", np.round(x / steps) * steps, detail, exact=True)


def _bfloat16(x: Array) -> Array:
    """Round to 8 bits of precision, ties to even, as the upper half of a float32."""
    bits = x.astype(np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return np.asarray(rounded.astype(np.uint32).view(np.float32), np.float64)


def rounding(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Add what another order of sums, or arithmetic of a lower precision, leaves behind."""
    for level in _ROUNDING:
        array = rounded(subject.x, level, rng)
        yield Change(f"rounding noise of {level:g}", array, {"level": level}, exact=True)
    if subject.frames >= 256 and subject.is_float:
        # A norm over a long axis loses more; the error of one scale is common to all of its frame.
        rows = subject.timed()
        jitter = 1 + 3e-5 * rng.standard_normal(rows.shape[-1])
        yield Change("norm of a long axis in float32", subject.untimed(rows * jitter), {"level": 3e-5}, exact=True)


def rounded(x: Array, level: float, rng: np.random.Generator) -> Array:
    """Add noise of `level` relative to each value and, less, to the tensor: the rounding of sums that may cancel."""
    rms = math.sqrt(float(np.mean(x * x)))
    size = level * (0.8 * np.abs(x) + 0.4 * min(rms, float(np.abs(x).max())))
    result: Array = x + size * rng.standard_normal(x.shape)
    return result
