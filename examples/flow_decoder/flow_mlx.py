"""The port: the decoder in MLX, as someone would write it who has read the training code and not the reference."""

import math

import mlx.core as mx
import numpy as np
from flow_layout import (
    BINS,
    ENCODER_BLOCKS,
    FLOW_BLOCKS,
    FLOW_WIDTH,
    HEAD,
    HEADS,
    HIDDEN,
    NORM_EPS,
    ROPE_BASE,
    TAPS,
    TIME_CHANNELS,
    TIME_SCALE,
    TOKENS,
    WIDTH,
    Settings,
)
from flow_reference import Weights, times
from flow_vocoder import vocode
from mlx import nn


class Attention(nn.Module):
    """Self-attention with rotary positions."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.rope = nn.RoPE(HEAD, traditional=False, base=ROPE_BASE)
        self.scale = scale

    def scores(self, x: mx.array) -> tuple[mx.array, mx.array]:
        """Return scaled scores (B, HEADS, T, T) and values (B, HEADS, T, HEAD)."""
        parts = self.qkv(x).reshape(*x.shape[:2], 3, HEADS, HEAD).transpose(2, 0, 3, 1, 4)
        return self.rope(parts[0]) @ self.rope(parts[1]).swapaxes(2, 3) * self.scale, parts[2]

    def __call__(self, x: mx.array) -> mx.array:
        """Map (B, T, WIDTH) to (B, T, WIDTH)."""
        scores, values = self.scores(x)
        mixed = mx.softmax(scores, axis=-1) @ values
        return self.out(mixed.transpose(0, 2, 1, 3).reshape(x.shape))


class Block(nn.Module):
    """A transformer block, normalised before each part."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, eps=NORM_EPS), nn.LayerNorm(WIDTH, eps=NORM_EPS)
        self.attention = Attention(scale)
        self.up, self.down = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH)

    def __call__(self, x: mx.array) -> mx.array:
        """Map (B, T, WIDTH) to (B, T, WIDTH)."""
        x = x + self.attention(self.norm1(x))
        return x + self.down(nn.silu(self.up(self.norm2(x))))


class Encoder(nn.Module):
    """Embedded tokens to conditioning."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, WIDTH)
        self.blocks = [Block(scale) for _ in range(ENCODER_BLOCKS)]
        self.norm = nn.LayerNorm(WIDTH, eps=NORM_EPS)

    def __call__(self, x: mx.array) -> mx.array:
        """Map (B, T, WIDTH) to (B, T, WIDTH)."""
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class FlowBlock(nn.Module):
    """A residual convolution over time that is told the time of the flow."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(FLOW_WIDTH, eps=NORM_EPS)
        self.time = nn.Linear(TIME_CHANNELS, FLOW_WIDTH)
        self.conv = nn.Conv1d(FLOW_WIDTH, FLOW_WIDTH, TAPS, padding=TAPS // 2)
        self.point = nn.Linear(FLOW_WIDTH, FLOW_WIDTH)

    def __call__(self, x: mx.array, time: mx.array) -> mx.array:
        """Map (B, T, FLOW_WIDTH) to the same."""
        return x + self.point(nn.silu(self.conv(self.norm(x) + self.time(time))))


class Flow(nn.Module):
    """The velocity at a point and a time, given the conditioning."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Linear(TIME_CHANNELS, TIME_CHANNELS)
        self.enter = nn.Linear(BINS + WIDTH, FLOW_WIDTH)
        self.blocks = [FlowBlock() for _ in range(FLOW_BLOCKS)]
        self.leave = nn.Linear(FLOW_WIDTH, BINS)

    def __call__(self, x: mx.array, t: float, condition: mx.array) -> mx.array:
        """Estimate the velocity (B, T, BINS)."""
        half = TIME_CHANNELS // 2
        angles = TIME_SCALE * t * mx.exp(-math.log(10_000.0) / half * mx.arange(half))
        time = nn.silu(self.time(mx.concatenate([mx.sin(angles), mx.cos(angles)])[None]))
        inner = self.enter(mx.concatenate([x, condition], axis=2))
        for block in self.blocks:
            inner = block(inner, time)
        return self.leave(inner)


class Network(nn.Module):
    """All that has weights."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.encoder, self.flow, self.projection = Encoder(scale), Flow(), nn.Linear(BINS, BINS)
        self.mel = {"mean": mx.zeros(BINS)}


class Decoder:
    """Tokens to audio: `flow_reference.Decoder`, whose parameters and methods these are, on MLX arrays."""

    def __init__(
        self,
        weights: Weights,
        settings: Settings,
        *,
        attention_scale: float = HEAD**-0.5,
        reuses_buffer: bool = False,
    ) -> None:
        self.settings, self.times = settings, times(settings)
        self._reuses_buffer = reuses_buffer
        self._network = Network(attention_scale)
        channels_last = {name: np.swapaxes(w, 1, 2) if w.ndim == 3 else w for name, w in weights.items()}
        self._network.load_weights([(name, mx.array(weight)) for name, weight in channels_last.items()])

    def start(self, noise: np.ndarray) -> mx.array:
        """Scale normal noise (B, T, BINS) to what the solver starts from."""
        return mx.array(noise) * self.settings.noise_scale

    def embed(self, tokens: np.ndarray) -> mx.array:
        """Map tokens (B, T) to (B, T, WIDTH)."""
        return self._network.encoder.embedding(mx.array(tokens))

    def attention_scores(self, embedded: mx.array) -> mx.array:
        """Return the scores (B, HEADS, T, T) of the first block, before softmax."""
        first = self._network.encoder.blocks[0]
        return first.attention.scores(first.norm1(embedded))[0]

    def encode(self, embedded: mx.array) -> mx.array:
        """Map embedded tokens to the conditioning (B, T, WIDTH)."""
        return self._network.encoder(embedded)

    def ode_step(self, x: mx.array, condition: mx.array, number: int) -> mx.array:
        """Take one step of the solver from x (B, T, BINS)."""
        t, dt = self.times[number], self.times[number + 1] - self.times[number]
        velocity = self._guided(x, t, condition)
        if self.settings.solver == "midpoint":
            velocity = self._guided(x + dt / 2 * velocity, t + dt / 2, condition)
        if not self._reuses_buffer:
            return x + dt * velocity
        x[:] = x + dt * velocity
        return x

    def project(self, x: mx.array) -> mx.array:
        """Map the latent to log magnitudes (B, T, BINS) relative to the mean spectrum."""
        return self._network.projection(x)

    def mel(self, projected: mx.array) -> mx.array:
        """Add the mean spectrum: the log-mel (B, T, BINS), ln of an amplitude."""
        return projected + self._network.mel["mean"]

    def audio(self, mel: mx.array) -> np.ndarray:
        """Return the samples of a log-mel of one item; the vocoder is numpy's in the reference and here."""
        return vocode(np.array(mel[0]), self.settings.griffin_lim)

    def _guided(self, x: mx.array, t: float, condition: mx.array) -> mx.array:
        """Both velocities in one batch, as such ports do it."""
        w = self.settings.guidance
        if not w:
            return self._network.flow(x, t, condition)
        both = self._network.flow(mx.repeat(x, 2, axis=0), t, mx.concatenate([condition, mx.zeros_like(condition)]))
        return (1 + w) * both[:1] - w * both[1:]
