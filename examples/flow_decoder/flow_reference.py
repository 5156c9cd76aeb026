"""The reference: the decoder in numpy, float32, from the trained weights. Arrays are (B, T, channels) throughout."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from flow_layout import (
    ENCODER_BLOCKS,
    FLOW_BLOCKS,
    HEAD,
    HEADS,
    NORM_EPS,
    ROPE_BASE,
    TAPS,
    TIME_CHANNELS,
    TIME_SCALE,
    Settings,
)
from flow_vocoder import vocode
from safetensors.numpy import load_file

Array = np.ndarray[Any, Any]
Weights = dict[str, Array]

WEIGHTS = Path(__file__).with_name("weights.safetensors")


def load_weights() -> Weights:
    """Return the trained weights in float32."""
    return {name: value.astype(np.float32) for name, value in load_file(WEIGHTS).items()}


def times(settings: Settings) -> list[float]:
    """Return the n_steps + 1 times from 0 (noise) to 1 (data) between which the solver steps."""
    even = [i / settings.n_steps for i in range(settings.n_steps + 1)]
    schedules = {"linear": even, "cosine": [1 - math.cos(math.pi / 2 * t) for t in even]}
    return schedules[settings.schedule]


class Decoder:
    """Tokens to audio.

    Parameters
    ----------
    weights : float32 arrays by name
    settings : solver, schedule, guidance, vocoder
    attention_scale : what attention scores are multiplied by
    reuses_buffer : whether the solver writes each step into the array that it was given
    """

    def __init__(
        self,
        weights: Weights,
        settings: Settings,
        *,
        attention_scale: float = HEAD**-0.5,
        reuses_buffer: bool = False,
    ) -> None:
        self.settings, self.times = settings, times(settings)
        self._weights, self._attention_scale, self._reuses_buffer = weights, attention_scale, reuses_buffer

    def start(self, noise: Array) -> Array:
        """Scale normal noise (B, T, BINS) to what the solver starts from."""
        return noise * np.float32(self.settings.noise_scale)

    def embed(self, tokens: Array) -> Array:
        """Map tokens (B, T) to (B, T, WIDTH)."""
        return self._weights["encoder.embedding.weight"][tokens]

    def attention_scores(self, embedded: Array) -> Array:
        """Return the scores (B, HEADS, T, T) of the first block, before softmax."""
        return self._scores("encoder.blocks.0", embedded)[0]

    def encode(self, embedded: Array) -> Array:
        """Map embedded tokens to the conditioning (B, T, WIDTH)."""
        x = embedded
        for number in range(ENCODER_BLOCKS):
            name = f"encoder.blocks.{number}"
            scores, values = self._scores(name, x)
            mixed = (_softmax(scores) @ values).transpose(0, 2, 1, 3).reshape(x.shape)
            x = x + self._linear(f"{name}.attention.out", mixed)
            x = x + self._linear(f"{name}.down", _silu(self._linear(f"{name}.up", self._norm(f"{name}.norm2", x))))
        return self._norm("encoder.norm", x)

    def ode_step(self, x: Array, condition: Array, number: int) -> Array:
        """Take one step of the solver from x (B, T, BINS)."""
        t, dt = self.times[number], self.times[number + 1] - self.times[number]
        velocity = self._guided(x, t, condition)
        if self.settings.solver == "midpoint":
            velocity = self._guided(x + dt / 2 * velocity, t + dt / 2, condition)
        if not self._reuses_buffer:
            return x + dt * velocity
        x += dt * velocity
        return x

    def project(self, x: Array) -> Array:
        """Map the latent to log magnitudes (B, T, BINS) relative to the mean spectrum."""
        return self._linear("projection", x)

    def mel(self, projected: Array) -> Array:
        """Add the mean spectrum: the log-mel (B, T, BINS), ln of an amplitude."""
        return projected + self._weights["mel.mean"]

    def audio(self, mel: Array) -> Array:
        """Return the samples of a log-mel of one item."""
        return vocode(mel[0], self.settings.griffin_lim)

    def _guided(self, x: Array, t: float, condition: Array) -> Array:
        w = self.settings.guidance
        if not w:
            return self._velocity(x, t, condition)
        return (1 + w) * self._velocity(x, t, condition) - w * self._velocity(x, t, np.zeros_like(condition))

    def _velocity(self, x: Array, t: float, condition: Array) -> Array:
        time = _silu(self._linear("flow.time", _time_channels(t)))
        inner = self._linear("flow.enter", np.concatenate([x, condition], axis=2))
        for number in range(FLOW_BLOCKS):
            name = f"flow.blocks.{number}"
            told = self._norm(f"{name}.norm", inner) + self._linear(f"{name}.time", time)
            inner = inner + self._linear(f"{name}.point", _silu(self._conv(f"{name}.conv", told)))
        return self._linear("flow.leave", inner)

    def _scores(self, name: str, x: Array) -> tuple[Array, Array]:
        """Return scaled scores (B, HEADS, T, T) and values (B, HEADS, T, HEAD) of one block."""
        parts = self._linear(f"{name}.attention.qkv", self._norm(f"{name}.norm1", x))
        queries, keys, values = parts.reshape(*x.shape[:2], 3, HEADS, HEAD).transpose(2, 0, 3, 1, 4)
        return _rotated(queries) @ _rotated(keys).swapaxes(2, 3) * np.float32(self._attention_scale), values

    def _linear(self, name: str, x: Array) -> Array:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, name: str, x: Array) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        size = np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + NORM_EPS)
        return centred / size * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]

    def _conv(self, name: str, x: Array) -> Array:
        padded = np.pad(x, ((0, 0), (TAPS // 2, TAPS // 2), (0, 0)))
        weight = self._weights[f"{name}.weight"]  # (out, in, tap)
        taps = [padded[:, tap : tap + x.shape[1]] @ weight[:, :, tap].T for tap in range(TAPS)]
        return sum(taps) + self._weights[f"{name}.bias"]


def _time_channels(t: float) -> Array:
    half = TIME_CHANNELS // 2
    angles = TIME_SCALE * t * np.exp(-math.log(10_000.0) / half * np.arange(half))
    return np.concatenate([np.sin(angles), np.cos(angles)])[None].astype(np.float32)


def _rotated(x: Array) -> Array:
    """Turn the halves of each head of (B, HEADS, T, HEAD) by the rotary angles of their positions."""
    half = HEAD // 2
    angles = np.arange(x.shape[2])[:, None] * ROPE_BASE ** (-np.arange(half) / half)
    cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    one, other = x[..., :half], x[..., half:]
    return np.concatenate([one * cos - other * sin, one * sin + other * cos], axis=-1)


def _softmax(x: Array) -> Array:
    grown = np.exp(x - x.max(axis=-1, keepdims=True))
    return grown / grown.sum(axis=-1, keepdims=True)


def _silu(x: Array) -> Array:
    return x / (1 + np.exp(-x))
