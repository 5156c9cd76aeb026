"""Weights for Mimi, made from a seed, in the names of the released checkpoint that all three loaders take.

Nothing here is trained. The numbers are uniform, straight from the bits of PCG64, which neither numpy nor the platform
may change, so every machine makes the same file. Their scales are chosen so that speech is carried through: each
layer hands on what it got at about unit size, and each codebook has the size of the residual that is left for it.
Without that a fault would drown in nothing, or in codes that never change.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

__all__ = ["BINS", "CODEBOOKS", "checkpoint", "discard"]

Array = np.ndarray[Any, np.dtype[Any]]

SEED = 202407  # of the configuration that moshi-mlx calls mimi_202407
CODEBOOKS = 8
BINS = 2048

# The configuration, which is fixed in rustymimi.
_WIDTH, _FILTERS, _LAYERS, _HIDDEN, _CODE_WIDTH = 512, 64, 8, 2048, 256
_RATIOS = (8, 6, 5, 4)

# ELU of a standard normal number has a mean square of 0.645: what a layer behind one has to make up for.
_ELU_GAIN = 0.645**-0.5
# The clip has an rms of 0.07; the first convolution lifts it to 1, the last one brings it back.
_SPEECH_RMS = 0.07
_BRANCH = 0.5  # of a residual unit, beside the 1 that goes past it
# The trained layer scales are in the checkpoint, which is not here. With 0.3, eight layers add about as much as they
# are given (rms 1.1 to 1.6), so that a fault in them is as large as one elsewhere.
_LAYER_SCALE = 0.3
# Codewords live in so few of the 256 dimensions, and 2048 of them cover that: each codebook takes about 7 dB off the
# residual. Random words in all 256 would take off 0.3 dB, and no code would mean anything.
_CODE_RANK = 8
# The size of a codebook's words, in those of the one before: measured, 0.41 to 0.52 of the residual is left by each.
_CODE_STEP = 0.45
_LATENT_RMS = 2.0  # of the projected latent, per dimension of the subspace


class _Numbers:
    """Uniform numbers from raw bits: the stream of PCG64 is defined by its algorithm, that of `Generator` is not."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def draw(self, shape: tuple[int, ...], rms: float, mean: float = 0.0) -> Array:
        """Return float32 numbers of that mean and spread."""
        count = int(np.prod(shape))
        raw = self._bits.random_raw((count + 1) // 2).view(np.uint32)[:count]
        signed = (raw >> 8).astype(np.float32) - np.float32(2**23)  # whole numbers, exact in float32
        return (signed * np.float32(rms * 3**0.5 / 2**23) + np.float32(mean)).reshape(shape)


def _conv(numbers: _Numbers, name: str, shape: tuple[int, int, int], gain: float) -> Iterator[tuple[str, Array]]:
    yield f"{name}.weight", numbers.draw(shape, gain / (shape[1] * shape[2]) ** 0.5)
    yield f"{name}.bias", numbers.draw(shape[:1], 0.1 * min(gain, 1.0))


def _up(numbers: _Numbers, name: str, inputs: int, stride: int) -> Iterator[tuple[str, Array]]:
    # Two taps of a kernel of twice the stride reach each output sample.
    yield f"{name}.weight", numbers.draw((inputs, inputs // 2, 2 * stride), _ELU_GAIN / (2 * inputs) ** 0.5)
    yield f"{name}.bias", numbers.draw((inputs // 2,), 0.1)


def _unit(numbers: _Numbers, name: str, width: int) -> Iterator[tuple[str, Array]]:
    yield from _conv(numbers, f"{name}.block.1.conv.conv", (width // 2, width, 3), _ELU_GAIN)
    yield from _conv(numbers, f"{name}.block.3.conv.conv", (width, width // 2, 1), _ELU_GAIN * _BRANCH)


def _encoder(numbers: _Numbers) -> Iterator[tuple[str, Array]]:
    yield from _conv(numbers, "encoder.model.0.conv.conv", (_FILTERS, 1, 7), 1 / _SPEECH_RMS)
    width = _FILTERS
    for place, ratio in zip((1, 4, 7, 10), reversed(_RATIOS), strict=True):
        yield from _unit(numbers, f"encoder.model.{place}", width)
        shape = (2 * width, width, 2 * ratio)
        yield from _conv(numbers, f"encoder.model.{place + 2}.conv.conv", shape, _ELU_GAIN)
        width *= 2
    yield from _conv(numbers, "encoder.model.14.conv.conv", (_WIDTH, width, 3), _ELU_GAIN)


def _decoder(numbers: _Numbers) -> Iterator[tuple[str, Array]]:
    width = _FILTERS * 2 ** len(_RATIOS)
    yield from _conv(numbers, "decoder.model.0.conv.conv", (width, _WIDTH, 7), 1.0)
    for place, ratio in zip((2, 5, 8, 11), _RATIOS, strict=True):
        yield from _up(numbers, f"decoder.model.{place}.convtr.convtr", width, ratio)
        width //= 2
        yield from _unit(numbers, f"decoder.model.{place + 1}", width)
    yield from _conv(numbers, "decoder.model.14.conv.conv", (1, width, 3), _ELU_GAIN * _SPEECH_RMS)


def _transformer(numbers: _Numbers, name: str) -> Iterator[tuple[str, Array]]:
    for layer in range(_LAYERS):
        at = f"{name}.transformer.layers.{layer}"
        for norm in ("norm1", "norm2"):
            yield f"{at}.{norm}.weight", numbers.draw((_WIDTH,), 0.1, mean=1.0)
            yield f"{at}.{norm}.bias", numbers.draw((_WIDTH,), 0.1)
        yield f"{at}.self_attn.in_proj_weight", numbers.draw((3 * _WIDTH, _WIDTH), _WIDTH**-0.5)
        yield f"{at}.self_attn.out_proj.weight", numbers.draw((_WIDTH, _WIDTH), _WIDTH**-0.5)
        yield f"{at}.linear1.weight", numbers.draw((_HIDDEN, _WIDTH), _WIDTH**-0.5)
        yield f"{at}.linear2.weight", numbers.draw((_WIDTH, _HIDDEN), (_HIDDEN / 2) ** -0.5)
        for scale in ("layer_scale_1", "layer_scale_2"):
            yield f"{at}.{scale}.scale", numbers.draw((_WIDTH,), 0.1 * _LAYER_SCALE, mean=_LAYER_SCALE)


def _quantiser(numbers: _Numbers, name: str, codebooks: int) -> Iterator[tuple[str, Array]]:
    basis = numbers.draw((_CODE_RANK, _CODE_WIDTH), _CODE_WIDTH**-0.5)
    mixing = numbers.draw((_CODE_RANK, _WIDTH), _WIDTH**-0.5)
    yield f"{name}.input_proj.weight", _product(basis.T, mixing)[:, :, None]
    yield f"{name}.output_proj.weight", numbers.draw((_WIDTH, _CODE_WIDTH, 1), _CODE_RANK**-0.5)
    size = _LATENT_RMS
    for book in range(codebooks):
        at = f"{name}.vq.layers.{book}._codebook"
        words = _product(numbers.draw((BINS, _CODE_RANK), size), basis)
        usage = numbers.draw((BINS,), 0.5, mean=2.0)  # a codebook that is not divided by it is a known bug of ports
        yield f"{at}._initialized", np.ones(1, np.float32)
        yield f"{at}.cluster_usage", usage
        yield f"{at}.embedding_sum", words * usage[:, None]
        size *= _CODE_STEP


def _product(left: Array, right: Array) -> Array:
    """Multiply in float64: rounded to float32, it does not show in which order a machine sums."""
    return (left.astype(np.float64) @ right.astype(np.float64)).astype(np.float32)


def _tensors() -> dict[str, Array]:
    """Return all tensors by their released names, 84 million numbers."""
    numbers = _Numbers(SEED)
    named = [
        *_encoder(numbers),
        *_decoder(numbers),
        *_transformer(numbers, "encoder_transformer"),
        *_transformer(numbers, "decoder_transformer"),
        ("downsample.conv.conv.conv.weight", numbers.draw((_WIDTH, _WIDTH, 4), (4 * _WIDTH) ** -0.5)),
        ("upsample.convtr.convtr.convtr.weight", numbers.draw((_WIDTH, 1, 4), 2**-0.5)),
        *_quantiser(numbers, "quantizer.rvq_first", 1),
        *_quantiser(numbers, "quantizer.rvq_rest", CODEBOOKS - 1),
    ]
    return dict(named)


@functools.cache
def checkpoint() -> Path:
    """Return a file with the weights, 334 MB, made once per process and removed at its end."""
    folder = Path(tempfile.mkdtemp(prefix="mimi-weights-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "mimi.safetensors"
    save_file(_tensors(), path)
    return path


def discard() -> None:
    """Remove the file before the process ends."""
    if checkpoint.cache_info().currsize:
        shutil.rmtree(checkpoint().parent)
        checkpoint.cache_clear()
