"""The formulas in decibels hold at their edges: no difference, a silent side, squares beyond float64."""

from __future__ import annotations

import math

import pytest

from pytest_audioparity.comparison.decibels import deviation_db, excess_db, ratio_db
from pytest_audioparity.records import StageMeta

TENSOR = StageMeta("x", "tensor")


@pytest.mark.parametrize(
    ("difference", "signal", "db"),
    [
        (0.0, 0.0, 0.0),
        (0.0, 3.0, 0.0),
        (1e-300, 0.0, math.inf),
        (9.0, 1.0, 20.0),
        (1.0, 1.0, 20 * math.log10(2)),
        (1e-20, 1.0, 20e-20 / math.log(10)),
    ],
)
def test_what_is_beyond_the_signal_counts_in_db(difference, signal, db):
    assert excess_db(difference, signal) == pytest.approx(db, rel=1e-12)


@pytest.mark.parametrize("ratio", [math.nextafter(0.5, 0), 0.5])
def test_both_formulas_meet_where_one_takes_over(ratio):
    assert excess_db(ratio, 1.0) == pytest.approx(20 * math.log10(1.5), rel=1e-14)


@pytest.mark.parametrize(
    ("numerator", "denominator", "db"),
    [
        (0.0, 0.0, None),
        (4.0, 0.0, math.inf),
        (0.0, 4.0, -math.inf),
        (100.0, 1.0, 20.0),
        (1.0, 100.0, -20.0),
        (1e300, 1e-300, 6000.0),
    ],
)
def test_a_ratio_of_squares_is_one_of_amplitudes(numerator, denominator, db):
    assert ratio_db(numerator, denominator) == (None if db is None else pytest.approx(db, rel=1e-12))


def test_the_quieter_side_is_what_a_difference_is_measured_against():
    assert deviation_db((100.0, 1.0, 81.0), 0.0, TENSOR) == deviation_db((1.0, 100.0, 81.0), 0.0, TENSOR) == 20.0
    assert deviation_db((0.0, 0.0, 0.0), 0.0, TENSOR) == 0.0
    assert deviation_db((0.0, 1.0, 1.0), 1.0, TENSOR) == math.inf


@pytest.mark.parametrize(("unit", "db"), [("db", 0.25), ("ln", 0.25 * 20 / math.log(10)), ("log10_power", 2.5)])
def test_a_log_spectrum_counts_by_its_mean_alone(unit, db):
    meta = StageMeta("x", "log_spectrum", unit=unit)
    assert deviation_db((1.0, 1.0, 9.0), 0.25, meta) == pytest.approx(db, rel=1e-12)
