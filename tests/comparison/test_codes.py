"""Codes are equal or not: nothing in between, for every integer type."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_audioparity.comparison.codes import match_per_codebook, match_rate


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_the_match_rate_is_the_correctly_rounded_share_and_its_place_the_first(case):
    size, wrong = case
    expected = np.zeros(size, np.int64)
    actual = expected.copy()
    actual[size - wrong :] = 1
    share, first = match_rate(expected, actual)
    assert share == (size - wrong) / size
    assert first == (size - wrong if wrong else None)


def test_codes_beyond_float64_are_told_apart():
    assert match_rate(np.array([2**63 - 1], np.int64), np.array([2**63 - 2], np.int64)) == (0.0, 0)
    assert match_rate(np.array([2**64 - 1], np.uint64), np.array([2**64 - 2], np.uint64)) == (0.0, 0)


def test_signed_and_unsigned_codes_are_compared_by_value_and_not_by_bits():
    assert match_rate(np.array([-1], np.int64), np.array([2**64 - 1], np.uint64)) == (0.0, 0)
    assert match_rate(np.array([2**63 - 1], np.int64), np.array([2**63], np.uint64)) == (0.0, 0)
    assert match_rate(np.array([2**62 + 1], np.int64), np.array([2**62 + 1], np.uint64)) == (1.0, None)
    assert match_rate(np.array([-1], np.int8), np.array([255], np.uint8)) == (0.0, 0)


@pytest.mark.parametrize("code", [1e30, -1e30, 5.5])
def test_a_float_that_is_no_code_is_wrong_and_no_warning(code):
    assert match_rate(np.array([5], np.int32), np.array([code])) == (0.0, 0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_codebook_is_counted_on_its_own(axis):
    expected = np.zeros((3, 4, 5), np.int32)
    actual = expected.copy()
    np.moveaxis(actual, axis, 0)[1].flat[2] = 7
    rows = match_per_codebook(expected, actual, axis)
    size = expected.size // expected.shape[axis]
    assert rows[1] == {"match": (size - 1) / size, "first": 2}
    assert all(row == {"match": 1.0, "first": None} for i, row in enumerate(rows) if i != 1)


def test_one_dimensional_codebooks_of_one_code_each_are_counted():
    rows = match_per_codebook(np.array([1, 2]), np.array([1, 3]), 0)
    assert rows == [{"match": 1.0, "first": None}, {"match": 0.0, "first": 0}]
