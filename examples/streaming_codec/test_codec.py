"""The round trip of the codec, as its repository would test it.

CODEC_FAULT=stale_state switches on a bug as a port would have it: see faults.py.
"""

import os

from codec import CODEBOOK_SIZE, CODEBOOKS, SAMPLE_RATE
from faults import make_codec

from pytest_audioparity import codec_roundtrip


def fresh():
    return make_codec(os.environ.get("CODEC_FAULT"))


@codec_roundtrip(min_stoi=0.85, max_peak=1.0)  # where tanh ends
def test_codec(roundtrip):
    codec = fresh()
    roundtrip(
        encode=codec.encode,
        decode=codec.decode,
        sample_rate=SAMPLE_RATE,
        decode_stream=codec.decode_stream,
        encode_stream=codec.encode_stream,
        fresh=fresh,
        codebooks=CODEBOOKS,
        codebook_size=CODEBOOK_SIZE,
    )
