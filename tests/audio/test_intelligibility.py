"""STOI and ESTOI against pystoi, the reference implementation of their authors' code in Python."""

from __future__ import annotations

import numpy as np
import pystoi
import pytest
import soxr

from pytest_audioparity.audio.intelligibility import bands_at, bands_of, estoi_segments, stoi, third_octaves
from pytest_audioparity.audio.resampling import resample
from pytest_audioparity.audio.scoring import score


def both(x, y, rate):
    bands = bands_of(*(resample(side, sample_rate=rate, new_rate=10_000) for side in (x, y)))
    return stoi(bands), float(estoi_segments(bands).mean())


@pytest.mark.parametrize("rate", [8000, 10_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("snr_db", [-5, 10, 40])
def test_scores_equal_pystoi_at_every_rate_and_level_of_noise(speech, random, rate, snr_db):
    x = soxr.resample(speech, 16_000, rate)
    y = x + random.standard_normal(x.size) * np.std(x) * 10 ** (-snr_db / 20)
    found = both(x, y, rate)
    assert found[0] == pytest.approx(pystoi.stoi(x, y, rate), abs=1e-9)
    assert found[1] == pytest.approx(pystoi.stoi(x, y, rate, extended=True), abs=1e-9)


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000, 12_345])
def test_resampling_equals_the_polyphase_filter_of_scipy(random, rate):
    from pystoi.utils import resample_oct

    x = random.standard_normal(rate // 3)
    np.testing.assert_allclose(
        resample(x, sample_rate=rate, new_rate=10_000), resample_oct(x, 10_000, rate), atol=1e-12
    )


def test_a_signal_of_few_samples_can_be_resampled():
    for size in (1, 2, 5):
        assert resample(np.ones(size), sample_rate=48_000, new_rate=10_000).size == -(-size * 10 // 48)


def test_no_global_random_number_is_drawn(speech):
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    score(speech, speech[::-1], sample_rate=16_000, pesq=False)
    assert np.array_equal(before, np.random.get_state()[1])


def test_a_silent_estimate_correlates_with_nothing(speech):
    """Pystoi gives a random number about 0; ours is 0 exactly, every time."""
    narrow = resample(speech, sample_rate=16_000, new_rate=10_000)
    segments = estoi_segments(bands_of(narrow, np.zeros_like(narrow)))
    assert np.all(segments == 0)


def test_segments_over_time_show_where_a_word_is_lost(speech):
    narrow = resample(speech, sample_rate=16_000, new_rate=10_000)
    spoilt = narrow.copy()
    spoilt[12_000:18_000] = spoilt[12_000:18_000][::-1]
    bands = bands_of(narrow, spoilt)
    segments = estoi_segments(bands)
    middles = (bands.starts[15 : 15 + segments.size] + 128) / 10_000
    assert np.all(segments[(middles > 1.4) & (middles < 1.6)] < 0.3)
    assert np.all(segments[(middles < 0.9) | (middles > 2.1)] > 0.99)


def test_frames_at_chosen_places_are_those_in_a_row(speech):
    narrow = resample(speech, sample_rate=16_000, new_rate=10_000)
    rows = third_octaves(narrow)
    np.testing.assert_allclose(bands_at(narrow, np.arange(rows.shape[1]) * 128), rows, rtol=1e-12)


def test_long_audio_is_taken_in_parts(random):
    x = random.standard_normal(10_000 * 60)
    y = x + random.standard_normal(x.size)
    bands = bands_of(x, y)
    assert float(estoi_segments(bands).mean()) == pytest.approx(pystoi.stoi(x, y, 10_000, extended=True), abs=1e-9)
