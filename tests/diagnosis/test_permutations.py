"""Rows that moved, and rows that only look so: mixtures of rows beside each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.diagnosis.test_search import codes

DECLARED = {"kind": "log_spectrum", "unit": "ln", "axes": "CT"}
SPEECH = Path(__file__).parents[1] / "data" / "speech" / "pocketsphinx_cards_002.wav"


def spectrum():
    samples = soundfile.read(SPEECH)[0]
    frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::160] * np.hanning(1024)
    return np.abs(np.fft.rfft(frames)).T


SPECTRUM = spectrum()


def mel(lowest, highest=8000.0, bins=80):
    """Return a log-mel of triangles between two frequencies, in Hz."""
    scale = [2595 * np.log10(1 + edge / 700) for edge in (lowest, highest)]
    points = 700 * (10 ** (np.linspace(*scale, bins + 2) / 2595) - 1)
    up, middle, down = points[:-2, None], points[1:-1, None], points[2:, None]
    place = np.linspace(0, 8000, 513)
    weights = np.maximum(0, np.minimum((place - up) / (middle - up), (down - place) / (down - middle)))
    return np.log(np.maximum(weights @ SPECTRUM, 1e-5)).astype(np.float32)


@pytest.mark.parametrize(("lowest", "highest"), [(40, 8000), (25, 8000), (80, 8000)])
def test_other_mel_filters_move_no_bin(lowest, highest):
    assert "channel_permutation" not in codes(mel(0), mel(lowest, highest), **DECLARED)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: x + np.random.default_rng(1).normal(0, 0.3, x.shape),
        lambda x: np.maximum(x, -6),
        lambda x: np.round(x),
        lambda x: x * 1.5,
        lambda x: np.pad(x, ((0, 0), (1, 0)))[:, :-1],
    ],
    ids=["nothing", "noise", "a floor", "a grid", "a gain", "a lag"],
)
@pytest.mark.parametrize("by", [1, 7, 40])
def test_bins_that_moved_are_told_whatever_else_is_wrong(by, change):
    moved = np.roll(mel(0), by, axis=0)
    assert "channel_permutation" in codes(mel(0), change(moved), **DECLARED)
