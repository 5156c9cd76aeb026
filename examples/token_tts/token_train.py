"""Teach the model four sentences and write its weights: `python token_train.py` (torch; one thread, five minutes).

The model learns the codec's latent frames of two recordings by heart. What it reads back while it speaks are frames
decoded from codes that were drawn at random, so it is trained on many such renditions of the same recording.
Everything is seeded and steps are counted: the same versions on the same processor give the same weights.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import torch
from codec import Codec, _sizes
from layout import CODEBOOK_SIZE
from safetensors.torch import save_file
from token_codec import Follower, words
from token_layout import (
    ALPHABET,
    CODEBOOKS,
    END,
    HEADS,
    HIDDEN,
    HOP,
    LATENT,
    LAYERS,
    MAX_CHARACTERS,
    MAX_FRAMES,
    NORM_FLOOR,
    SAMPLE_RATE,
    SETTINGS,
    WIDTH,
    characters,
)
from token_model import WEIGHTS, draw
from torch import Tensor, nn
from torch.nn import functional

Array = np.ndarray[Any, Any]

SPEECH = Path(__file__).parents[2] / "tests" / "data" / "speech"
# text -> recording, first and last frame (10 ms each)
SENTENCES = {
    "four": ("pocketsphinx_cards_002.wav", 10, 62),
    "queen of clubs": ("pocketsphinx_cards_002.wav", 78, 186),
    "four queen of clubs": ("pocketsphinx_cards_002.wav", 10, 186),
    "mary rolled the barrel": ("praatio_mary.wav", 0, 186),
}
SEED = 6
RENDITIONS, ITEMS, STEPS = 12, 3, 1500  # items: renditions of each sentence in a batch
LEARNING_RATE, LAST_RATE, WARM_STEPS = 2e-3, 2e-5, 100
# Of the power that is left when codebook k is drawn; more draws more varied codes and noisier speech.
SPREAD = 1.5
PAUSE_DB = -38.0  # frames below it, between words, are pauses: codebook 0 says nothing in half of them
SURE, END_SCALE = 40.0, 10.0  # logit of END where it must (not) come, and what counts as one unit of its error
END_WEIGHT = 1.0  # as much for the few places where END may come as for all others


def latents(audio: Array) -> Array:
    """Return the codec's latent frames (frame, LATENT) before quantisation."""
    encoder, samples = Codec().encoder(), audio[None]
    linear = encoder._analysis.push(samples)
    return np.ascontiguousarray((linear / np.sqrt(_sizes(linear)) + encoder._stack.push(samples)).T)


def recordings() -> dict[str, tuple[Array, Array]]:
    """Return the latent frames of each sentence and which of them are pauses between its words."""
    found = {}
    for text, (name, first, last) in SENTENCES.items():
        samples, rate = soundfile.read(SPEECH / name, dtype="float32")
        audio = samples if rate == SAMPLE_RATE else soxr.resample(samples, rate, SAMPLE_RATE)
        audio = audio[first * HOP : last * HOP]
        audio = audio[: audio.size - audio.size % HOP]
        power = 10 * np.log10(np.mean(audio.reshape(-1, HOP) ** 2, axis=1) + 1e-9)
        loud = np.flatnonzero(power > PAUSE_DB)
        quiet = power <= PAUSE_DB
        quiet[: loud[0]] = quiet[loud[-1] + 1 :] = False
        found[text] = latents(audio), quiet
    return found


def sharpness(frames: Array) -> Array:
    """Return for each codebook 1 / (SPREAD · variance of what is left for it to code), when all before chose well."""
    follower = Follower()
    left = np.zeros(CODEBOOKS)
    for frame in frames:
        residual = follower.turned(frame)
        total = np.zeros(LATENT)
        for book, known in enumerate(words()[:, :END]):
            left[book] += np.sum(residual**2) / len(frames)
            chosen = known[np.argmax(known @ residual - np.sum(known**2, axis=1) / 2)]
            residual, total = residual - chosen, total + chosen
        follower.follow(total)
    return LATENT / (SPREAD * left)


def rendition(frames: Array, pause: Array, sharp: Array, generator: np.random.Generator) -> tuple[Array, Array]:
    """Draw codes for latent frames; return the decoded frames and the logits that make END as likely as not."""
    follower = Follower()
    decoded, even = [], []
    for frame, quiet in zip(frames, pause, strict=True):
        residual, total = follower.turned(frame), np.zeros(LATENT)
        for book, known in enumerate(words()[:, :END]):
            logits = sharp[book] * (known @ residual - np.sum(known**2, axis=1) / 2)
            if not book:
                even.append(np.logaddexp.reduce(logits))
            if not book and quiet and generator.random() < 1 / 2:
                continue
            word = known[draw(logits, generator.random(), SETTINGS.temperature, SETTINGS.top_k)]
            residual, total = residual - word, total + word
        decoded.append(follower.follow(total))
    return np.array(decoded), np.array(even)


class Layer(nn.Module):
    """Attention and a gated linear unit, each behind its RMSNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm, self.unit_norm = nn.Parameter(torch.ones(WIDTH)), nn.Parameter(torch.ones(WIDTH))
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.up, self.down = nn.Linear(WIDTH, 2 * HIDDEN, bias=False), nn.Linear(HIDDEN, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Run over (batch, token, WIDTH)."""
        batch, tokens, _ = x.shape
        parts = self.qkv(normed(x, self.attention_norm)).view(batch, tokens, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*parts, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        gate, value = self.up(normed(x, self.unit_norm)).chunk(2, dim=-1)
        return x + self.down(functional.silu(gate) * value)


def normed(x: Tensor, weight: Tensor) -> Tensor:
    """RMSNorm."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + NORM_FLOOR) * weight


class Backbone(nn.Module):
    """Text, then frames; token n sees what is before it."""

    def __init__(self) -> None:
        super().__init__()
        self.letters = nn.Parameter(0.5 * torch.randn(len(ALPHABET), WIDTH))
        self.places = nn.Parameter(0.5 * torch.randn(MAX_CHARACTERS, WIDTH))
        self.times = nn.Parameter(0.5 * torch.randn(MAX_FRAMES, WIDTH))
        self.heard = nn.Linear(LATENT, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = nn.Parameter(torch.ones(WIDTH))
        self.points, self.ends = nn.Linear(WIDTH, LATENT), nn.Linear(WIDTH, CODEBOOKS)

    def forward(self, text: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Return points and END logits of frames (batch, frame, ...); `before` are the frames before each."""
        letters = self.letters[text] + self.places[: len(text)]
        frames = self.heard(before) + self.times[: before.shape[1]]
        x = torch.cat([letters.expand(len(before), -1, -1), frames], 1)
        for layer in self.layers:
            x = layer(x)
        x = normed(x[:, len(text) :], self.norm)
        return self.points(x), self.ends(x)


def examples(sharp: Array) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Return of each sentence the letters, the frames before (rendition, frame, LATENT), points and END logits."""
    generator, rows = np.random.default_rng(SEED), []
    for text, (frames, pause) in recordings().items():
        drawn = [rendition(frames, pause, sharp, generator) for _ in range(RENDITIONS)]
        before = np.stack([np.concatenate([np.zeros((1, LATENT)), decoded]) for decoded, _ in drawn])
        ends = np.full((len(frames) + 1, CODEBOOKS), -SURE)
        ends[:-1, 0][pause] = np.mean([even for _, even in drawn], axis=0)[pause]
        ends[-1] = SURE
        tensors = (torch.tensor(values, dtype=torch.float32) for values in (before, frames, ends))
        rows.append((torch.tensor(characters(text)), *tensors))
    return rows


def loss(model: Backbone, example: tuple[Tensor, Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the loss, and the error of the points as a share of their power."""
    text, before, frames, ends = example
    points, said = model(text, before[torch.randperm(len(before))[:ITEMS]])
    error = (points[:, :-1] - frames).square().mean() / frames.square().mean()
    wanted, rare = (ends / END_SCALE).expand_as(said), ends > -SURE
    off = functional.smooth_l1_loss(said / END_SCALE, wanted, reduction="none")
    return error + END_WEIGHT * (off[:, rare].mean() + off[:, ~rare].mean()), error


def train(steps: int, path: Path) -> None:
    """Train for so many steps and write the weights."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    sharp = sharpness(np.concatenate([frames for frames, _ in recordings().values()]))
    rows, model, began = examples(sharp), Backbone(), time.monotonic()
    optimiser = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), weight_decay=0.0)
    for step in range(steps):
        fall = LAST_RATE + (LEARNING_RATE - LAST_RATE) * (1 + np.cos(np.pi * step / steps)) / 2
        optimiser.param_groups[0]["lr"] = min(fall, LEARNING_RATE * (step + 1) / WARM_STEPS)
        total, error = (sum(parts) / len(rows) for parts in zip(*(loss(model, row) for row in rows), strict=True))
        optimiser.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 100 == 0 or step + 1 == steps:
            print(
                step,
                f"loss {total:.4f} points {10 * error.log10():.1f} dB {time.monotonic() - began:.0f} s",
                flush=True,
            )
    save(model, sharp, path, steps=steps)


def save(model: Backbone, sharp: Array, path: Path, *, steps: int) -> None:
    """Write the weights in half precision, with a note of how they were made."""
    note = {
        "made_by": f"examples/token_tts/token_train.py --steps {steps}, seed {SEED}, torch {torch.__version__}",
        "trained_on": "tests/data/speech: pocketsphinx_cards_002.wav (BSD-2), praatio_mary.wav (MIT)",
        "license": "see LICENSE-weights",
    }
    tensors = {name: value.detach().half().contiguous() for name, value in model.state_dict().items()}
    save_file(tensors | {"sharpness": torch.tensor(sharp).half()}, path, metadata=note)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    chosen = parser.parse_args()
    assert END == CODEBOOK_SIZE
    train(chosen.steps, chosen.weights)
