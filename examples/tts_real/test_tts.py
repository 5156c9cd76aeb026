"""A parity test of a real text-to-speech model, as its repository would have it.

TTS_FAULT=encoder_gain switches on a bug as a port would have it: see demo.py.
"""

import hibari_trace
import pytest
from tts_faults import switched_on

from pytest_audioparity import parity

FAULTS = switched_on(hibari_trace.FAULTS)


@parity(tol_db=0.01)
@pytest.mark.parametrize("text", ["Hello there.", "The train leaves at nine."], ids=["hello", "train"])
def test_tts(stages, text):
    for stage in hibari_trace.trace(text, seed=0, faults=FAULTS):
        stages.record(stage.name, stage.value, **stage.declared)
