"""The pitch and its errors: against Praat, against what was done to the clip, and at the edges."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soxr

from pytest_audioparity import score
from pytest_audioparity.audio.pitch import contour, pitch_errors

PRAAT = json.loads((Path(__file__).parents[1] / "data/pitch/praat.json").read_text())
RATE = 10_000


def harmonic(pitch, seconds=1.0):
    """Return ten harmonics of a pitch (one number, or one for each sample) at 10 kHz."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(pitch, round(seconds * RATE))) / RATE
    return sum(np.sin(k * phase) / k for k in range(1, 11))


@pytest.mark.parametrize("pitch", [70.0, 100.0, 150.0, 220.7, 333.0, 390.0])
def test_a_tone_has_its_pitch(pitch):
    """Every frame of a harmonic tone has its pitch to 25 cents: a quarter of a semitone."""
    found = contour(harmonic(pitch))
    assert found.size == 60  # (2500 - 43) // 40 hops of 16 ms, a frame being two
    assert np.abs(1200 * np.log2(found / pitch)).max() < 25


def test_speech_has_the_pitch_that_praat_finds(speech):
    """No frame of a real clip is an octave off, nine tenths are within 35 cents, and voicing agrees in five of six."""
    found = contour(soxr.resample(speech - speech.mean(), 16_000, RATE))
    times = 0.016 * (np.arange(found.size) + 1)
    expected = np.asarray(PRAAT["pitch_hz"])[np.abs(np.asarray(PRAAT["seconds"]) - times[:, None]).argmin(axis=1)]
    both = (found > 0) & (expected > 0)
    cents = np.abs(1200 * np.log2(found[both] / expected[both]))
    assert cents.max() < 300
    assert np.quantile(cents, 0.9) < 35
    assert np.mean((found > 0) != (expected > 0)) < 1 / 6


@pytest.mark.parametrize("cents", [-200, -30, 30, 200])
def test_a_shift_of_the_pitch_scores_its_cents(cents):
    """A voice that is 30 cents too high scores 30 cents, one that is 30 too low too."""
    time = np.arange(2 * RATE) / RATE
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.7 * time)
    errors = pitch_errors(harmonic(pitch, 2.0), harmonic(pitch * 2 ** (cents / 1200), 2.0))
    assert errors.cents == pytest.approx(abs(cents), abs=6)
    assert errors.share == 0


def test_a_pitch_that_is_an_octave_off_is_wrong_in_every_frame():
    """A pitch twice as high is a gross error, which the share counts."""
    errors = pitch_errors(harmonic(100.0), harmonic(200.0))
    assert errors.share == 1
    assert errors.cents == pytest.approx(1200, abs=20)


def test_a_voice_that_is_whispered_keeps_its_words_and_loses_its_voicing(speech, random):
    """Noise in the place of the voice: the magnitudes and so the words stay, the voicing is wrong."""
    size, hop = 512, 128
    window = np.hanning(size + 1)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(speech, size), size)[::hop] * window
    magnitude = np.abs(np.fft.rfft(frames))
    frames = np.fft.irfft(magnitude * np.exp(2j * np.pi * random.random(magnitude.shape))) * window
    whispered = np.zeros(len(frames) * hop + size)
    for k, frame in enumerate(frames):
        whispered[k * hop : k * hop + size] += frame / 1.5
    result = score(speech, whispered[size : size + speech.size], sample_rate=16_000, pesq=False)
    assert result.verdict == "degraded"
    assert result.f0_frame_error > 0.3


def test_what_is_equal_but_for_level_has_no_error(speech):
    """Neither a gain nor 16 bits move the pitch."""
    result = score(speech, np.round(speech * 16_000) / 32_768, sample_rate=16_000, pesq=False)
    assert result.f0_error < 0.1
    assert result.f0_frame_error < 0.01
    assert result.measures["f0_error"].unit == "cents"


@pytest.mark.parametrize("samples", [0, 1, 400])
def test_what_is_shorter_than_a_frame_has_no_pitch(samples):
    """Below 50 ms nothing is measured."""
    errors = pitch_errors(np.ones(samples), np.ones(samples))
    assert (errors.cents, errors.share) == (None, None)


def test_silence_and_noise_have_no_pitch(random):
    """Of what has no voice nothing is measured, with the reason: no limit passes where there is no evidence."""
    noise = random.standard_normal(RATE)
    errors = pitch_errors(noise, noise)
    assert (errors.cents, errors.share) == (None, None)
    assert pitch_errors(np.zeros(RATE), np.zeros(RATE)) == errors
    result = score(noise, noise, sample_rate=RATE, pesq=False)
    assert "voiced on both sides" in result.not_measured["f0_error"]
    assert "no frame is voiced" in result.not_measured["f0_frame_error"]


def test_a_long_clip_is_cut_without_seams(monkeypatch):
    """The frames of a clip that is computed in parts are those of the clip as a whole."""
    clip = harmonic(110 + 20 * np.sin(np.arange(2 * RATE) / RATE), 2.0)
    whole = contour(clip)
    monkeypatch.setattr("pytest_audioparity.audio.pitch._HELD", 10)
    np.testing.assert_allclose(contour(clip), whole, rtol=1e-9)
    assert np.all(whole > 0)
