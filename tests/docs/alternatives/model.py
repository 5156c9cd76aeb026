"""What every tool is given: stages by name, with a fault where the environment says so."""

from __future__ import annotations

import os
from importlib.resources import files

import numpy as np
import soundfile

FAULT = os.environ.get("FAULT", "")
LINE = np.sin(np.arange(60.0))
FRAME = 1600  # 0.1 s: a syllable or so


def chain():
    """Plant a gain of 1.5 in the second of three stages; their names sort against the flow of the data."""
    middle = np.tanh(LINE) * (1.5 if FAULT else 1.0)
    return {"z_in": LINE, "y_mid": middle, "a_out": np.cumsum(middle)}


def extra():
    return {"a": LINE, "b": LINE} if FAULT else {"a": LINE}


def missing():
    return {"a": LINE} if FAULT else {"a": LINE, "b": LINE}


def renamed():
    return {"a": LINE, "c" if FAULT else "b": LINE}


def nan():
    return {"a": np.array([1.0, np.nan])}


def dtype():
    return {"a": np.arange(4.0).astype("float32" if FAULT else "float64")}


def quiet():
    """Plant a gain of 2 on a stage at 1e-9, as the weights of a fading tail are."""
    return {"a": LINE * (2e-9 if FAULT else 1e-9)}


def large():
    """One wrong number among 5000."""
    return {"a": np.where(np.arange(5000) == 2500, bool(FAULT), 0.0)}


def rounding():
    """Another order of summation: a float32 that differs in its last bit."""
    return {"a": np.nextafter(LINE.astype("float32"), np.float32(2)) if FAULT else LINE.astype("float32")}


def words():
    """Speech whose tenths of a second run backwards, under a tolerance that lets any sample pass."""
    speech = soundfile.read(files("pytest_audioparity") / "roundtrip/speech/arctic_a0007.flac", dtype="float32")[0]
    frames = speech[: len(speech) // FRAME * FRAME].reshape(-1, FRAME)
    return {"waveform": (frames[:, ::-1] if FAULT else frames).reshape(-1)}


def text():
    return {"a": "no number", "b": ["a", "list"]}


def late():
    """Another value, in a test that fails behind its comparison."""
    return {"a": LINE * (2 if FAULT else 1)}


def early():
    """Do the same, in a test that fails before its comparison."""
    return late()


CASES = (
    "chain", "extra", "missing", "renamed", "nan", "dtype", "quiet", "large", "rounding", "words", "text",
    "early", "late",
)  # fmt: skip
