"""The codec of examples/streaming_codec, for pictures of the documentation; FAULT=1 decodes each chunk afresh."""

import os

import soundfile
from codec import SAMPLE_RATE
from faults import make_codec
from token_spoken import RECORDING

from pytest_audioparity import parity


@parity
def test_decoder_stream(stages):
    codec = make_codec("reset_per_chunk" if os.environ.get("FAULT") else None)
    audio, _ = soundfile.read(RECORDING, dtype="float32")
    codes = stages.record("codes", codec.encode(audio), axes="CT")
    stages.record("waveform", codec.decode(codes), kind="waveform", axes="T", sample_rate=SAMPLE_RATE)
