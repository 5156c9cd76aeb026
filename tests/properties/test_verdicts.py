"""What is equal passes under a tolerance of zero, whatever its layout; one wrong element anywhere fails under it."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_audioparity import compare
from pytest_audioparity.records import FAIL, KINDS, PASS
from tests.properties import arrays

UNITS = {"log_spectrum": {"unit": "ln"}}
# Nothing may be off: by the deviation alone, the peak alone, every element alone.
ZERO = (
    {"tol_db": 0},
    {"tol_db": 0, "tol_peak_db": None},
    {"tol_db": None, "tol_peak_db": 0},
    {"tol_db": None, "atol": 0.0},
    {"tol_db": None, "rtol": 0.0},
)


def kinds_for(dtype):
    """Return the kinds that may be declared of a dtype, each with what it needs."""
    if dtype.kind == "c":
        return ["tensor", "waveform", "embedding"]
    return [kind for kind in KINDS if kind != "codes" or dtype.kind in "iub"]


@st.composite
def planted(draw, *, finite):
    """Draw an array, one of another layout that differs in one element, and where that is."""
    dtype = arrays.dtype_of(draw(st.sampled_from(arrays.DTYPES if finite else arrays.CAN_BE_NAN)))
    shape = draw(arrays.SHAPES)
    expected = draw(arrays.values(dtype, shape))
    place = draw(st.integers(0, expected.size - 1))
    actual = expected.copy()
    actual.reshape(-1)[place] = draw(arrays.values(dtype, ()) if finite else arrays.broken(dtype))
    return draw(arrays.arranged(expected)), draw(arrays.arranged(actual)), np.unravel_index(place, shape)


@given(planted(finite=True), st.data())
def test_one_wrong_element_fails_every_tolerance_of_zero(case, data):
    """Any element, dtype, layout and kind, by as little as the dtype can tell apart."""
    expected, actual, place = case
    assume(arrays.elements(expected) != arrays.elements(actual))
    kind = data.draw(st.sampled_from(kinds_for(expected.dtype)))
    keywords = ZERO if kind != "codes" else ({},)
    result = compare(expected, actual, kind=kind, **UNITS.get(kind, {}), **data.draw(st.sampled_from(keywords)))
    assert result.verdict == FAIL
    assert result.comparison.worst.index == place


@given(planted(finite=False), st.data())
def test_one_element_that_is_not_finite_fails_every_tolerance(case, data):
    """NaN of any payload or an infinity, on either side or at the same place of both."""
    expected, actual, place = case
    which = data.draw(st.sampled_from(["actual", "expected", "both"]))
    sides = {"actual": (expected, actual), "expected": (actual, expected), "both": (actual, actual.copy())}[which]
    loose = {"tol_db": 1e9, "tol_peak_db": None, "atol": 1e9, "rtol": 1e9}
    result = compare(*sides, **data.draw(st.sampled_from([{}, loose, {"tol_db": None, "min_snr_db": -1e9}])))
    assert (result.verdict, result.deviation_db, result.smallest_tol_db) == (FAIL, None, None)
    assert {finding.code for finding in result.findings} == {"nonfinite"}
    assert all(finding.detail["first"] == list(map(int, place)) for finding in result.findings)


@given(st.data())
def test_equal_values_pass_a_tolerance_of_zero_whatever_their_layout(data):
    """With no deviation, no cause, nothing over, and nothing changed in either array."""
    dtype = arrays.dtype_of(data.draw(st.sampled_from(arrays.DTYPES)))
    expected = data.draw(arrays.values(dtype, data.draw(arrays.SHAPES)))
    sides = [data.draw(arrays.arranged(expected)) for _ in range(2)]
    before = [side.tobytes() for side in sides]
    kind = data.draw(st.sampled_from(kinds_for(dtype)))
    keywords = data.draw(st.sampled_from(ZERO)) if kind != "codes" else {}
    result = compare(*sides, kind=kind, **UNITS.get(kind, {}), **keywords)
    assert (result.verdict, result.findings, result.reason, result.comparison.worst) == (PASS, (), None, None)
    assert (result.deviation_db, result.comparison.match) == ((None, 1.0) if kind == "codes" else (0.0, None))
    assert [side.tobytes() for side in sides] == before
