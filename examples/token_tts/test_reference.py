"""The reference writes the golden: `pytest examples/token_tts/test_reference.py --update-golden`."""

from dataclasses import asdict

import numpy as np
from token_layout import FRAME_RATE, SAMPLE_RATE
from token_model import Speaker, sample
from token_spoken import AGAIN_FRAMES, TEXT, steady_uniforms

from pytest_audioparity import parity


@parity
def test_speech(stages):
    speaker = Speaker()
    settings = speaker.settings
    stages.settings(asdict(settings))
    uniforms = stages.input("uniforms", steady_uniforms(), axes="TC")
    spoken = speaker.speak(TEXT, uniforms)
    stages.input("given_codes", spoken.codes, kind="codes", axes="CT")
    logits = stages.record("logits", spoken.logits, kind="logits", axes="TCV", frame_rate=FRAME_RATE)
    drawn = sample(logits, uniforms[: len(logits)], settings.temperature, settings.top_k)
    stages.record("sampled", drawn, kind="codes", axes="TC")
    stages.record("again", logits[:AGAIN_FRAMES], kind="logits", axes="TCV", frame_rate=FRAME_RATE)
    stages.record("codes", spoken.codes, kind="codes", axes="CT", frame_rate=FRAME_RATE)
    chunks = list(speaker.speech(spoken.codes))
    stages.record("first_chunk", chunks[0], kind="waveform", axes="T", sample_rate=SAMPLE_RATE)
    stages.record("audio", np.concatenate(chunks), kind="waveform", axes="T", sample_rate=SAMPLE_RATE)
