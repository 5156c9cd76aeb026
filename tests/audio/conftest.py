"""Real speech for the tests of the scorer."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from tests.audio.verdicts import SPEECH


@pytest.fixture(scope="session")
def speech():
    """Return 3.29 s of a sentence, 16 kHz."""
    return soundfile.read(SPEECH / "librivox_sense_and_sensibility_0930.wav")[0]


@pytest.fixture(scope="session")
def mary():
    """Return 1.87 s of a sentence by another voice, 48 kHz."""
    return soundfile.read(SPEECH / "praatio_mary.wav")[0]


@pytest.fixture
def random():
    return np.random.default_rng(0)
