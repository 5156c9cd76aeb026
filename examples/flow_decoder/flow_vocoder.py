"""Log-mel spectra and the way back: mel inversion and Griffin-Lim with fixed phases. numpy alone, deterministic.

A log-mel is the natural logarithm of an amplitude: a sine of amplitude 1 has 0 in its bin. Shape (T, BINS).
"""

import functools
from typing import Any

import numpy as np
from flow_layout import BINS, HOP, SAMPLE_RATE, WINDOW

Array = np.ndarray[Any, Any]

FLOOR = 1e-4  # -80 dB: below what one hears beside speech, above the rounding of 16 bits
_MOMENTUM = 0.99  # Perraudin, Balazs and Søndergaard, 2013
_SEED = 0  # of the phases that Griffin-Lim starts from
_SMALLEST = 1e-8  # magnitude that has a phase


def log_mel(audio: Array) -> Array:
    """Return the log-mel (T, BINS) of mono audio, T = 1 + samples // HOP."""
    magnitudes = np.abs(_stft(np.asarray(audio, np.float64))) * 2 / _hann().sum()
    return np.log(np.maximum(magnitudes @ _mel_matrix().T, FLOOR))


def vocode(mel: Array, iterations: int) -> Array:
    """Return float32 audio of (T - 1) * HOP samples with this log-mel (T, BINS)."""
    amplitudes = np.exp(np.asarray(mel, np.float64))
    magnitudes = np.maximum(amplitudes @ _inverse_matrix().T, 0) * _hann().sum() / 2
    angles = np.random.default_rng(_SEED).uniform(-np.pi, np.pi, magnitudes.shape)
    phases, before = np.exp(1j * angles), np.zeros(1)
    for _ in range(iterations):
        now = _stft(_istft(magnitudes * phases))
        ahead = now + _MOMENTUM * (now - before)
        phases, before = ahead / np.maximum(np.abs(ahead), _SMALLEST), now
    return _istft(magnitudes * phases).astype(np.float32)


@functools.cache
def _hann() -> Array:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)  # periodic


@functools.cache
def _mel_matrix() -> Array:
    """Return triangles (BINS, bin), even on the mel scale from 0 to half the sample rate, each with sum 1."""
    top = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, BINS + 2) / 2595) - 1)
    frequencies = np.linspace(0, SAMPLE_RATE / 2, WINDOW // 2 + 1)[None]
    low, centre, high = (edges[i : i + BINS, None] for i in range(3))
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    triangles = np.maximum(0, np.minimum(rising, falling))
    return triangles / triangles.sum(axis=1, keepdims=True)


@functools.cache
def _inverse_matrix() -> Array:
    return np.linalg.pinv(_mel_matrix())


def _stft(audio: Array) -> Array:
    """Return (T, bin) with frames centred on multiples of HOP, the ends reflected."""
    padded = np.pad(audio, WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    return np.fft.rfft(frames * _hann(), axis=1)


def _istft(spectrum: Array) -> Array:
    """Return the samples whose frames come closest to a spectrum: overlap-add over the sum of squared windows."""
    frames = np.fft.irfft(spectrum, WINDOW, axis=1) * _hann()
    total, weight = (np.zeros((len(frames) - 1) * HOP + WINDOW) for _ in range(2))
    for number, frame in enumerate(frames):
        total[number * HOP : number * HOP + WINDOW] += frame
        weight[number * HOP : number * HOP + WINDOW] += _hann() ** 2
    inside = slice(WINDOW // 2, total.size - WINDOW // 2)
    return total[inside] / weight[inside]
