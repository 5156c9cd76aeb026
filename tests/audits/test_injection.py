"""Faults put into stages and judged: those that matter are there, and each is noticed exactly where its number says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_audioparity.audits.injection import injected
from pytest_audioparity.comparison.tolerances import PRESET_DB, layered
from pytest_audioparity.records import StageMeta, StageTensor
from tests.faults.corpus import stages

STAGES = {
    stage.meta.name: stage
    for stage in stages()
    if stage.meta.name.startswith(("waveform/short", "mel/short", "network/embedding", "codes/btc", "silero/lstm/cell"))
}


def tolerance_of(name, **keywords):
    # By numbers alone: silence fails within any tolerance, since no word of it is left.
    return layered([{"words": "any", **keywords}], name)


@pytest.mark.parametrize("name", STAGES)
def test_a_fault_is_noticed_where_the_tolerance_is_below_its_own(name):
    """Judged just below and at the smallest tolerance with which it passes, a fault fails and passes."""
    stage = STAGES[name]
    measured = 0
    for one in injected(stage, tolerance_of(name), seed="a"):
        if one.smallest is None:
            assert one.noticed
        elif one.result.smallest_tol_db:
            measured += 1
            limit = one.result.smallest_tol_db
            assert one.noticed == (limit > PRESET_DB["fp32"])
            for tol_db, passes in ((limit, True), (limit * 0.999, False)):
                again = injected(stage, tolerance_of(name, tol_db=tol_db), seed="a")
                same = next(two for two in again if two.fault.name == one.fault.name)
                assert same.result.passed == passes
            if measured == 5:
                break
    assert measured or stage.array.dtype.kind == "i"


@pytest.mark.parametrize("name", STAGES)
def test_the_structure_and_every_cause_are_among_the_faults(name):
    """Nothing that befalls a stage is left out because it is small in all: one frame or one code is a fault."""
    codes = {one.fault.code for one in injected(STAGES[name], tolerance_of(name))}
    assert {"missing_stage", "extra_stage", "shape", "all_zero", "constant"} <= codes
    assert "rounding" not in codes
    assert len(codes) >= 15


def test_what_the_precision_allows_is_no_fault():
    """A cast to float16 matters to no precision, one to bfloat16 to fp32 alone."""
    stage = STAGES["silero/lstm/cell"]
    for precision, expected in (("fp32", {"bfloat16"}), ("fp16", set()), ("bf16", set())):
        tolerance = tolerance_of("a", precision=precision)
        found = {one.fault.detail.get("grid") for one in injected(stage, tolerance) if one.fault.code == "quantised"}
        assert found & {"float16", "bfloat16"} == expected


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64", "int8", "bool"])
def test_codes_of_every_integer_type_have_faults(dtype):
    """What leaves the range of the type is no fault of it."""
    codes = np.arange(240).reshape(4, 60) % 120
    found = list(injected(StageTensor(StageMeta("a", axes="CT"), codes.astype(dtype)), tolerance_of("a")))
    assert all(one.noticed for one in found)
    assert len(found) > 2


@pytest.mark.parametrize("samples", [1, 2, 3, 8, 70, 130, 198])
def test_short_waveforms_have_faults(samples):
    stage = StageTensor(StageMeta("a", "waveform", "T"), np.sin(np.arange(samples, dtype=np.float32) + 1))
    assert list(injected(stage, tolerance_of("a")))


def test_faults_are_the_same_for_the_same_test_and_stage():
    """What is random follows from the test's name, so that two runs say the same."""
    stage = STAGES["mel/short"]
    runs = [[one.fault.name for one in injected(stage, tolerance_of("a"), seed=seed)] for seed in "xxy"]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_a_stage_is_not_changed_and_silence_has_faults_of_structure_only():
    """The golden's tensor is read only; a constant shows nothing but structure."""
    stage = replace(STAGES["mel/short"], array=STAGES["mel/short"].array.copy())
    stage.array.flags.writeable = False
    assert list(injected(stage, tolerance_of("a")))
    silent = StageTensor(StageMeta("a"), np.zeros((4, 50), np.float32))
    assert {one.fault.code for one in injected(silent, tolerance_of("a"))} == {"missing_stage", "extra_stage", "shape"}


def test_a_stage_that_only_leaves_out_is_no_extra_one():
    """Where `only=` covers "h" alone, "h_extra" is not compared, so nothing could notice it and nothing should."""
    stage = replace(STAGES["silero/lstm/cell"], meta=StageMeta("h"))
    codes = {one.fault.code for one in injected(stage, tolerance_of("h"), covers="h".__eq__)}
    assert "missing_stage" in codes
    assert "extra_stage" not in codes
    assert "extra_stage" in {one.fault.code for one in injected(stage, tolerance_of("h"), covers=lambda _: True)}
