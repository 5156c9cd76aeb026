"""One codec in three runtimes: torch is the reference, MLX and Rust are ports of it.

MIMI_FAULT=streaming_reset switches on a bug as a port would have it: see mimi_faults.py.
"""

import os
from contextlib import nullcontext
from pathlib import Path

import pytest
import soundfile
from mimi_codec import FRAME, FRAME_RATE, SAMPLE_RATE
from mimi_faults import make_codec
from mimi_weights import BINS, CODEBOOKS

from pytest_audioparity import codec_roundtrip, parity

SPEECH = soundfile.read(Path(__file__).with_name("speech.wav"), dtype="float32")[0]
REFERENCE = "examples/mimi_three_runtimes/test_mimi/test_whole-torch"

# The models of torch and MLX call their modules alike, so their stages need no other names.
LAYOUT = {"*": "BCT", "*.layers.*": "BTC"}
# Two positions of encoder and decoder are a frame of codes.
POSITIONS, FRAMES = {"frame_rate": 2 * FRAME_RATE}, {"frame_rate": FRAME_RATE}
ENCODER = ["encoder", "encoder_transformer.transformer.layers.0", "encoder_transformer", "downsample"]
DECODER = ["quantizer.rvq_*.output_proj", "upsample", "decoder_transformer.transformer.layers.0", "decoder_transformer"]
# In Rust nothing inside can be seen. A stream has the chunks of its larger parts, joined along time.
OUTSIDE = ["audio", "codes", "decoder/codes", "waveform"]
STREAMED = [*OUTSIDE, "encoder", "encoder_transformer/0", "downsample", "upsample", "decoder_transformer/0"]

CODES = {"kind": "codes", "axes": "CT", "frame_rate": FRAME_RATE}
AUDIO = {"kind": "waveform", "axes": "T", "sample_rate": SAMPLE_RATE}
# torch counts in int64, the others in uint32. MLX's latents are 0.001 dB off, which is about what separates the best
# codeword from the second best in the last codebooks: 2 of the 48 codes may differ.
LEEWAY = {"dtype": "any", "min_match": 0.95}
DECLARED = {"codes": {**CODES, **LEEWAY}, "waveform": AUDIO}
PACKAGES = {"torch": ("torch", "moshi"), "mlx": ("mlx", "moshi_mlx"), "rust": ("rustymimi",)}


def port(runtime, only=None):
    return pytest.param(runtime, marks=parity(golden=REFERENCE, port=True, only=only))


def codec_in(runtime):
    for package in PACKAGES[runtime]:
        pytest.importorskip(package)
    return make_codec(runtime, os.environ.get("MIMI_FAULT"))


@pytest.mark.parametrize("runtime", ["torch", port("mlx"), port("rust", OUTSIDE)])
@parity
def test_whole(stages, runtime):
    """Encoder, transformer, quantiser and decoder of a whole clip; every runtime decodes the reference's codes."""
    codec = codec_in(runtime)
    watch = {"torch": stages.torch, "mlx": stages.mlx, "rust": unwatched}[runtime]
    audio = stages.input("audio", SPEECH, **AUDIO) if runtime == "torch" else stages.input("audio")
    with watch(codec.model, include=ENCODER, axes=LAYOUT, declare={"*": POSITIONS, "downsample": FRAMES}):
        codes = codec.encode(audio)
    stages.record("codes", codes, **DECLARED["codes"])
    # A code that flips would change the waveform as well.
    codes = stages.input("decoder/codes", codes, **CODES) if runtime == "torch" else stages.input("decoder/codes")
    with watch(codec.model, include=DECODER, axes=LAYOUT, declare={"*": POSITIONS, "quantizer.*": FRAMES}):
        waveform = codec.decode(codes)
    stages.record("waveform", waveform, **AUDIO)


def unwatched(*_, **__):
    return nullcontext()


@pytest.mark.parametrize("runtime", [port("torch", STREAMED), port("mlx", STREAMED), port("rust", OUTSIDE)])
def test_stream(stages, runtime):
    """A stream of single frames gives what the whole clip gives, whatever stream was there before it."""
    codec = codec_in(runtime)
    audio, codes = stages.input("audio"), stages.input("decoder/codes")
    codec.encode_stages(audio[-FRAME:])
    for name, value in codec.encode_stages(audio).items():
        stages.record(name, value, **DECLARED.get(name, {"axes": "BCT"}))
    codec.decode_stages(codes[:, -1:])
    for name, value in codec.decode_stages(codes).items():
        stages.record(name, value, **DECLARED.get(name, {"axes": "BCT"}))


# Random weights keep neither words nor level, and nothing in the output lines up with the input. What is left are the
# checks on codes, state and streaming. MLX is left out: it takes minutes on a CPU.
@codec_roundtrip(skip=["words", "level", "dc", "delay"])
@pytest.mark.parametrize("runtime", ["torch", "rust"])
def test_roundtrip(roundtrip, runtime):
    codec = codec_in(runtime)
    roundtrip(
        encode=codec.encode,
        decode=codec.decode,
        sample_rate=SAMPLE_RATE,
        encode_stream=codec.encode_stream,
        decode_stream=codec.decode_stream,
        fresh=lambda: codec_in(runtime),
        codebooks=CODEBOOKS,
        codebook_size=BINS,
        codes_axes="CT",
        clips={"speech": SPEECH[: 3 * FRAME]},
        chunk_frames=(1, 2),
    )
