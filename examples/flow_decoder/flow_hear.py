"""Listen to the decoder: `python flow_hear.py [--fault NAME] [--write FILE.wav]` (hibari-tts, soxr).

Scores the example against the sentence that its tokens were made of, spoken by the model of the training speech.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import soundfile
from flow_layout import BINS, SAMPLE_RATE, Settings
from flow_port import FAULTS, known, make_port
from flow_speech import speak
from flow_vocoder import vocode

from pytest_audioparity import score


def decode(tokens: np.ndarray, fault: str) -> np.ndarray:
    """Return the port's audio."""
    port = make_port(known(fault))
    condition = port.encode(port.embed(tokens))
    x = port.start(np.random.default_rng(0).standard_normal((1, tokens.size, BINS)).astype(np.float32))
    for number in range(port.settings.n_steps):
        x = port.ode_step(x, condition, number)
    return port.audio(port.mel(port.project(x)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fault", choices=FAULTS, default="")
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    example = json.loads(Path(__file__).with_name("example.json").read_text())
    audio = decode(np.array([example["tokens"]]), chosen.fault)
    if chosen.write:
        soundfile.write(chosen.write, audio, SAMPLE_RATE)
    _, mel = speak(utterances=0)
    result = score(vocode(mel, Settings().griffin_lim), audio, sample_rate=SAMPLE_RATE, pesq=False)
    print(f"{example['text']!r}: {result.verdict}, STOI {result.stoi:.2f}, ESTOI {result.estoi:.2f}")
