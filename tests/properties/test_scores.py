"""How scores of real speech must move with noise, level and what both sides have in common."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import soundfile

from pytest_audioparity import score
from tests.audio.verdicts import SPEECH

CLIPS = ("praatio_mary", "pocketsphinx_cards_002")
RATIOS_DB = (40, 10, -5)
# What falls as noise rises, for speech in white noise of one pattern: the higher the better, but for the last two.
FALLING, RISING = ("stoi", "estoi", "snr", "si_sdr"), ("log_spectral_distance", "mel_cepstral_distortion")
# Of a gain: numbers that are about the level, or about samples as they are.
OF_THE_LEVEL = ("level_db", "peak", "snr", "clipped_share")


@functools.cache
def clip(name):
    """Return 1.5 s of speech at 16 kHz or more."""
    samples, rate = soundfile.read(SPEECH / f"{name}.wav")
    return samples[: round(1.5 * rate)], rate


@functools.cache
def noisy(name, ratio_db):
    """Score a clip with white noise of one pattern, so far under it."""
    speech, rate = clip(name)
    noise = np.random.default_rng(0).standard_normal(speech.size)
    noise *= np.linalg.norm(speech) / np.linalg.norm(noise) / 10 ** (ratio_db / 20)
    return score(speech, speech + noise, sample_rate=rate, pesq=False)


def numbers(result, names):
    return {name: getattr(result, name) for name in names}


@pytest.mark.parametrize("name", CLIPS)
def test_more_noise_is_never_a_better_score(name):
    """Every number that compares waveforms, spectra or words is worse with more of the same noise."""
    results = [noisy(name, ratio) for ratio in RATIOS_DB]
    for number in FALLING:
        values = [getattr(result, number) for result in results]
        assert values == sorted(values, reverse=True), number
        assert len({*values}) == len(values)
    for number in RISING:
        values = [getattr(result, number) for result in results]
        assert values == sorted(values), number
    assert [result.snr for result in results] == pytest.approx(RATIOS_DB, abs=1e-6)


def test_a_clip_is_its_own_best_estimate():
    """Perfect against itself, and better than with the least noise."""
    speech, rate = clip(CLIPS[0])
    perfect, noise = score(speech, speech.copy(), sample_rate=rate, pesq=False), noisy(CLIPS[0], RATIOS_DB[0])
    assert perfect.passed
    assert [perfect.stoi, perfect.estoi] == pytest.approx([1, 1])
    assert perfect.snr == perfect.si_sdr == np.inf
    assert all(getattr(perfect, name) == 0 for name in RISING)
    assert all(getattr(perfect, name) > getattr(noise, name) for name in FALLING)


def test_scaling_both_sides_by_a_power_of_two_leaves_every_number_but_the_peak():
    """Speech at half of full scale is as much speech; nothing stands at a level of its own."""
    speech, rate = clip(CLIPS[0])
    estimate = speech + 0.01 * np.random.default_rng(0).standard_normal(speech.size)
    one, half = (score(speech * k, estimate * k, sample_rate=rate, pesq=False) for k in (1.0, 0.5))
    assert half.verdict == one.verdict
    names = sorted({*one.measures} - {"peak", "dc_offset", "pesq_wb", "pesq_nb"})
    assert numbers(half, names) == pytest.approx(numbers(one, names), rel=1e-6)
    assert half.peak == one.peak / 2


def test_a_gain_of_the_estimate_moves_the_level_by_as_much_and_nothing_else():
    """Of a noisy estimate too: words, spectrum and the scale-invariant ratio are what they were."""
    speech, rate = clip(CLIPS[0])
    estimate = speech + 0.01 * np.random.default_rng(0).standard_normal(speech.size)
    one = score(speech, estimate, sample_rate=rate, pesq=False)
    quiet = score(speech, estimate * 10 ** (-1 / 20), sample_rate=rate, pesq=False)
    assert quiet.level_db == pytest.approx(one.level_db - 1, abs=1e-9)
    names = sorted({*one.measures} - {*OF_THE_LEVEL, "dc_offset", "pesq_wb", "pesq_nb"})
    assert numbers(quiet, names) == pytest.approx(numbers(one, names), rel=1e-6)
