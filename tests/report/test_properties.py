"""The properties of a JUnit file: names and numbers of what decided, and nothing that does not exist."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity.api import compare
from pytest_audioparity.report.json import compact, first_finding, jump_document
from pytest_audioparity.report.properties import properties

X = np.random.default_rng(0).standard_normal((8, 40))


def told(expected, actual, **more):
    result = compare(expected, actual)
    stages = [compact(stage) for stage in result.stages]
    account = {"verdict": result.verdict, "first_divergence": result.first_divergence, "stages": stages}
    account |= {"golden": "test_x/test_x", "outcome": "failed", "finding": first_finding(result), **more}
    account["second_jump"] = jump_document(result)
    return {name.removeprefix("audioparity."): value for name, value in properties(account)}


def test_a_failure_has_the_numbers_of_its_first_divergence_and_its_cause():
    assert told({"h": X, "mel": X}, {"h": X * 2, "mel": X * 4}) == {
        "verdict": "fail",
        "outcome": "failed",
        "golden": "test_x/test_x",
        "first_divergence": "h",
        "finding": "gain",
        "deviation_db": "6.0206",
        "tol_db": "0.01",
    }


def test_a_test_that_passes_has_the_number_of_the_stage_that_is_farthest_off():
    said = told({"h": X, "mel": X}, {"h": X, "mel": X * (1 + 1e-4)}, outcome="passed")
    assert float(said["deviation_db"]) == pytest.approx(20 * np.log10(1 + 1e-4), rel=1e-5)
    assert not {"first_divergence", "finding"} & set(said)


def test_an_infinite_deviation_is_written_as_xml_schema_does():
    assert told({"h": np.zeros(4)}, {"h": np.ones(4)})["deviation_db"] == "INF"


def test_what_was_not_measured_is_left_out():
    said = told({"h": X}, {"h": X * np.nan})
    assert said["first_divergence"] == "h"
    assert said["finding"] == "nonfinite"
    assert "deviation_db" not in said


def test_codes_have_the_share_that_is_equal():
    said = told({"codes": np.arange(8)}, {"codes": np.array([0, 1, 2, 3, 4, 5, 6, 9])})
    assert said["match"] == "0.875"
    assert not {"deviation_db", "tol_db"} & set(said)


def test_the_worst_audio_verdict_is_told_and_that_of_round_trips_counts():
    check = {"name": "words", "verdict": "fail", "message": "words are lost", "findings": []}
    trips = [{"audio_verdict": "garbled", "checks": [{**check, "name": "length", "verdict": "pass"}, check]}]
    said = told({"h": X}, {"h": X}, roundtrips=trips)
    assert said["audio"] == "garbled"
    assert said["finding"] == "words"


def test_names_cannot_break_a_line_or_the_file():
    assert properties({"golden": "a\nb\x00"}) == [("audioparity.golden", "a\\nb\\x00")]


def test_a_second_jump_is_named():
    """The stage that is off by far more than any before it, and only where there is one."""
    expected = dict.fromkeys("abc", X)
    assert told(expected, {"a": X * 1.002, "b": X * 1.002, "c": X * 3})["second_jump"] == "c"
    assert "second_jump" not in told(expected, {"a": X * 3, "b": X * 3, "c": X * 3})
