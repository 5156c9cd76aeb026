"""Filters that feed back what they gave, whose memory is longer than any number of taps that is tried."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy import signal

from pytest_audioparity import compare

SPEECH = Path(__file__).parents[1] / "data" / "speech" / "pocketsphinx_cards_002.wav"
SAMPLES = soundfile.read(SPEECH)[0][:24000].astype(np.float32)
STEREO = np.stack([SAMPLES, np.roll(SAMPLES, 9) + SAMPLES[::-1]])
FILTERS = {
    "dc blocker": ([1, -1], [1, -0.995]),
    "slow dc blocker": ([1, -1], [1, -0.9995]),
    "high-pass": signal.butter(2, 0.01, "high"),
    "band-pass": signal.butter(2, (0.01, 0.1), "band"),
    "notch": signal.iirnotch(0.02, 10),
}


def first(expected, actual):
    axes = "T" if expected.ndim == 1 else "CT"
    return compare(expected, actual.astype(np.float32), kind="waveform", axes=axes, sample_rate=16000).findings[0]


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("x", [SAMPLES, STEREO], ids=["mono", "stereo"])
def test_a_filter_that_feeds_back_is_found(x, name):
    b, a = FILTERS[name]
    found = first(x, signal.lfilter(b, a, x.astype(np.float64)))

    assert (found.code, found.detail["side"]) == ("filtered", "actual")
    assert found.explains > 0.95


@pytest.mark.parametrize("seed", range(3))
def test_what_its_own_past_predicts_is_not_filtered(seed):
    """Slow noise is told from its last samples, and none of it by the expected signal."""
    noise = np.random.default_rng(seed).standard_normal(24000)
    slow = signal.lfilter([1], [1, -1.9, 0.95], noise)
    found = first(SAMPLES, slow * SAMPLES.std() / slow.std())

    assert found.code == "uncorrelated"
