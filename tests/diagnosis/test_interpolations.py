"""Interpolations that read at other places, or hold what others connect: F0 and features brought to a rate."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare

# The places that an output is read at, as ONNX' Resize calls them; torch has half_pixel and align_corners.
PLACES = {
    "half_pixel": lambda n, m: (np.arange(m) + 0.5) * n / m - 0.5,
    "asymmetric": lambda n, m: np.arange(m) * n / m,
    "align_corners": lambda n, m: np.arange(m) * (n - 1) / (m - 1),
}
# Up twice and four times, 50 to 86 frames in a second, a 10 ms hop to 16 ms.
LENGTHS = [(50, 100), (120, 480), (200, 344), (640, 400)]


def tracks(frames: int, *, smooth: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    window = np.hanning(2 * smooth + 1)
    noise = rng.standard_normal((12, frames + 2 * smooth))
    return np.stack([np.convolve(row, window / window.sum(), "valid") for row in noise])


def interpolated(values: np.ndarray, length: int, places: str) -> np.ndarray:
    at = PLACES[places](values.shape[1], length)
    return np.stack([np.interp(at, np.arange(row.size), row) for row in values]).astype(np.float32)


def held(values: np.ndarray, length: int) -> np.ndarray:
    at = np.floor(PLACES["asymmetric"](values.shape[1], length)).astype(int)
    return values[:, at].astype(np.float32)


def read_at(lengths: tuple[int, int], places: str):
    """Return what is said of tracks that are read at these places where others read in the middle."""
    values = tracks(lengths[0], smooth=8)
    return first(interpolated(values, lengths[1], "half_pixel"), interpolated(values, lengths[1], places))


def first(expected, actual):
    return compare(expected, actual, axes="CT").findings[0]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_corners_for_centres_run_from_early_to_late(lengths):
    """Each end is off by half of what one step of the input is in the output, less half a step of that."""
    n, m = lengths
    finding = read_at(lengths, "align_corners")
    assert finding.code == "sample_rate"
    assert finding.explains > 0.9
    off = (m / n - 1) / 2
    assert finding.detail["ahead"] == pytest.approx([off, -off], abs=0.1 * abs(off))
    assert finding.detail["ratio"] == pytest.approx((n - 1) / (m - 1) * m / n, abs=1e-3)
    assert "align_corners" in finding.message


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_left_ends_for_centres_are_a_shift(lengths):
    """By half of what one step of the input is in the output, less half a step of that; of few frames too."""
    n, m = lengths
    finding = read_at(lengths, "asymmetric")
    assert finding.code == "time_shift"
    assert finding.detail["shift"] == pytest.approx(-(m / n - 1) / 2, abs=0.05)


def test_a_shift_of_few_frames_need_not_be_whole():
    wide = tracks(61, smooth=4)
    expected = wide[:, :60].astype(np.float32)
    actual = (0.7 * wide[:, :60] + 0.3 * wide[:, 1:]).astype(np.float32)
    finding = first(expected, actual)
    assert finding.code == "time_shift"
    assert finding.detail["shift"] == pytest.approx(-0.3, abs=0.02)


@pytest.mark.parametrize("size", [400, 1024, 1200])
def test_a_symmetric_window_for_a_periodic_one_is_off_by_one_at_its_end(size):
    periodic, symmetric = (np.hanning(points)[:size].astype(np.float32) for points in (size + 1, size))
    finding = compare(periodic, symmetric).findings[0]
    assert (finding.code, finding.detail["ahead"]) == ("sample_rate", pytest.approx([0, 1], abs=0.02))
    assert "symmetric windows" in finding.message


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_values_that_are_held_are_repeated_frames(factor):
    values = tracks(100, smooth=8)
    finding = first(interpolated(values, 100 * factor, "half_pixel"), held(values, 100 * factor))
    assert finding.code == "repeated_frames"
    assert finding.detail["each"] == pytest.approx(factor, abs=0.1)
    assert finding.explains > 0.9


def test_one_frame_at_all_times_holds_no_values_of_others():
    noise = np.random.default_rng(0).standard_normal((200, 64)).T
    row = np.broadcast_to(noise[:, :1], noise.shape)
    assert first(row + 0.01 * noise, 1.5 * row).code != "repeated_frames"


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_lines_between_values_that_were_held_are_a_filter(factor):
    values = tracks(100, smooth=8)
    finding = first(held(values, 100 * factor), interpolated(values, 100 * factor, "half_pixel"))
    assert finding.code in ("filtered", "time_shift")


@pytest.mark.parametrize("seed", range(5))
def test_coarse_values_are_held_here_and_there_and_are_no_frames_that_repeat(seed):
    expected = tracks(400, smooth=20, seed=seed).astype(np.float32)
    step = np.float32(np.ptp(expected) / 60)
    assert first(expected, np.round(expected / step) * step).code == "quantised"


@pytest.mark.parametrize("seed", range(5))
def test_two_other_tracks_are_no_interpolation_of_each_other(seed):
    expected, actual = (tracks(200, smooth=8, seed=10 * seed + i).astype(np.float32) for i in (1, 2))
    assert first(expected, actual).code == "uncorrelated"


def test_what_is_right_but_for_its_ends_is_no_stretch():
    """A filter, or an interpolation, leaves its ends as they are."""
    rng = np.random.default_rng(0)
    expected = rng.standard_normal((16, 100)).astype(np.float32)
    actual = expected.copy()
    actual[:, 2:-2] = np.sin(7 * expected[:, 2:-2])
    assert all(finding.code != "diverges_from" for finding in compare(expected, actual, axes="CT").findings)
