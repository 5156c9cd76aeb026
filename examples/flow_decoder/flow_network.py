"""The network as it is trained (torch). The reference and the port compute the same from its weights."""

import math

import torch
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
)
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Self-attention with rotary positions; scores are divided by the root of a head's channels."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, WIDTH) to (B, T, WIDTH)."""
        parts = self.qkv(x).unflatten(-1, (3, HEADS, HEAD)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(rotated(parts[0]), rotated(parts[1]), parts[2])
        return self.out(mixed.transpose(1, 2).flatten(2))


def rotated(x: Tensor) -> Tensor:
    """Turn the halves of each head of (B, H, T, HEAD) by the rotary angles of their positions."""
    half = HEAD // 2
    angles = torch.arange(x.shape[2])[:, None] * ROPE_BASE ** (-torch.arange(half) / half)
    one, other = x[..., :half], x[..., half:]
    return torch.cat([one * angles.cos() - other * angles.sin(), one * angles.sin() + other * angles.cos()], -1)


class Block(nn.Module):
    """A transformer block, normalised before each part."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, eps=NORM_EPS), nn.LayerNorm(WIDTH, eps=NORM_EPS)
        self.attention = Attention()
        self.up, self.down = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, WIDTH) to (B, T, WIDTH)."""
        x = x + self.attention(self.norm1(x))
        return x + self.down(functional.silu(self.up(self.norm2(x))))


class Encoder(nn.Module):
    """Tokens (B, T) to conditioning (B, T, WIDTH)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(ENCODER_BLOCKS))
        self.norm = nn.LayerNorm(WIDTH, eps=NORM_EPS)

    def forward(self, tokens: Tensor) -> Tensor:
        """Embed, attend, normalise."""
        x = self.embedding(tokens)
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

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map (B, T, FLOW_WIDTH) to the same."""
        inner = self.norm(x) + self.time(time)[:, None]
        return x + self.point(functional.silu(self.conv(inner.transpose(1, 2)).transpose(1, 2)))


class Flow(nn.Module):
    """The velocity (B, T, BINS) at a point (B, T, BINS) and a time (B,), given the conditioning."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Linear(TIME_CHANNELS, TIME_CHANNELS)
        self.enter = nn.Linear(BINS + WIDTH, FLOW_WIDTH)
        self.blocks = nn.ModuleList(FlowBlock() for _ in range(FLOW_BLOCKS))
        self.leave = nn.Linear(FLOW_WIDTH, BINS)

    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Estimate where data lies, seen from here."""
        half = TIME_CHANNELS // 2
        angles = TIME_SCALE * t[:, None] * torch.exp(-math.log(10_000.0) / half * torch.arange(half))
        time = functional.silu(self.time(torch.cat([angles.sin(), angles.cos()], 1)))
        inner = self.enter(torch.cat([x, condition], 2))
        for block in self.blocks:
            inner = block(inner, time)
        return self.leave(inner)


class Network(nn.Module):
    """What is trained. `prior`, a short way from conditioning to latent, helps the encoder and is thrown away."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.flow = Encoder(), Flow()
        self.prior = nn.Linear(WIDTH, BINS)
