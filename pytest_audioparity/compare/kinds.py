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

from pytest_audioparity.compare.codes import match_per_codebook, match_rate
from pytest_audioparity.compare.values import Sums, measure, moments
from pytest_audioparity.records import DB_PER_UNIT, Comparison, Side, StageMeta, Tolerance, Worst

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# More points than this along time say nothing more to a reader; longer stages are cut into equal pieces.
TIME_PIECES = 200
# Samples that the search for a lag looks at: 44 s at 24 kHz, in about 0.3 s.
_LAG_SAMPLES = 1 << 20


def compare_values(expected: Array, actual: Array, meta: StageMeta, tolerance: Tolerance) -> Comparison:
    """Compare two arrays of equal shape with at least one element.

    Returns
    -------
    Comparison : without any number but the sides' when there are NaN or infinities (counted there)
    """
    kind = meta.kind or "tensor"
    sums = measure(expected, actual, absolute=kind == "log_spectrum", rtol=_rtol(tolerance))
    if not sums.finite:
        return Comparison(describe(expected), describe(actual), expected.size)
    comparison = _numbers(expected, actual, sums)
    if kind == "codes":
        return _codes(comparison, expected, actual, meta)
    worst = _worst(sums.worst, expected, actual, meta) if sums.difference_max > 0 else None
    if kind == "log_spectrum":
        factor = DB_PER_UNIT[meta.unit or ""]
        mean_abs, largest = sums.difference_abs / sums.size / sums.scale, sums.difference_max / sums.scale
        deviation, peak = mean_abs * factor, largest * factor
    else:
        deviation, peak = _linear(sums)
    details = _own_numbers(kind, expected, actual, sums, meta)
    return replace(comparison, deviation_db=deviation, peak_db=peak, worst=worst, details=details)


def describe(array: Array) -> Side:
    """Describe one array on its own: shape, dtype, statistics of its finite elements, count and place of the others."""
    if array.size == 0:
        return Side(array.shape, array.dtype.name)
    sums = measure(array, array)
    if sums.finite:
        return _numbers(array, array, sums).expected
    wide = array if np.iscomplexobj(array) else array.astype(np.float64)
    nan, finite = np.isnan(wide), np.isfinite(wide)
    first = tuple(int(i) for i in np.unravel_index(int((~finite).argmax()), array.shape))
    good = wide[finite]
    rest = describe(good) if good.size else Side((), "")
    count = int(np.count_nonzero(nan))
    return Side(
        array.shape,
        array.dtype.name,
        min=rest.min,
        max=rest.max,
        mean=rest.mean,
        std=rest.std,
        nan=count,
        inf=array.size - good.size - count,
        first_nonfinite=first,
    )


def along_axes(expected: Array, actual: Array, meta: StageMeta) -> dict[str, Any]:
    """Say where along channels and time two arrays differ. Costs another pass, so it is asked for on failure only.

    Returns
    -------
    `per_channel` (with `bias_per_channel`, signed) if an axis C is declared, `over_time` if an axis T is (deviations in
    dB of equal pieces, `pieces` frames each), and `lag_samples` for a waveform
    """
    found: dict[str, Any] = {}
    axes = meta.axes or ""
    if "C" in axes:
        axis = axes.index("C")
        parts = [measure_part(expected, actual, meta, axis, i, i + 1) for i in range(expected.shape[axis])]
        found["per_channel"] = [deviation for deviation, _ in parts]
        found["bias_per_channel"] = [bias for _, bias in parts]
    if "T" in axes:
        axis = axes.index("T")
        frames = expected.shape[axis]
        step = -(-frames // TIME_PIECES)
        found["time_piece"] = step
        found["over_time"] = [
            measure_part(expected, actual, meta, axis, i, min(i + step, frames))[0] for i in range(0, frames, step)
        ]
    if meta.kind == "waveform":
        found["lag_samples"] = lag_samples(expected, actual, axes.index("T") if "T" in axes else None)
    return found


def measure_part(
    expected: Array, actual: Array, meta: StageMeta, axis: int, start: int, stop: int
) -> tuple[float, float]:
    """Return the deviation in dB and the signed mean difference of one stretch along an axis."""
    where = (slice(None),) * axis + (slice(start, stop),)
    logarithmic = meta.kind == "log_spectrum"
    sums = measure(expected[where], actual[where], absolute=logarithmic)
    bias = sums.difference_sum / sums.size / sums.scale
    if logarithmic:
        return sums.difference_abs / sums.size / sums.scale * DB_PER_UNIT[meta.unit or ""], bias
    return _linear(sums)[0], bias


def lag_samples(expected: Array, actual: Array, axis: int | None) -> int | None:
    """Return how many samples actual comes later than expected, by the peak of the cross-correlation.

    None for several channels without a declared time axis, and when one side is silent. Of long signals the middle
    is searched; the peak is of the magnitude, so an inverted signal has its lag found too.
    """
    if axis is None:
        if expected.ndim == 0 or expected.size != expected.shape[-1]:
            return None
        axis = -1
    frames = expected.shape[axis]
    start = max(0, (frames - _LAG_SAMPLES) // 2)
    middle = slice(start, start + _LAG_SAMPLES)
    spectrum: Any = 0.0
    size = 1 << (2 * min(frames, _LAG_SAMPLES) - 1).bit_length()
    rows_e, rows_a = (
        np.moveaxis(x, axis, -1)[..., middle].reshape(-1, min(frames, _LAG_SAMPLES)) for x in (expected, actual)
    )
    for row_e, row_a in zip(rows_e, rows_a, strict=True):
        spectrum = spectrum + np.fft.rfft(row_a, size) * np.conj(np.fft.rfft(row_e, size))
    correlation = np.abs(np.fft.irfft(spectrum, size))
    peak = int(correlation.argmax())
    if correlation[peak] == 0:
        return None
    return peak - size if peak > size // 2 else peak


def _rtol(tolerance: Tolerance) -> float | None:
    return 0.0 if tolerance.rtol is None and tolerance.atol is not None else tolerance.rtol


def _linear(sums: Sums) -> tuple[float, float]:
    """Deviation and peak of linear values in dB; 0 for equal sides, infinite when only one is silent."""
    if sums.difference_max == 0:
        return 0.0, 0.0
    smaller = math.sqrt(min(sums.expected_squares, sums.actual_squares))
    if smaller == 0:
        return math.inf, math.inf
    deviation = 20 * math.log10(1 + math.sqrt(sums.difference_squares) / smaller)
    return deviation, 20 * math.log10(1 + sums.difference_max / (smaller / math.sqrt(sums.size)))


def _ratio_db(numerator: float, denominator: float) -> float | None:
    """20·log10 of a ratio of amplitudes given as squares; None when both are zero."""
    if numerator == 0 and denominator == 0:
        return None
    if denominator == 0:
        return math.inf
    return 10 * math.log10(numerator / denominator) if numerator else -math.inf


def _numbers(expected: Array, actual: Array, sums: Sums) -> Comparison:
    """Make the numbers that every kind has, of the sums of a pass without NaN and infinities."""
    n = sums.size
    about = moments(expected, actual, sums)
    mean_e, mean_a = about.expected_sum / n, (about.expected_sum + about.difference_sum) / n
    var_e = max(0.0, about.expected_squares / n - mean_e * mean_e)
    var_a = max(0.0, about.actual_squares / n - mean_a * mean_a)
    products = (about.expected_squares + about.actual_squares - about.difference_squares) / 2
    covariance = products / n - mean_e * mean_a
    gain = covariance / var_e if var_e > 0 else None
    correlation = covariance / math.sqrt(var_e) / math.sqrt(var_a) if var_e > 0 and var_a > 0 else None
    center_e, center_a = mean_e / about.scale + about.shift, mean_a / about.scale + about.shift
    return Comparison(
        _side(expected, sums.expected_min, sums.expected_max, center_e, math.sqrt(var_e) / about.scale),
        _side(actual, sums.actual_min, sums.actual_max, center_a, math.sqrt(var_a) / about.scale),
        n,
        snr_db=math.inf if sums.difference_max == 0 else _ratio_db(sums.expected_squares, sums.difference_squares),
        level_db=_ratio_db(sums.actual_squares, sums.expected_squares),
        bias=sums.difference_sum / n / sums.scale,
        correlation=None if correlation is None else max(-1.0, min(1.0, correlation)),
        gain=gain,
        offset=None if gain is None else center_a - gain * center_e,
        max_abs=sums.difference_max / sums.scale,
        excess=sums.excess / sums.scale if math.isfinite(sums.excess) else None,
    )


def _side(array: Array, low: float, high: float, mean: float, std: float) -> Side:
    return Side(array.shape, array.dtype.name, min=low, max=high, mean=mean, std=std)


def _codes(comparison: Comparison, expected: Array, actual: Array, meta: StageMeta) -> Comparison:
    match, first = match_rate(expected, actual)
    details: dict[str, Any] = {}
    if first is not None and "C" in (meta.axes or ""):
        details["codebooks"] = match_per_codebook(expected, actual, (meta.axes or "").index("C"))
    worst = None if first is None else _worst(first, expected, actual, meta)
    # Distances between codes mean nothing, so the numbers of the linear comparison are withheld.
    return Comparison(
        comparison.expected, comparison.actual, comparison.size, match=match, worst=worst, details=details
    )


def _own_numbers(kind: str, expected: Array, actual: Array, sums: Sums, meta: StageMeta) -> dict[str, Any]:
    if kind == "embedding":
        norm_e, norm_a = math.sqrt(sums.expected_squares), math.sqrt(sums.actual_squares)
        products = (sums.expected_squares + sums.actual_squares - sums.difference_squares) / 2
        both = norm_e > 0 and norm_a > 0
        return {
            "cosine": max(-1.0, min(1.0, products / norm_e / norm_a)) if both else None,
            "norm_ratio": norm_a / norm_e if norm_e > 0 else None,
        }
    if kind == "logits" and (axis := _vocabulary_axis(meta)) is not None:
        return {"top1_agreement": float(np.mean(expected.argmax(axis) == actual.argmax(axis)))}
    return {}


def _vocabulary_axis(meta: StageMeta) -> int | None:
    """Return the axis over which logits compete: V if declared, else C. It is not guessed from the position."""
    axes = meta.axes or ""
    return next((axes.index(letter) for letter in "VC" if letter in axes), None)


def _worst(flat: int, expected: Array, actual: Array, meta: StageMeta) -> Worst:
    index = tuple(int(i) for i in np.unravel_index(flat, expected.shape))
    letters = meta.axes if meta.axes and len(meta.axes) == len(index) else None
    if letters:
        label = " ".join(f"{letter}={i}" for letter, i in zip(letters, index, strict=True))
    else:
        label = str(list(index)) if index else "the scalar"
    rate = meta.sample_rate if meta.kind == "waveform" else meta.frame_rate
    seconds = index[letters.index("T")] / rate if letters and "T" in letters and rate else None
    return Worst(index, label, seconds, _float(expected[index]), _float(actual[index]))


def _float(value: Any) -> float:
    return float(abs(value) if np.iscomplexobj(value) else value)
