"""What single elements are beyond an allowance that grows with what is expected."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

_LARGEST = sys.float_info.max


def largest_excess(sizes: Array, expected: Array, rtol: float) -> float:
    """Return the largest |actual − expected| − rtol·|expected|.

    Parameters
    ----------
    sizes : |actual − expected| of some elements
    expected : float64, as many
    rtol : 0 or more
    """
    excess = float((sizes - rtol * np.abs(expected)).max())
    if math.isfinite(excess):
        return excess
    # An allowance that leaves float64 is as large as there is; 0 times an infinite modulus would be no number.
    allowed = np.minimum(rtol * np.minimum(np.abs(expected), _LARGEST), _LARGEST)
    return float((sizes - allowed).max())
