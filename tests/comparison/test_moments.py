"""Moments of two sides at the edges of what float64 tells apart; the others are in `test_values`."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity.comparison.moments import cosine, moments
from pytest_audioparity.comparison.values import measure


@pytest.mark.parametrize("gain", [3.0, 0.1, -3.0, -0.7])
def test_rounding_makes_no_correlation_and_no_cosine_larger_than_1(gain):
    """Of a multiple both are 1 but for rounding, which is upwards in four of ten draws."""
    found = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        e = rng.standard_normal(int(rng.integers(2, 9)))
        sums = measure(e, gain * e)
        found += [moments(e, gain * e, sums)[2].correlation, cosine(e, gain * e, sums)]
    assert max(map(abs, found)) == 1
    assert found == pytest.approx([np.sign(gain)] * 200)


NOISE, OTHER = (np.random.default_rng(seed).standard_normal(1000) for seed in (0, 1))
BOTH = NOISE + OTHER


@pytest.mark.parametrize(
    ("expected", "actual", "correlation"),
    [
        (1e4 + 1e-4 * NOISE, OTHER, None),
        (1e200 * (1e6 + NOISE), OTHER, None),
        (OTHER, 1e200 * (1e6 + NOISE), None),
        (1e200 * (1e6 + NOISE), 2e200 * (1e6 + NOISE), 1.0),
        (1e100 * OTHER, 1e6 + NOISE, None),
        (1e6 + NOISE, 1e100 * OTHER, None),
        (1e12 * (9 + BOTH), 9 + OTHER, np.corrcoef(BOTH, OTHER)[0, 1]),
        (-1e12 * (9 + BOTH), -9 - OTHER, np.corrcoef(BOTH, OTHER)[0, 1]),
        (9 + OTHER, 1e12 * (9 + BOTH), np.corrcoef(BOTH, OTHER)[0, 1]),
    ],
)
def test_a_large_mean_and_another_size_cost_no_digits(expected, actual, correlation):
    """Where the mean is a million times the spread, plain sums have lost twelve of sixteen digits of the variance."""
    side_e, side_a, fit = moments(expected, actual, measure(expected, actual))
    for own, side in ((side_e, expected), (side_a, actual)):
        unit = 10.0 ** np.floor(np.log10(np.abs(side).max()))
        assert [own.mean / unit, own.std / unit] == pytest.approx([np.mean(side / unit), np.std(side / unit)], rel=1e-8)
    if correlation is None:
        correlation = np.corrcoef(NOISE, OTHER)[0, 1]
    assert fit.correlation == pytest.approx(correlation, rel=1e-8)
    assert fit.gain == pytest.approx(correlation * (side_a.std / side_e.std), rel=1e-8)


@pytest.mark.parametrize("value", [0.1, -0.1, 0.7, 1e16 / 3, 5e-324])
@pytest.mark.parametrize("count", [3, 7, 10, 1000])
def test_a_constant_is_its_own_mean_without_a_spread_on_either_side(value, count):
    constant, varied = np.full(count, value), np.linspace(-1, 2, count)
    for expected, actual, place in ((constant, varied, 0), (varied, constant, 1), (constant, constant, 0)):
        found = moments(expected, actual, measure(expected, actual))
        assert (found[place].mean, found[place].std) == (value, 0.0)
        assert (found[2].correlation, found[2].gain) == (None, 0.0 if place else None)


def test_silence_has_moments_beside_anything():
    silent = np.zeros(1000)
    for expected, actual, place in ((silent, 1e6 + NOISE, 0), (1e6 + NOISE, silent, 1)):
        found = moments(expected, actual, measure(expected, actual))
        assert (found[place].mean, found[place].std) == (0.0, 0.0)
        assert found[1 - place].std == pytest.approx(NOISE.std(), rel=1e-8)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_cosine_is_scaled_by_the_largest_of_a_side(sign):
    wide, narrow = sign * np.array([1e300, 1e-300]), np.array([1.0, 1.0])
    for pair in ((wide, narrow), (narrow, wide)):
        assert cosine(*pair, measure(*pair)) == pytest.approx(sign / np.sqrt(2))
