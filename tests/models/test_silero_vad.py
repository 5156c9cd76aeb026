"""A real streaming model against its golden, with its state kept, and with its state reset at every chunk."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import silero_trace
import soundfile

from pytest_audioparity import compare, parity
from pytest_audioparity.adapters.dumps import load

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "tests/data/speech/librivox_sense_and_sensibility_0930.wav"
NAME = "tests/models/test_silero_vad/test_every_stage_is_the_golden_s"


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    samples, rate = soundfile.read(CLIP, dtype="float32")
    assert rate == silero_trace.SAMPLE_RATE
    return samples


@parity
def test_every_stage_is_the_golden_s(stages, speech):
    for stage in silero_trace.trace(speech):
        stages.record(stage.name, stage.value, **stage.declared)


def test_a_state_reset_per_chunk_is_first_seen_in_the_recurrent_layer(speech):
    expected = {stage.meta.name: stage.array for stage in load(ROOT / "golden" / f"{NAME}.safetensors")}
    actual = {stage.name: stage.value for stage in silero_trace.trace(speech, faults={"state_reset"})}
    result = compare(expected, actual)
    assert result.first_divergence == "lstm/hidden"
    passed = {stage.name for stage in result.stages if stage.passed}
    assert passed == {"stft_magnitude", "encoder/layer_1", "encoder/output"}


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@parity(golden=NAME, port=True, only=["probability"])
def test_the_torchscript_form_of_the_model_is_a_healthy_port(stages, speech, needs):
    needs("torch")
    import torch

    model = torch.jit.load(metadata.distribution("silero-vad").locate_file("silero_vad/data/silero_vad.jit"))
    probabilities = model.audio_forward(torch.from_numpy(speech)[None], sr=silero_trace.SAMPLE_RATE)
    stages.record("probability", probabilities, axes="BT")
