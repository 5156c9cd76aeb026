"""A flow-matching decoder against its port, as its repository would test it.

FLOW_FAULT=projection_bias switches on a bug as a port would have it: see flow_port.py and README.md.
FLOW_SETTINGS=own lets the port declare what it really runs with, and not what its configuration file says.
"""

import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
from flow_layout import BINS, FRAME_RATE, SAMPLE_RATE, Settings
from flow_port import known, make_port, own_noise
from flow_reference import Decoder, load_weights

from pytest_audioparity import parity

EXAMPLE = json.loads(Path(__file__).with_name("example.json").read_text())
SETTINGS = Settings()
SEED = 0


def trace(stages, decoder, tokens, noise):
    """Decode tokens, stage by stage."""
    embedded = stages.step("embedding", decoder.embed, tokens)
    stages.step("attention_scores", decoder.attention_scores, embedded)
    condition = stages.step("encoder", decoder.encode, embedded)
    x = stages.step("start", decoder.start, noise)
    for number in range(SETTINGS.n_steps):
        x = stages.step(f"ode/{number}", decoder.ode_step, x, condition, number)
    projected = stages.step("projection", decoder.project, x)
    mel = decoder.mel(projected)
    stages.record("mel", mel, kind="log_spectrum", unit="ln", axes="BTC", frame_rate=FRAME_RATE)
    stages.record("audio", decoder.audio(mel), kind="waveform", axes="T", sample_rate=SAMPLE_RATE)


@parity(tol_db=0.01)
def test_reference(stages):
    stages.settings(asdict(SETTINGS))
    tokens = stages.input("tokens", np.array([EXAMPLE["tokens"]]), axes="BT", frame_rate=FRAME_RATE)
    noise = np.random.default_rng(SEED).standard_normal((*tokens.shape, BINS)).astype(np.float32)
    noise = stages.input("noise", noise, axes="BTC", frame_rate=FRAME_RATE)
    trace(stages, Decoder(load_weights(), SETTINGS), tokens, noise)


@parity(golden="examples/flow_decoder/test_flow/test_reference", port=True, tol_db=0.01)
def test_port(stages):
    fault = known(os.environ.get("FLOW_FAULT", ""))
    decoder = make_port(fault)
    stages.settings(asdict(decoder.settings if os.environ.get("FLOW_SETTINGS") == "own" else SETTINGS))
    tokens = stages.input("tokens", axes="BT")
    # The golden's noise: another library's generator gives other numbers for the same seed.
    noise = stages.input("noise", *([own_noise(tokens.size)] if fault.draws_noise else []), axes="BTC")
    trace(stages, decoder, tokens, noise)
