"""Speech as the encoder wants it: two voices, one second each, and their mel power as Resemblyzer computes it."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile

Array = np.ndarray[Any, Any]

SAMPLE_RATE = 16_000
WINDOW, HOP, BANDS = 400, 160, 40  # 25 ms, 10 ms
FRAME_RATE = SAMPLE_RATE / HOP

SPEECH = Path(__file__).parents[2] / "tests" / "data" / "speech"
CLIPS = ("librivox_sense_and_sensibility_0930", "pocketsphinx_cards_002")
BEGIN_SECONDS, SECONDS = 0.25, 1.0  # both speak from there on
VOICES, FRAMES = len(CLIPS), round(SECONDS * FRAME_RATE) + 1

# Slaney's mel: linear up to 1 kHz, 15 mel there; above, 27 mel to each factor of 6.4.
_LINEAR_HZ, _LINEAR_MEL, _STEP = 1000.0, 15.0, np.log(6.4) / 27


def waveforms() -> Array:
    """Return the two voices, float32 of shape (voices, samples)."""
    return np.stack([_cut(SPEECH / f"{name}.wav") for name in CLIPS])


def _cut(path: Path) -> Array:
    samples, rate = soundfile.read(path, dtype="float32")
    if rate != SAMPLE_RATE:
        raise ValueError(f"{path.name} has {rate} Hz, the encoder hears {SAMPLE_RATE} Hz")
    begin = round(BEGIN_SECONDS * rate)
    return samples[begin : begin + round(SECONDS * rate)]


def hann() -> Array:
    """Return the periodic Hann window."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)


def filters() -> Array:
    """Return the triangles of Slaney's mel scale, each of area 1 over Hz, of shape (BANDS, WINDOW // 2 + 1)."""
    top = _LINEAR_MEL + np.log(SAMPLE_RATE / 2 / _LINEAR_HZ) / _STEP
    mel = np.linspace(0, top, BANDS + 2)
    above = _LINEAR_HZ * np.exp((np.maximum(mel, _LINEAR_MEL) - _LINEAR_MEL) * _STEP)
    low, centre, high = (
        edge[:, None]
        for edge in np.lib.stride_tricks.sliding_window_view(
            np.where(mel < _LINEAR_MEL, mel * _LINEAR_HZ / _LINEAR_MEL, above), BANDS
        )
    )
    hz = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)
    triangles = np.minimum((hz - low) / (centre - low), (high - hz) / (high - centre))
    return np.maximum(0, triangles) * 2 / (high - low)


def mel_power(waveform: Array) -> Array:
    """Return the power in each band, without logarithm and without floor, of shape (voices, frames, BANDS).

    Frame k is centred at sample k * HOP; beyond the ends the signal is zero.
    """
    padded = np.pad(waveform, [(0, 0), (WINDOW // 2, WINDOW // 2)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=1)[:, ::HOP]
    power = np.abs(np.fft.rfft(frames * hann())) ** 2
    return (power @ filters().T).astype(np.float32)


def decibels(mel: Array) -> Array:
    """Return the same in dB, for the eyes of the comparison: the encoder takes powers.

    In power, one loud frame outweighs all that a floor changes in the quiet ones.
    """
    return 10 * np.log10(mel)
