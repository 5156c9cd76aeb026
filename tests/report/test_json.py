"""The JSON document: the contract's keys, and null for every number that JSON lacks."""

from __future__ import annotations

import json

import numpy as np

from pytest_audioparity.api import compare
from pytest_audioparity.report.json import document

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
