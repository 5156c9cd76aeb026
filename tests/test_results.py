"""What a result says of itself follows from its verdicts and numbers alone."""

from __future__ import annotations

import pytest

from pytest_audioparity.comparison.hyperparameters import compare_settings
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.records import FAIL, NOT_MEASURED, PASS, Comparison, Finding, Side, StageMeta
from pytest_audioparity.results import Criterion, Own, ParityResult, StageResult

GAIN, DTYPE = Finding("gain", "too loud", explains=0.9), Finding("dtype", "float64 where float32 is expected")


def failing(*over, **more):
    names = ("deviation_db", "peak_db", "snr_db")
    criteria = tuple(Criterion(name, 2.0, 1.0, name not in over) for name in names)
    keywords = {"criteria": criteria, "smallest_tol_db": 2.0, **more}
    return StageResult(StageMeta("x"), FAIL, layered([], "x"), **keywords)


@pytest.mark.parametrize(
    ("result", "only"),
    [
        (failing("deviation_db"), True),
        (failing("peak_db"), True),
        (failing("deviation_db", "peak_db"), True),
        (failing("deviation_db", findings=(GAIN,)), True),
        (failing("deviation_db", "snr_db"), False),
        (failing("snr_db"), False),
        (failing(), False),
        (failing("peak_db", smallest_tol_db=None), False),
        (failing("deviation_db", reason="declared sample_rate=22050"), False),
        (failing("deviation_db", findings=(DTYPE,)), False),
        (failing("deviation_db", findings=(GAIN, DTYPE)), False),
    ],
)
def test_a_larger_tolerance_is_the_way_out_only_where_nothing_else_is_wrong(result, only):
    assert result.is_only_too_far == only


@pytest.mark.parametrize(
    ("tol_db", "smallest", "margin"), [(0.5, 0.25, 0.25), (0.5, 2.0, -1.5), (None, 1, None), (1, None, None)]
)
def test_the_margin_is_what_is_left_of_the_tolerance(tol_db, smallest, margin):
    tolerance = layered([{"tol_db": tol_db}], "x")
    assert StageResult(StageMeta("x"), FAIL, tolerance, smallest_tol_db=smallest).margin_db == margin


@pytest.mark.parametrize(("expected", "actual"), [("float32", "float32"), ("float32", ""), ("", "float32")])
def test_both_sides_are_there_when_each_has_a_dtype(expected, actual):
    sides = Comparison(Side((1,), expected), Side((1,), actual), 1)
    result = StageResult(StageMeta("x"), FAIL, layered([], "x"), sides)
    assert result.has_both_sides == bool(expected and actual)
    assert not StageResult(StageMeta("x"), FAIL, layered([], "x")).has_both_sides


@pytest.mark.parametrize(
    ("verdict", "own", "inherited"),
    [(FAIL, PASS, True), (FAIL, FAIL, False), (FAIL, NOT_MEASURED, False), (PASS, PASS, False), (FAIL, None, False)],
)
def test_a_stage_inherited_its_failure_when_its_step_passes_on_the_inputs_of_the_golden(verdict, own, inherited):
    sides = Comparison(Side((1,), "float32"), Side((1,), "float32"), 1, deviation_db=0.125)
    alone = None if own is None else StageResult(StageMeta("x"), own, layered([], "x"), sides)
    result = StageResult(StageMeta("x"), verdict, layered([], "x"), own=Own(alone))
    assert result.is_inherited == inherited
    assert (result.own_result, result.own_db) == (alone, None if own is None else 0.125)
    assert result.deviation_db is None


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        ((PASS, PASS), PASS),
        ((PASS, NOT_MEASURED), NOT_MEASURED),
        ((NOT_MEASURED, FAIL), FAIL),
        ((PASS, FAIL), FAIL),
        ((), FAIL),
    ],
)
@pytest.mark.parametrize("reason", [None, "the golden is damaged"])
def test_a_test_passes_only_with_stages_that_all_pass_and_without_a_reason_not_to(verdicts, verdict, reason):
    stages = tuple(StageResult(StageMeta(str(place)), one, layered([], "x")) for place, one in enumerate(verdicts))
    result = ParityResult("t", stages, reason=reason)
    assert result.verdict == (verdict if reason is None else FAIL)
    assert result.passed == bool(result) == (reason is None and verdict == PASS)


def test_settings_alone_do_not_pass_a_test():
    settings = compare_settings({"top_k": 1}, {"top_k": 1})
    assert settings[0].passed
    assert ParityResult("t", (), settings=settings).verdict == FAIL


def test_a_test_that_fails_as_a_whole_has_no_first_divergence():
    sides = Comparison(Side((1,), "float32"), Side((1,), "float32"), 1)
    stage = StageResult(StageMeta("x"), FAIL, layered([], "x"), sides)
    assert ParityResult("t", (stage,)).first_divergence == "x"
    assert ParityResult("t", (stage,), reason="the golden is damaged").first_divergence is None


def test_a_stage_that_inherited_is_named_before_one_that_is_missing():
    both, one = Side((1,), "float32"), Side((), "")
    passing = StageResult(StageMeta("b"), PASS, layered([], "x"))
    missing = StageResult(StageMeta("a"), FAIL, layered([], "x"), Comparison(both, one, 0))
    inherited = StageResult(StageMeta("b"), FAIL, layered([], "x"), Comparison(both, both, 1), own=Own(passing))
    assert ParityResult("t", (missing, inherited)).first_divergence == "b"
    assert ParityResult("t", (missing,)).first_divergence == "a"


def test_a_criterion_is_a_largest_value_unless_it_says_otherwise():
    assert Criterion("deviation_db", 1.0, 1.0, passed=True).at_most
