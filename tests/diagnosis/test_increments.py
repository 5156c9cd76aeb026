"""What a step adds to its input: told where it is the right thing a number of times, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare
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


@pytest.mark.parametrize(("times", "said"), [(0, "without 'x'"), (2, "with 2 times 'x' instead of once")])
def test_an_input_that_is_missing_or_there_twice_is_named(times, said):
    """What a layer adds alone is unlike the sum of both."""
    update = 2 * UPDATE
    found = find(BEFORE + update, times * BEFORE + update, {"condition": OTHER, "x": BEFORE})
    assert found is not None
    assert (found.code, found.detail["input"], found.detail["of"]) == ("gain", "x", "input")
    assert found.detail["gain"] == pytest.approx(times, abs=1e-3)
    assert said in found.message


@pytest.mark.parametrize(("skip", "branch"), [(1, 0.5), (1, 2.0), (0, 1.0), (2, 1.0)])
def test_of_stages_that_are_recorded_alone_the_one_before_is_found(skip, branch):
    """Nobody declares inputs there: the golden's other stages of that shape are tried."""
    before, update, other = np.random.default_rng(5).standard_normal((3, 20, 30))
    golden = {"other": other, "x": before, "layer": before + update}
    result = compare(golden, {**golden, "layer": skip * before + branch * update})
    finding = result.stages[-1].findings[0]
    assert (finding.code, finding.detail["input"]) == ("gain", "x")
    assert finding.detail["gain"] == pytest.approx(skip if branch == 1 else branch, abs=1e-6)


def test_a_stage_that_has_little_to_do_with_a_difference_is_no_cause_of_it():
    rng = np.random.default_rng(6)
    before, update, other = rng.standard_normal((3, 20, 30))
    golden = {"x": before, "layer": before + update}
    for actual in (before + other, before / 2 + other, before + update + rng.standard_normal((20, 30)) / 4):
        findings = compare(golden, {**golden, "layer": actual}).stages[-1].findings
        assert "input" not in {key for finding in findings for key in finding.detail}
