"""Means, spreads and the straight line between two sides, without the cancellation that plain sums suffer.

Var x = Σx²/n − mean², and Σea = (Σe² + Σa² − Σ(a−e)²)/2: both lose their digits when a mean is large beside the
spread, or when one side is many orders of magnitude larger than the other. Then another pass scales each side by its
own spread and shifts it by its own mean first.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_audioparity.comparison.scales import power_of_two_for
from pytest_audioparity.comparison.values import Job, Sums, measure, run

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Σx² − n·mean² has lost half of float64's 16 digits when mean² is this much larger than the variance.
_DOMINANT_MEAN = 1e8
# What is taken of both sides together has lost half of the smaller one's digits when the squares differ by this much.
_INCOMPARABLE = 1e16


class SideMoments(NamedTuple):
    """Mean and standard deviation of one side, of complex values over both parts."""

    mean: float
    std: float


class Fit(NamedTuple):
    """The best straight line actual ≈ gain·expected + offset; what a constant side leaves undefined is None."""

    gain: float | None = None
    offset: float | None = None
    correlation: float | None = None


def moments(expected: Array, actual: Array, sums: Sums) -> tuple[SideMoments, SideMoments, Fit]:
    """Return the moments of both sides and their fit.

    Parameters
    ----------
    expected, actual : arrays of equal shape
    sums : what `measure` returned for them, finite
    """
    varies_e, varies_a = sums.expected_min < sums.expected_max, sums.actual_min < sums.actual_max
    about = sums
    if _incomparable(sums) or _dominant(sums, 0) or _dominant(sums, 1):
        about = _standardised(expected, actual, sums)
    mean_e, mean_a = _means(about)
    var_e = max(0.0, about.expected_squares / about.count - mean_e * mean_e) if varies_e else 0.0
    var_a = max(0.0, about.actual_squares / about.count - mean_a * mean_a) if varies_a else 0.0
    (scale_e, scale_a), (shift_e, shift_a) = about.scales, about.shifts
    # A constant is its own mean; rounding would give it a spread.
    center_e = (mean_e + shift_e) / scale_e if varies_e else sums.expected_min
    center_a = (mean_a + shift_a) / scale_a if varies_a else sums.actual_min
    side_e = SideMoments(center_e, math.sqrt(var_e) / scale_e)
    side_a = SideMoments(center_a, math.sqrt(var_a) / scale_a)
    if var_e == 0:
        return side_e, side_a, Fit()
    if var_a == 0:
        return side_e, side_a, Fit(0.0, center_a)
    covariance = _products(about) / about.count - mean_e * mean_a
    gain = covariance / var_e * (scale_e / scale_a)
    correlation = max(-1.0, min(1.0, covariance / math.sqrt(var_e) / math.sqrt(var_a)))
    return side_e, side_a, Fit(gain, center_a - gain * center_e, correlation)


def cosine(expected: Array, actual: Array, sums: Sums) -> float | None:
    """Return the cosine of the angle between two arrays as vectors, −1 to 1; None when one is zero."""
    if _incomparable(sums):
        scale_e, scale_a = (power_of_two_for(largest) for largest in _largest(sums))
        sums = run(expected, actual, Job(scales=(scale_e, scale_a)))
    norms = math.sqrt(sums.expected_squares) * math.sqrt(sums.actual_squares)
    return max(-1.0, min(1.0, _products(sums) / norms)) if norms > 0 else None


def _standardised(expected: Array, actual: Array, sums: Sums) -> Sums:
    """Make a pass in which either side has a mean near 0 and a spread near 1."""
    if _incomparable(sums):
        alone = (measure(side, side) for side in (expected, actual))
        mean_e, mean_a = (side.expected_sum / side.count / side.scale for side in alone)
    else:
        mean_e, mean_a = (mean / sums.scale for mean in _means(sums))
    spreads = sums.expected_max - sums.expected_min, sums.actual_max - sums.actual_min
    # Of no spread the scale is 1; one that float64 has no number for is that of the largest.
    scale_e, scale_a = (power_of_two_for(min(spread, sys.float_info.max)) for spread in spreads)
    return run(expected, actual, Job(scales=(scale_e, scale_a), shifts=(mean_e * scale_e, mean_a * scale_a)))


def _incomparable(sums: Sums) -> bool:
    small, large = sorted((sums.expected_squares, sums.actual_squares))
    return _INCOMPARABLE * small < large


def _dominant(sums: Sums, side: int) -> bool:
    mean, squares = _means(sums)[side], (sums.expected_squares, sums.actual_squares)[side]
    return mean * mean > _DOMINANT_MEAN * abs(squares / sums.count - mean * mean)


def _largest(sums: Sums) -> tuple[float, float]:
    return max(-sums.expected_min, sums.expected_max), max(-sums.actual_min, sums.actual_max)


def _means(sums: Sums) -> tuple[float, float]:
    return sums.expected_sum / sums.count, (sums.expected_sum + sums.difference_sum) / sums.count


def _products(sums: Sums) -> float:
    """Return Σ expected·actual."""
    return (sums.expected_squares + sums.actual_squares - sums.difference_squares) / 2
