"""A real text-to-speech model against its golden, and the same model with a planted bug."""

from __future__ import annotations

from pathlib import Path

import hibari_trace
import numpy as np
import pytest

from pytest_audioparity import compare, parity
from pytest_audioparity.adapters.dumps import load

TEXT = "Hello there."
GOLDEN = Path(__file__).parents[2] / "golden/tests/models/test_hibari/test_every_stage_is_the_golden_s.safetensors"
# The model is int8: each activation is quantised anew, so the last bit of another CPU's float unit can move a
# quantisation step. Perturbing inner tensors by one part in a million moved the stages of this sentence by up to
# 0.11 dB before the spectra, 0.23 dB in them and 0.25 dB in the waveform.
BEFORE_SPECTRA_DB = 0.3
WAVEFORM_PEAK_DB = 20


@parity(
    precision="int8",
    stages={
        "encoder/*": {"tol_db": BEFORE_SPECTRA_DB},
        "prosody/*": {"tol_db": BEFORE_SPECTRA_DB},
        # 100 times 1 dB would let any click pass.
        "waveform": {"tol_peak_db": WAVEFORM_PEAK_DB},
    },
)
def test_every_stage_is_the_golden_s(stages):
    for stage in hibari_trace.trace(TEXT):
        stages.record(stage.name, stage.value, **stage.declared)


@pytest.mark.parametrize(
    ("fault", "first", "deviation_db"),
    [("encoder_gain", "encoder/output", 3.52), ("attention_scale", "encoder/layer_0", 0.53)],
)
def test_a_planted_fault_is_first_seen_in_the_stage_it_sits_in(fault, first, deviation_db):
    expected = {stage.meta.name: stage.array for stage in load(GOLDEN)}
    actual = {stage.name: stage.value for stage in hibari_trace.trace(TEXT, faults={fault})}
    result = compare(expected, actual, tol_db=BEFORE_SPECTRA_DB)
    assert result.first_divergence == first
    by_name = {stage.name: stage for stage in result.stages}
    assert by_name[first].deviation_db == pytest.approx(deviation_db, abs=0.15)
    assert not by_name["waveform"].passed
    assert all(by_name[name].passed for name in ("phoneme_ids", "prosody/durations_frames", "prosody/f0_hz"))


def test_a_click_in_the_waveform_is_caught_by_its_peak():
    clean = load(GOLDEN)[-1].array
    clicked = clean.copy()
    clicked[12345] += 3 * np.abs(clean).max()
    limits = {"kind": "waveform", "axes": "T", "precision": "int8", "tol_peak_db": WAVEFORM_PEAK_DB}
    assert compare(clean, clean, **limits)
    result = compare(clean, clicked, **limits)
    assert [criterion.name for criterion in result.criteria if not criterion.passed] == ["peak_db"]
    assert result.comparison.worst.index == (12345,)
