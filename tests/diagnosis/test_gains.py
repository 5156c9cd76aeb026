"""A gain for each index of an axis: windows, whose ends are zero, single zeros, and what is no gain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pytest_audioparity import compare
from tests.diagnosis.fronts import CLIPS, log_mel, spoken

SPEECH = Path(__file__).parents[1] / "data" / "speech"
LENGTH, HOP = 400, 160
HANN = np.hanning(LENGTH)
WINDOWS = {
    "hann": HANN,
    "periodic hann": np.hanning(LENGTH + 1)[:-1],
    "hamming": np.hamming(LENGTH),
    "sqrt hann": np.sqrt(HANN),
    "blackman": np.blackman(LENGTH),
    "povey": HANN**0.85,
    "none": np.ones(LENGTH),
}


def _spoken():
    """Return frames of 25 ms of real speech."""
    audio, rate = soundfile.read(SPEECH / "pocketsphinx_cards_002.wav", dtype="float32")
    assert rate == 16000
    return np.lib.stride_tricks.sliding_window_view(audio, LENGTH)[::HOP]


FRAMES = {
    "speech": _spoken()[:98],
    "white noise": np.random.default_rng(0).standard_normal((98, LENGTH)).astype(np.float32),
}
NOISE = FRAMES["white noise"]
GAINS = (1 + 0.3 * np.random.default_rng(1).standard_normal(LENGTH)).astype(np.float32)


def with_zero(side, index=7):
    zeroed = side.copy()
    zeroed[..., index] = 0
    return zeroed


PAIRS = [
    *(pair for name in WINDOWS if name != "hann" for pair in (("hann", name), (name, "hann"))),
    ("periodic hann", "hamming"),
    ("hamming", "blackman"),
]


def _check_window(right, wrong, frames, axes):
    expected, actual = (frames * WINDOWS[name].astype(np.float32) for name in (right, wrong))
    finding = compare(expected, actual, axes=axes).findings[0]
    assert finding.code == "channel_gain"
    silent = WINDOWS[right] == 0
    difference = np.square(actual.astype(np.float64) - expected)
    assert finding.explains == pytest.approx(difference[:, ~silent].sum() / difference.sum(), abs=1e-4)
    assert "window functions" in finding.message


@pytest.mark.parametrize("signal", FRAMES)
@pytest.mark.parametrize(("right", "wrong"), PAIRS)
def test_another_window_is_a_gain_along_the_frame(right, wrong, signal):
    """It removes all that the window of expected has not silenced, and the report names window functions."""
    _check_window(right, wrong, FRAMES[signal], "TC")


@pytest.mark.parametrize(("right", "wrong"), PAIRS[:4])
def test_another_window_is_found_without_axes(right, wrong):
    """The axis of the frame need not be named."""
    _check_window(right, wrong, FRAMES["speech"], None)


@pytest.mark.parametrize("lowest", [0.0, 1e-6, 1e-3])
def test_one_gain_of_zero_is_a_gain_among_others(lowest):
    """One silent or nearly silent index of actual does not hide the gains of 399 others."""
    gains = with_zero(GAINS)
    gains[7] = lowest
    (finding,) = compare(NOISE, NOISE * gains, axes="TC").findings
    assert (finding.code, finding.explains) == ("channel_gain", pytest.approx(1.0, abs=1e-6))
    assert finding.detail["gains"] is None
    assert "400 of 400 not 1" in finding.message
    assert "window" not in finding.message


def test_where_expected_is_silent_no_gain_is_known():
    """What actual has there is a finding of its own, and the gains beside it are found."""
    gain, rest = compare(with_zero(NOISE), NOISE * GAINS, axes="TC").findings
    assert (gain.code, rest.code, rest.detail["indices"]) == ("channel_gain", "channels", [7])
    assert gain.explains + rest.explains == pytest.approx(1.0, abs=1e-6)
    assert gain.explains < 1 - 0.5 * rest.explains


def test_an_index_with_other_content_has_no_gain():
    """The gains of the others explain their part, and the share of this index stays outside."""
    actual = NOISE * GAINS
    actual[:, 7] = np.random.default_rng(2).standard_normal(len(actual))
    gain, rest = compare(NOISE, actual, axes="TC").findings
    assert (gain.code, rest.code, rest.detail["indices"]) == ("channel_gain", "channels", [7])


@pytest.mark.parametrize("signal", FRAMES)
@pytest.mark.parametrize("is_in_actual", [True, False])
def test_a_dead_channel_is_a_place(signal, is_in_actual):
    """All others are right, which says more than a gain of 0."""
    whole = FRAMES[signal]
    sides = (whole, with_zero(whole)) if is_in_actual else (with_zero(whole), whole)
    (finding,) = compare(*sides, axes="TC").findings
    assert (finding.code, finding.detail["indices"]) == ("channels", [7])


@pytest.mark.parametrize("is_windowed", [True, False])
@pytest.mark.parametrize("signal", FRAMES)
@pytest.mark.parametrize("seed", [10, 11])
def test_noise_has_no_gains(signal, seed, is_windowed):
    """As many gains as a frame has samples follow noise a little, which does not pay for them."""
    expected = FRAMES[signal] * (HANN if is_windowed else WINDOWS["none"])
    spread = 0.004 * expected.std() * np.random.default_rng(seed).standard_normal(expected.shape)
    (finding,) = compare(expected, expected + spread, axes="TC").findings
    assert finding.code == "rounding"


@pytest.mark.parametrize("count", [8, 20])
def test_content_that_is_half_other_has_no_gains(count):
    """The best gain of an index with unrelated content is near 0 and removes half of its difference."""
    rng = np.random.default_rng(3)
    expected, actual = (rng.standard_normal((count, LENGTH)) for _ in range(2))
    actual[:, ::2] = expected[:, ::2]
    assert "channel_gain" not in [finding.code for finding in compare(expected, actual, axes="TC").findings]


def _normalised(side, axis):
    return ((side - side.mean(axis, keepdims=True)) / side.std(axis, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("declared", ["CT", None])
@pytest.mark.parametrize(("axis", "label"), [(1, "C"), (0, "T")])
@pytest.mark.parametrize("name", CLIPS)
def test_a_normalisation_by_mean_and_deviation_is_a_gain_and_an_offset_for_each_index(name, axis, label, declared):
    """Of each bin over time (CMVN), or of each frame over its bins; missing, and one too many."""
    mel = log_mel(spoken(name))
    mel = mel[np.ptp(mel, axis=1) > 0.1]
    for expected, actual in ((mel, _normalised(mel, axis)), (_normalised(mel, axis), mel)):
        found = compare(expected, actual, axes=declared).findings
        assert [finding.code for finding in found] == ["channel_gain", "channel_offset"]
        assert {finding.detail["axis"] for finding in found} == {label if declared else f"axis {1 - axis}"}
        assert sum(finding.explains for finding in found) > 0.999


def test_a_normalisation_per_bin_for_one_of_all_is_a_gain_and_an_offset_for_each():
    mel = log_mel(spoken(CLIPS[0]))
    mel = mel[np.ptp(mel, axis=1) > 0.1]
    found = compare(_normalised(mel, None), _normalised(mel, 1), axes="CT").findings
    assert [finding.code for finding in found] == ["channel_gain", "channel_offset"]
    gains = (mel.std() / mel.std(axis=1)).astype(np.float64)
    np.testing.assert_allclose(found[0].detail["gains"], gains, rtol=1e-3)


@pytest.mark.parametrize("declared", [{"kind": "log_spectrum", "unit": "ln"}, {}])
@pytest.mark.parametrize("slope", [2.0, 0.5, 1 / np.log(10)])
def test_one_slope_with_an_offset_for_each_index_is_told_as_both(slope, declared):
    """As of another unit where the filters are not normalised: wide ones gain more by a square than narrow ones."""
    mel = log_mel(spoken(CLIPS[0]), floor=1e-12)
    offsets = np.linspace(0, 3, len(mel))[:, None]
    found = compare(mel, (slope * mel + offsets).astype(np.float32), axes="CT", **declared).findings
    assert [finding.code for finding in found] == ["log_base" if declared else "gain", "channel_offset"]
    assert found[0].detail.get("slope", found[0].detail.get("gain")) == pytest.approx(slope, rel=1e-5)
    np.testing.assert_allclose(found[1].detail["offsets"], offsets[:, 0], atol=1e-3)
