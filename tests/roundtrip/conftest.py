"""Real speech for the tests of round trips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

SPEECH = Path(__file__).parents[1] / "data" / "speech"


@pytest.fixture(scope="session")
def mary():
    """Return 1.87 s of a sentence at 16 kHz, float32."""
    samples, rate = soundfile.read(SPEECH / "praatio_mary.wav")
    return soxr.resample(samples, rate, 16_000).astype(np.float32)


@pytest.fixture(scope="session")
def cards():
    """Return 1.96 s of another voice at 16 kHz, float32."""
    return soundfile.read(SPEECH / "pocketsphinx_cards_002.wav", dtype="float32")[0]
