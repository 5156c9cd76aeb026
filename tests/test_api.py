"""`compare` and `assert_parity` are the engine as a plain library."""

from __future__ import annotations

import subprocess
import sys
import unittest

import numpy as np
import pytest
import soundfile

import pytest_audioparity
from pytest_audioparity.api import assert_parity, compare
from pytest_audioparity.errors import ParityError, StageError
from pytest_audioparity.records import FAIL, PASS
from pytest_audioparity.results import ParityResult, StageResult
from tests.audio.verdicts import SPEECH

SIGNAL = np.sin(np.arange(60.0)).reshape(6, 10)


def test_two_tensors_give_one_stage_result():
    result = compare(SIGNAL, SIGNAL * 1.01)
    assert isinstance(result, StageResult)
    assert (result.verdict, result.deviation_db) == (FAIL, pytest.approx(20 * np.log10(1.01)))
    assert compare(SIGNAL, SIGNAL * 1.01, tol_db=0.1).passed


def test_lists_and_numbers_are_tensors_too():
    assert compare([1.0, 2.0], [1.0, 2.0]).passed
    assert not compare([1, 2, 3], [1, 2, 4]).passed
    assert compare(3.0, 3.0).passed


def test_two_mappings_are_paired_by_name_only_and_ordered_as_expected():
    expected = {"a": SIGNAL, "b": SIGNAL, "c": SIGNAL}
    result = compare(expected, {"c": SIGNAL * 2, "b": SIGNAL * 2, "a": SIGNAL})
    assert isinstance(result, ParityResult)
    assert [(stage.name, stage.verdict) for stage in result.stages] == [("a", PASS), ("b", FAIL), ("c", FAIL)]
    assert result.first_divergence == "b"


def test_a_stage_of_one_mapping_alone_fails():
    result = compare({"a": SIGNAL, "b": SIGNAL}, {"a": SIGNAL, "x": SIGNAL})
    found = {stage.name: [finding.code for finding in stage.findings] for stage in result.stages}
    assert found == {"a": [], "x": ["extra_stage"], "b": ["missing_stage"]}
    assert not result.passed


def test_what_another_stage_should_be_is_named_stale():
    first, second = np.random.default_rng(0).standard_normal((2, 50, 8))
    result = compare({"first": first, "second": second}, {"first": first, "second": first})
    (finding,) = result.stages[1].findings
    assert (finding.code, finding.detail["stage"]) == ("stale", "first")


def test_two_empty_mappings_do_not_pass():
    assert not compare({}, {}).passed


def test_a_mapping_and_a_tensor_are_not_comparable():
    with pytest.raises(StageError, match="not array-like"):
        compare({"a": SIGNAL}, SIGNAL)


def test_tolerances_can_be_given_per_stage():
    sides = {"mel/0": SIGNAL, "out": SIGNAL}, {"mel/0": SIGNAL * 1.05, "out": SIGNAL * 1.05}
    result = compare(*sides, stages={"mel/*": {"tol_db": 1.0}})
    assert [stage.verdict for stage in result.stages] == [PASS, FAIL]


def test_axes_of_the_actual_side_may_differ_when_both_are_declared():
    assert compare(SIGNAL, SIGNAL.T, axes="CT", actual_axes="TC").passed
    assert not compare(SIGNAL, SIGNAL.T, axes="CT").passed
    with pytest.raises(StageError, match="actual_axes= needs axes="):
        compare(SIGNAL, SIGNAL.T, actual_axes="TC")


def test_declarations_reach_the_comparison():
    log = compare(SIGNAL, SIGNAL + 1, kind="log_spectrum", unit="log10_power", tol_db=10.0)
    assert log.deviation_db == pytest.approx(10.0)
    late = compare(SIGNAL, np.where(np.arange(10) == 7, 9.0, SIGNAL), kind="waveform", axes="CT", sample_rate=14_000)
    assert late.comparison.worst.seconds == pytest.approx(0.0005)


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"tol_dB": 1}, "did you mean 'tol_db'"),
        ({"tol_db": "much"}, "tol_db='much' is not"),
        ({"kind": "melody"}, "kind='melody'"),
        ({"unit": "dB", "kind": "log_spectrum"}, "unit='dB'"),
        ({"axes": "BCT"}, "axes='BCT'"),
        ({"sample_rate": -1}, "sample_rate=-1"),
        ({"stages": ["mel"]}, "stages="),
        ({"stages": {"mel": 0.1}}, "stages="),
        ({"stages": {"mel": {"tol": 0.1}}}, r"stages\['mel'\]: unknown keyword 'tol'"),
        ({"stages": None}, "stages="),
    ],
)
def test_misuse_is_a_stage_error_that_says_what_is_wrong(keywords, said):
    with pytest.raises(StageError, match=said):
        compare(SIGNAL, SIGNAL, **keywords)


def test_assert_parity_is_silent_about_what_passes():
    assert assert_parity(SIGNAL, SIGNAL.copy()) is None
    assert assert_parity({"a": SIGNAL}, {"a": SIGNAL}) is None


def test_assert_parity_raises_an_assertion_error_with_the_whole_report():
    with pytest.raises(ParityError, match=r"'tensor'") as single:
        assert_parity(SIGNAL, SIGNAL * 2)
    assert "6.02" in str(single.value)
    with pytest.raises(AssertionError, match="'b'"):
        assert_parity({"a": SIGNAL, "b": SIGNAL}, {"a": SIGNAL, "b": -SIGNAL})


@pytest.mark.parametrize("actual", [np.full(60, np.nan).reshape(6, 10), np.zeros((0, 3)), SIGNAL[:5], SIGNAL > 0])
def test_assert_parity_raises_for_all_that_cannot_be_measured(actual):
    with pytest.raises(ParityError):
        assert_parity(SIGNAL, actual)


def test_arguments_are_not_changed():
    expected, actual = SIGNAL.copy(), SIGNAL * 2
    stages = {"mel": {"tol_db": 1.0}}
    compare({"mel": expected}, {"mel": actual}, stages=stages)
    assert np.array_equal(expected, SIGNAL)
    assert np.array_equal(actual, SIGNAL * 2)
    assert stages == {"mel": {"tol_db": 1.0}}


@pytest.mark.parametrize("loaded_before", ["pytest_audioparity", "pytest_audioparity.plugin", "pytest_audioparity.api"])
def test_the_public_compare_can_be_called_whatever_was_imported_before(loaded_before):
    program = f"import {loaded_before}; from pytest_audioparity import compare; print(compare([1.0], [2.0]).verdict)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("fail\n", "")


def test_public_names_work_inside_a_test_run_where_the_plugin_is_loaded():
    assert pytest_audioparity.compare(SIGNAL, SIGNAL).passed
    assert not pytest_audioparity.compare(SIGNAL, -SIGNAL).passed
    assert pytest_audioparity.assert_parity is assert_parity


class TestFromUnittest(unittest.TestCase):
    def test_a_unittest_case_can_assert_parity(self):
        assert_parity(SIGNAL, SIGNAL)
        with self.assertRaises(self.failureException):  # noqa: PT027 - unittest's own way is what is tested
            assert_parity(SIGNAL, SIGNAL + 1)


def test_scores_concern_waveforms():
    """A limit of a score is misuse where nothing is a waveform; a waveform that lost its words says so."""
    clip = soundfile.read(SPEECH / "librivox_sense_and_sensibility_0930.wav")[0]
    for keywords in ({"min_stoi": 0.9}, {"words": "any"}, {"min_estoi": 0.9, "kind": "tensor"}):
        with pytest.raises(StageError, match=r"compare: \w+= is for waveforms; declare kind='waveform'"):
            compare(clip, clip, **keywords)
    with pytest.raises(StageError, match="min_stoi= is for waveforms"):
        compare({"x": clip}, {"x": clip}, stages={"x": {"min_stoi": 0.9}})
    declared = {"kind": "waveform", "sample_rate": 16_000, "tol_db": None}
    assert compare(clip, clip * 0.9, **declared, min_stoi=0.99)
    with pytest.raises(ParityError, match=r"audio +: garbled: words are lost: ESTOI"):
        assert_parity(clip, clip[::-1], **declared, atol=2)
    assert_parity(clip, clip[::-1], **declared, atol=2, words="any")
