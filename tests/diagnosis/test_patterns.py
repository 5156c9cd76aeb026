"""Rows that are late by a number of frames of their own each, as the codebooks of codec language models."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare
from tests.diagnosis.fronts import CLIPS, spoken

CODES = np.random.default_rng(5).integers(0, 1024, (9, 300))
FIRST_IN_TIME = [0, *[1] * 8]
FAR_BEHIND = [0, *range(8, 16)]


def delayed(shifts, filler):
    """Return the codes, row k late by the k-th shift, with a filler in front or behind."""
    rows = np.full_like(CODES, filler)
    for row, codes, shift in zip(rows, CODES, shifts, strict=True):
        row[max(0, shift) : 300 + min(0, shift)] = codes[max(0, -shift) : 300 - max(0, shift)]
    return rows


@pytest.mark.parametrize("filler", [0, 1024])
@pytest.mark.parametrize("shifts", [FIRST_IN_TIME, FAR_BEHIND, [-shift for shift in FAR_BEHIND], range(0, 18, 2)])
def test_rows_may_be_late_by_any_numbers_of_frames(shifts, filler):
    found = compare(CODES, delayed(shifts, filler), kind="codes", axes="CT").findings[0]

    assert (found.code, found.detail["frames"]) == ("delay_pattern", list(shifts))


def test_rows_that_are_all_as_late_are_shifted():
    found = compare(CODES, delayed([2] * 9, 0), kind="codes", axes="CT").findings[0]

    assert found.code == "time_shift"


def test_one_ear_that_is_late_is_named_with_its_samples():
    noise = np.random.default_rng(2).standard_normal((2, 4000))
    actual = np.stack([noise[0], np.roll(noise[1], 37)])
    found = compare(noise, actual, kind="waveform", axes="CT", sample_rate=16000).findings[0]

    assert (found.code, found.detail["frames"]) == ("delay_pattern", [0, 37])


@pytest.mark.parametrize("name", CLIPS)
def test_kernels_that_are_flipped_are_no_delay_pattern(name):
    """Each answers early or late by what it is off the middle, and otherwise too."""
    noise = np.random.default_rng(0).standard_normal((64, 16))
    kernels = np.array([np.convolve(row, np.hanning(7), "same") for row in noise])
    frames = np.lib.stride_tricks.sliding_window_view(spoken(name), 16)[::8]
    found = compare(kernels @ frames.T, kernels[:, ::-1] @ frames.T, axes="CT").findings
    assert "delay_pattern" not in [finding.code for finding in found]
