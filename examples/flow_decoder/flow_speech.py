"""The speech that the decoder is trained on: sentences of random words, spoken by hibari-tts; nothing is downloaded."""

from typing import Any

import numpy as np
import soxr
from flow_layout import SAMPLE_RATE
from flow_vocoder import log_mel

Array = np.ndarray[Any, Any]

SEED = 5
EXAMPLE = "The train leaves at nine."  # not in training, which has words in random order
UTTERANCES, WORDS = 300, (4, 12)
SILENCE, MARGIN = -7.0, 3  # loudest bin of a frame without speech; frames


def speak(utterances: int = UTTERANCES) -> tuple[list[Array], Array]:
    """Return the log-mels of sentences of random words, and that of the example."""
    from hibari import Hibari

    voice, generator = Hibari(), np.random.default_rng(SEED)
    known = sorted(voice.g2p.lexicon.golds.d)
    words = [word for word in known if word.isascii() and word.isalpha() and word.islower() and 2 < len(word) < 9]
    texts = [" ".join(generator.choice(words, generator.integers(*WORDS))) + "." for _ in range(utterances)]
    seeds = [*range(SEED, SEED + utterances), SEED + UTTERANCES]
    clips = [voice(text, seed=seed) for text, seed in zip([*texts, EXAMPLE], seeds, strict=True)]
    *mels, example = [spoken(log_mel(soxr.resample(clip, voice.sample_rate, SAMPLE_RATE))) for clip in clips]
    return mels, example


def spoken(mel: Array) -> Array:
    """Leave out the silence at both ends, but for a few frames."""
    loud = np.flatnonzero(mel.max(axis=1) > SILENCE)
    return mel[max(0, loud[0] - MARGIN) : loud[-1] + MARGIN + 1]
