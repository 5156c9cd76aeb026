"""Tolerances are resolved from the general to the particular, and judged as they are written."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_audioparity.comparison.kinds import compare_values
from pytest_audioparity.comparison.tolerances import (
    PRESET_DB,
    STAGES_KEYWORD,
    accepted_dtypes,
    judge,
    layered,
    nearest,
    problem_with,
    problem_with_kind,
    problem_with_stages,
    scores_asked,
    smallest_tol_db,
    unheard,
    unmatched,
)
from pytest_audioparity.records import Comparison, Side, StageMeta

SIDE = Side((1,), "float32")
decibels = st.floats(0, 1e4, allow_subnormal=False)


def measured(**numbers):
    return Comparison(SIDE, SIDE, 1, **numbers)


def verdict(comparison, kind="tensor", **keywords):
    return all(criterion.passed for criterion in judge(comparison, layered([keywords], "x"), kind))


def compared(expected, actual, **keywords):
    return compare_values(np.asarray(expected), np.asarray(actual), StageMeta("x"), layered([keywords], "x"))


@pytest.mark.parametrize(("precision", "tol_db"), [("fp32", 0.01), ("fp16", 0.1), ("bf16", 0.5), ("int8", 1.0)])
def test_each_precision_has_its_preset_and_a_peak_of_a_hundred_times_that(precision, tol_db):
    tolerance = layered([{"precision": precision}], "x")
    assert (tolerance.tol_db, tolerance.tol_peak_db, tolerance.peak_is_derived) == (tol_db, 100 * tol_db, True)
    assert PRESET_DB[precision] == tol_db


def test_without_any_keyword_fp32_applies():
    tolerance = layered([], "x")
    assert (tolerance.tol_db, tolerance.tol_peak_db, tolerance.precision) == (0.01, 1.0, "fp32")
    assert (tolerance.min_snr_db, tolerance.atol, tolerance.rtol) == (None, None, None)
    assert (tolerance.min_match, tolerance.dtype, tolerance.allow_empty) == (1.0, "same", False)


def test_a_peak_that_is_set_is_kept_whatever_tol_db_says():
    tolerance = layered([{"tol_peak_db": 3.0}, {"tol_db": 0.2}], "x")
    assert (tolerance.tol_db, tolerance.tol_peak_db, tolerance.peak_is_derived) == (0.2, 3.0, False)


def test_tol_db_of_none_asks_for_neither_deviation_nor_peak():
    tolerance = layered([{"tol_db": None}], "x")
    assert (tolerance.tol_db, tolerance.tol_peak_db) == (None, None)
    assert judge(measured(deviation_db=1e9, peak_db=1e9), tolerance, "tensor") == ()


def test_the_more_particular_layer_wins_per_keyword():
    ini = {"tol_db": 1.0, "atol": 0.1, "stages": {"mel*": {"tol_db": 2.0}}}
    mark = {"tol_db": 3.0, "stages": {"ode/*": {"tol_db": 4.0}, "ode/9": {"tol_db": 5.0}}}
    record = {"tol_db": 6.0}
    assert layered([ini], "encoder").tol_db == 1.0
    assert layered([ini], "mel_out").tol_db == 2.0
    assert layered([ini, mark], "mel_out").tol_db == 3.0
    assert layered([ini, mark], "ode/3").tol_db == 4.0
    assert layered([ini, mark], "ode/9").tol_db == 5.0
    assert layered([ini, mark, record], "ode/9").tol_db == 6.0
    assert layered([ini, mark, record], "ode/9").atol == 0.1


def test_stage_globs_match_whole_names_and_tell_case_apart():
    layer = {"tol_db": 1.0, "stages": {"mel": {"tol_db": 2.0}}}
    assert [layered([layer], name).tol_db for name in ("mel", "mel2", "Mel")] == [2.0, 1.0, 1.0]


def test_a_precision_brings_its_preset_over_a_more_general_tol_db_and_not_over_its_own():
    assert layered([{"tol_db": 5.0}, {"precision": "fp16"}], "x").tol_db == 0.1
    assert layered([{"tol_db": 5.0}, {"precision": "fp16", "tol_db": 0.7}], "x").tol_db == 0.7
    assert layered([{"precision": "fp16"}, {"tol_db": 5.0}], "x").tol_db == 5.0


def test_a_layer_that_says_something_else_leaves_tol_db_as_it_is():
    assert layered([{"tol_db": 5.0}, {"atol": 0.1}], "x").tol_db == 5.0
    assert layered([{"tol_db": 5.0, "stages": {"x": {"dtype": "any"}}}], "x").tol_db == 5.0


def test_deviation_and_peak_pass_up_to_and_at_their_limits():
    exact = measured(deviation_db=0.5, peak_db=2.0)
    assert verdict(exact, tol_db=0.5, tol_peak_db=2.0)
    assert not verdict(exact, tol_db=math.nextafter(0.5, 0), tol_peak_db=2.0)
    assert not verdict(exact, tol_db=0.5, tol_peak_db=math.nextafter(2.0, 0))


def test_the_signal_to_error_ratio_passes_from_its_limit_up():
    assert verdict(measured(snr_db=40.0), tol_db=None, min_snr_db=40.0)
    assert verdict(measured(snr_db=math.inf), tol_db=None, min_snr_db=40.0)
    assert not verdict(measured(snr_db=39.99), tol_db=None, min_snr_db=40.0)
    assert not verdict(measured(snr_db=-math.inf), tol_db=None, min_snr_db=-1000)


def test_a_number_that_does_not_exist_or_is_nan_never_passes():
    for value in (None, math.nan):
        numbers = measured(deviation_db=value, peak_db=value, snr_db=value, excess=value)
        assert not verdict(numbers, tol_db=1e9, tol_peak_db=None)
        assert not verdict(numbers, tol_db=None, tol_peak_db=1e9)
        assert not verdict(numbers, tol_db=None, min_snr_db=-1e9)
        assert not verdict(numbers, tol_db=None, atol=1e9)
        assert not verdict(measured(match=value), "codes", min_match=0.0)


def test_infinite_deviation_passes_no_tolerance():
    assert not verdict(measured(deviation_db=math.inf, peak_db=math.inf), tol_db=1e300, tol_peak_db=None)


@pytest.mark.parametrize(
    ("bias", "passes"), [(-0.5, True), (math.nextafter(-0.5, -1), False), (9.0, True), (None, False)]
)
def test_a_mean_may_be_below_the_expected_one_by_the_drop_that_is_allowed_and_above_by_any(bias, passes):
    assert verdict(measured(bias=bias), tol_db=None, max_drop=0.5) == passes


def test_every_limit_that_is_set_is_judged_under_its_name_and_side():
    numbers = measured(deviation_db=1.0, peak_db=2.0, snr_db=3.0, excess=4.0, bias=-5.0)
    keywords = {"tol_db": 10, "tol_peak_db": 20, "min_snr_db": 30, "atol": 40, "rtol": 0.5, "max_drop": 50}
    criteria = judge(numbers, layered([keywords], "x"), "tensor")
    assert [(one.name, one.value, one.limit, one.passed, one.at_most) for one in criteria] == [
        ("deviation_db", 1.0, 10.0, True, True),
        ("peak_db", 2.0, 20.0, True, True),
        ("snr_db", 3.0, 30.0, False, False),
        ("excess", 4.0, 40.0, True, True),
        ("drop", 5.0, 50.0, True, True),
    ]
    (match,) = judge(measured(match=0.5), layered([keywords], "x"), "codes")
    assert (match.name, match.value, match.limit, match.passed, match.at_most) == ("match", 0.5, 1.0, False, False)


def test_codes_are_judged_by_their_match_rate_alone_and_at_the_edge_they_pass():
    assert verdict(measured(match=1.0), "codes")
    assert not verdict(measured(match=0.999), "codes")
    assert verdict(measured(match=0.999), "codes", min_match=0.999)
    assert not verdict(measured(match=0.999), "codes", min_match=0.9991, tol_db=1e9)


@given(
    st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=1, max_size=8),
    st.sampled_from([0.0, 1e-3, 0.5, 10.0]),
)
def test_atol_alone_and_rtol_alone_judge_as_numpy_does(pairs, limit):
    e, a = np.array(pairs).T
    for keywords in ({"atol": limit, "rtol": 0.0}, {"atol": limit}, {"rtol": limit}, {"atol": 0.0, "rtol": limit}):
        full = {"atol": 0.0, "rtol": 0.0} | keywords
        expected = bool((np.abs(a - e) <= full["atol"] + full["rtol"] * np.abs(e)).all())
        assert verdict(compared(e, a, **keywords), tol_db=None, **keywords) == expected


def test_atol_and_rtol_together_allow_their_sum_beside_the_expected_value():
    e, a = np.array([100.0, -100.0, 0.0]), np.array([101.4, -101.4, 0.4])
    assert verdict(compared(e, a, atol=0.5, rtol=0.01), tol_db=None, atol=0.5, rtol=0.01)
    assert not verdict(compared(e, a, atol=0.3, rtol=0.01), tol_db=None, atol=0.3, rtol=0.01)
    assert not verdict(compared(e, a, atol=0.5, rtol=0.005), tol_db=None, atol=0.5, rtol=0.005)
    # The allowance grows with expected, not with actual.
    assert not verdict(compared([0.0], [100.0], rtol=0.9), tol_db=None, rtol=0.9)
    assert verdict(compared([100.0], [10.0], rtol=0.9), tol_db=None, rtol=0.9)


@given(decibels, decibels)
def test_the_smallest_tolerance_passes_and_the_next_smaller_number_fails(deviation, peak):
    comparison = measured(deviation_db=deviation, peak_db=peak)
    smallest = smallest_tol_db(comparison, layered([], "x"))
    assert verdict(comparison, tol_db=smallest)
    if smallest > 0:
        assert not verdict(comparison, tol_db=math.nextafter(smallest, 0))


def test_the_smallest_tolerance_for_a_peak_is_exact_in_spite_of_rounding():
    for peak in np.random.default_rng(0).uniform(0, 200, 1000).tolist():
        comparison = measured(deviation_db=0.0, peak_db=peak)
        smallest = smallest_tol_db(comparison, layered([], "x"))
        assert verdict(comparison, tol_db=smallest)
        assert not verdict(comparison, tol_db=math.nextafter(smallest, 0))


@given(decibels, decibels, decibels)
def test_the_smallest_tolerance_beside_an_explicit_peak_is_the_deviation_or_does_not_exist(deviation, peak, limit):
    comparison = measured(deviation_db=deviation, peak_db=peak)
    smallest = smallest_tol_db(comparison, layered([{"tol_peak_db": limit}], "x"))
    if peak > limit:
        assert smallest is None
        assert not verdict(comparison, tol_db=1e9, tol_peak_db=limit)
    else:
        assert smallest == deviation
        assert verdict(comparison, tol_db=smallest, tol_peak_db=limit)


def test_the_smallest_tolerance_of_a_peak_that_nobody_judges_is_the_deviation():
    assert smallest_tol_db(measured(deviation_db=0.2, peak_db=500.0), layered([{"tol_peak_db": None}], "x")) == 0.2


@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"match": 0.5},
        {"deviation_db": math.inf, "peak_db": math.inf},
        {"deviation_db": math.inf, "peak_db": 1.0},
        {"deviation_db": 0.5, "peak_db": math.inf},
        {"deviation_db": 0.5},
        {"peak_db": 0.5},
    ],
)
def test_no_tolerance_is_the_smallest_when_none_would_pass(numbers):
    assert smallest_tol_db(measured(**numbers), layered([], "x")) is None


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"tol_dB": 1}, "unknown keyword 'tol_dB', did you mean 'tol_db'?"),
        ({"min_mach": 1}, "unknown keyword 'min_mach', did you mean 'min_match'?"),
        ({"zzz": 1}, "unknown keyword 'zzz' (tol_db, "),
        ({"tol_db": -0.1}, "tol_db=-0.1 is not a number of dB, 0 or more, or None"),
        ({"tol_db": math.nan}, "tol_db=nan is not"),
        ({"tol_db": math.inf}, "tol_db=inf is not"),
        ({"tol_db": True}, "tol_db=True is not"),
        ({"tol_db": "1"}, "tol_db='1' is not"),
        ({"tol_peak_db": -1}, "tol_peak_db=-1 is not"),
        ({"min_snr_db": math.inf}, "min_snr_db=inf is not"),
        ({"atol": -1}, "atol=-1 is not"),
        ({"rtol": [1]}, "rtol=[1] is not"),
        ({"min_match": 1.1}, "min_match=1.1 is not a share between 0 and 1"),
        ({"min_match": None}, "min_match=None is not"),
        ({"min_stoi": 1.01}, "min_stoi=1.01 is not a number between 0 and 1 or None"),
        ({"min_estoi": -0.1}, "min_estoi=-0.1 is not"),
        ({"min_pesq_wb": 0.9}, "min_pesq_wb=0.9 is not a mean opinion score between 1 and 5 or None"),
        ({"min_pesq_nb": 5.1}, "min_pesq_nb=5.1 is not"),
        ({"min_stoy": 1}, "unknown keyword 'min_stoy', did you mean 'min_stoi'?"),
        ({"words": "all"}, "words='all' is not 'kept' or 'any'"),
        ({"precision": "fp8"}, "precision='fp8' is not one of fp32, fp16, bf16, int8"),
        ({"precision": ["fp16"]}, "precision=['fp16'] is not"),
        ({"dtype": "float32"}, "dtype='float32' is not 'same' or 'any'"),
        ({"allow_empty": 1}, "allow_empty=1 is not True or False"),
    ],
)
def test_a_wrong_keyword_is_named_with_what_would_be_right(keywords, said):
    assert said in problem_with(keywords)


def test_right_keywords_have_no_problem():
    right = {"tol_db": 0, "tol_peak_db": None, "min_snr_db": -3.5, "atol": 1e-5, "rtol": 0, "min_match": 1}
    assert problem_with(right | {"precision": "bf16", "dtype": "any", "allow_empty": True}) is None
    scores = {"min_stoi": 0, "min_estoi": 1, "min_pesq_wb": 1, "min_pesq_nb": 5, "words": "any"}
    assert problem_with(scores) is None
    assert problem_with(dict.fromkeys(["min_stoi", "min_estoi", "min_pesq_wb", "min_pesq_nb"])) is None
    assert problem_with({}) is None


def test_the_accepted_types_are_the_expected_one_and_that_of_the_precision():
    assert list(accepted_dtypes("float32", layered([], "x"))) == ["float32"]
    assert list(accepted_dtypes("float32", layered([{"precision": "bf16"}], "x"))) == ["float32", "bfloat16"]
    assert list(accepted_dtypes("int64", layered([{"precision": "bf16"}], "x"))) == ["int64"]
    assert list(accepted_dtypes("float32", layered([{"dtype": "any"}], "x"))) == []


def test_only_scores_with_a_limit_are_asked_for():
    assert scores_asked(layered([], "x")) == {}
    assert scores_asked(layered([{"min_stoi": 0, "min_pesq_nb": 2.5}], "x")) == {"min_stoi": 0.0, "min_pesq_nb": 2.5}


@pytest.mark.parametrize("keyword", ["min_stoi", "min_estoi", "min_pesq_wb", "min_pesq_nb", "words"])
def test_what_concerns_waveforms_needs_one(keyword):
    value = "any" if keyword == "words" else 1
    assert problem_with_kind({keyword: value}, "waveform") is None
    assert problem_with_kind({keyword: None}, "tensor") is None
    assert problem_with_kind({"tol_db": 1}, None) is None
    for kind in ("tensor", None):
        assert problem_with_kind({keyword: value}, kind).startswith(f"{keyword}= is for waveforms; ")


def test_a_limit_of_scores_that_concerns_no_waveform_is_told():
    assert unheard([("*", "min_stoi"), ("out/*", "words")], ["out/left"]) is None
    assert unheard([("*", "min_stoi")], []) == "min_stoi= concerns no stage: none is declared kind='waveform'"
    asked = [("*", "min_stoi"), ("in/*", "words")]
    assert unheard(asked, ["out/left"]) == "words= concerns no stage like 'in/*': none is declared kind='waveform'"


def test_a_glob_that_means_no_stage_is_told_with_the_nearest():
    assert unmatched(["mel", "ode/*", "a[0]"], ["mel", "ode/1", "a[0]"]) is None
    assert unmatched(["mle"], ["mel", "out"]) == "'mle' matches no stage, did you mean 'mel'?"
    assert unmatched(["mel", "zzz"], ["mel", "out"], what="setting") == "'zzz' matches no setting (mel, out)"
    assert unmatched(["mel"], []) == "'mel' matches no stage"


def test_the_word_that_was_meant_is_much_alike_or_begins_alike():
    assert nearest("tol_bd", ["tol_db", "tol_peak_db"]) == "tol_db"
    assert nearest("min", ["min_pesq_wb", "min_stoi"]) == "min_stoi"
    assert nearest("mi", ["min_pesq_wb"]) is None
    assert nearest("min", ["min_pesq_wb"]) == nearest("mint", ["min_pesq_wb"]) == "min_pesq_wb"
    assert nearest("db_tol", ["tol_db"]) == "tol_db"  # half alike: "tol" of six letters on either side
    assert nearest("xyz", ["tol_db"]) is None


def test_a_wrong_keyword_for_some_stages_is_told_with_their_glob():
    assert problem_with_stages({}) is None
    assert problem_with_stages({"stages": None}) is None
    assert problem_with_stages({"stages": {"a": {"tol_db": 1}}}) is None
    said = problem_with_stages({"stages": {"a": {"tol_db": 1}, "b*": {"tol_db": -1}}})
    assert said == "stages['b*']: tol_db=-1 is not a number of dB, 0 or more, or None"


@pytest.mark.parametrize(
    ("keyword", "right", "wrong"),
    [
        ("tol_db", [0, 1e9, np.float32(1)], [-1e-9, math.inf, math.nan, True, "1"]),
        ("min_snr_db", [-5, 0, 1e9], [math.inf, -math.inf, math.nan, True, "1"]),
        ("min_match", [0, 1, 0.5], [1.0001, -0.1, None, True]),
        ("min_pesq_wb", [1, 5, 2.5, None], [0.99, 5.01, True]),
        ("max_drop", [], [0, None]),  # of scores of a golden, which no user sets
        ("allow_empty", [True, False], [1, None]),
        ("words", ["kept", "any"], ["none", 1, None, np.array(["kept"])]),
        ("dtype", ["same", "any"], ["float32", 1, None, np.array(["same"])]),
    ],
)
def test_a_value_is_accepted_up_to_its_bounds_and_not_beyond(keyword, right, wrong):
    assert [problem_with({keyword: value}) for value in right] == [None] * len(right)
    assert None not in [problem_with({keyword: value}) for value in wrong]


def test_overrides_of_stages_are_dictionaries_in_a_dictionary_by_globs():
    for right in ({}, {"a*": {}}, {"a*": {"tol_db": 1}, "b": {}}):
        assert problem_with({"stages": right}, STAGES_KEYWORD) is None
    for wrong in ([], None, "a", {"a": 1}, {1: {}}, {"a": {}, "b": 1}, {"a": {}, 1: {}}):
        assert problem_with({"stages": wrong}, STAGES_KEYWORD).endswith("to dictionaries of tolerance keywords")


def test_values_of_numpy_become_plain_ones_and_truth_values_stay():
    tolerance = layered([{"tol_db": np.float32(0.5), "atol": np.int64(2), "allow_empty": True}], "x")
    assert [type(value) for value in (tolerance.tol_db, tolerance.atol)] == [float, float]
    assert tolerance.allow_empty is True
