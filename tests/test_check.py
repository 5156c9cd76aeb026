"""A stage passes only when it was measured, every criterion held, and nothing about it was out of order."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytest_audioparity.api import assert_parity, compare
from pytest_audioparity.check import check_stage, result_of, without_golden
from pytest_audioparity.checks import CheckResult
from pytest_audioparity.comparison.hyperparameters import compare_settings
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.records import FAIL, NOT_MEASURED, PASS, StageMeta, StageTensor
from pytest_audioparity.results import Own
from pytest_audioparity.roundtrip.records import RoundtripResult


def stage(array, name="x", **declared):
    return StageTensor(StageMeta(name, **declared), np.asarray(array))


def check(expected, actual, declared=None, **tolerance):
    sides = (stage(side, **(declared or {})) for side in (expected, actual))
    return check_stage(*sides, layered([tolerance], "x"))


def codes(result):
    return [finding.code for finding in result.findings]


SIGNAL = np.sin(np.arange(600.0)).reshape(6, 100)


def test_equal_stages_pass_with_the_whole_tolerance_left():
    result = check(SIGNAL, SIGNAL.copy())
    assert (result.verdict, result.findings, result.reason) == (PASS, (), None)
    assert (result.deviation_db, result.smallest_tol_db, result.margin_db) == (0.0, 0.0, 0.01)
    assert [(c.name, c.passed) for c in result.criteria] == [("deviation_db", True), ("peak_db", True)]


@pytest.mark.parametrize(("db", "verdict"), [(0.0099, PASS), (0.0101, FAIL)])
def test_a_gain_just_inside_the_tolerance_passes_and_just_outside_fails(db, verdict):
    result = check(SIGNAL, SIGNAL * 10 ** (db / 20))
    assert result.verdict == verdict
    assert result.margin_db == pytest.approx(0.01 - db, abs=1e-9)


def test_a_click_fails_by_its_peak_although_the_deviation_passes():
    actual = SIGNAL.copy()
    actual[3, 50] += 2
    result = check(SIGNAL, actual, tol_db=1.0, tol_peak_db=3.0)
    assert [(c.name, c.passed) for c in result.criteria] == [("deviation_db", True), ("peak_db", False)]
    assert (result.verdict, result.smallest_tol_db) == (FAIL, None)


@given(
    hnp.arrays(np.float64, 16, elements=st.floats(-1e3, 1e3)),
    hnp.arrays(np.float64, 16, elements=st.floats(-1e3, 1e3)),
    st.sampled_from([None, "log_spectrum"]),
)
def test_judging_again_with_the_smallest_tolerance_passes_and_with_less_fails(e, a, kind):
    declared = {"kind": kind, "unit": "db"} if kind else {}
    smallest = check(e, a, declared).smallest_tol_db
    if smallest is None:
        assert not check(e, a, declared, tol_db=1e9).passed
        return
    assert check(e, a, declared, tol_db=smallest).passed
    if smallest > 0:
        assert not check(e, a, declared, tol_db=math.nextafter(smallest, 0)).passed


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_smallest_difference_fails_a_tolerance_of_zero(dtype):
    actual = SIGNAL.astype(dtype)
    actual[0, 0] = np.nextafter(dtype(0), dtype(1)) * dtype(2) ** 60
    assert not check(SIGNAL.astype(dtype), actual, tol_db=0).passed
    assert check(actual, actual.copy(), tol_db=0).passed


@pytest.mark.parametrize("limit", [{"tol_db": 0}, {"tol_db": 0, "tol_peak_db": None}, {"tol_db": None, "atol": 0.0}])
@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (np.array([0.0, 1.0]), np.array([1e-170, 1.0])),
        (np.array([0.0, 1e10]), np.array([5e-324, 1e10])),
        (np.array([1e308, 0.0]), np.array([1e308, 1.0])),
        (np.array([2**63 - 1, 2**62]), np.array([2**63 - 2, 2**62])),
    ],
)
def test_a_difference_whose_square_vanishes_fails_a_tolerance_of_zero(expected, actual, limit):
    for kind in ("tensor", "log_spectrum"):
        declared = {"kind": kind, "unit": "db"}
        assert not check(expected, actual, declared, **limit).passed
        assert check(actual, actual.copy(), declared, **limit).passed


def test_large_integers_that_differ_by_one_have_the_ratio_of_one():
    expected = np.array([2**63 - 1, 2**62])
    numbers = check(expected, expected - [1, 0], {"kind": "tensor"}).comparison
    norm = math.hypot(2.0**63, 2.0**62)
    assert numbers.snr_db == pytest.approx(20 * math.log10(norm))
    assert numbers.deviation_db == pytest.approx(20 / math.log(10) / norm)
    assert numbers.bias == -0.5


@pytest.mark.parametrize("scale", [1e200, 1e-200, 1e-310])
def test_extreme_values_fail_when_they_differ_and_pass_when_they_do_not(scale):
    assert check(SIGNAL * scale, SIGNAL * scale).passed
    assert check(SIGNAL * scale, SIGNAL * scale * (1 + 1e-6)).passed
    assert not check(SIGNAL * scale, SIGNAL * scale * 1.01).passed
    assert not check(SIGNAL * scale, SIGNAL * 0).passed
    assert not check(SIGNAL * 0, SIGNAL * scale, tol_db=1e9).passed


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("sides", ["expected", "actual", "both"])
@pytest.mark.parametrize("tolerance", [{}, {"tol_db": 1e9}, {"tol_db": None}, {"tol_db": None, "atol": 1e9}])
def test_values_that_are_not_finite_fail_under_every_tolerance(bad, sides, tolerance):
    e, a = SIGNAL.copy(), SIGNAL.copy()
    if sides != "actual":
        e[2, 7] = bad
    if sides != "expected":
        a[2, 7] = bad
    result = check(e, a, **tolerance)
    assert (result.verdict, result.criteria, result.deviation_db) == (FAIL, (), None)
    assert set(codes(result)) == {"nonfinite"}
    assert all(finding.detail["first"] == [2, 7] for finding in result.findings)
    assert len(result.findings) == (2 if sides == "both" else 1)


def test_values_that_are_not_finite_fail_a_log_spectrum_even_without_a_unit():
    result = check(SIGNAL, np.where(SIGNAL > 0.99, -math.inf, SIGNAL), {"kind": "log_spectrum"})
    assert (result.verdict, codes(result)) == (FAIL, ["nonfinite"])
    assert "of 600 values" in result.findings[0].message


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 0, 4)])
def test_an_empty_stage_is_not_measured_unless_that_is_allowed(shape):
    empty = np.zeros(shape, np.float32)
    result = check(empty, empty)
    assert (result.verdict, result.passed) == (NOT_MEASURED, False)
    assert "allow_empty=True" in result.reason
    assert check(empty, empty, allow_empty=True).verdict == PASS


def test_an_empty_stage_of_another_shape_or_type_fails_even_if_empty_is_allowed():
    empty = np.zeros((0, 3), np.float32)
    assert codes(check(empty, np.zeros((0, 4), np.float32), allow_empty=True)) == ["shape"]
    assert codes(check(empty, np.zeros((0, 3)), allow_empty=True)) == ["dtype"]
    assert check(empty, np.zeros((0, 3)), allow_empty=True).verdict == FAIL
    assert check(np.zeros((1, 3), np.float32), empty, allow_empty=True).verdict == FAIL


def test_an_empty_stage_whose_declarations_are_in_conflict_fails_even_if_empty_is_allowed():
    empty = np.zeros((0, 3), np.float32)
    sides = stage(empty, sample_rate=24000), stage(empty, sample_rate=22050)
    assert check_stage(*sides, layered([{"allow_empty": True}], "x")).verdict == FAIL


def test_a_log_spectrum_without_a_unit_is_not_measured():
    result = check(SIGNAL, SIGNAL, {"kind": "log_spectrum"})
    assert (result.verdict, result.deviation_db) == (NOT_MEASURED, None)
    assert "ln_power" in result.reason
    assert check(SIGNAL, SIGNAL, {"kind": "log_spectrum"}, allow_empty=True).verdict == NOT_MEASURED
    assert check(SIGNAL, SIGNAL, {"kind": "log_spectrum", "unit": "ln"}).verdict == PASS


def test_a_stage_that_no_criterion_judges_is_not_measured():
    result = check(SIGNAL, SIGNAL, tol_db=None)
    assert (result.verdict, result.criteria) == (NOT_MEASURED, ())
    assert "no tolerance applies" in result.reason
    assert check(SIGNAL, SIGNAL, tol_db=None, min_snr_db=20).verdict == PASS


@pytest.mark.parametrize(
    ("kind", "limits"), [("tensor", {"min_stoi": 0.9}), ("waveform", {}), ("waveform", {"words": "any"})]
)
def test_limits_of_scores_alone_judge_no_tensor_and_no_limit_judges_no_waveform(kind, limits):
    result = check(SIGNAL, SIGNAL, {"kind": kind, "sample_rate": 16_000.0}, tol_db=None, **limits)
    assert (result.verdict, result.criteria) == (NOT_MEASURED, ())


def test_limits_of_scores_alone_judge_a_waveform():
    sound = np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    result = check(sound, sound.copy(), {"kind": "waveform", "sample_rate": 16_000.0}, tol_db=None, min_stoi=0.9)
    assert (result.verdict, [criterion.name for criterion in result.criteria]) == (PASS, ["words", "stoi"])


@pytest.mark.parametrize("tolerance", [{}, {"tol_db": None}])
def test_a_dtype_that_differs_fails_although_the_values_agree(tolerance):
    result = check(SIGNAL.astype(np.float32), SIGNAL.astype(np.float32).astype(np.float64), **tolerance)
    assert (result.verdict, codes(result), result.deviation_db) == (FAIL, ["dtype"], 0.0)


@pytest.mark.parametrize("tolerance", [{}, {"tol_db": None}])
def test_declarations_in_conflict_fail_although_the_values_agree(tolerance):
    sides = stage(SIGNAL, sample_rate=24000), stage(SIGNAL, sample_rate=22050)
    result = check_stage(*sides, layered([tolerance], "x"))
    assert result.verdict == FAIL
    assert "sample_rate=22050" in result.reason


def test_a_size_of_one_is_not_broadcast():
    result = check(np.ones(1), np.ones(5))
    assert (result.verdict, codes(result), result.deviation_db) == (FAIL, ["shape"], None)
    assert result.comparison.size == 0


def test_a_shape_that_differs_hides_no_conflict_and_is_found_without_looking_for_causes():
    sides = stage(np.ones(1), sample_rate=24000), stage(np.ones(5), sample_rate=22050)
    result = check_stage(*sides, layered([], "x"), causes=False)
    assert (result.verdict, codes(result)) == (FAIL, ["shape"])
    assert "sample_rate=22050" in result.reason


def test_what_kind_of_shape_it_is_comes_before_that_it_differs_and_a_dtype_before_what_the_values_show():
    assert codes(check(SIGNAL, SIGNAL.T)) == ["axes_permuted", "shape"]
    assert codes(check(SIGNAL, 2 * SIGNAL.astype(np.float32)))[:2] == ["dtype", "gain"]


def test_a_port_that_declares_another_axis_order_passes_and_one_that_does_not_fails():
    expected = stage(SIGNAL, axes="CT")
    assert check_stage(expected, stage(SIGNAL.T, axes="TC"), layered([], "x")).passed
    assert not check_stage(expected, stage(SIGNAL.T), layered([], "x")).passed
    square = SIGNAL[:, :6]
    assert not check_stage(stage(square, axes="CT"), stage(square.T), layered([], "x")).passed


def test_one_wrong_code_fails_and_no_tolerance_in_db_excuses_it():
    expected = np.arange(1000).reshape(1, 8, 125) % 1024
    actual = expected.copy()
    actual[0, 7, 124] += 1
    assert check(expected, expected.copy()).passed
    result = check(expected, actual, tol_db=1e9)
    assert (result.verdict, result.comparison.match, result.smallest_tol_db) == (FAIL, 0.999, None)
    assert check(expected, actual, min_match=0.999).passed
    assert not check(expected, actual, min_match=0.9991).passed


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (np.array([2**63 - 1], np.int64), np.array([2**63 - 2], np.int64)),
        (np.array([2**63 - 1], np.int64), np.array([2**63], np.uint64)),
        (np.array([-1], np.int64), np.array([2**64 - 1], np.uint64)),
    ],
)
def test_codes_at_the_ends_of_64_bits_fail_when_they_differ(left, right):
    assert not check(left, right, dtype="any").passed
    assert not check(right, left, dtype="any").passed
    assert check(left, left.copy()).passed
    assert not check(left[[0]], right[[0]], {"kind": "tensor"}, dtype="any", tol_db=0, atol=0).passed


def test_only_a_failure_costs_the_details_along_the_axes():
    declared = {"axes": "CT"}
    assert dict(check(SIGNAL, SIGNAL * 1.0001, declared).comparison.details) == {}
    assert set(check(SIGNAL, SIGNAL * 2, declared).comparison.details) == {
        "per_channel",
        "bias_per_channel",
        "time_piece",
        "over_time",
    }
    assert dict(check(SIGNAL, np.where(SIGNAL > 0.99, math.nan, SIGNAL), declared).comparison.details) == {}


def test_a_late_waveform_fails_and_its_lag_is_told():
    long = np.random.default_rng(0).standard_normal(900).astype(np.float32)
    result = check(long[50:850], long[43:843], {"kind": "waveform"})
    assert (result.verdict, result.comparison.details["lag_samples"]) == (FAIL, 7)


def test_a_stage_that_one_side_lacks_fails_as_missing_or_extra():
    tolerance = layered([], "x")
    missing, extra = check_stage(stage(SIGNAL), None, tolerance), check_stage(None, stage(SIGNAL), tolerance)
    assert (missing.verdict, codes(missing)) == (FAIL, ["missing_stage"])
    assert (extra.verdict, codes(extra)) == (FAIL, ["extra_stage"])
    assert (missing.comparison.expected.shape, missing.comparison.actual.dtype) == ((6, 100), "")
    assert (missing.comparison.size, extra.comparison.size) == (0, 0)
    assert not missing.has_both_sides
    assert not extra.has_both_sides


def test_a_stage_without_a_golden_is_described_and_does_not_pass():
    result = without_golden(stage(SIGNAL), layered([], "x"))
    assert (result.verdict, result.comparison.actual.shape) == (NOT_MEASURED, (6, 100))
    assert (result.comparison.size, result.reason) == (0, "there is no golden yet")


def results(**verdicts):
    e = SIGNAL
    made = {
        "ok": lambda name: check_stage(stage(e, name), stage(e, name), layered([], name)),
        "bad": lambda name: check_stage(stage(e, name), stage(2 * e, name), layered([], name)),
        "missing": lambda name: check_stage(stage(e, name), None, layered([], name)),
        "extra": lambda name: check_stage(None, stage(e, name), layered([], name)),
        "unmeasured": lambda name: check_stage(stage(e, name), stage(e, name), layered([{"tol_db": None}], name)),
    }
    return {name: made[verdict](name) for name, verdict in verdicts.items()}


@pytest.mark.parametrize(
    ("verdicts", "verdict", "first"),
    [
        ({"a": "ok", "b": "ok"}, PASS, None),
        ({"a": "ok", "b": "bad", "c": "bad"}, FAIL, "b"),
        ({"a": "missing", "b": "ok", "c": "bad"}, FAIL, "c"),
        ({"a": "ok", "b": "missing", "c": "extra"}, FAIL, "b"),
        ({"a": "unmeasured", "b": "bad"}, FAIL, "b"),
        ({"a": "ok", "b": "unmeasured"}, NOT_MEASURED, "b"),
    ],
)
def test_the_first_divergence_is_the_first_stage_whose_numbers_fail(verdicts, verdict, first):
    result = result_of(results(**verdicts), expected_order=verdicts, actual_order=verdicts)
    assert (result.verdict, result.first_divergence, result.passed) == (verdict, first, verdict == PASS)


@pytest.mark.parametrize(
    ("owned", "first"),
    [
        ({"b": "ok", "c": "bad"}, "c"),
        ({"b": "ok", "c": None}, "c"),
        ({"b": None, "c": "bad"}, "b"),
        ({"b": "ok", "c": "ok"}, "b"),
        ({"b": "bad", "c": "bad"}, "b"),
    ],
)
def test_a_stage_that_only_inherited_is_not_the_first_divergence_unless_all_are(owned, first):
    made = results(a="ok", b="bad", c="bad")
    own = {name: Own() if verdict is None else Own(results(x=verdict)["x"]) for name, verdict in owned.items()}
    made = {name: replace(stage, own=own.get(name)) for name, stage in made.items()}
    result = result_of(made, expected_order="abc", actual_order="abc")
    assert (result.verdict, result.first_divergence) == (FAIL, first)
    assert [stage.is_inherited for stage in result.stages[1:]] == [owned[name] == "ok" for name in "bc"]


def test_the_expected_side_gives_the_order_of_the_stages():
    made = results(c="ok", a="bad", b="bad")
    result = result_of(made, expected_order="abc", actual_order="cba")
    assert [one.name for one in result.stages] == ["a", "b", "c"]
    assert result.first_divergence == "a"


def test_stages_that_were_not_judged_are_left_out_and_a_golden_is_named_only_where_one_was():
    golden = Path("golden/x.safetensors")
    notes = (("variant", "cuda"),)
    some = result_of(results(b="ok"), expected_order="abc", actual_order="abcd", golden=golden, notes=notes)
    assert ([one.name for one in some.stages], some.golden, some.notes) == (["b"], golden, notes)
    assert result_of({}, expected_order="abc", actual_order="", golden=golden).golden is None


def test_a_result_without_stages_or_with_a_reason_never_passes():
    empty = result_of({}, expected_order=(), actual_order=())
    assert (empty.passed, empty.verdict, empty.reason) == (False, FAIL, "no stage was compared")
    flawed = result_of(results(a="ok"), expected_order="a", actual_order="a", reason="the golden is damaged")
    assert (flawed.passed, flawed.verdict, flawed.first_divergence) == (False, FAIL, None)


@pytest.mark.parametrize("stages", [{}, {"a": "ok"}])
@pytest.mark.parametrize("verdict", [PASS, NOT_MEASURED, FAIL])
def test_a_round_trip_counts_as_a_stage_does(stages, verdict):
    trip = RoundtripResult((CheckResult("finite", verdict),))
    result = result_of(results(**stages), expected_order="a", actual_order="a", roundtrips=(trip,))
    assert (result.verdict, result.passed, result.reason) == (verdict, verdict == PASS, None)


@pytest.mark.parametrize(("old", "new", "verdict"), [(1, 1, PASS), (1, 2, FAIL)])
def test_a_setting_that_differs_fails_a_test_whose_stages_pass(old, new, verdict):
    settings = compare_settings({"top_k": old}, {"top_k": new})
    assert result_of(results(a="ok"), expected_order="a", actual_order="a", settings=settings).verdict == verdict


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_passing_check_of_40_mb_against_40_mb_allocates_less_than_16_mb(order):
    e = np.asarray(np.random.default_rng(0).random((2000, 5000), np.float32), order=order)
    a = e * np.float32(1.0001)
    tracemalloc.start()
    result = check(e, a, {"axes": "CT"})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.passed
    assert peak < 16e6


def test_results_are_true_only_when_they_passed():
    same, other = {"a": np.ones(3)}, {"a": np.ones(3) * 2}
    assert compare(np.ones(3), np.ones(3))
    assert compare(same, same)
    assert not compare(np.ones(3), np.ones(3) * 2)
    assert not compare(same, other)
    assert not compare(np.empty(0), np.empty(0))


@pytest.mark.parametrize(
    ("e", "a", "keywords"),
    [
        ([0.0, 0.0, 0.0], [0.0, float(np.finfo(np.float64).min), 0.0], {"kind": "log_spectrum", "unit": "ln"}),
        ([1.7e308, 1.0], [-1.7e308, 1.0], {}),
        ([0.0, 0.0], [1.0, 0.0], {}),
    ],
)
def test_an_infinite_peak_fails_and_no_tolerance_is_proposed(e, a, keywords):
    result = compare(np.array(e), np.array(a), **keywords)
    assert not result.passed
    assert result.smallest_tol_db is None or result.smallest_tol_db > 1


@pytest.mark.parametrize(
    ("e", "a"),
    [
        (np.array([2**62, 5]), np.array([2**62 + 100, 6])),
        (np.array([-(2**63), 5]), np.array([2**63 - 1, 5])),
        (np.array([2**53, 0]), np.array([2**53 + 1, 0])),
        (np.array([-5, 0]), np.array([2**64 - 1, 0], np.uint64)),
    ],
)
def test_elementwise_limits_hold_for_large_integers_too(e, a):
    exact = max(abs(int(x) - int(y)) for x, y in zip(e, a, strict=True))
    keywords = {"kind": "tensor", "tol_db": None, "dtype": "any"}
    assert not compare(e, a, atol=exact * 0.99, **keywords)
    assert compare(e, a, atol=exact * 1.01, **keywords)


@pytest.mark.parametrize("limit", [{"atol": 0.0}, {"rtol": 0.0}, {"rtol": 10.0}])
@pytest.mark.parametrize("value", [1.7e308, 1.7e308 + 1.7e308j])
def test_equal_values_whose_allowance_leaves_float64_pass_element_by_element(value, limit):
    assert compare(np.array([value]), np.array([value]), tol_db=None, **limit)
    assert not compare(np.array([value, 0]), np.array([value, 1]), tol_db=None, **limit)


@pytest.mark.parametrize("dtype", ["float64", "int64", "bool"])
@pytest.mark.parametrize("rule", ["same", "any"])
def test_a_complex_side_beside_a_real_one_fails_with_a_report(dtype, rule):
    real = (SIGNAL * 100).astype(dtype)
    for sides in ((real, real * (1 + 1j)), (real * (1 + 1j), real), (real, real * 1j), (real, (real * 1j)[:3])):
        result = compare(*sides, dtype=rule)
        assert result.verdict == FAIL
        assert ("dtype" in codes(result)) == (rule == "same")
        with pytest.raises(AssertionError):
            assert_parity(*sides, dtype=rule)
    assert compare(real, real + 0j, dtype="any").passed


def test_codes_are_not_equal_to_floats_that_only_round_to_them():
    codes = np.array([2**53 + 1, 5])
    assert not compare(codes, codes.astype(np.float64), dtype="any")
    assert compare(codes - 1, (codes - 1).astype(np.float64), dtype="any")


def test_a_rate_may_be_written_with_fewer_digits():
    def stage(rate):
        return StageTensor(StageMeta("mel", axes="T", frame_rate=rate), np.ones(3))

    tolerance = layered((), "mel")
    assert check_stage(stage(86.13), stage(22050 / 256), tolerance)
    assert not check_stage(stage(24000), stage(22050), tolerance)
    assert not check_stage(stage(44100), stage(44056), tolerance)


def test_a_report_can_be_written_of_the_smallest_numbers_there_are():
    with pytest.raises(AssertionError):
        assert_parity(np.array([1.0, 0.0]), np.array([1.0, 5e-324]), tol_db=0)
    with pytest.raises(AssertionError):
        assert_parity([1.0, 0.0], [1.0, 1e-322], tol_db=0, kind="log_spectrum", unit="db")
