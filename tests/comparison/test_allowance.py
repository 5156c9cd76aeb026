"""How far elements are beyond what `rtol` allows, by hand calculation."""

from __future__ import annotations

import math
import sys

import numpy as np

from pytest_audioparity.comparison.allowance import largest_excess


def excess(sizes, expected, rtol):
    with np.errstate(all="ignore"):
        return largest_excess(np.asarray(sizes), np.asarray(expected), rtol)


def test_the_element_that_is_furthest_beyond_its_allowance_counts():
    assert excess([1.0, 3.0], [4.0, -8.0], 0.25) == 1.0
    assert excess([1.0, 3.0], [4.0, -16.0], 0.25) == 0.0


def test_an_allowance_beyond_float64_is_as_large_as_there_is():
    assert excess([1e308, 5e307], [1e308, -1e308], 10.0) == 1e308 - sys.float_info.max
    assert excess([1.0, 3.0], [math.inf, 4.0], 0.0) == 3.0
