"""Mel filters of another scale, range or rate: each bin is a mixture of bins that are near it, and none has moved."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare
from tests.diagnosis.fronts import CLIPS, filters, log_mel, spectrum, spoken

FILTERS = {
    "htk for slaney": {"scale": "htk"},
    "highest frequency": {"high": 7600.0},
    "lowest frequency": {"low": 80.0},
    "another rate": {"rate": 22050},
}
RNG = np.random.default_rng(0)


def _first(expected, actual, **declared):
    return compare(expected, actual, axes="CT", **declared).findings[0]


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("choice", FILTERS)
def test_other_filters_of_a_log_mel(name, choice):
    samples = spoken(name)
    expected, actual = log_mel(samples), log_mel(samples, **FILTERS[choice])
    first = _first(expected, actual, kind="log_spectrum", unit="ln_power")
    assert (first.code, first.detail["axis"]) == ("filtered", "C")
    assert "HTK against Slaney" in first.message


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("choice", FILTERS)
@pytest.mark.parametrize("power", [1, 2])
def test_other_filters_of_a_mel_without_logarithm(name, choice, power):
    """The lowest filters are narrower than a bin of the FFT, so that many are one other with a gain."""
    magnitudes = np.abs(spectrum(spoken(name))) ** power
    expected, actual = ((filters(**some) @ magnitudes).astype(np.float32) for some in ({}, FILTERS[choice]))
    first = _first(expected, actual)
    assert (first.code, first.detail["axis"]) == ("filtered", "C")


@pytest.mark.parametrize("name", CLIPS)
def test_bins_that_have_moved_are_no_mixture(name):
    mel = log_mel(spoken(name))
    for order in (RNG.permutation(80), np.roll(np.arange(80), 40), np.r_[1, 0, 2:80]):
        noisy = mel[order] + 1e-3 * RNG.standard_normal(mel.shape)
        assert _first(mel, noisy.astype(np.float32)).code == "channel_permutation"


def test_a_hidden_layer_of_other_weights_is_no_mixture():
    hidden = RNG.standard_normal((128, 400)).astype(np.float32)
    other = (RNG.standard_normal((128, 128)) @ hidden / 11).astype(np.float32)
    assert _first(hidden, other).code == "uncorrelated"


@pytest.mark.parametrize("sources", [4, 16])
def test_a_hidden_layer_of_a_few_sources_is_no_mixture_of_neighbours(sources):
    """There any few rows explain any other, whatever their order."""
    mel = log_mel(spoken(CLIPS[0]))[:: 80 // sources][:sources]
    table = RNG.standard_normal((256, sources))
    gains = 1 + 0.3 * RNG.standard_normal((sources, 1))
    found = _first((table @ mel).astype(np.float32), (table @ (gains * mel)).astype(np.float32))
    assert "mel" not in found.message


def test_halves_that_are_exchanged_are_moved_though_some_rows_say_nothing():
    hidden = RNG.standard_normal((128, 300)).astype(np.float32)
    hidden[RNG.random(128) < 0.3] = 1.5
    found = _first(hidden, np.roll(hidden, 64, axis=0))
    assert (found.code, found.detail["axis"]) == ("channel_permutation", "C")


@pytest.mark.parametrize("bits", [3, 4])
def test_a_layer_of_coarse_weights_is_no_mixture_of_neighbours(bits):
    """Speech is loud or quiet in all rows at once, so that the own row and any others take most of the error off."""
    mel = log_mel(spoken(CLIPS[1]))
    weights = RNG.standard_normal((256, 80)) / 9
    step = np.abs(weights).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)
    coarse = np.round(weights / step) * step
    normed = (mel - mel.mean()) / mel.std()
    assert "mel" not in _first((weights @ normed).astype(np.float32), (coarse @ normed).astype(np.float32)).message
