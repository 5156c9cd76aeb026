"""What is known of a tensor's values whatever their order: taken in one pass, compared without reading again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.weights.tiles import blocks, product, wide

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# How far the fingerprints of one content lie apart: bfloat16 moves a single value, such as the largest, by up to 2^-8,
# int8 by half a step of 1/127 of the largest; int4 by a fourteenth, and the mean square by about a percent.
CLOSE, LOOSE = 8e-3, 0.16


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Order-free statistics of one tensor, the last four relative to the root mean square."""

    size: int
    rms: float
    mean: float
    mean_abs: float
    largest: float
    smallest: float
    is_constant: bool
    nonfinite: int

    def distance(self, other: Fingerprint, *, scale_free: bool = False) -> float:
        """Return how far apart two contents of one size look: 0 for equal ones; infinite where they cannot be one.

        Parameters
        ----------
        other : the fingerprint of another tensor
        scale_free : whether one may be the other times a factor, of either sign
        """
        if self.nonfinite != other.nonfinite:
            return math.inf
        straight = max(abs(one - two) for one, two in zip(self._shape(), other._shape(), strict=True))
        if scale_free:
            turned = (-other.mean, other.mean_abs, -other.smallest, -other.largest)
            return min(straight, max(abs(one - two) for one, two in zip(self._shape(), turned, strict=True)))
        larger = max(self.rms, other.rms)
        return max(straight, abs(self.rms - other.rms) / larger) if larger else 0.0

    def _shape(self) -> tuple[float, float, float, float]:
        return self.mean, self.mean_abs, self.largest, self.smallest


def fingerprint(array: Array) -> Fingerprint:
    """Return the fingerprint of an array, complex values by their parts."""
    sums = np.zeros(3)
    largest, smallest, nonfinite = -math.inf, math.inf, 0
    for block in blocks(array):
        values = wide(block).reshape(-1)
        low, high = float(values.min()), float(values.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            good = values[np.isfinite(values)]
            nonfinite += values.size - good.size
            values = good
            low, high = (float(values.min()), float(values.max())) if values.size else (math.inf, -math.inf)
        largest, smallest = max(largest, high), min(smallest, low)
        sums += (values.sum(), product(values, values), np.abs(values).sum())
    count = max(1, array.size - nonfinite)
    rms = math.sqrt(float(sums[1]) / count)
    scale = rms if rms > 0 and math.isfinite(rms) else 1.0
    is_constant = not largest > smallest
    ends = (0.0, 0.0) if largest < smallest else (largest / scale, smallest / scale)
    return Fingerprint(
        array.size, rms, float(sums[0]) / count / scale, float(sums[2]) / count / scale, *ends, is_constant, nonfinite
    )
