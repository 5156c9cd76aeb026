"""Every number that a comparison shows is that of exact arithmetic, for any dtype, layout and bit pattern."""

from __future__ import annotations

import cmath
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pytest_audioparity.comparison.kinds import along_axes, compare_values, describe
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.records import DB_PER_UNIT, StageMeta
from tests.properties import arrays
from tests.properties.oracle import Numbers

# Squares of values this far below 1, or below the largest, leave float64; see _SMALLEST in comparison.scales.
_VANISHING = 1e-140
# Values below have fewer digits.
_SUBNORMAL = 1e-300
# The smallest number there is, which half of it may be rounded to.
_LEAST = 5e-324
# The largest; the difference of two such numbers has no number.
_MOST = float(np.finfo(np.float64).max)
# What a sum in float64 may lose of what was summed.
_ROUNDING = 1e-13
# Moments keep at least half of float64's digits; see _DOMINANT_MEAN and _INCOMPARABLE in comparison.moments.
_HALF_OF_THE_DIGITS = 1e-6
REAL = tuple(name for name in arrays.DTYPES if name not in arrays.COMPLEX)


def numbers(expected, actual, kind="tensor", *, rtol=0.0, **declared):
    return compare_values(expected, actual, StageMeta("x", kind, **declared), layered([{"rtol": rtol}], "x"))


def near(value, *, rel=1e-9, absolute=0.0, least=_SUBNORMAL):
    return value if value is None or math.isinf(value) else pytest.approx(value, rel=rel, abs=max(absolute, least))


def is_in_range(exact, whole=None):
    """Whether no sum of squares leaves float64, at the scale of the whole: what is lost there is a case of its own."""
    top = max(map(abs, (*(whole or exact).e, *(whole or exact).a)))
    least = Fraction(_VANISHING) * (1 if _VANISHING < top < 1 / Fraction(_VANISHING) else top)
    least = max(least, Fraction(_SUBNORMAL))
    return all(one == 0 or one > least**2 for one in (exact.squares_e, exact.squares_a, exact.squares_d))


@given(arrays.sides())
@example((np.array(_MOST), np.array(-_MOST)))
@example((np.array([_MOST, _MOST]), np.array([-_MOST / 2, -_MOST])))
def test_decibels_are_those_of_exact_sums(sides):
    """Deviation, peak, ratio and level, and the largest difference with its place."""
    exact = Numbers(*sides)
    assume(is_in_range(exact))
    shown = numbers(*sides)
    for name in ("deviation_db", "peak_db", "snr_db", "level_db"):
        assert getattr(shown, name) == near(getattr(exact, name), absolute=1e-12), name
    assert shown.max_abs == near(exact.max_abs, rel=1e-15, least=_LEAST)
    assert (shown.worst is None) == (exact.worst == 0)
    if shown.worst is not None:
        place = int(np.ravel_multi_index(shown.worst.index, sides[0].shape))
        assert exact.moduli[place] >= exact.worst * (1 - Fraction(_ROUNDING))
        told = [arrays.elements(side)[place] for side in sides]
        told = [math.hypot(x.real, x.imag) if isinstance(x, complex) else x for x in told]
        assert [shown.worst.expected, shown.worst.actual] == told


@given(arrays.sides(equal_dtypes=False))
def test_sides_of_two_types_are_compared_by_value(sides):
    """A bfloat16 beside an int8, a float8 beside a complex number: what float64 makes of both."""
    exact = Numbers(*sides)
    # Larger integers are rounded where the other side is of another type.
    assume(is_in_range(exact) and max(map(abs, (*exact.e, *exact.a))) < 2**53)
    shown = numbers(*sides)
    for name in ("deviation_db", "peak_db", "snr_db", "level_db"):
        assert getattr(shown, name) == near(getattr(exact, name), absolute=1e-12), name


@given(arrays.sides())
def test_statistics_of_both_sides_are_those_of_exact_sums(sides):
    """Min and max exactly, the bias to what a sum in float64 keeps, mean and spread to half of the digits."""
    exact, shown = Numbers(*sides), numbers(*sides)
    assume(is_in_range(exact))
    for side, own in ((shown.expected, exact.e), (shown.actual, exact.a)):
        low, high, mean, std = exact.side(own)
        size = max(abs(low), abs(high))
        assert [side.min, side.max] == [low, high]
        assert side.mean == near(mean, rel=_HALF_OF_THE_DIGITS, absolute=_ROUNDING * size)
        assert side.std == near(std, rel=_HALF_OF_THE_DIGITS)
    size = max(abs(one) for side in (shown.expected, shown.actual) for one in (side.min, side.max))
    assert shown.bias == near(exact.bias, absolute=_ROUNDING * size)


@given(arrays.sides())
def test_the_line_between_two_sides_is_that_of_least_squares(sides):
    """Gain, offset and correlation, None where a constant leaves them undefined."""
    exact, shown = Numbers(*sides), numbers(*sides)
    assume(is_in_range(exact))
    gain, offset, correlation = exact.fit
    assert shown.correlation == near(correlation, absolute=_HALF_OF_THE_DIGITS)
    if gain is None:
        assert (shown.gain, shown.offset) == (None, None)
        return
    (_, _, mean_e, std_e), (_, _, mean_a, std_a) = exact.side(exact.e), exact.side(exact.a)
    loose = _HALF_OF_THE_DIGITS * std_a / std_e if std_e else 0.0
    assert shown.gain == near(gain, absolute=loose)
    assert shown.offset == near(offset, absolute=loose * abs(mean_e) + 1e-9 * abs(mean_a))


@given(arrays.sides(REAL), st.sampled_from(sorted(DB_PER_UNIT)))
def test_a_log_spectrum_has_the_mean_and_the_largest_distance(sides, unit):
    """In dB of its unit, by its factor."""
    exact, shown = Numbers(*sides), numbers(*sides, "log_spectrum", unit=unit)
    assume(is_in_range(exact))
    factor = DB_PER_UNIT[unit]
    assert shown.deviation_db == near(exact.mean_abs * factor)
    assert shown.peak_db == near(exact.max_abs * factor)


@given(arrays.sides(REAL), st.sampled_from([0.0, 0.25, 1.0, 3.0]))
def test_the_excess_is_the_largest_beyond_the_allowance(sides, rtol):
    """max(|a − e| − rtol·|e|)."""
    exact, shown = Numbers(*sides), numbers(*sides, rtol=rtol)
    allowed = [abs(d) - type(d)(rtol) * abs(e) for d, e in zip(exact.d, exact.e, strict=True)]
    size = float(max(map(abs, (*exact.e, *exact.a))))
    assume(size * max(rtol, 1.0) < 1e308)
    assert shown.excess == near(float(max(allowed)), absolute=4e-16 * size * max(rtol, 1.0))


@given(arrays.sides(arrays.INTEGERS))
def test_codes_have_the_share_that_is_equal_and_the_first_that_is_not(sides):
    """Counted element by element, by value."""
    pairs = list(zip(*map(arrays.elements, sides), strict=True))
    wrong = [place for place, (e, a) in enumerate(pairs) if e != a]
    shown = numbers(*sides, "codes")
    assert shown.match == (len(pairs) - len(wrong)) / len(pairs)
    assert (shown.worst is None) == (not wrong)
    if wrong:
        assert np.ravel_multi_index(shown.worst.index, sides[0].shape) == wrong[0]
        assert (shown.worst.expected, shown.worst.actual) == pairs[wrong[0]]


@arrays.HALF
@given(arrays.sides(arrays.FLOATS))
def test_a_profile_has_the_numbers_of_each_part_alone(sides):
    """Deviation and bias of each channel, and of each frame, are those of a comparison of that part."""
    assume(sides[0].ndim >= 2)
    exact = Numbers(*sides)
    assume(is_in_range(exact))
    axes = "CTXYZ"[: sides[0].ndim]
    found = along_axes(*sides, StageMeta("x", "tensor", axes))
    assert (found["time_piece"], len(found["per_channel"]), len(found["over_time"])) == (1, *sides[0].shape[:2])
    for axis, name in ((0, "per_channel"), (1, "over_time")):
        for index, value in enumerate(found[name]):
            part = Numbers(*(side.take(index, axis) for side in sides))
            if is_in_range(part, exact):
                assert value == near(part.deviation_db, absolute=1e-12)
    for index, value in enumerate(found["bias_per_channel"]):
        part = Numbers(*(side[index] for side in sides))
        if is_in_range(part, exact):
            assert value == near(part.bias, absolute=_ROUNDING * float(max(map(abs, (*part.e, *part.a)))))


@arrays.HALF
@given(arrays.sides(tuple(name for name in arrays.DTYPES if name not in arrays.INTEGERS), finite=False))
def test_values_that_are_not_finite_are_counted_and_the_rest_is_described(sides):
    """NaN of any payload and infinities of either sign, whichever side and place; no number is computed of them."""
    shown = numbers(*sides)
    broken = False
    for side, array in ((shown.expected, sides[0]), (shown.actual, sides[1])):
        told = arrays.elements(array)
        nan = [place for place, one in enumerate(told) if one != one]
        inf = [place for place, one in enumerate(told) if place not in nan and cmath.isinf(one)]
        broken = broken or bool(nan or inf)
        assert (side.nan, side.inf) == (len(nan), len(inf))
        bad = (*nan, *inf)
        first = min(bad, default=None)
        assert side.first_nonfinite == (None if first is None else np.unravel_index(first, array.shape))
        if len(bad) < array.size:
            rest = np.delete(np.array(array).ravel(), np.array(bad, int))  # np.isfinite warns of a NaN that signals
            low, high, mean, _ = Numbers(rest, rest).side(Numbers(rest, rest).e)
            assert [side.min, side.max] == [low, high]
            assert side.mean == near(mean, absolute=_ROUNDING * max(abs(low), abs(high)))
            assert replace(describe(array), mean=side.mean, std=side.std) == side
    assert (shown.deviation_db is None) == broken
