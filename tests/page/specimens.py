"""A project whose tests fail in every way that the page of a run shows, run once as a user runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SPEECH = Path(__file__).parents[1] / "data" / "speech" / "pocketsphinx_cards_002.wav"

# What no name may do to the page: be markup, end an attribute, write from right to left, ring, or break the layout.
MARKUP = "<img src=x onerror=alert(1)>\"'&</code></details>שלום"
EVIL = f"{MARKUP}abc\u202egnp.txt\x07\u2028\u200f"
LONG = "decoder.layers.0.attention." * 12

SOURCE = """
import numpy as np
import pytest
import soundfile
from pytest_audioparity import codec_roundtrip, parity

HURT = {hurt!r}
EVIL, MARKUP, LONG = {evil!r}, {markup!r}, {long!r}
SPEECH, RATE = soundfile.read("cards.wav", dtype="float32")

def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)

def shuffled(audio, size=1280, keep=0):
    frames = audio[keep : keep + (audio.size - keep) // size * size].reshape(-1, size)
    frames = frames[np.random.default_rng(1).permutation(len(frames))].reshape(-1)
    return np.concatenate([audio[:keep], frames, audio[keep + frames.size :]])

def encoder(x):
    return np.tanh(x) * (1.25 if HURT else 1.0)

def ode_step(x, h):
    return x + 0.1 * np.roll(h, 1, axis=-1) - 0.01 * x

def projection(x):
    return x @ noise(80, 80, seed=9) / 9 - (0.17 if HURT else 0.0)

@parity(tol_db=0.01)
def test_decoder(stages):
    h = stages.step("encoder", encoder, stages.input("tokens", noise(40, 80, seed=5)))
    x = stages.input("noise", noise(40, 80, seed=6))
    for i in range(6):
        x = stages.step(f"ode/{{i}}", ode_step, x, h)
    mel = stages.step("mel", projection, x)
    stages.record("mel_db", mel.T[None], kind="log_spectrum", unit="ln", axes="BCT", frame_rate=50.0)

def test_vocoder(stages):
    audio = shuffled(SPEECH, keep=RATE // 2) * 0.8 if HURT else SPEECH
    stages.record("waveform", audio, kind="waveform", axes="T", sample_rate=RATE)

def test_partly_lost(stages):
    audio = SPEECH.copy()
    if HURT:
        audio[8000:19000] = shuffled(SPEECH[8000:19000], size=800)
    stages.record("speech", audio, kind="waveform", axes="T", sample_rate=RATE)

def test_codes(stages):
    codes = np.random.default_rng(0).integers(0, 1024, (8, 120))
    codes[3:, 60:] += 7 * HURT
    stages.record("codes", codes, axes="CT", frame_rate=12.5)

def test_nan(stages):
    x = noise(8, 50)
    x[2, 10:14] *= np.nan if HURT else 1
    stages.record("logits", x, axes="CT")

def test_shape(stages):
    stages.record("hidden", noise(16, 100)[:, : 93 if HURT else 100], axes="CT")

def test_missing(stages):
    stages.record("kept", noise(4, 30))
    stages.record("renamed" if HURT else "original", noise(4, 30, seed=1))

def test_settings(stages):
    stages.settings(temperature=0.7 if HURT else 0.9, top_k=50)
    stages.record("x", noise(20))

def test_without_golden(stages):
    stages.record("x", noise(20, 20))

@parity(stages={{"sound": {{"min_stoi": 0.9}} if HURT else {{}}}})
def test_not_measured(stages):
    stages.record("sound", SPEECH[:900], kind="waveform", axes="T", sample_rate=RATE)

@pytest.mark.parametrize("name", [MARKUP, LONG])
@pytest.mark.parametrize("_", [EVIL])
def test_names(stages, name, _):
    stages.settings(**{{name: name + ("!" if HURT else "")}})
    stages.record(name, noise(12, 40) * (1.5 if HURT else 1.0))

@codec_roundtrip(min_stoi=0.9)
def test_codec(roundtrip):
    codes = lambda audio: np.round(audio * 2000).astype(np.int64)[None]
    audio = lambda codes: (codes[0] / 2000).astype(np.float32)
    decode = (lambda c: shuffled(audio(c))) if HURT else audio
    roundtrip(encode=codes, decode=decode, sample_rate=RATE, clips=["cards.wav"])

@parity(tol_db=3.0)
def test_passing(stages): stages.record("x", noise(8, 64), axes="CT")
def test_passing_too(stages): stages.record("codes", np.arange(40))
"""


def write_specimens(folder: Path) -> Path:
    """Make the project, give it goldens, break it, run it once more, and return the page of that run."""
    shutil.copy(SPEECH, folder / "cards.wav")
    (folder / "pytest.ini").write_text("[pytest]\n")
    pytest_run(folder, hurt=False, flags=["--update-golden"], expected=1)
    (folder / "golden/test_model/test_without_golden.safetensors").unlink()
    pytest_run(folder, hurt=True, flags=["--parity-report-dir=page", "--parity-mutants"], expected=1)
    return folder / "page" / "index.html"


def pytest_run(folder: Path, *, hurt: bool, flags: list[str], expected: int) -> None:
    """Run the project's tests in a process of their own."""
    source = SOURCE.format(hurt=hurt, evil=EVIL, markup=MARKUP, long=LONG)
    (folder / "test_model.py").write_text(source, encoding="utf-8")
    kept = {key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"}
    kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # what else is installed here costs seconds
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", "-p", "pytest_audioparity.plugin", *flags],
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expected, done.stdout[-4000:] + done.stderr[-2000:]
