"""Numbers as text say what the number says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_audioparity.report.numbers import SHORT, decibel, percent, round_down, round_up, short

positive = st.floats(min_value=1e-12, max_value=1e6)


@given(st.floats(allow_nan=False))
def test_a_short_number_fits_its_column_and_is_close(value):
    text = short(value)
    assert len(text) <= SHORT
    if 1e-300 < abs(value) < 1e300:
        assert float(text) == pytest.approx(value, rel=0.5)


@given(positive)
def test_a_tolerance_rounded_up_is_never_below_the_number_and_near_it(value):
    assert value <= float(round_up(value)) <= value * 1.02


@given(positive)
def test_a_limit_rounded_down_is_never_above_the_number_and_near_it(value):
    assert value * 0.98 <= float(round_down(value)) <= value


@given(positive)
def test_a_deviation_is_zero_only_if_it_is(value):
    assert float(decibel(value)) > 0
    assert decibel(0.0) == "0"


@given(st.floats(min_value=0, max_value=1))
def test_a_share_reads_as_none_or_all_only_if_it_is(share):
    assert (percent(share) == "0 %") == (share == 0)
    assert (percent(share) == "100 %") == (share == 1)


def test_known_numbers_read_as_expected():
    assert [short(v) for v in (None, 0, 1.0, -0.0085, 2.2e-5, -123456.0, math.inf)] == [
        "-",
        "0",
        "1",
        "-0.0085",
        "2.2e-5",
        "-1.23e5",
        "inf",
    ]
    assert [decibel(v) for v in (None, 0.00012, 0.0123456, 1.4567, 62.0)] == ["-", "1.2e-4", "0.0123", "1.46", "62.00"]
    assert [round_up(1.4561), round_up(0.01), round_down(0.98765)] == ["1.46", "0.01", "0.987"]
