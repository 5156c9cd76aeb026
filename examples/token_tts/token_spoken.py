"""What the tests of this example say, and the random numbers with which they say it."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from token_layout import CODEBOOKS, MAX_FRAMES
from token_model import Speaker, distribution, draw

TEXT = "queen of clubs"
RECORDING = Path(__file__).parents[2] / "tests" / "data" / "speech" / "pocketsphinx_cards_002.wav"
FIRST_FRAME = 78  # of the recording
OTHER_TEXT, OTHER_FRAMES = "mary rolled the barrel", 8
AGAIN_FRAMES = 8
SEED = 6
# Float32 on another runtime moves the edges of tokens by up to 1e-5. A random number nearer to one than this, in units
# of probability, is replaced, so that no rounding draws another code.
MARGIN = 1e-4


@cache
def steady_uniforms() -> np.ndarray[Any, Any]:
    """Return the random numbers (frame, codebook) with which the reference says the text."""
    speaker, generator = Speaker(), np.random.default_rng(SEED)
    uniforms = generator.random((MAX_FRAMES, CODEBOOKS), np.float32)
    how = speaker.settings.temperature, speaker.settings.top_k

    def choice(time: int, book: int, logits: np.ndarray[Any, Any]) -> int:
        while np.abs(distribution(logits, *how) - uniforms[time, book]).min() < MARGIN:
            uniforms[time, book] = generator.random(dtype=np.float32)
        return draw(logits, uniforms[time, book], *how)

    speaker.choose(TEXT, choice, MAX_FRAMES)
    return uniforms
