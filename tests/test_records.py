"""The constants and defaults that every number rests on."""

from __future__ import annotations

import math

import pytest

from pytest_audioparity.records import DB_PER_UNIT, Side, Tolerance, shape_text


def test_a_unit_counts_as_many_db_as_its_logarithm_says():
    assert {
        "db": 1.0,
        "ln": pytest.approx(20 / math.log(10), rel=1e-15),
        "ln_power": pytest.approx(10 / math.log(10), rel=1e-15),
        "log10": 20.0,
        "log10_power": 10.0,
    } == DB_PER_UNIT


def test_what_is_not_said_of_a_tolerance_is_strict():
    tolerance = Tolerance(0.01, 1.0)
    assert (tolerance.min_match, tolerance.dtype, tolerance.allow_empty, tolerance.words) == (
        1.0,
        "same",
        False,
        "kept",
    )
    assert tolerance.peak_is_derived
    assert (Side((), "").nan, Side((), "").inf) == (0, 0)


@pytest.mark.parametrize(("shape", "text"), [((), "scalar"), ((5,), "5"), ((1, 80, 412), "1x80x412")])
def test_a_shape_is_written_as_people_write_it(shape, text):
    assert shape_text(shape) == text
