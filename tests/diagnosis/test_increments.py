"""What a step adds to its input: told where it is the right thing a number of times, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity.diagnosis.increments import explained_by_increment, find
from pytest_audioparity.records import Finding

RNG = np.random.default_rng(3)
BEFORE, UPDATE, OTHER = RNG.standard_normal((3, 20, 30)).astype(np.float32)
EXPECTED = BEFORE + np.float32(0.01) * UPDATE
UNEXPLAINED = (Finding("unexplained", "none of the known causes"),)


def test_another_step_size_is_named_with_its_factor_and_its_input():
    """8 times a step of a hundredth is a twelfth of the whole, which no gain or offset of the whole describes."""
    found = find(EXPECTED, BEFORE + np.float32(0.08) * UPDATE, {"condition": OTHER, "x": BEFORE})
    assert found is not None
    assert found.code == "gain"
    assert found.explains == pytest.approx(1, abs=1e-6)
    assert found.detail["gain"] == pytest.approx(8, rel=1e-4)
    assert found.detail["input"] == "x"
    assert "what it adds to 'x' is 8" in found.message


def test_of_a_large_step_a_part_is_looked_at():
    before, update = RNG.standard_normal((2, 600, 1000)).astype(np.float32)
    found = find(before + update / 100, before + update / 50, {"x": before})
    assert found is not None
    assert found.detail["gain"] == pytest.approx(2, rel=1e-4)


def test_a_step_that_adds_nothing_is_a_factor_of_nothing():
    found = find(EXPECTED, BEFORE, {"x": BEFORE})
    assert found is not None
    assert found.detail["gain"] == 0


@pytest.mark.parametrize(
    "actual",
    [
        pytest.param(BEFORE + np.float32(0.01) * OTHER, id="another direction"),
        pytest.param(BEFORE + np.float32(0.08) * (UPDATE + 2 * OTHER), id="mostly another direction"),
        pytest.param(BEFORE + np.float32(0.005) * (UPDATE + OTHER), id="half of it, and as much besides"),
        pytest.param(BEFORE + np.float32(0.0001) * OTHER, id="nearly nothing"),
        pytest.param(EXPECTED, id="no difference"),
        pytest.param(EXPECTED[:, :10], id="another shape"),
        pytest.param(np.full_like(EXPECTED, np.nan), id="not finite"),
    ],
)
def test_what_is_no_factor_of_the_step_is_not_called_one(actual):
    assert find(EXPECTED, actual, {"x": BEFORE}) is None


def test_what_holds_for_most_of_a_step_is_told_with_its_share():
    """Without guidance, a step is shorter and goes a little elsewhere."""
    found = find(EXPECTED, BEFORE + np.float32(0.005) * (UPDATE + OTHER / 2), {"x": BEFORE})
    assert found is not None
    assert found.detail["gain"] == pytest.approx(0.5, abs=0.02)
    assert found.explains == pytest.approx(0.8, abs=0.02)


def test_inputs_that_cannot_be_subtracted_are_left_out():
    actual = BEFORE + np.float32(0.08) * UPDATE
    assert find(EXPECTED, actual, {}) is None
    assert find(EXPECTED, actual, {"flat": BEFORE.ravel(), "codes": BEFORE.astype(np.int64)}) is None


def test_a_few_numbers_are_no_evidence():
    assert find(EXPECTED[0, :10], (BEFORE + 8 * (EXPECTED - BEFORE))[0, :10], {"x": BEFORE[0, :10]}) is None


def test_it_takes_the_place_of_what_says_less_and_of_nothing_else():
    actual = BEFORE + np.float32(0.08) * UPDATE
    most = Finding("channel_gain", "most of it", explains=0.9)
    assert explained_by_increment((most,), EXPECTED, actual, {"x": BEFORE})[0].code == "gain"
    partly = BEFORE + np.float32(0.005) * (UPDATE + OTHER / 2)
    assert explained_by_increment((most,), EXPECTED, partly, {"x": BEFORE}) == (most,)
    exact, dtype = Finding("gain", "exact", explains=1.0), Finding("dtype", "another dtype")
    assert explained_by_increment((exact,), EXPECTED, actual, {"x": BEFORE}) == (exact,)
    codes = [f.code for f in explained_by_increment((dtype, *UNEXPLAINED), EXPECTED, actual, {"x": BEFORE})]
    assert codes == ["dtype", "gain"]
    assert explained_by_increment(UNEXPLAINED, EXPECTED, BEFORE + OTHER, {"x": BEFORE}) == UNEXPLAINED
