"""The tests of a codec's repository: its own, and the round trip of pytest-audioparity.

CODEC_FAULT=stale_state switches on a bug as a port would have it: see faults.py.
"""

import os

import heldout
import numpy as np
import pytest
from codec import CODEBOOK_SIZE, CODEBOOKS, HOP, SAMPLE_RATE, WEIGHTS, Codec
from faults import NAMES, faulty, make_codec

from pytest_audioparity import codec_roundtrip, score

FAULT = os.environ.get("CODEC_FAULT")
CLIPS = dict(heldout.clips())
CARDS, LIBRIVOX = "pocketsphinx_cards_002", "librivox_sense_and_sensibility_0930"

# What the weights reach on the speech of this repository's tests, less a little.
MIN_STOI, MIN_ESTOI = 0.85, 0.75
# float64 inside, float32 outside: chunks of another size round differently in the last place at most.
ROUNDING = 1e-6


def _fresh():
    return make_codec(FAULT)


codec = _fresh()


@codec_roundtrip(min_stoi=MIN_STOI)
def test_codec(roundtrip):
    roundtrip(
        encode=codec.encode,
        decode=codec.decode,
        sample_rate=SAMPLE_RATE,
        decode_stream=codec.decode_stream,
        encode_stream=codec.encode_stream,
        fresh=_fresh,
        codebooks=CODEBOOKS,
        codebook_size=CODEBOOK_SIZE,
    )
