"""The corpus is realistic in kind and size, and its healthy variants are healthy."""

from __future__ import annotations

import numpy as np

from pytest_audioparity.check import check_stage
from pytest_audioparity.comparison.structure import kind_of
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.records import DB_PER_UNIT, KINDS
from tests.faults import confusion, corpus

# Elements of a stage that is compared in a millisecond or two.
_QUICK = 20_000


def test_every_kind_unit_and_layout_occurs():
    stages = corpus.stages()
    assert {kind_of(stage.meta, stage.array) for stage in stages} == set(KINDS)
    assert {stage.meta.unit for stage in stages} >= set(DB_PER_UNIT)
    assert {stage.meta.axes for stage in stages} >= {None, "T", "CT", "TC", "BCT", "BTC", "BHTS", "BTV", "BT"}
    assert {stage.array.shape[0] for stage in stages if stage.array.ndim == 3} >= {1, 2}


def test_stages_are_finite_and_small_enough():
    for stage in corpus.stages():
        assert np.isfinite(stage.array).all()
        assert stage.array.size <= 130_000
        check_stage(stage, stage, layered([], "x"))


def test_every_wrong_computation_is_seen_but_the_smallest():
    unseen = {case.name for case in confusion.measure_ports() if not case.detected}
    assert unseen <= {"GELU by tanh"}


def test_a_thousand_healthy_variants_pass_the_default_tolerance():
    rng = np.random.default_rng(0)
    made = 0
    for round_ in range(3):
        # The second round need not repeat what takes long.
        for stage in [s for s in corpus.stages() if round_ == 0 or s.array.size < _QUICK]:
            for healthy in corpus.healthy_of(stage, rng):
                made += 1
                result = check_stage(stage, healthy, layered([], "x"))
                assert result.passed, (round_, stage.meta.name, result.deviation_db)
                assert result.findings == ()
    assert made >= 1000


def test_the_scorer_counts_every_case_once_and_makes_a_miss_again():
    options = confusion.Options(codes=("gain", "missing_stage"), stages="waveform/short")
    cases = confusion.measure(options, processes=1)
    lines = list(confusion.report(cases, options, matrix=True))
    assert lines[2].startswith("| missing_stage | 1 | 0 | 1 | 100.0% |")
    assert f"| **all** | {len(cases)} |" in "\n".join(lines)
    last = cases[-1]
    stage, fault = confusion.reproduce(last.stage, last.codes[0], last.index)
    assert (stage.meta.name, fault.name) == (last.stage, last.name)


def test_a_fault_under_the_default_tolerance_is_judged_with_a_tighter_one():
    stage = corpus.stages()[0]
    (faint, *_) = confusion.measure(confusion.Options(codes=("rounding",), stages=stage.meta.name), processes=1)
    assert not faint.detected
    assert faint.deviation_db < 0.01
