"""Real features of real speech and small seeded networks on top of them, in numpy, in the arithmetic one asks for."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from pytest_audioparity.faults.pointwise import gelu

Array = np.ndarray[Any, Any]

SPEECH = Path(__file__).parents[1] / "data/speech"
CLIPS = {
    "austen": "librivox_sense_and_sensibility_0930.wav",
    "cards": "pocketsphinx_cards_002.wav",
    "mary": "praatio_mary.wav",
}


@functools.cache
def clip(name: str) -> tuple[Array, int]:
    """Return the samples of a clip, float32 in [-1, 1], and its rate."""
    samples, rate = soundfile.read(SPEECH / CLIPS[name], dtype="float32")
    return samples, rate


@dataclass(frozen=True)
class Arithmetic:
    """How sums are computed: in which dtype, and in how many blocks per matrix product."""

    dtype: str = "float32"
    blocks: int = 1

    def product(self, left: Array, right: Array) -> Array:
        """Multiply matrices; the sum over the inner dimension is split into `blocks`."""
        left, right = left.astype(self.dtype), right.astype(self.dtype)
        places = np.array_split(np.arange(left.shape[-1]), self.blocks)
        # Last block first, so that the order of sums differs even where a block is one BLAS tile.
        return sum(left[..., p] @ right[p] for p in reversed(places))


PLAIN = Arithmetic()


def frames_of(samples: Array, size: int, hop: int) -> Array:
    """Cut a signal, reflected at its ends, into frames (T, size)."""
    padded = np.pad(samples, size // 2, mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]


def spectrum(samples: Array, size: int, hop: int, *, direct: bool = False) -> Array:
    """Return the complex STFT (F, T) with a periodic Hann window; `direct` sums instead of using an FFT."""
    frames = frames_of(samples, size, hop) * np.hanning(size + 1)[:-1]
    if direct:
        turn = np.exp(-2j * np.pi * np.outer(np.arange(size), np.arange(size // 2 + 1)) / size)
        return (frames @ turn).T
    return np.fft.rfft(frames).T


def mel_filters(bins: int, size: int, rate: int) -> Array:
    """Return triangular filters (bins, F), equally spaced on the HTK mel scale."""
    top = 2595 * math.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bins + 2) / 2595) - 1)
    frequencies = np.linspace(0, rate / 2, size // 2 + 1)
    low, mid, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (mid - low), (high - frequencies) / (high - mid)
    return np.maximum(0, np.minimum(rising, falling))


def log_mel(name: str, bins: int, size: int, hop: int, unit: str, *, direct: bool = False) -> Array:
    """Return a log-mel (bins, T) of a clip with the floor that the unit's usual front end has."""
    samples, rate = clip(name)
    magnitude = np.abs(spectrum(samples.astype(np.float64), size, hop, direct=direct))
    filters = mel_filters(bins, size, rate)
    if unit == "ln":
        return np.log(np.maximum(filters @ magnitude, 1e-5))
    power = filters @ magnitude**2
    if unit == "log10_power":
        logarithm = np.log10(np.maximum(power, 1e-10))
        return np.maximum(logarithm, logarithm.max() - 8.0)
    if unit == "ln_power":
        return np.log(power + 1e-6)
    return {"db": 10.0, "log10": 0.5}[unit] * np.log10(np.maximum(power, 1e-10))


def _layer_norm(x: Array, sums: Arithmetic) -> Array:
    mean = x.mean(axis=-1, keepdims=True, dtype=sums.dtype)
    variance = np.mean((x - mean) ** 2, axis=-1, keepdims=True, dtype=sums.dtype)
    return (x - mean) / np.sqrt(variance + 1e-5)


def _softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _weights(rng: np.random.Generator, rows: int, columns: int, gain: float = 1.0) -> Array:
    # Trained weights have columns of different norms; a log-normal spread of 0.4 is that of common checkpoints.
    norms = np.exp(0.4 * rng.standard_normal(columns))
    return gain * norms * rng.standard_normal((rows, columns)) / math.sqrt(rows)


def network(mel: Array, sums: Arithmetic = PLAIN, seed: int = 0) -> dict[str, Array]:
    """Run a convolution, an attention layer, a feed-forward, an LSTM and four heads over a normalised mel (C, T).

    Returns
    -------
    Stage name -> array. Hidden states are (T, C); attention is (H, T, T); gates are (T, 4C)
    """
    rng = np.random.default_rng(seed)
    width, heads = 128, 4
    x = (mel.T - mel.mean()) / mel.std()
    stages: dict[str, Array] = {}
    for layer in range(2):
        context = np.concatenate([np.pad(x, ((k, 2 - k), (0, 0)))[1:-1] for k in range(3)], axis=1)
        before = sums.product(context, _weights(rng, context.shape[1], width)) + 0.3 * rng.standard_normal(width)
        x = gelu(before.astype(np.float64))
        stages[f"conv{layer}/before"], stages[f"conv{layer}/gelu"] = before, x
    x = stages["norm"] = _layer_norm(x, sums)
    query, key, value = (sums.product(x, _weights(rng, width, width)) for _ in range(3))
    stages["qkv"] = np.concatenate([query, key, value], axis=1)
    split = [part.reshape(len(x), heads, -1).swapaxes(0, 1) for part in (query, key, value)]
    scores = split[0] @ split[1].swapaxes(1, 2) / math.sqrt(width / heads)
    stages["attention/logits"] = scores
    stages["attention/probabilities"] = _softmax(scores)
    mixed = (_softmax(scores) @ split[2]).swapaxes(0, 1).reshape(len(x), -1)
    x = stages["hidden"] = x + sums.product(mixed, _weights(rng, width, width))
    inner = sums.product(_layer_norm(x, sums), _weights(rng, width, 2 * width)) + 0.2 * rng.standard_normal(2 * width)
    stages["relu"] = np.maximum(inner, 0)
    x = stages["output"] = x + sums.product(stages["relu"], _weights(rng, 2 * width, width))
    stages["gates"] = sums.product(x, _weights(rng, width, 4 * 48)) + 0.1 * rng.standard_normal(4 * 48)
    stages["tanh"] = np.tanh(stages["gates"][:, :64])
    tail = 2.5 * np.log(1 / (1 + rng.permutation(512)))
    stages["logits"] = sums.product(_layer_norm(x, sums), _weights(rng, width, 512, 2.0)) + tail / 2
    stages["probabilities"] = _softmax(stages["logits"])
    stages["embedding"] = sums.product(x.mean(axis=0, keepdims=True), _weights(rng, width, 256))[0]
    return stages


def residual_codes(mel: Array, codebooks: int, size: int, seed: int = 0) -> Array:
    """Quantise frames of a mel (C, T) with a residual quantiser of `codebooks` of `size`: codes (codebooks, T)."""
    rng = np.random.default_rng(seed)
    residual = (mel.T - mel.mean()).astype(np.float64)
    rows = []
    for _ in range(codebooks):
        entries = residual[rng.choice(len(residual), min(size, len(residual)), replace=False)]
        entries = entries + 0.3 * residual.std() * rng.standard_normal(entries.shape)
        nearest = np.argmin(np.sum(entries**2, axis=1) - 2 * residual @ entries.T, axis=1)
        rows.append(nearest)
        residual = residual - entries[nearest]
    return np.array(rows)
