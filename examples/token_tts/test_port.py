"""The tests of the port: against the golden of the reference, and of its sampler alone.

TTS_FAULT=no_top_k switches on a bug as a port would have it: see token_faults.py.
"""

import os
from dataclasses import asdict

import numpy as np
from token_faults import make_port
from token_layout import SETTINGS
from token_model import Speaker
from token_spoken import AGAIN_FRAMES, OTHER_FRAMES, OTHER_TEXT, TEXT, steady_uniforms

from pytest_audioparity import assert_sampler, parity

_DRAWS, _DRAWS_AT_A_TIME = 20_000, 1000  # as many as show a temperature that is 0.1 off


def port():
    return make_port(os.environ.get("TTS_FAULT"))


@parity(golden="examples/token_tts/test_reference/test_speech", port=True)
def test_speech(stages):
    model = port()
    stages.settings(asdict(model.settings))
    uniforms, given = stages.input("uniforms"), stages.input("given_codes")
    logits = stages.step("logits", model.read_back, TEXT, given)  # no sampler takes part
    stages.step("sampled", model.sample, logits, uniforms)  # nothing but the sampler does
    model.speak(OTHER_TEXT, uniforms[:OTHER_FRAMES])  # another caller, who must leave nothing behind
    stages.record("again", model.read_back(TEXT, given[:, :AGAIN_FRAMES]))
    codes = stages.step("codes", model.speak, TEXT, uniforms)
    chunks = list(model.speech(codes))
    stages.record("first_chunk", chunks[0])
    stages.record("audio", np.concatenate(chunks))


def test_sampler():
    model, random = port(), np.random.default_rng(0)
    logits = Speaker().speak(TEXT, steady_uniforms()[:1]).logits[0, 0]  # of the first code

    def draw(row):
        return model.sample(np.tile(row, (_DRAWS_AT_A_TIME, 1)), random.random(_DRAWS_AT_A_TIME, np.float32))

    result = assert_sampler(draw, logits, temperature=SETTINGS.temperature, top_k=SETTINGS.top_k, n=_DRAWS)
    assert not result.cannot_exclude
