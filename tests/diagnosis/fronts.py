"""A front end with the parameters that ports get wrong: scale, range and norm of its mel filters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

SPEECH = Path(__file__).parents[1] / "data" / "speech"
CLIPS = ("pocketsphinx_cards_002.wav", "librivox_sense_and_sensibility_0930.wav")
RATE, SIZE, HOP = 16000, 512, 160
FLOOR = 1e-5


def spoken(name, seconds=3):
    """Return the first seconds of a clip of 16 kHz."""
    samples, rate = soundfile.read(SPEECH / name)
    assert rate == RATE
    return samples[: seconds * rate]


def spectrum(samples, hop=HOP, center=True):
    """Return the complex STFT (F, T) of a periodic Hann window."""
    samples = np.pad(samples, SIZE // 2, mode="reflect") if center else samples
    frames = np.lib.stride_tricks.sliding_window_view(samples, SIZE)[::hop]
    return np.fft.rfft(frames * np.hanning(SIZE + 1)[:-1]).T


# Slaney's scale (Auditory Toolbox, 1998): 3 mel per 200 Hz up to 1 kHz, 27 mel per factor of 6.4 above.
_BREAK, _PER_HZ, _PER_FACTOR = 1000.0, 3 / 200, 27 / np.log(6.4)


def _to_mel(hz, scale):
    hz = np.asarray(hz, float)
    if scale == "htk":
        return 2595 * np.log10(1 + hz / 700)
    above = _BREAK * _PER_HZ + _PER_FACTOR * np.log(np.maximum(hz, 1e-9) / _BREAK)
    return np.where(hz >= _BREAK, above, hz * _PER_HZ)


def _to_hz(mel, scale):
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    above = _BREAK * np.exp((mel - _BREAK * _PER_HZ) / _PER_FACTOR)
    return np.where(mel >= _BREAK * _PER_HZ, above, mel / _PER_HZ)


def filters(bins=80, scale="slaney", norm="slaney", low=0.0, high=None, rate=RATE):
    """Return triangular filters (bins, F)."""
    edges = _to_hz(np.linspace(*_to_mel([low, high or rate / 2], scale), bins + 2), scale)
    hz = np.linspace(0, rate / 2, SIZE // 2 + 1)
    below, centre, above = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    table = np.maximum(0, np.minimum((hz - below) / (centre - below), (above - hz) / (above - centre)))
    return table * 2 / (above - below) if norm == "slaney" else table


def log_mel(samples, *, power=2, floor=FLOOR, **choices):
    """Return ln of a mel spectrum (bins, T), float32, with a floor."""
    return np.log(np.maximum(filters(**choices) @ np.abs(spectrum(samples)) ** power, floor)).astype(np.float32)
