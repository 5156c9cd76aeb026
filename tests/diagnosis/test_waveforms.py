"""Speech as ports damage it over time: filters that forget, levels that decide what is wrong, pauses that agree."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from scipy.signal import lfilter, resample_poly

from pytest_audioparity import compare
from tests.diagnosis.fronts import CLIPS, SPEECH, spoken

CHUNK = 1600


def _first(expected, actual):
    return compare(expected.astype(np.float32), actual.astype(np.float32), axes="T", kind="waveform").findings[0]


def _mary():
    """Return a clip that begins and ends in digital silence, at 16 kHz."""
    samples, rate = soundfile.read(SPEECH / "praatio_mary.wav")
    assert rate == 48000
    return resample_poly(samples[: 2 * rate], 1, 3)


@pytest.mark.parametrize("samples", [_mary(), *map(spoken, CLIPS)], ids=["mary", *CLIPS])
def test_a_filter_that_forgets_at_each_chunk_is_seams(samples):
    """Pauses that agree with themselves a sample later are no repeated frames."""
    whole = lfilter([1], [1, -0.9], samples)
    chunks = [lfilter([1], [1, -0.9], samples[at : at + CHUNK]) for at in range(0, len(samples), CHUNK)]
    found = _first(whole, np.concatenate(chunks))
    assert (found.code, found.detail["period"]) == ("seams", CHUNK)


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("share", [0.02, 0.2])
def test_what_begins_after_the_pause_at_the_front_is_told_though_that_is_quiet(name, share):
    """A front 24 dB below the rest that is right is no accident where quiet parts are as wrong as loud ones later."""
    samples = spoken(name)
    start = int(share * len(samples))
    samples[:start] *= 0.05 * samples[start:].std() / samples[:start].std()
    noise = 0.5 * samples.std() * np.random.default_rng(0).standard_normal(samples.size)
    found = _first(samples, samples + noise * (np.arange(samples.size) >= start))
    assert found.code == "diverges_from"
    assert abs(found.detail["from"] - start) < 32


@pytest.mark.parametrize("name", CLIPS)
def test_what_the_level_decides_begins_at_no_time(name):
    """A compander that acts on loud stretches alone, behind a quiet front."""
    samples = spoken(name)
    samples[:CHUNK] *= 0.02
    level = np.sqrt(np.convolve(samples**2, np.ones(400) / 400, "same"))
    loud = level > np.quantile(level, 0.4)
    found = _first(samples, samples * np.where(loud, 0.5 + 0.2 * np.sin(np.arange(samples.size) / 500), 1))
    assert found.code not in ("diverges_from", "drift")


@pytest.mark.parametrize("name", CLIPS)
def test_what_a_resampler_folds_back_lies_where_the_signal_has_little(name):
    """Every second sample of what was not filtered before: no function of the expected, which has none of it."""
    samples = spoken(name)
    expected = resample_poly(samples, 1, 2)
    actual = samples[::2][: expected.size]
    found = compare(
        expected.astype(np.float32), actual.astype(np.float32), axes="T", kind="waveform", sample_rate=8000
    ).findings[0]
    assert found.code == "unexplained"
    low, high = found.detail["band"]
    assert 0.25 <= low < high == 0.5
    assert f"between {low * 8000:.5g} and 4000 Hz" in found.message


@pytest.mark.parametrize("name", CLIPS)
def test_noise_everywhere_lies_in_no_band(name):
    samples = spoken(name)
    noise = 0.1 * samples.std() * np.random.default_rng(0).standard_normal(samples.size)
    found = _first(samples, samples + noise)
    assert "band" not in found.detail


def test_three_samples_without_a_name_for_time_have_no_band():
    expected, actual = np.float32([1, 0, 1]), np.float32([0, 0, 1])
    assert compare(expected, actual, kind="waveform").findings[0].detail.get("band") is None
