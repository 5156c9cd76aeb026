"""Ports of examples/token_tts, one healthy and some with the bugs of its list, for pictures of the documentation."""

import os
from dataclasses import asdict

import numpy as np
import pytest
from token_faults import make_port
from token_spoken import AGAIN_FRAMES, OTHER_FRAMES, OTHER_TEXT, TEXT

from pytest_audioparity import parity


@pytest.mark.parametrize(
    "fault",
    [pytest.param(None, id="healthy"), "no_top_k", "temperature", "stale_cache", "chunk_size", "stale_kv_cache"],
)
@parity(golden="test_reference/test_speech", port=True)
def test_speech(stages, fault):
    model = make_port(fault if os.environ.get("FAULT") else None)
    stages.settings(asdict(model.settings))
    uniforms, given = stages.input("uniforms"), stages.input("given_codes")
    logits = stages.step("logits", model.read_back, TEXT, given)
    stages.step("sampled", model.sample, logits, uniforms)
    model.speak(OTHER_TEXT, uniforms[:OTHER_FRAMES])
    stages.record("again", model.read_back(TEXT, given[:, :AGAIN_FRAMES]))
    codes = stages.step("codes", model.speak, TEXT, uniforms)
    chunks = list(model.speech(codes))
    stages.record("first_chunk", chunks[0])
    stages.record("audio", np.concatenate(chunks))
