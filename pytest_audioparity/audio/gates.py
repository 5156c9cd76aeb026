"""What every output of a codec must keep, whatever its quality: finite, bounded, no DC, upright, as loud as the input.

`check_output` holds arrays to it, as in a training loop; the codec round trip uses the same gates.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.adapters.arrays import as_array
from pytest_audioparity.audio.differences import si_sdr, snr
from pytest_audioparity.audio.levels import level_db
from pytest_audioparity.audio.verdict import DC_OFFSET, LEVEL_DB
from pytest_audioparity.checks import CheckResult, Checks
from pytest_audioparity.errors import StageError
from pytest_audioparity.records import FAIL, NOT_MEASURED, PASS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_audioparity.keywords import Verdict

    Array = np.ndarray[Any, Any]

FULL_SCALE = 1.0
# A constant counts against the signal too: at a tenth of its rms it is 1 % of the power that a loss sees, and beyond.
# Two steps of 16 bits are rounding, however soft the signal.
_DC_SHARE, _LEAST_DC = 0.1, 2.0**-14
# Waveforms that line up correlate by 0.5 and more (see audio.alignment).
_UPSIDE_DOWN = -0.5
# Of digital silence a codec may make noise that is not heard beside speech: 60 dB under full scale.
_SILENCE = 1e-3


def finite(estimate: Array) -> CheckResult:
    """Hold that no sample is NaN or infinite."""
    bad = np.flatnonzero(~np.isfinite(estimate))
    if not bad.size:
        return CheckResult("finite", PASS)
    message = f"{bad.size} of {estimate.size} samples are not finite, the first at {bad[0]}"
    return CheckResult("finite", FAIL, message, {"count": int(bad.size), "first": int(bad[0])})


def bounded(estimate: Array, max_peak: float = FULL_SCALE) -> CheckResult:
    """Hold that no sample is larger than `max_peak`."""
    peak = float(np.max(np.abs(estimate), initial=0.0))
    beyond = float(np.mean(np.abs(estimate) > max_peak)) if estimate.size else 0.0
    message = f"the peak is {peak:.3f}, at most {max_peak:.3g} is allowed"
    if beyond:
        message += f"; {beyond:.2%} of the samples are beyond: is a tanh or a clamp missing?".replace("%", " %")
    return CheckResult("bounded", FAIL if beyond else PASS, message, {"peak": peak, "share": beyond})


def dc(reference: Array, estimate: Array, max_dc: float = DC_OFFSET) -> CheckResult:
    """Hold that no constant is added; one that the reference has may go, as a high-pass does it.

    At most `max_dc` of full scale is allowed, and a tenth of the reference's root mean square where that is less: a
    constant flatters the level of what is too soft.
    """
    was, now = float(reference.mean()), float(estimate.mean())
    added = now - min(max(now, min(was, 0.0)), max(was, 0.0))
    limit = min(max_dc, max(_DC_SHARE * float(np.std(reference)), _LEAST_DC)) if np.ptp(reference) else max_dc
    verdict: Verdict = PASS if abs(added) <= limit else FAIL
    message = f"DC of {added:+.4f} of full scale is added, at most {limit:.4f} is allowed"
    return CheckResult("dc", verdict, message, {"dc_offset": added, "limit": limit})


def polarity(reference: Array, estimate: Array) -> CheckResult:
    """Hold that the estimate is not upside down; SI-SDR and every spectrum are blind to that."""
    sides = [side - side.mean() for side in (reference, estimate)]
    norm = math.sqrt(float(np.sum(sides[0] ** 2)) * float(np.sum(sides[1] ** 2)))
    correlation = float(np.dot(*sides)) / norm if norm else 0.0
    message = f"the output is upside down: its correlation with the input is {correlation:.2f}"
    upside_down = correlation <= _UPSIDE_DOWN
    detail = {"correlation": correlation}
    return CheckResult("polarity", FAIL if upside_down else PASS, message if upside_down else "", detail)


def level(reference: Array, estimate: Array, max_level_db: float = LEVEL_DB) -> CheckResult:
    """Hold that the estimate is as loud as the reference, DC left out of both."""
    change = level_db(reference, estimate)
    if change is None:  # what is padded with silence has to stay so
        loud = float(np.std(estimate))
        message = f"the input is silent, the output has {20 * math.log10(loud):.0f} dBFS" if loud else ""
        return CheckResult("level", PASS if loud <= _SILENCE else FAIL, message, {"rms": loud})
    detail = {"level_db": change, "limit": max_level_db}
    if change == -math.inf:
        return CheckResult("level", FAIL, "the output is silent", detail)
    factor = 10 ** (abs(change) / 20)
    times = f"{factor:.3g} times too {'large' if change > 0 else 'small'}"
    message = f"the level is {change:+.1f} dB from the input's, at most {max_level_db:.3g} dB is allowed: {times}"
    return CheckResult("level", PASS if abs(change) <= max_level_db else FAIL, message, detail)


def _at_least(name: str, value: float | None, limit: float) -> CheckResult:
    if value is None:
        return CheckResult(f"min_{name}", NOT_MEASURED, "one side is silent")
    message = f"{value:.2f} dB, at least {limit:.4g} dB is asked for"
    return CheckResult(f"min_{name}", PASS if value >= limit else FAIL, message, {name: value, "limit": limit})


def _silent(name: str) -> CheckResult:
    return CheckResult(f"min_{name}", PASS, "the reference is silent")


def check_output(
    reference: Any,
    estimate: Any,
    *,
    min_snr: float | None = None,
    min_si_sdr: float | None = None,
    max_level_db: float | None = LEVEL_DB,
    max_dc: float | None = DC_OFFSET,
    max_peak: float | None = FULL_SCALE,
) -> Checks:
    """Hold a codec's output to what training must not lose; nothing is aligned, resampled or cropped.

    Parameters
    ----------
    reference, estimate : of one shape (..., time), float with full scale 1, anything array-like: batches of training.
        Each row is judged; the first that fails is told
    min_snr, min_si_sdr : dB; None for no such gate
    max_level_db : how much louder or softer the estimate may be, dB, DC left out
    max_dc : largest constant that may be added, of full scale; a tenth of the reference's rms where that is less
    max_peak : largest sample

    Returns
    -------
    Checks; true when all pass. `failed` has the others, `str` says them in a line each. Of a row whose reference is
    silent, as padding is, the estimate has to be softer than -60 dB of full scale; ratios are not asked of it

    Raises
    ------
    StageError : two shapes, no samples, a reference that is not finite, a limit that is no number

    Examples
    --------
    >>> import numpy as np
    >>> speech = np.sin(2 * np.pi * np.arange(16_000) / 100)
    >>> print(check_output(speech, speech / 200 + 0.3, min_si_sdr=10))
    dc: DC of +0.3000 of full scale is added, at most 0.0200 is allowed
    level: the level is -46.0 dB from the input's, at most 1.5 dB is allowed: 200 times too small
    min_si_sdr: -38.57 dB, at least 10 dB is asked for
    """
    limits = (min_snr, min_si_sdr, max_level_db, max_dc, max_peak)
    if not all(limit is None or _is_number(limit) for limit in limits):
        raise StageError("check_output: limits are numbers or None")
    left, right = _rows(reference, "reference"), _rows(estimate, "estimate")
    if left.shape != right.shape:
        raise StageError(f"check_output: reference has shape {left.shape} and estimate {right.shape}, rows by samples")
    if not np.isfinite(left).all():
        raise StageError("check_output: the reference is not finite")
    broken = _worst([finite(row) for row in right])
    if not broken.passed:
        return Checks((broken,))
    gates: list[Callable[[Array, Array], CheckResult]] = []
    if max_peak is not None:
        gates.append(lambda _, y: bounded(y, max_peak))
    if max_dc is not None:
        gates.append(lambda x, y: dc(x, y, max_dc))
    if max_level_db is not None:
        gates.append(lambda x, y: level(x, y, max_level_db))
    if min_snr is not None:
        gates.append(lambda x, y: _at_least("snr", snr(x, y), min_snr) if x.any() else _silent("snr"))
    if min_si_sdr is not None:
        gates.append(lambda x, y: _at_least("si_sdr", si_sdr(x, y), min_si_sdr) if x.any() else _silent("si_sdr"))
    gates.append(polarity)
    pairs = list(zip(left, right, strict=True))
    return Checks((broken, *(_worst([gate(*pair) for pair in pairs]) for gate in gates)))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _rows(value: Any, name: str) -> Array:
    array = as_array(value, name)
    if array.dtype.kind not in "fV" or not array.ndim or not array.size:
        raise StageError(f"check_output: {name} is {array.dtype} of shape {array.shape}; give floats, (..., time)")
    return array.reshape(-1, array.shape[-1]).astype(np.float64)


def _worst(results: list[CheckResult]) -> CheckResult:
    """Return the first row that did not pass, with how many did not, else the first."""
    bad = [(row, result) for row, result in enumerate(results) if not result.passed]
    if not bad or len(results) == 1:
        return bad[0][1] if bad else results[0]
    row, first = bad[0]
    message = f"{len(bad)} of {len(results)} rows; row {row}: {first.message}"
    return CheckResult(first.name, first.verdict, message, {**first.detail, "row": row, "rows": len(bad)})
