"""A log-mel front end, for pictures of the documentation; FAULT=1 forgets to divide by the areas of its filters."""

import os

import numpy as np
import soundfile
from token_spoken import RECORDING

from pytest_audioparity import parity

_FRAME, _HOP, _BINS = 512, 128, 80
_FLOOR = 1e-8


def _mel(hertz):
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)


def _filters(sample_rate):
    edges = 700 * (10 ** (np.linspace(0, _mel(sample_rate / 2), _BINS + 2) / 2595) - 1)
    at = np.fft.rfftfreq(_FRAME, 1 / sample_rate)
    rising = (at - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - at) / np.diff(edges)[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling))
    return filters if os.environ.get("FAULT") else filters * (200 / (edges[2:] - edges[:-2]))[:, None]


def _spectrum(audio):
    frames = np.lib.stride_tricks.sliding_window_view(audio, _FRAME)[::_HOP]
    return np.abs(np.fft.rfft(frames * np.hanning(_FRAME))).T


def _smoothed(mel):
    return np.apply_along_axis(np.convolve, 1, mel, np.ones(3) / 3, "same")


@parity(tol_db=0.05)
def test_frontend(stages):
    audio, rate = soundfile.read(RECORDING)
    audio = stages.input("audio", audio, kind="waveform", axes="T", sample_rate=rate)
    spectrum = stages.step("spectrum", _spectrum, audio)
    mel = stages.step("mel", lambda amplitudes: _filters(rate) @ amplitudes, spectrum)
    log_mel = stages.step("log_mel", lambda one: np.log(one + _FLOOR), mel)
    for layer in range(3):
        log_mel = stages.step(f"smoothed/{layer}", _smoothed, log_mel)
