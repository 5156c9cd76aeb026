"""The JSON document: the contract's keys, and null for every number that JSON lacks."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from pytest_audioparity.api import compare
from pytest_audioparity.comparison.hyperparameters import compare_settings
from pytest_audioparity.report.json import document
from pytest_audioparity.results import Own

CONTRACT = {"name", "verdict", "deviation_db", "tol_db", "peak_db", "snr_db", "findings"}


def written(expected, actual, **keywords):
    return json.loads(json.dumps(document(compare(expected, actual, **keywords)), allow_nan=False))


def test_a_failing_stage_has_every_key_of_the_contract_and_its_numbers():
    e = np.array([1.0, 2.0, -2.0])
    told = written({"mel": e}, {"mel": e * 2})
    assert told["schema"] == 1
    assert told["verdict"] == "fail"
    assert told["first_divergence"] == "mel"
    (stage,) = told["stages"]
    assert set(stage) >= CONTRACT
    assert stage["deviation_db"] == 20 * np.log10(2)
    assert stage["tol_db"] == 0.01
    assert stage["snr_db"] == 0
    assert stage["gain"] == 2


def test_equal_stages_have_no_first_divergence_and_a_null_for_an_infinite_ratio():
    told = written({"mel": np.ones(3)}, {"mel": np.ones(3)})
    assert told["verdict"] == "pass"
    assert told["first_divergence"] is None
    assert told["stages"][0]["deviation_db"] == 0
    assert told["stages"][0]["snr_db"] is None


def test_a_silent_side_is_a_failure_with_null_for_its_infinite_deviation():
    told = written({"w": np.ones(3)}, {"w": np.zeros(3)})
    assert told["verdict"] == "fail"
    assert told["stages"][0]["deviation_db"] is None
    assert [finding["code"] for finding in told["stages"][0]["findings"]] == []


def test_findings_carry_code_share_detail_and_message():
    told = written({"w": np.arange(3.0)}, {"w": np.array([0.0, np.nan, np.inf])})
    (finding,) = told["stages"][0]["findings"]
    assert finding["code"] == "nonfinite"
    assert set(finding) == {"code", "explains", "detail", "message"}
    assert finding["detail"]["nan"] == 1


def test_what_cannot_be_measured_is_its_own_verdict():
    assert written({"x": np.empty(0)}, {"x": np.empty(0)})["verdict"] == "not_measured"


def test_the_own_part_of_a_stage_is_told_and_null_where_it_is_not_known():
    e = np.array([1.0, 2.0, -2.0])
    result = compare({"a": e}, {"a": e * 2})
    (stage,) = document(result)["stages"]
    keys = ("own_verdict", "own_deviation_db", "own_match", "own_note")
    assert [stage[key] for key in keys] == [None] * 4
    assert stage["own_findings"] == stage["inherited_from"] == stage["used_as_given"] == []
    own = Own(compare(e, e), None, ("argument 2",), ("x",))
    (stage,) = document(replace(result, stages=(replace(result.stages[0], own=own),)))["stages"]
    assert [stage[key] for key in keys] == ["pass", 0.0, None, None]
    assert (stage["inherited_from"], stage["used_as_given"]) == (["x"], ["argument 2"])
    own = Own(note="it has state")
    (stage,) = document(replace(result, stages=(replace(result.stages[0], own=own),)))["stages"]
    assert [stage[key] for key in keys] == [None, None, None, "it has state"]


def test_settings_are_told_with_their_verdicts():
    settings = compare_settings({"a": 1, "b": None}, {"a": 1.0, "c": [2]})
    told = json.loads(
        json.dumps(document(replace(compare({"x": 1.0}, {"x": 1.0}), settings=settings)), allow_nan=False)
    )
    assert told["verdict"] == "fail"
    assert [(s["name"], s["expected"], s["actual"], s["verdict"]) for s in told["settings"]] == [
        ("a", 1, 1.0, "pass"),
        ("b", None, None, "fail"),
        ("c", None, [2], "fail"),
    ]
    assert document(compare({"x": 1.0}, {"x": 1.0}))["settings"] == []
