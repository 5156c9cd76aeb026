"""All numbers of one comparison, each kind's own included, from the sums of the kernel.

Formulas: deviation = 20·log10(1 + ‖a − e‖/min(‖a‖, ‖e‖)) for linear values, mean|a − e|·(dB per unit) for logarithmic
ones; the peak is the same for the single worst element, with rms values for norms. Symmetric in the two sides, and a
pure gain of ±x dB scores x dB.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.comparison.codes import match_per_codebook, match_rate
from pytest_audioparity.comparison.decibels import deviation_db, excess_db, ratio_db
from pytest_audioparity.comparison.moments import Fit, cosine, moments
from pytest_audioparity.comparison.profile import profiles
from pytest_audioparity.comparison.values import Sums, measure
from pytest_audioparity.records import DB_PER_UNIT, Comparison, Side, StageMeta, Tolerance, Worst
from pytest_audioparity.tensorbytes import dtype_name

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# Samples that the search for a lag looks at: 44 s at 24 kHz, in about 0.3 s.
_LAG_SAMPLES = 1 << 20
# The smallest number above 0.
_LEAST = math.ulp(0.0)


def compare_values(expected: Array, actual: Array, meta: StageMeta, tolerance: Tolerance) -> Comparison:
    """Compare two arrays of equal shape with at least one element.

    Returns
    -------
    Comparison : without any number but the sides' when there are NaN or infinities (counted there)
    """
    sums = measure(expected, actual, absolute=meta.kind == "log_spectrum", rtol=_rtol(tolerance))
    if not sums.finite:
        return Comparison(describe(expected), describe(actual), expected.size)
    if meta.kind == "codes":
        return _codes(expected, actual, sums, meta)
    worst = _worst(sums.worst, expected, actual, meta) if sums.difference_max > 0 else None
    deviation, peak = _decibels(sums, meta)
    side_e, side_a, fit = _sides(expected, actual, sums)
    return Comparison(
        side_e,
        side_a,
        sums.size,
        deviation_db=deviation,
        peak_db=peak,
        snr_db=math.inf if sums.difference_max == 0 else ratio_db(sums.expected_squares, sums.difference_squares),
        level_db=ratio_db(sums.actual_squares, sums.expected_squares),
        bias=sums.difference_sum / sums.count / sums.scale,
        correlation=fit.correlation,
        gain=fit.gain,
        offset=fit.offset,
        max_abs=sums.difference_max,
        excess=sums.excess if math.isfinite(sums.excess) else None,
        worst=worst,
        details=_own_numbers(expected, actual, sums, meta),
    )


def describe(array: Array) -> Side:
    """Describe one array on its own: shape, dtype, statistics of its finite elements, count and place of the others."""
    if array.size == 0:
        return Side(array.shape, array.dtype.name)
    sums = measure(array, array)
    if sums.finite:
        return _sides(array, array, sums)[0]
    with np.errstate(invalid="ignore"):  # a signalling NaN of bfloat16 or float8, which numpy warns about
        finite, nan = np.isfinite(array), int(np.count_nonzero(np.isnan(array)))
    first = _place(int(finite.argmin()), array.shape)
    good = array[finite]
    rest = describe(good) if good.size else Side((), "")
    return replace(
        rest,
        shape=array.shape,
        dtype=array.dtype.name,
        nan=nan,
        inf=array.size - good.size - nan,
        first_nonfinite=first,
    )


def along_axes(expected: Array, actual: Array, meta: StageMeta) -> dict[str, Any]:
    """Say where along channels and time two finite arrays differ, for failing stages: it costs further passes.

    Returns
    -------
    What `profiles` returns for the axes C and T, and `lag_samples` for a waveform
    """
    found = profiles(expected, actual, meta)
    if meta.kind == "waveform":
        axes = meta.axes or ""
        found["lag_samples"] = lag_samples(expected, actual, axes.index("T") if "T" in axes else None)
    return found


def lag_samples(expected: Array, actual: Array, axis: int | None) -> int | None:
    """Return how many samples actual comes later than expected, by the peak of the cross-correlation.

    None for several channels without a declared time axis, and when one side is silent or constant. Of long signals
    the middle is searched; the peak is of the magnitude, so an inverted signal has its lag found too.
    """
    if axis is None:
        if expected.ndim == 0 or expected.size != expected.shape[-1]:
            return None
        axis = -1
    rows_e, rows_a = _centered_rows(expected, axis), _centered_rows(actual, axis)
    frames = rows_e.shape[1]
    size = 1 << (2 * frames - 1).bit_length()
    pairs = zip(rows_e, rows_a, strict=True)
    spectrum = sum(np.fft.rfft(row_a, size) * np.conj(np.fft.rfft(row_e, size)) for row_e, row_a in pairs)
    correlation = np.abs(np.fft.irfft(spectrum, size))
    peak = int(correlation.argmax())
    if correlation[peak] == 0:
        return None
    return peak - size if peak > size // 2 else peak


def _centered_rows(array: Array, axis: int) -> Array:
    """Return the middle of a waveform as float64 rows (channels, frames), largest value 1, without their means.

    Without its mean a signal with a DC offset would correlate best at lag 0, whatever its shift.
    """
    frames = array.shape[axis]
    start = max(0, (frames - _LAG_SAMPLES) // 2)
    middle = np.moveaxis(array, axis, -1)[..., start : start + _LAG_SAMPLES]
    wide: Array = (middle.real if np.iscomplexobj(middle) else middle).astype(np.float64)
    rows = wide.reshape(-1, wide.shape[-1])
    largest = np.abs(rows).max()
    if largest > 0:
        rows = rows / largest
    varies = rows.min(axis=1, keepdims=True) < rows.max(axis=1, keepdims=True)
    centered: Array = (rows - rows.mean(axis=1, keepdims=True)) * varies
    return centered


def _rtol(tolerance: Tolerance) -> float | None:
    return 0.0 if tolerance.rtol is None and tolerance.atol is not None else tolerance.rtol


def _decibels(sums: Sums, meta: StageMeta) -> tuple[float, float]:
    """Return deviation and peak in dB, which are 0 of equal sides alone: what vanishes in float64 is still there."""
    if sums.difference_max == 0:
        return 0.0, 0.0
    deviation, peak = _distances(sums, meta)
    return max(deviation, _LEAST), max(peak, _LEAST)


def _distances(sums: Sums, meta: StageMeta) -> tuple[float, float]:
    """Return deviation and peak in dB, as far as float64 has them."""
    squares = sums.expected_squares, sums.actual_squares, sums.difference_squares
    deviation = deviation_db(squares, sums.difference_abs / sums.size / sums.scale, meta)
    if meta.kind == "log_spectrum":
        return deviation, sums.difference_max * DB_PER_UNIT[meta.unit or ""]
    rms = math.sqrt(min(squares[:2]) / sums.size)
    return deviation, excess_db(sums.peak, rms)


def _sides(expected: Array, actual: Array, sums: Sums) -> tuple[Side, Side, Fit]:
    """Describe both sides and the line between them, of the sums of a pass without NaN and infinities."""
    own_e, own_a, fit = moments(expected, actual, sums)
    name_e, name_a = dtype_name(expected.dtype), dtype_name(actual.dtype)
    side_e = Side(expected.shape, name_e, sums.expected_min, sums.expected_max, mean=own_e.mean, std=own_e.std)
    side_a = Side(actual.shape, name_a, sums.actual_min, sums.actual_max, mean=own_a.mean, std=own_a.std)
    return side_e, side_a, fit


def _codes(expected: Array, actual: Array, sums: Sums, meta: StageMeta) -> Comparison:
    """Compare codes. Distances between codes mean nothing, so there are no numbers of the linear comparison."""
    match, first = match_rate(expected, actual)
    axes = meta.axes or ""
    rows = match_per_codebook(expected, actual, axes.index("C")) if first is not None and "C" in axes else None
    return Comparison(
        *_sides(expected, actual, sums)[:2],
        sums.size,
        match=match,
        worst=None if first is None else _worst(first, expected, actual, meta),
        details={} if rows is None else {"codebooks": rows},
    )


def _own_numbers(expected: Array, actual: Array, sums: Sums, meta: StageMeta) -> dict[str, Any]:
    if meta.kind == "embedding":
        norm_e, norm_a = math.sqrt(sums.expected_squares), math.sqrt(sums.actual_squares)
        return {"cosine": cosine(expected, actual, sums), "norm_ratio": norm_a / norm_e if norm_e > 0 else None}
    if meta.kind == "logits" and (axis := _vocabulary_axis(meta)) is not None:
        return {"top1_agreement": float(np.mean(expected.argmax(axis) == actual.argmax(axis)))}
    return {}


def _vocabulary_axis(meta: StageMeta) -> int | None:
    """Return the axis over which logits compete: V if declared, else C. It is not guessed from the position."""
    axes = meta.axes or ""
    return next((axes.index(letter) for letter in "VC" if letter in axes), None)


def _worst(flat: int, expected: Array, actual: Array, meta: StageMeta) -> Worst:
    index = _place(flat, expected.shape)
    letters = meta.axes if meta.axes and len(meta.axes) == len(index) else None
    if letters:
        label = " ".join(f"{letter}={i}" for letter, i in zip(letters, index, strict=True))
    else:
        label = str(list(index)) if index else "the scalar"
    rate = meta.sample_rate if meta.kind == "waveform" else meta.frame_rate
    if letters is None and meta.kind == "waveform" and len(index) == 1:
        letters = "T"  # the only axis of a mono waveform
    seconds = index[letters.index("T")] / rate if letters and "T" in letters and rate else None
    return Worst(index, label, seconds, _number(expected, flat), _number(actual, flat))


def _place(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the indices of an element by its place in C order."""
    index = []
    for size in reversed(shape):
        flat, here = divmod(flat, size)
        index.append(here)
    return tuple(reversed(index))


def _number(array: Array, flat: int) -> float:
    """One element as a Python number: integers exactly, the modulus of complex values."""
    value = array.item(flat)
    if isinstance(value, complex):
        return math.hypot(value.real, value.imag)
    return int(value) if array.dtype.kind in "iub" else float(value)
