"""Filters with a long memory: echoes, rooms, steep low-passes and notches."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from pytest_audioparity import compare
from tests.diagnosis.test_recursions import SAMPLES, STEREO, first
from tests.faults.features import clip

RATE = 16_000
STEEP = {
    "notch": signal.firwin(513, (900, 1100), fs=RATE),
    "high-pass": signal.firwin(513, 100, fs=RATE, pass_zero=False),
    "telephone": signal.firwin(301, (300, 3400), fs=RATE, pass_zero=False),
}


def echoed(values: np.ndarray, lag: int, gain: float) -> np.ndarray:
    """Add values to themselves, later or earlier along the last axis."""
    added = np.array(values, np.float64)
    if lag > 0:
        added[..., lag:] += gain * values[..., :-lag]
    else:
        added[..., :lag] += gain * values[..., -lag:]
    return added


@pytest.mark.parametrize("gain", [0.1, 0.5, -0.3])
@pytest.mark.parametrize("lag", [50, 400, 4800, -90])
@pytest.mark.parametrize("x", [SAMPLES, STEREO], ids=["mono", "stereo"])
def test_an_echo_is_told_by_its_lag_and_its_gain(x, lag, gain):
    found = first(x, echoed(x, lag, gain))
    assert (found.code, found.detail["side"], found.detail["lag"]) == ("filtered", "actual", lag)
    assert found.detail["gains"] == pytest.approx([1, gain], abs=0.01)
    assert found.explains > 0.99
    assert f"{abs(lag)} samples {'later' if lag > 0 else 'earlier'}" in found.message


def test_an_echo_that_expected_has_is_told_of_it():
    found = first(echoed(SAMPLES, 700, 0.4).astype(np.float32), SAMPLES)
    assert (found.code, found.detail["side"], found.detail["lag"]) == ("filtered", "expected", 700)


def test_an_echo_of_frames_has_its_lag_in_frames():
    hidden = np.random.default_rng(0).standard_normal((48, 300)).cumsum(axis=1)
    hidden -= hidden.mean(axis=1, keepdims=True)
    expected, actual = hidden.astype(np.float32), echoed(hidden, 60, 0.3).astype(np.float32)
    found = compare(expected, actual, axes="CT").findings[0]
    assert (found.code, found.detail["lag"]) == ("filtered", 60)
    assert "60 frames later" in found.message


@pytest.mark.parametrize("name", STEEP)
def test_a_steep_filter_is_found(name):
    h = STEEP[name]
    found = first(SAMPLES, np.convolve(SAMPLES, h, "same"))
    assert (found.code, found.detail["side"]) == ("filtered", "actual")
    assert found.explains > 0.99
    known = 20 * np.log10(np.abs(np.fft.rfft(h, 16)[0]))
    if known > -3:  # of what it takes away, little is left to tell by how much
        assert found.detail["response"][0] == pytest.approx(known, abs=0.5)


@pytest.mark.parametrize("seconds", [0.05, 0.2])
def test_a_room_is_found(seconds):
    samples = np.asarray(clip("austen")[0][:80_000], np.float64)
    n = int(seconds * RATE)
    h = 0.05 * np.random.default_rng(0).standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    h[0] = 1
    found = first(samples.astype(np.float32), np.convolve(samples, h)[: samples.size])
    assert found.code == "filtered"
    assert found.explains > 0.95
    assert found.detail["response"][0] == pytest.approx(20 * np.log10(abs(h.sum())), abs=1.5)


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_no_echo_and_no_room(seed):
    noise = np.random.default_rng(seed).standard_normal(SAMPLES.size) * SAMPLES.std() * 0.3
    assert first(SAMPLES, SAMPLES + noise).code not in ("filtered", "time_shift")


@pytest.mark.parametrize("mean", [0, 100])
def test_what_comes_late_alone_is_no_echo(mean):
    rng = np.random.default_rng(mean)
    expected = (mean + rng.standard_normal((24, 80))).astype(np.float32)
    actual = np.pad(expected, ((0, 0), (3, 0)))[:, :80]
    assert compare(expected, actual, axes="CT").findings[0].code != "filtered"
