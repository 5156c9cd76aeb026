"""Shifts by a part of a sample or of a frame, made by a resampler, by a filter and by frames that begin elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from pytest_audioparity import compare
from tests.diagnosis.fronts import CLIPS, FLOOR, SIZE, filters, spectrum, spoken
from tests.faults.features import clip, frames_of, mel_filters

_SIZE, _HOP = 1024, 256


@pytest.fixture(scope="module")
def speech():
    samples, rate = clip("austen")
    return samples[:40000].astype(float), rate


def first(expected, actual, **declared):
    return compare(expected, actual, **declared).findings[0]


@pytest.mark.parametrize("part", [1, 2, 3])
def test_a_resampler_that_begins_between_two_samples_is_a_shift_by_that_part(speech, part):
    """Of four times as many samples, every fourth one from the second, third or fourth on."""
    samples, rate = speech
    finer = soxr.resample(samples, 1, 4)
    finding = first(finer[0::4], finer[part::4], kind="waveform", axes="T", sample_rate=rate)
    assert finding.code == "time_shift"
    assert finding.detail["shift_samples"] == pytest.approx(-part / 4, abs=1e-3)
    assert finding.explains == pytest.approx(1.0, abs=0.01)
    assert f"actual comes {part / 4:g} samples earlier ({part / 4 / rate * 1000:.4g} ms)" in finding.message


@pytest.mark.parametrize("taps", [31, 32, 63, 64])
def test_a_filter_of_even_length_leaves_half_a_sample(speech, taps):
    """One of odd length leaves a whole number; both pass what speech has."""
    samples, _ = speech
    places = np.arange(taps) - (taps - 1) / 2
    late = np.convolve(samples, 0.95 * np.sinc(0.95 * places) * np.hamming(taps))[: len(samples)]
    finding = first(samples, late, kind="waveform", axes="T")
    assert finding.code == "time_shift"
    assert finding.detail["shift_samples"] == pytest.approx((taps - 1) / 2, abs=1e-3)
    assert ("even number of taps" in finding.message) == (taps % 2 == 0)


def test_a_shift_by_a_part_and_a_gain_are_both_named(speech):
    """As of a shift by whole samples."""
    finer = soxr.resample(speech[0], 1, 2)
    findings = compare(finer[0::2], 0.5 * finer[1::2], kind="waveform", axes="T").findings
    assert [finding.code for finding in findings[:2]] == ["time_shift", "gain"]
    assert findings[1].detail["gain"] == pytest.approx(0.5, abs=1e-3)


def test_frames_that_begin_half_a_hop_later_are_half_a_frame_early(speech):
    """The features in between are not quite those that a sinc reads there, and the shift is near enough."""
    samples, rate = speech

    def log_mel(start):
        frames = frames_of(samples[start:], _SIZE, _HOP)[:150] * np.hanning(_SIZE + 1)[:-1]
        return np.log(np.maximum(mel_filters(80, _SIZE, rate) @ np.abs(np.fft.rfft(frames)).T, 1e-5))

    declared = {"kind": "log_spectrum", "unit": "ln", "axes": "CT", "frame_rate": rate / _HOP}
    finding = first(log_mel(0), log_mel(_HOP // 2), **declared)
    assert finding.code == "time_shift"
    assert finding.detail["shift"] == pytest.approx(-0.5, abs=0.1)
    assert "where frames begin" in finding.message
    whole = first(log_mel(0), log_mel(_HOP), **declared)
    assert (whole.code, whole.detail["shift"]) == ("time_shift", -1)


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("hop", [160, 256])
def test_a_reflected_first_frame_that_agrees_hides_no_shift(clip, hop):
    """A shift by a sample leaves a frame alone whose two halves mirror each other; all others are wrong, by little."""
    samples = np.pad(spoken(clip), SIZE // 2, mode="reflect")
    sides = [filters() @ np.abs(spectrum(samples[k:], hop=hop, center=False)) ** 2 for k in (0, 1)]
    frames = min(side.shape[1] for side in sides)
    sides = [np.log(np.maximum(side[:, :frames], FLOOR)) for side in sides]
    finding = first(*sides, kind="log_spectrum", unit="ln", axes="CT")
    assert "where frames begin" in finding.message
    if finding.code == "time_shift":  # what lies between two frames is not quite what an interpolation reads there
        assert finding.detail["shift"] == pytest.approx(-1 / hop, abs=0.3 / hop)
    else:
        assert (finding.code, finding.detail["from"]) == ("diverges_from", 1)


@pytest.mark.parametrize("kernel", [[0.5, 0.5], [0.7, 0.3], [1.0, -0.97], [0.25, 0.5, 0.25]])
def test_a_filter_that_changes_the_spectrum_is_no_shift(speech, kernel):
    """The mean of two samples comes half a sample late too, and is dull."""
    samples, _ = speech
    assert first(samples, np.convolve(samples, kernel)[: len(samples)], kind="waveform", axes="T").code == "filtered"


def test_what_is_unrelated_or_short_has_no_shift():
    """A peak of the correlation is found in any two signals; of a few frames most are read from beyond an end."""
    rng = np.random.default_rng(0)
    for frames in (20, 95, 96, 200, 5000):
        one, two = rng.standard_normal((2, frames))
        codes = {finding.code for finding in compare(one, two, axes="T").findings}
        assert "time_shift" not in codes
    assert "time_shift" not in {f.code for f in compare(np.zeros(300), np.eye(1, 300)[0], axes="T").findings}


def test_wrong_ends_are_no_shift(speech):
    """What leaves out the ends leaves out what is wrong; that explains nothing of it."""
    actual = speech[0].copy()
    actual[-20:] += 0.1
    assert first(speech[0], actual, kind="waveform", axes="T").code == "edges"


@pytest.mark.parametrize(("shape", "axes"), [((33, 5), "TC"), ((5, 40), "CT"), ((2, 80, 6), "BTC")])
def test_complex_channels_that_are_each_later_are_a_delay_pattern(shape, axes):
    """Whatever stands on top of it is looked for with the axes where they were."""
    rng = np.random.default_rng(0)
    whole = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    time, channel = axes.index("T"), axes.index("C")
    rows = [np.roll(row, k, time - (channel < time)) for k, row in enumerate(np.moveaxis(whole, channel, 0))]
    for factor in (1, 2):
        late = factor * np.stack(rows, channel)
        found = compare(whole, late, axes=axes).findings
        assert (found[0].code, found[0].detail["frames"]) == ("delay_pattern", list(range(shape[channel])))
