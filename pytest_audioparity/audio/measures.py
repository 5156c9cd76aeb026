"""The numbers of a score with their units, implementations, and the reasons why one is missing."""

from __future__ import annotations

import functools
import math
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio import differences as between
from pytest_audioparity.audio import levels as level
from pytest_audioparity.audio import pesq
from pytest_audioparity.audio.intelligibility import HOP, RATE, SEGMENT
from pytest_audioparity.audio.pitch import FEWEST, SHORTEST_SECONDS, pitch_errors
from pytest_audioparity.audio.records import Measure
from pytest_audioparity.audio.resampling import by_soxr

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_audioparity.audio.intelligibility import Bands

    Array = np.ndarray[Any, Any]
    Measures = dict[str, Measure]

UNITS = {
    "stoi": "1",
    "estoi": "1",
    "pesq_wb": "MOS",
    "pesq_nb": "MOS",
    "si_sdr": "dB",
    "snr": "dB",
    "log_spectral_distance": "dB",
    "mel_cepstral_distortion": "dB",
    "f0_error": "cents",
    "f0_frame_error": "1",
    "level_db": "dB",
    "dc_offset": "1",
    "peak": "1",
    "clipped_share": "1",
    "duration_ratio": "1",
}
_NO_FRAME = "one side is silent, shorter than a frame of 32 ms, or without sound in a whole one"
# What `differences` measures of sides that overlap, in its order, with the reason where there is no value.
_DIFFERENCES = {
    "si_sdr": "one side is silent",
    "snr": "the reference is silent",
    "log_spectral_distance": _NO_FRAME,
    "mel_cepstral_distortion": _NO_FRAME,
}


def none(reason: str) -> Measures:
    """Return every number as not measured."""
    return {name: _measure(name, None, reason) for name in UNITS}


def _measure(name: str, value: float | None, reason: str | None = None, by: str | None = None) -> Measure:
    if value is not None and math.isnan(value):
        value, reason = None, "it is no number: the values are too large or too small to be computed with"
    return Measure(value, UNITS[name], by or _own(), None if value is not None else reason)


@functools.lru_cache(maxsize=1)
def _own() -> str:
    from pytest_audioparity import __version__

    return f"pytest-audioparity {__version__}"


@functools.lru_cache(maxsize=8)
def version_of(name: str) -> str:
    """Return the name of a package with its version."""
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return name


def levels(reference: Array, estimate: Array) -> Measures:
    """Measure level, offset, peak, clipping and length, before anything is aligned."""
    clipped = max(0.0, level.clipped_share(estimate) - level.clipped_share(reference))
    return {
        **loudness(reference, estimate),
        "peak": _measure("peak", float(np.max(np.abs(estimate)))),
        "clipped_share": _measure("clipped_share", clipped),
        "duration_ratio": _measure("duration_ratio", estimate.size / reference.size),
    }


def loudness(reference: Array, estimate: Array) -> Measures:
    """Measure level and offset."""
    return {
        "level_db": _measure("level_db", level.level_db(reference, estimate), "the reference is silent"),
        "dc_offset": _measure("dc_offset", float(estimate.mean() - reference.mean())),
    }


def intelligibility(bands: Bands, stoi: float | None, estoi: float | None) -> Measures:
    """Name STOI and ESTOI; both are None where there are too few frames of speech."""
    needed = (SEGMENT + 1) * HOP / RATE
    reason = f"too short: {bands.starts.size * HOP / RATE:.2f} s of speech in the reference, {needed:.2f} s are needed"
    return {"stoi": _measure("stoi", stoi, reason), "estoi": _measure("estoi", estoi, reason)}


def differences(reference: Array, estimate: Array, sample_rate: int) -> Measures:
    """Measure ratios and distances of what stands beside each other."""
    if not reference.size:
        return {name: _measure(name, None, "the sides do not overlap") for name in _DIFFERENCES}
    ratios = between.si_sdr(reference, estimate), between.snr(reference, estimate)
    values = (*ratios, *between.spectral_distances(reference, estimate, sample_rate))
    return {
        name: _measure(name, value, missing)
        for (name, missing), value in zip(_DIFFERENCES.items(), values, strict=True)
    }


def pitch(reference: Array, estimate: Array) -> Measures:
    """Measure how far the pitch is off, of both sides at 10 kHz beside each other."""
    errors = pitch_errors(reference, estimate)
    few = f"fewer than {FEWEST} frames of 16 ms are voiced on both sides"
    none = f"no frame is voiced on either side, or they have less than {1000 * SHORTEST_SECONDS:.0f} ms in common"
    return {
        "f0_error": _measure("f0_error", errors.cents, few),
        "f0_frame_error": _measure("f0_frame_error", errors.share, none),
    }


def begin_pesq(
    reference: Array, estimate: Array, rate: int, *, wanted: bool
) -> dict[str, Callable[[], pesq.Outcome] | str]:
    """Start both scores in the other process; a text says why one is not."""
    refusal = pesq.problem(reference.size / rate) if wanted else "left out on request"
    started: dict[str, Callable[[], pesq.Outcome] | str] = {}
    for name, wide in (("pesq_wb", True), ("pesq_nb", False)):
        used = pesq_rate(rate, wide=wide)
        if refusal is not None or used is None:
            started[name] = refusal or f"{rate} Hz has no wide band: {pesq.WIDE_RATE} Hz are needed"
        else:
            left, right = (by_soxr(side, rate, used) for side in (reference, estimate))
            started[name] = pesq.begin(left, right, used, wide=wide)
    return started


def pesq_rate(rate: int, *, wide: bool) -> int | None:
    """Return the rate at which PESQ is computed, None where the audio has not the band for it."""
    if rate >= pesq.WIDE_RATE:
        return pesq.WIDE_RATE
    return None if wide or rate < pesq.NARROW_RATE else pesq.NARROW_RATE


def end_pesq(started: dict[str, Callable[[], pesq.Outcome] | str], rate: int) -> Measures:
    """Wait for PESQ."""
    result = {}
    for name, pending in started.items():
        outcome = pesq.Outcome(None, pending) if isinstance(pending, str) else pending()
        used = pesq_rate(rate, wide=name == "pesq_wb")
        by = version_of("pesq") + (
            "" if used in (rate, None) else f", from {rate} to {used} Hz by {version_of('soxr')} VHQ"
        )
        result[name] = _measure(name, outcome.score, outcome.reason, by)
    return result
