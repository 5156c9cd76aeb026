"""What is left when nothing explains the difference: another signal altogether, rounding, or unexplained."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import PARTIAL
from pytest_audioparity.diagnosis.problem import centered, energy, product, rows_of
from pytest_audioparity.records import Finding

if TYPE_CHECKING:
    from pytest_audioparity.diagnosis.explanation import Explanation
    from pytest_audioparity.diagnosis.problem import Problem

    Array = np.ndarray[Any, Any]

# Below this share of its variance explained by expected, actual is another signal. Outputs of one network for other
# input share means and envelopes, which reach 10 to 20 %.
_RELATED = 0.25
_RELATED_CODES = 0.06
# From here on it may as well be one fault of one layer: of 259 such faults in a separator and in a streaming encoder,
# ten correlated by 0.38 to 0.50 (0.14 and more), and exchanged weights or other inputs by 0.25 (0.06) at the most.
_ALIKE = 0.1
# Rounding is noise this far below the signal: coarser than bfloat16 (8 bits, 48 dB) after a few layers it is not.
_ROUNDING_SNR_DB = 30.0
# Bands up to half of the sample rate, of signals of so many samples. What is told of a difference is in half of them at
# the most, as white noise is not, and little of the signal is there: what is folded back lies where speech has little.
_BANDS, _WIDEST, _FEWEST, _IN_BAND, _LITTLE = 32, 16, 512, 0.8, 0.05
# How much order noise may have: correlation with its neighbours, with the signal, and mean against its deviation.
_ORDER = 0.3


def related(problem: Problem) -> float:
    """Return the share of actual's variance that a straight line in expected explains, without the channels' means."""
    e, a = (centered(side, problem.labels) for side in (problem.expected, problem.actual))
    power = problem.variances[0] * problem.variances[1]
    return product(e, a) ** 2 / power if power > 0 else 0.0


def says_something(problem: Problem, found: Explanation) -> bool:
    """Whether an explanation predicts one side from the other better than that side's own means do.

    The best gain between two unrelated signals is near 0 and removes half of their difference or more; what it leaves
    is still the whole signal.
    """
    target = found.actual
    if target.size == problem.size:
        variance = problem.variances[1]
    elif target.ndim == problem.expected.ndim:
        variance = energy(centered(target, problem.labels).ravel())
    elif target.ndim == 1:  # a part of the elements, without their axes
        variance = problem.variances[1] * target.size / problem.size
    else:  # frames in rows
        variance = energy((target - target.mean(axis=0)).ravel())
    return found.left <= PARTIAL * variance


def describe(problem: Problem) -> Finding:
    """Return uncorrelated, rounding or unexplained."""
    share = related(problem)
    if problem.size >= 8 and share < (_RELATED_CODES if problem.is_codes else _RELATED):
        return _uncorrelated(problem, share)
    snr = _snr_db(problem)
    if not problem.is_codes and snr >= _ROUNDING_SNR_DB and _is_noise(problem):
        message = (
            f"the difference is noise, {snr:.0f} dB below the signal, without place or pattern: rounding; "
            f"check the precision of weights and arithmetic, or allow it with precision= or tol_db="
        )
        return Finding("rounding", message, detail={"snr_db": snr})
    message = (
        "none of the known causes was found to explain half of the difference; look where it starts (earlier stages) "
        "and along which axis it varies"
    )
    if problem.meta.kind == "log_spectrum":
        message += "; where it is computed from sound, check the window, the FFT length and the filters"
    band = _band(problem) if problem.meta.kind == "waveform" else None
    if band is None:
        return Finding("unexplained", message)
    rate = problem.meta.sample_rate or 1.0
    low, high, unit = band[0] * rate, band[1] * rate, "Hz" if problem.meta.sample_rate else "of the sample rate"
    message += (
        f"; most of it lies between {low:.5g} and {high:.5g} {unit}, where expected has little: check the "
        "low-pass of a resampler"
    )
    return Finding("unexplained", message, detail={"band": list(band)})


def _band(problem: Problem) -> tuple[float, float] | None:
    """Return the narrowest band, in shares of the sample rate, with most of the difference and little of the signal."""
    axis = next(iter(problem.time_axes), None)
    if axis is None or problem.expected.shape[axis] < _FEWEST:
        return None
    rows_e, rows_a = (rows_of(side, axis).T for side in (problem.expected, problem.actual))
    error, signal = (np.r_[0.0, np.cumsum(_powers(side))] for side in (rows_a - rows_e, rows_e))
    starts = np.arange(_BANDS)
    stops = np.searchsorted(error, error[:-1] + _IN_BAND * error[-1])
    held = signal[np.minimum(stops, _BANDS)] - signal[:-1]
    found = (stops <= np.minimum(_BANDS, starts + _WIDEST)) & (held <= _LITTLE * signal[-1])
    if not found.any():
        return None
    start, stop = min(zip(starts[found], stops[found], strict=True), key=lambda band: band[1] - band[0])
    return float(start) / (2 * _BANDS), float(stop) / (2 * _BANDS)


def _powers(rows: Array) -> Array:
    """Return the power in each band up to half of the sample rate."""
    powers = (np.abs(np.fft.rfft(rows * np.hanning(rows.shape[1]), axis=1)) ** 2).sum(axis=0)
    return np.array([part.sum() for part in np.array_split(powers, _BANDS)])


def _uncorrelated(problem: Problem, share: float) -> Finding:
    size_e, size_a = (math.sqrt(float(np.mean(side**2))) for side in (problem.expected, problem.actual))
    level = 20 * math.log10(size_a / size_e) if size_e > 0 and size_a > 0 else None
    said = ""
    if level is not None and abs(level) > 1 and not problem.is_codes:
        said = (
            f" and {abs(level):.1f} dB {'quieter' if level < 0 else 'louder'} (no gain: a gain would keep the pattern)"
        )
    is_alike = share >= _ALIKE and not problem.is_codes
    first = "no part of this layer is missing or another one (residual, activation, filter), that " if is_alike else ""
    check = (
        f"check that {first}the weights were loaded (random or another checkpoint's), that their rows are in the order "
        "of this runtime (gates of an LSTM), and that the input is the same"
    )
    how = "hardly related" if is_alike else "unrelated"
    if problem.is_codes:
        check += "; codes that are fed back are unrelated behind the first that differs"
    message = f"actual is {how} to expected (correlation {math.sqrt(share):.2f}){said}; {check}"
    return Finding("uncorrelated", message, detail={"correlation": math.sqrt(share), "level_db": level})


def _snr_db(problem: Problem) -> float:
    signal = float(np.sum((problem.expected - problem.expected.mean()) ** 2))
    return 10 * math.log10(signal / problem.error) if signal > 0 and problem.error > 0 else -math.inf


def _is_noise(problem: Problem) -> bool:
    d = problem.actual - problem.expected
    deviation = float(d.std())
    if deviation == 0 or abs(float(d.mean())) > _ORDER * deviation:
        return False
    if abs(float(np.corrcoef(d.ravel(), problem.expected.ravel())[0, 1])) > _ORDER:
        return False
    for axis, n in enumerate(d.shape):
        if n >= 16:
            ahead, behind = (d.take(range(k, n - 1 + k), axis).ravel() for k in (1, 0))
            if abs(float(np.corrcoef(ahead, behind)[0, 1])) > _ORDER:
                return False
    return True
