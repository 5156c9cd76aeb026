"""Powers of two that keep squares within float64, against what frexp says by hand."""

import sys

import pytest

from pytest_audioparity.comparison.scales import power_of_two_for, scale_for


@pytest.mark.parametrize(
    ("largest", "power"),
    [
        (0.5, 1.0),
        (0.75, 1.0),
        (1.0, 0.5),
        (3.0, 0.25),
        (0.3, 2.0),
        (sys.float_info.max, 2.0**-1024),
        (5e-324, 2.0**1000),
        (0.0, 1.0),
    ],
)
def test_a_power_of_two_brings_a_number_below_one(largest: float, power: float) -> None:
    assert power_of_two_for(largest) == power


@pytest.mark.parametrize("largest", [0.0, 1e-139, 1.0, 1e149])
def test_what_can_be_squared_is_left_alone(largest: float) -> None:
    assert scale_for(largest) == 1.0


@pytest.mark.parametrize("largest", [5e-324, 1e-141, 1e151, sys.float_info.max])
def test_what_cannot_be_squared_is_scaled(largest: float) -> None:
    assert scale_for(largest) == power_of_two_for(largest) != 1.0
