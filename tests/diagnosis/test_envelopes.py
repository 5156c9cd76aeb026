"""Samples whose gain changes with time: chunks with a gain of their own, gain control, compressors, fades."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare
from tests.diagnosis.test_recursions import SAMPLES, STEREO, first
from tests.faults.features import clip

LOUDNESS = np.sqrt(np.convolve(SAMPLES.astype(np.float64) ** 2, np.full(800, 1 / 800), "same"))
TIME = np.arange(SAMPLES.size)
LEVEL_DB = 20 * np.log10(LOUDNESS + 1e-4)
GAINS = {
    "gain control": 0.1 / (LOUDNESS + 0.01),
    "compressor": 10 ** (np.minimum(0, -30 - LEVEL_DB) / 2 / 20),
    "tremolo": 1 + 0.3 * np.sin(TIME / 3000),
    "fade in": np.minimum(1, TIME / 12_000),
    "fade out": np.minimum(1, TIME[::-1] / 12_000),
}


def in_chunks(length, gain):
    """Return a gain for each sample, the same throughout a chunk."""
    return np.repeat([gain(start) for start in range(0, SAMPLES.size, length)], length)[: SAMPLES.size]


@pytest.mark.parametrize("name", GAINS)
def test_a_gain_that_changes_is_told_with_its_range(name):
    gain = GAINS[name]
    found = first(SAMPLES, SAMPLES * gain)
    assert (found.code, found.detail["axis"]) == ("channel_gain", "T")
    assert found.explains > 0.95
    low, high = found.detail["gain"]
    assert gain.min() - 0.01 <= low < high <= gain.max() + 0.01


@pytest.mark.parametrize("name", GAINS)
def test_a_gain_that_changes_is_that_of_both_channels(name):
    found = first(STEREO, STEREO * GAINS[name])
    assert (found.code, found.detail["axis"]) == ("channel_gain", "T")
    assert found.explains > 0.95


@pytest.mark.parametrize("length", [320, 1600, 5000])
def test_chunks_with_a_gain_of_their_own(length):
    rng = np.random.default_rng(length)
    found = first(SAMPLES, SAMPLES * in_chunks(length, lambda _: rng.uniform(0.7, 1.3)))
    assert (found.code, found.detail["axis"]) == ("channel_gain", "T")
    assert found.explains > 0.9


@pytest.mark.parametrize("length", [320, 1600, 8000])
def test_chunks_that_are_normalised_one_by_one(length):
    gain = in_chunks(length, lambda start: 0.9 / max(1e-3, float(np.abs(SAMPLES[start : start + length]).max())))
    assert first(SAMPLES, SAMPLES * gain).code == "channel_gain"


def test_one_gain_and_one_that_rises_evenly_are_told_as_those():
    assert first(SAMPLES, SAMPLES * 0.8).code == "gain"
    assert first(SAMPLES, SAMPLES * np.linspace(1, 0.2, SAMPLES.size)).code == "drift"


@pytest.mark.parametrize("seed", range(3))
def test_noise_and_another_voice_are_no_gain(seed):
    rng = np.random.default_rng(seed)
    noisy = SAMPLES + 0.2 * SAMPLES.std() * rng.standard_normal(SAMPLES.size)
    other = np.asarray(clip("austen")[0][2000 * seed : 2000 * seed + SAMPLES.size])
    for actual in (noisy, other, np.convolve(SAMPLES, [1, -0.97], "same")):
        assert first(SAMPLES, actual).code != "channel_gain"


@pytest.mark.parametrize("share", [0.5, 0.63])
def test_what_is_found_beside_a_gain_that_changes_is_told_along_the_right_axis(share):
    """Two channels, of which a part is blended into another signal and all that follows is silent."""
    samples, rate = clip("austen")
    expected = np.stack([samples[20_000:50_000], samples[20_700:50_700] / 2])
    start, actual = int(share * 30_000), expected.copy()
    actual[:, start : start + 4000] += 0.02 * np.linspace(0, 1, 4000) * np.sin(np.arange(4000) / 9)
    actual[:, start + 4000 :] = 0
    findings = compare(expected, actual, kind="waveform", axes="CT", sample_rate=rate).findings
    assert [finding.code for finding in findings[:1]] == ["channel_gain"]
    assert [finding.detail["axis"] for finding in findings] == ["T", "T"]
