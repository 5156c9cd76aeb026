"""hibari-tts's synthesis in numpy: F0 and five spectra of 12.5 ms frames to a waveform.

A pulse train with every harmonic of F0 is analysed, filtered by the harmonic spectrum, and joined by shaped noise and
by a residual with a phase of its own; the sum goes through an inverse STFT.

    S = exp(h) · e^(iπ·tanh(θ)) · STFT(pulses) + exp(n) · Z + exp(r) · e^(iφ)
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

SAMPLE_RATE, HOP, N_FFT = 24_000, 300, 1200
LOG_MAGNITUDE_TOP = 7.0
VOICED_ABOVE_HZ, HARMONICS_BELOW_HZ = 40.0, 11_000.0
#: Where 2·sin(t/2) is taken for 0 and the sum of harmonics for its limit.
NEAR_ZERO = 2e-3

FAULTS = ("hann_symmetric", "overlap_norm")


def synthesise(
    harmonic: Array,
    theta: Array,
    noise: Array,
    residual: Array,
    phi: Array,
    f0_hz: Array,
    drawn: Array,
    *,
    faults: Collection[str] = (),
) -> Array:
    """Return the waveform [frames · 300] of spectra [601, frames], F0 [frames] and noise [601, 2 · frames]."""
    window = hann(symmetric="hann_symmetric" in faults)
    spectrum = (
        _magnitude(harmonic) * np.exp(1j * np.pi * np.tanh(theta)) * _stft(_pulses(f0_hz), harmonic.shape[1], window)
    )
    spectrum += _magnitude(noise) * np.ascontiguousarray(drawn).view(np.complex64)
    spectrum += _magnitude(residual) * np.exp(1j * phi)
    return _inverse_stft(spectrum.astype(np.complex64), window, normalised="overlap_norm" not in faults)


def draw_noise(frames: int, seed: int) -> Array:
    """Draw the noise as the package draws it: real and imaginary parts by turns, [601, 2 · frames]."""
    return np.random.default_rng(seed).standard_normal((N_FFT // 2 + 1, 2 * frames), dtype=np.float32)


def _magnitude(logarithm: Array) -> Array:
    return np.exp(np.minimum(logarithm, LOG_MAGNITUDE_TOP))


def hann(*, symmetric: bool = False) -> Array:
    """Return the window of both transforms: periodic, as its 1200 samples are one period of the cosine."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / (N_FFT - symmetric))).astype(np.float32)


def _pulses(f0_hz: Array) -> Array:
    """Every harmonic of F0 below 11 kHz with amplitude 1: Σcos(h·t) = sin((H + ½)·t) / (2·sin(t/2)) − ½."""
    hz = _per_sample(f0_hz)
    voiced = hz > VOICED_ABOVE_HZ
    hz = np.maximum(hz, np.float32(VOICED_ABOVE_HZ))
    turns = np.cumsum(hz, dtype=np.float64) / SAMPLE_RATE
    angle = (2 * np.pi * (turns % 1)).astype(np.float32)
    highest = np.floor(HARMONICS_BELOW_HZ / hz) + np.float32(0.5)
    below = 2 * np.sin(angle / 2)
    limit = np.abs(below) <= NEAR_ZERO
    pulses = np.where(limit, highest, np.sin(highest * angle) / np.where(limit, 1, below)) - np.float32(0.5)
    return np.where(voiced, pulses, 0)


def _per_sample(f0_hz: Array) -> Array:
    """Interpolate between the middles of frames; beyond the first and the last, F0 stays.

    In float32, as the package does: which harmonic is the last below 11 kHz may hang on the last bit.
    """
    padded = np.pad(f0_hz, 1, mode="edge")
    share = (((np.arange(HOP) + 0.5) / HOP) % 1).astype(np.float32)
    between = padded[:-1, np.newaxis] * (1 - share) + padded[1:, np.newaxis] * share
    return between.reshape(-1)[HOP // 2 :][: f0_hz.size * HOP]


def _stft(signal: Array, frames: int, window: Array) -> Array:
    """Analyse centred frames, so scaled that a harmonic of amplitude 1 has a peak of 1 + its neighbours' leakage."""
    padded = np.pad(signal, N_FFT // 2, mode="reflect")
    framed = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP][:frames]
    return np.fft.rfft(framed * (window / (N_FFT / 4)), axis=1).T


def _inverse_stft(spectrum: Array, window: Array, *, normalised: bool) -> Array:
    """Overlap and add the frames; where windows overlap fully, their squares sum up to 1.5, which is divided out."""
    frames = np.fft.irfft(spectrum.T, n=N_FFT, axis=1).astype(np.float32) * window
    total = np.zeros((len(frames) - 1) * HOP + N_FFT, np.float32)
    overlap = np.zeros_like(total)
    for index, frame in enumerate(frames):
        total[index * HOP :][:N_FFT] += frame
        overlap[index * HOP :][:N_FFT] += window * window
    if normalised:
        total /= np.maximum(overlap, np.float32(1e-11))
    return total[N_FFT // 2 :][: len(frames) * HOP]
