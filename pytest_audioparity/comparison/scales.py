"""Powers of two to multiply values with, so that their squares stay within float64; the digits stay the same."""

from __future__ import annotations

import math

# Squares of float64 values beyond these would overflow or vanish.
_LARGEST, _SMALLEST = 1e150, 1e-140
# Subnormal values are scaled up by no more than this power of two: 2^1024 is infinite, and any square is then in range.
_LARGEST_EXPONENT = 1000


def scale_for(largest: float) -> float:
    """Return what to multiply values of this magnitude with so that squares neither overflow nor vanish; mostly 1."""
    return 1.0 if _SMALLEST < largest < _LARGEST else power_of_two_for(largest)


def power_of_two_for(largest: float) -> float:
    """Return the power of two that brings a positive number into [0.5, 1), or as near as float64 allows; 1 for 0."""
    return math.ldexp(1.0, min(_LARGEST_EXPONENT, -math.frexp(largest)[1]))
