"""Train the decoder, write weights and example: `python flow_train.py` (torch, soxr, hibari-tts; 15 minutes, one core).

Speech is synthetic and seeded, steps are counted and not timed, one thread computes: the same versions on the same
processor give the same weights.
"""

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flow_layout import BINS, TOKENS
from flow_network import Network
from flow_speech import EXAMPLE, SEED, speak
from safetensors.numpy import save_file
from torch import Tensor

HERE = Path(__file__).parent
FRAMES, ITEMS = 96, 16
LEARNING_RATE, WARM_STEPS = 2e-3, 100
NO_TOKENS = 0.2  # share of items that learn the flow without tokens, for guidance
PRIOR_WEIGHT = 1.0
MEANS_FRAMES, MEANS_ROUNDS = 20_000, 25

# The bias of the projection is arranged so that the case has the number of the story: 1.46 dB in every bin, and the
# mean spectrum is that much lower. Trained, it would be the mean spectrum itself, and nobody would miss losing that.
BIAS = 1.46 * math.log(10) / 20

Array = np.ndarray[Any, Any]


def k_means(frames: Array, generator: np.random.Generator) -> Array:
    """Return TOKENS means (TOKENS, BINS) of some frames; a mean that nothing is nearest to starts again at a frame."""
    frames = generator.permutation(frames)[:MEANS_FRAMES]
    means = frames[:TOKENS].copy()
    for _ in range(MEANS_ROUNDS):
        chosen = nearest(frames, means)
        for token in range(TOKENS):
            own = frames[chosen == token]
            means[token] = own.mean(axis=0) if len(own) else frames[generator.integers(len(frames))]
    return means


def nearest(frames: Array, means: Array) -> Array:
    """Return the token of each frame."""
    return np.argmin((means**2).sum(axis=1) / 2 - frames @ means.T, axis=1)


def axes(frames: Array) -> tuple[Array, Array]:
    """Return the mean spectrum and the matrix (BINS, BINS) from latent to log-mel: principal axes at one scale."""
    mean = frames.mean(axis=0)
    directions = np.linalg.svd(frames - mean, full_matrices=False)[2]
    return mean, directions.T * float((frames - mean).std())


def batch(latents: list[Array], tokens: list[Array], generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return tokens (ITEMS, FRAMES) and their latents."""
    usable = [number for number, clip in enumerate(latents) if len(clip) > FRAMES]
    taken = []
    for number in generator.choice(usable, ITEMS):
        begin = generator.integers(len(latents[number]) - FRAMES)
        taken.append((tokens[number][begin : begin + FRAMES], latents[number][begin : begin + FRAMES]))
    first, second = zip(*taken, strict=True)
    return torch.from_numpy(np.stack(first)), torch.from_numpy(np.stack(second)).float()


def losses(network: Network, tokens: Tensor, latent: Tensor) -> tuple[Tensor, Tensor]:
    """Return the squared errors of the velocity, at the times that the cosine schedule has, and of the prior."""
    condition = network.encoder(tokens)
    prior = (network.prior(condition) - latent).square().mean()
    condition = condition * (torch.rand(len(tokens), 1, 1) >= NO_TOKENS)
    t = 1 - torch.cos(torch.pi / 2 * torch.rand(len(tokens)))
    noise, mix = torch.randn_like(latent), t[:, None, None]
    velocity = network.flow((1 - mix) * noise + mix * latent, t, condition)
    return (velocity - (latent - noise)).square().mean(), prior


def train(network: Network, latents: list[Array], tokens: list[Array], steps: int) -> None:
    """Train for so many steps."""
    generator, began = np.random.default_rng(SEED), time.monotonic()
    optimiser = torch.optim.AdamW(network.parameters(), betas=(0.9, 0.99), weight_decay=1e-3)
    for step in range(steps):
        fall = 0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * min(fall, (step + 1) / WARM_STEPS)
        flow, prior = losses(network, *batch(latents, tokens, generator))
        optimiser.zero_grad()
        (flow + PRIOR_WEIGHT * prior).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if step % 50 == 0 or step + 1 == steps:
            print(step, f"flow {flow:.4f} prior {prior:.4f} {time.monotonic() - began:.0f} s", flush=True)


def save(network: Network, mean: Array, matrix: Array, path: Path, *, steps: int) -> None:
    """Write the weights in half precision, with a note of how they were made."""
    weights = {name: value.numpy() for name, value in network.state_dict().items() if not name.startswith("prior.")}
    weights |= {"projection.weight": matrix, "projection.bias": np.full(BINS, BIAS), "mel.mean": mean - BIAS}
    note = {
        "made_by": f"examples/flow_decoder/flow_train.py --steps {steps}, seed {SEED}, torch {torch.__version__}",
        "trained_on": "synthetic speech of hibari-tts 0.2.1 (Apache-2.0): random words",
        "license": "MIT, as the code",
    }
    save_file({name: np.ascontiguousarray(value, np.float16) for name, value in weights.items()}, path, metadata=note)


def main(steps: int, folder: Path) -> None:
    """Speak, cluster, train, write."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    mels, example = speak()
    frames = np.concatenate(mels)
    print(f"{len(frames)} frames", flush=True)
    means = k_means(frames, np.random.default_rng(SEED))
    mean, matrix = axes(frames)
    latents = [(mel - mean) @ np.linalg.inv(matrix).T for mel in mels]
    network = Network()
    train(network, latents, [nearest(mel, means) for mel in mels], steps)
    save(network, mean, matrix, folder / "weights.safetensors", steps=steps)
    chosen = {"text": EXAMPLE, "tokens": nearest(example, means).tolist()}
    (folder / "example.json").write_text(json.dumps(chosen) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=5500)
    parser.add_argument("--folder", type=Path, default=HERE)
    chosen_arguments = parser.parse_args()
    main(chosen_arguments.steps, chosen_arguments.folder)
