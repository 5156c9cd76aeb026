"""The shape of the codec, read by the network that is trained and by the one that runs: sizes, rates, layers."""

from typing import NamedTuple

SAMPLE_RATE = 16_000
HOP = 160  # samples of a frame: 100 frames a second
CODEBOOKS, CODEBOOK_SIZE = 32, 128  # 32 · 7 bits · 100 frames: 22.4 kb/s
LATENT = 72  # numbers of a latent frame, read as LATENT / 2 points of a plane

WIDE, NARROW = 128, 48  # channels at 100 Hz and at 1 kHz


class Layer(NamedTuple):
    """One layer: ``conv`` (strided), ``up`` (transposed, strided), ``unit`` (residual, dilated) or ``snake``."""

    kind: str
    inputs: int
    outputs: int
    width: int = 1
    stride: int = 1
    dilation: int = 1


ENCODER = (
    Layer("conv", 1, NARROW, width=64, stride=16),
    Layer("unit", NARROW, NARROW, width=3, dilation=1),
    Layer("unit", NARROW, NARROW, width=3, dilation=3),
    Layer("snake", NARROW, NARROW),
    Layer("conv", NARROW, WIDE, width=20, stride=10),
    Layer("unit", WIDE, WIDE, width=3, dilation=1),
    Layer("unit", WIDE, WIDE, width=3, dilation=3),
    Layer("snake", WIDE, WIDE),
    Layer("conv", WIDE, LATENT, width=3),
)
DECODER = (
    Layer("conv", LATENT, WIDE, width=3),
    Layer("unit", WIDE, WIDE, width=3, dilation=1),
    Layer("unit", WIDE, WIDE, width=3, dilation=3),
    Layer("snake", WIDE, WIDE),
    Layer("up", WIDE, NARROW, width=20, stride=10),
    Layer("unit", NARROW, NARROW, width=3, dilation=1),
    Layer("unit", NARROW, NARROW, width=3, dilation=3),
    Layer("snake", NARROW, NARROW),
    Layer("up", NARROW, 1, width=64, stride=16),
)
# Beside the network, one matrix each way: a transform of the frame, which is all that the codec is before training.
ANALYSIS = Layer("conv", 1, LATENT, width=HOP, stride=HOP)
SYNTHESIS = Layer("up", LATENT, 1, width=HOP, stride=HOP)

SIZE_FLOOR = 1e-6  # added to the squared size of a latent frame before its root is taken
