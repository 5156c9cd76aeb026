"""Codes that are all the same step away, and steps that no int64 holds."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare

LOWEST = np.iinfo(np.int64).min


@pytest.mark.parametrize(
    ("expected", "actual", "offset"),
    [
        (np.array([0, 1, 1, 1] * 3, np.int8), np.array([0, LOWEST, LOWEST, LOWEST] * 3), None),
        (np.arange(12) + 2**62, np.arange(12) - 2**62, None),
        (np.arange(12), np.arange(12) + 3, 3),
    ],
)
def test_a_step_is_told_where_there_is_one_and_nothing_fails_where_there_is_not(expected, actual, offset):
    """Whatever an int64 holds."""
    result = compare(expected, actual, kind="codes", dtype="any")
    assert not result.passed
    offsets = [finding.detail["offset"] for finding in result.findings if finding.code == "offset"]
    assert offset is None or offsets == [offset]


def _codes(codebooks, frames, size=2048):
    return np.random.default_rng(codebooks).integers(0, size, (codebooks, frames))


@pytest.mark.parametrize(("codebooks", "frames"), [(4, 60), (8, 150), (9, 86), (32, 125)])
@pytest.mark.parametrize("right", [1, 2])
def test_codebooks_behind_the_first_ones_are_named(codebooks, frames, right):
    """As of a residual quantiser, or of a second transformer over the codebooks, that goes wrong after the first."""
    codes = _codes(codebooks, frames)
    actual = np.concatenate([codes[:right], _codes(codebooks + 1, frames)[:-1][right:]])
    found = compare(codes, actual, axes="CT", kind="codes").findings[0]
    assert (found.code, found.detail["indices"]) == ("channels", list(range(right, codebooks)))


@pytest.mark.parametrize(("codebooks", "frames"), [(4, 60), (9, 86), (32, 125)])
def test_a_few_wrong_codes_here_and_there_have_no_place(codebooks, frames):
    codes = _codes(codebooks, frames)
    actual = np.where(np.random.default_rng(0).random(codes.shape) < 0.03, 5, codes)
    found = compare(codes, actual, axes="CT", kind="codes").findings[0]
    assert found.code in ("unexplained", "spikes")


@pytest.mark.parametrize(("codebooks", "frames"), [(3, 40), (9, 86), (32, 125)])
@pytest.mark.parametrize("axes", ["CT", "TC", "BCT"])
def test_a_delay_that_made_codes_longer_is_a_delay_pattern(codebooks, frames, axes):
    codes = _codes(codebooks, frames)
    late = np.stack([np.pad(row, (k, codebooks - 1 - k), constant_values=2048) for k, row in enumerate(codes)])
    order = {"CT": lambda side: side, "TC": lambda side: side.T, "BCT": lambda side: side[None]}[axes]
    for expected, actual, step in ((codes, late, 1), (late, codes, -1)):
        found = compare(order(expected), order(actual), axes=axes, kind="codes").findings
        assert [finding.code for finding in found] == ["delay_pattern", "length", "shape"]
        assert (found[0].detail["axis"], found[0].detail["frames_per_index"]) == ("C", step)


@pytest.mark.parametrize("name", ["uint8", "int8", "int16"])
def test_codes_that_overflow_a_small_type_are_told_with_the_type(name):
    codes = _codes(8, 120, 60000 if name == "int16" else 1024)
    found = compare(codes, codes.astype(name).astype(np.int64), axes="CT", kind="codes").findings[0]
    assert (found.code, found.detail) == ("clipped", {"dtype": name})


@pytest.mark.parametrize(("codebooks", "frames"), [(16, 40), (32, 99)])
def test_many_codebooks_of_a_short_clip_that_come_late_are_a_delay_pattern(codebooks, frames):
    """Of the last one a third of the clip is missing; that all but the first differ says nothing."""
    codes = _codes(codebooks, frames)
    actual = np.full_like(codes, 2047)
    for k in range(codebooks):
        actual[k, k:] = codes[k, : frames - k]
    assert compare(codes, actual, kind="codes", axes="CT").findings[0].code == "delay_pattern"


def test_a_frame_whose_codes_are_all_off_by_one_number_is_told_as_that_frame():
    """Not as offsets of all frames, of which the others are 0."""
    codes = _codes(8, 60)
    actual = codes.copy()
    actual[:, 23] += 7
    finding = compare(codes, actual, kind="codes", axes="CT").findings[0]
    assert (finding.code, finding.detail["runs"]) == ("spikes", [[23, 23]])
