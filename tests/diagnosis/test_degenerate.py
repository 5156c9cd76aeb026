"""A tensor without a signal is named as such, and a healthy one never."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_audioparity import compare
from pytest_audioparity.comparison.kinds import compare_values
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.diagnosis import degenerate
from pytest_audioparity.records import StageMeta


def findings(expected, actual):
    expected, actual = np.asarray(expected), np.asarray(actual)
    return tuple(degenerate.find(expected, actual, compare_values(expected, actual, StageMeta("x"), layered([], "x"))))


SIGNAL = np.sin(np.arange(60.0)).reshape(6, 10)


@pytest.mark.parametrize("actual", [SIGNAL, SIGNAL * 2, -SIGNAL, SIGNAL + 1, SIGNAL * 0 + np.arange(10)])
def test_a_tensor_with_a_signal_is_not_degenerate(actual):
    assert findings(SIGNAL, actual) == ()


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int16])
def test_zeros_where_a_signal_is_expected_are_named(dtype):
    (finding,) = findings((SIGNAL * 100).astype(dtype), np.zeros((6, 10), dtype))
    assert finding.code == "all_zero"


def test_one_value_everywhere_is_named_with_the_value():
    (finding,) = findings(SIGNAL, np.full((6, 10), 0.25))
    assert (finding.code, finding.detail) == ("constant", {"value": 0.25})
    assert "0.25" in finding.message


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_constant_is_no_finding_where_a_constant_is_expected(value):
    assert findings(np.full(5, 7.0), np.full(5, value)) == ()


def test_a_scalar_is_neither_zero_everywhere_nor_constant():
    assert findings(np.float64(1), np.float64(0)) == ()
    assert findings([1.0], [2.0]) == ()


@pytest.mark.parametrize(("sides", "named"), [("e", ["expected"]), ("a", ["actual"]), ("ea", ["expected", "actual"])])
def test_values_that_are_not_finite_are_counted_with_side_and_place(sides, named):
    e, a = SIGNAL.copy(), SIGNAL.copy()
    for letter, array in (("e", e), ("a", a)):
        if letter in sides:
            array[2, 3], array[4, 4], array[5, 0] = math.nan, math.inf, -math.inf
    found = findings(e, a)
    assert [finding.code for finding in found] == ["nonfinite"] * len(named)
    for finding, side in zip(found, named, strict=True):
        assert finding.detail == {"side": side, "nan": 1, "inf": 2, "first": [2, 3]}
        assert "1 NaN and 2 infinite of 60 values, the first at [2, 3]" in finding.message
        assert ("golden itself is bad" in finding.message) == (side == "expected")


FRAMES = np.random.default_rng(0).standard_normal((200, 64))
CODES = np.random.default_rng(0).integers(0, 1024, (8, 200))


@pytest.mark.parametrize(
    ("expected", "actual", "axes"),
    [
        (FRAMES, np.broadcast_to(FRAMES[3], FRAMES.shape), "TC"),
        (FRAMES + 9 * FRAMES[0], np.broadcast_to(9 * FRAMES[0], FRAMES.shape), "TC"),
        (FRAMES.T, np.broadcast_to(FRAMES[:1].T, FRAMES.T.shape), "CT"),
        (CODES, np.broadcast_to(CODES[:, :1], CODES.shape), "CT"),
    ],
)
def test_one_frame_at_all_times_is_constant(expected, actual, axes):
    """A layer that is given zeros returns its bias, at all times the same."""
    (finding,) = compare(expected, actual, axes=axes).findings
    assert (finding.code, finding.detail) == ("constant", {"axis": "T"})


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_what_is_the_same_at_all_times_but_for_noise_is_judged_by_its_values(noise):
    """As a conditioning that is repeated along time, and rounded on one side alone."""
    row = np.broadcast_to(FRAMES[0], FRAMES.shape)
    found = compare(row + noise * FRAMES, 1.5 * row, axes="TC").findings
    assert found[0].code in ("gain", "channel_gain")
