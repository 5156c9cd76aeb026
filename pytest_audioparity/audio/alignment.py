"""How many samples the estimate lags behind the reference.

First by the cross-correlation of the waveforms. Codecs that do not keep the phase have none; for them the envelopes of
third-octave bands are correlated, in steps of 3.2 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.envelopes import STEP, envelopes
from pytest_audioparity.audio.intelligibility import RATE
from pytest_audioparity.audio.signals import fast_length
from pytest_audioparity.audio.timeline import Piece, common

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# Measured: a normalised cross-correlation of 0.5 parts codecs that keep the phase from those that do not.
# Noise at 10 dB leaves 0.95.
_WAVEFORM = 0.5
# The same for envelopes. Below, the best lag of two sentences is chance, and they stay where they are.
_ENVELOPES = 0.5
# At least this share of the shorter side must overlap: a syllable matches somewhere in everything.
_OVERLAP = 0.5
# Lags looked at around the coarse one, in samples at 10 kHz.
_AROUND = 2


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where the estimate stands.

    Attributes
    ----------
    lag_samples : samples by which the estimate is late (negative: early), at the sample rate of both; 0 where not found
    method : "waveform", "envelopes", or "none" when the two have nothing in common that could be aligned
    correlation : the normalised cross-correlation there, 0 to 1
    """

    lag_samples: int
    method: str
    correlation: float


def align(sides: tuple[Array, Array], narrow: tuple[Array, Array], sample_rate: int) -> Alignment:
    """Find the lag of the estimate.

    Parameters
    ----------
    sides : reference and estimate, shape (time,) each, at `sample_rate`
    narrow : the same at 10 kHz
    """
    lag, correlation = _peak(narrow[0] - narrow[0].mean(), narrow[1] - narrow[1].mean(), signed=False)
    if abs(correlation) >= _WAVEFORM:
        return Alignment(_refined(sides, lag, sample_rate, correlation), "waveform", abs(correlation))
    lag, correlation = envelope_lag(envelopes(narrow[0]), envelopes(narrow[1]))
    if correlation >= _ENVELOPES:
        return Alignment(round(lag * STEP * sample_rate / RATE), "envelopes", correlation)
    return Alignment(0, "none", max(correlation, 0.0))


def envelope_lag(reference: Array, estimate: Array) -> tuple[int, float]:
    """Return the lag of envelopes, shape (bands, steps) each, in steps, and the correlation there."""
    if not reference.size or not estimate.size:
        return 0, 0.0
    return _peak(*(side - side.mean(axis=1, keepdims=True) for side in (reference, estimate)), signed=True)


def _peak(reference: Array, estimate: Array, *, signed: bool) -> tuple[int, float]:
    """Return the lag of the largest correlation along the last axis, and that correlation."""
    n, m = reference.shape[-1], estimate.shape[-1]
    overlap = round(_OVERLAP * min(n, m))
    # Lags beyond the overlap may fold onto each other, but not onto those within.
    size = fast_length(n + m - overlap)
    spectrum = np.fft.rfft(reference, size)
    np.conj(spectrum, out=spectrum)
    spectrum *= np.fft.rfft(estimate, size)
    if spectrum.ndim > 1:
        spectrum = spectrum.sum(axis=0)
    lags = np.arange(overlap - n, m - overlap + 1)
    products = np.fft.irfft(spectrum, size)[lags]
    energy = np.sqrt(np.sum(reference**2) * np.sum(estimate**2))
    if not energy or not lags.size:
        return 0, 0.0
    best = int(np.argmax(products if signed else np.abs(products)))
    return int(lags[best]), float(products[best] / energy)


def _refined(sides: tuple[Array, Array], lag: int, sample_rate: int, correlation: float) -> int:
    """Take a lag at 10 kHz to the sample."""
    reference, estimate = sides
    low, high = (round((lag + step) * sample_rate / RATE) for step in (-_AROUND, _AROUND))
    lags = range(low, high + 1)
    # Not np.dot, which starts threads for so many samples.
    at = [(Piece(0, reference.size, lag),) for lag in lags]
    products = [float(np.einsum("t,t", *common(reference, estimate, pieces))) for pieces in at]
    return lags[int(np.argmax(np.sign(correlation) * np.array(products)))]
