"""Time that runs at another speed: which ratio, and whether it is that of two sample rates."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from tests.diagnosis.test_permutations import mel
from tests.diagnosis.test_search import findings
from tests.faults.features import clip

MEL = np.tile(mel(0), 2)[:, :300]
DECLARED = {"kind": "log_spectrum", "unit": "ln", "axes": "CT"}
SPEECH = {"kind": "waveform", "axes": "T", "sample_rate": 16_000}
# What a synthesiser that is told a speed makes, and resamplers; none but 0.5 and 2 is the ratio of two usual rates.
SPEEDS = [0.41, 0.5, 0.83, 0.95, 0.97, 0.997, 1.003, 1.03, 1.05, 1.25, 1.37, 1.69, 2.0, 2.6]


@pytest.fixture(scope="module")
def speech():
    """Give speech behind a second of silence."""
    samples, _ = clip("austen")
    return np.concatenate([np.zeros(16_000), samples[:40_000]])


def run(ratio):
    """Return the mel with time run that many times as fast."""
    frames = np.arange(MEL.shape[1])
    return np.stack([np.interp(frames * ratio, frames, row) for row in MEL]).astype(np.float32)


@pytest.mark.parametrize("ratio", [256 / 240, 1.07, 1.075, 1.1, 1.105])
def test_a_speed_near_the_ratio_of_two_rates_is_not_called_theirs(ratio):
    first = findings(MEL, run(ratio), **DECLARED)[0]
    assert first.code == "sample_rate"
    assert first.detail["ratio"] == pytest.approx(ratio, abs=0.002)
    assert "rates" not in first.detail
    assert "no two usual rates" in first.message


@pytest.mark.parametrize("rates", [[24_000, 22_050], [48_000, 44_100], [44_100, 48_000], [11_025, 12_000]])
def test_the_ratio_of_two_rates_is_called_theirs(rates):
    first = findings(MEL, run(rates[0] / rates[1]), **DECLARED)[0]
    assert first.code == "sample_rate"
    assert first.detail["rates"][0] / first.detail["rates"][1] == pytest.approx(rates[0] / rates[1])


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "cut"])
@pytest.mark.parametrize("speed", SPEEDS)
def test_speech_at_any_speed_is_told_with_its_speed(speech, speed, whole):
    """Whether lengths tell of it, or both sides are cut to the shorter one."""
    run = soxr.resample(speech, speed, 1.0)
    n = None if whole else min(len(speech), len(run))
    first = findings(speech[:n], run[:n], **SPEECH)[0]
    assert first.code == "sample_rate"
    assert first.detail["ratio"] == pytest.approx(speed, rel=1e-4)


@pytest.mark.parametrize("speed", [speed for speed in SPEEDS if abs(speed - 1) > 0.01])
def test_features_at_any_speed_are_told_with_their_speed(speed):
    n = min(MEL.shape[1], int(MEL.shape[1] / speed))  # behind it, the last frame is held
    first = findings(MEL[:, :n], run(speed)[:, :n], **DECLARED)[0]
    assert first.code == "sample_rate"
    assert first.detail["ratio"] == pytest.approx(speed, rel=5e-3)


@pytest.mark.parametrize("hops", [2, 3, 4])
def test_every_so_manyth_frame_is_another_hop(hops):
    """Frames that are left out are not filtered before, as a resampler would."""
    first = findings(MEL, MEL[:, ::hops], **DECLARED)[0]
    assert (first.code, first.detail["ratio"]) == ("sample_rate", pytest.approx(hops, rel=1e-3))
    assert first.explains > 0.999


def test_a_track_that_varies_slowly_and_comes_a_frame_late_is_no_slower(speech):
    """A frame less in common moves the peak of its correlation."""
    energy = np.log(np.convolve(speech[16_000:48_000] ** 2, np.ones(800), "same")[::200] + 1e-6)
    for late in (1, 2, 5):
        first = findings(energy[late:], energy[:-late], axes="T")[0]
        assert (first.code, first.detail["shift"]) == ("time_shift", late)


def test_features_at_half_the_speed_do_not_repeat_frames():
    """Every second frame is one of expected's; those between them lie half way."""
    frames = np.minimum(np.arange(2 * MEL.shape[1]) / 2, MEL.shape[1] - 1)
    slow = np.stack([np.interp(frames, np.arange(MEL.shape[1]), row) for row in MEL])
    first = findings(MEL, slow[:, : MEL.shape[1]], **DECLARED)[0]
    assert (first.code, first.detail["ratio"]) == ("sample_rate", 0.5)
