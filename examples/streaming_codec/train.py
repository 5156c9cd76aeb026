"""Train the codec and write its weights: `python train.py` (torch, soxr, hibari-tts; one CPU core, under an hour).

The corpus is synthetic and seeded, the steps are counted and not timed, one thread computes: the same versions on the
same processor give the same weights.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import heldout
import numpy as np
import torch
from codec import Codec
from corpus import batches, speak
from layout import CODEBOOK_SIZE, CODEBOOKS, HOP, SAMPLE_RATE
from network import Network
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

WEIGHTS = Path(__file__).with_name("weights.safetensors")
SEED = 20
UTTERANCES, ITEMS, SECONDS = 700, 16, 0.48
FREE_STEPS = 50  # without codes, so that there are latent frames to place codewords among
PLACING_BATCHES = 12  # for k-means
LEARNING_RATE, LAST_RATE, WARM_STEPS = 5e-4, 1e-5, 100

WINDOWS_MELS = ((256, 24), (512, 40), (1024, 64))
COMPLEX_WINDOW = 512
MEL_FLOOR = 1e-3  # of a windowed magnitude: about 60 dB below loud speech, where no word is
COMPRESSION = 0.3  # of spectral magnitudes: quiet bands count as loud ones do (Braun and Tashev, 2020)
SPECTRUM_WEIGHT, SNR_WEIGHT, LEVEL_WEIGHT, COMMITMENT_WEIGHT = 4.0, 0.08, 0.1, 0.25
LOST_ITEMS, LOST_LEVEL_WEIGHT, LOST_SPECTRUM_WEIGHT = 4, 0.03, 0.15
PRE_EMPHASIS = 0.8  # words live above the loudest frequencies
SNR_CEILING = 1e-3  # of the signal's power: beyond 30 dB the waveform is right


def mel_matrix(window: int, mels: int) -> Tensor:
    """Return triangles (mel, bin), even on the mel scale from 0 to half the sample rate."""
    top = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, mels + 2) / 2595) - 1)
    bins = np.linspace(0, SAMPLE_RATE / 2, window // 2 + 1)[None]
    low, centre, high = (edges[i : i + mels, None] for i in range(3))
    triangles = np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    return torch.tensor(triangles / np.maximum(triangles.sum(1, keepdims=True), 1e-9), dtype=torch.float32)


MELS = {window: mel_matrix(window, mels) for window, mels in WINDOWS_MELS}


def spectrum(audio: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Return the complex short-time spectrum and its magnitude."""
    shape = torch.hann_window(window)
    complex_ = torch.stft(audio, window, window // 4, window=shape, center=False, return_complex=True)
    return complex_, (complex_.real.square() + complex_.imag.square() + 1e-9).sqrt()


def speech_loss(reference: Tensor, estimate: Tensor) -> Tensor:
    """Log mel magnitudes, the compressed complex spectrum, the SNR of the brightened waveform, the level."""
    loss = reference.new_zeros(())
    for window, matrix in MELS.items():
        (wanted, wanted_size), (got, got_size) = spectrum(reference, window), spectrum(estimate, window)
        logs = [(matrix @ size + MEL_FLOOR * window**0.5).log() for size in (wanted_size, got_size)]
        loss = loss + (logs[0] - logs[1]).abs().mean() / len(MELS)
        if window == COMPLEX_WINDOW:
            change = wanted * wanted_size ** (COMPRESSION - 1) - got * got_size ** (COMPRESSION - 1)
            loss = loss + SPECTRUM_WEIGHT * (change.real.square() + change.imag.square()).mean()
    bright = [side[:, 1:] - PRE_EMPHASIS * side[:, :-1] for side in (reference, reference - estimate)]
    power, noise = (side.square().mean(1) for side in bright)
    noise = noise / (power + 1e-7) + SNR_CEILING
    return loss + SNR_WEIGHT * 10 * noise.log10().mean() + LEVEL_WEIGHT * level_change(reference, estimate)


def level_change(reference: Tensor, estimate: Tensor) -> Tensor:
    """Return the mean absolute change of level in dB."""
    before, after = (10 * (side.square().mean(1) + 1e-7).log10() for side in (reference, estimate))
    return (before - after).abs().mean()


def lost_state_loss(network: Network, reference: Tensor, decoded: Tensor) -> Tensor:
    """Level and long-term spectrum of what a decoder plays that lost its directions, as after a lost packet.

    It should neither fade nor roar. Words are beyond saving.
    """
    points = torch.view_as_complex(decoded.reshape(*decoded.shape[:2], -1, 2).contiguous())
    angles = 2 * torch.pi * torch.rand(len(points), 1, points.shape[2])
    turned = torch.view_as_real(points * torch.polar(torch.ones_like(angles), angles)).flatten(2)
    speech = network.speech(turned)
    powers = [MELS[COMPLEX_WINDOW] @ spectrum(side, COMPLEX_WINDOW)[1].square() for side in (reference, speech)]
    before, after = (power.mean((0, 2)).log() for power in powers)
    change = (before - after).abs().mean()
    return LOST_LEVEL_WEIGHT * level_change(reference, speech) + LOST_SPECTRUM_WEIGHT * change


def several(stream: Iterator[np.ndarray]) -> Tensor:
    """Return some batches as one."""
    return torch.from_numpy(np.concatenate([next(stream) for _ in range(PLACING_BATCHES)]))


def rate(step: int, steps: int) -> float:
    """Return the learning rate: a warm start, then half a cosine."""
    fall = LAST_RATE + (LEARNING_RATE - LAST_RATE) * (1 + np.cos(np.pi * step / steps)) / 2
    return min(fall, LEARNING_RATE * (step + 1) / WARM_STEPS)


def train(steps: int, path: Path, *, save_every: int) -> None:
    """Train for so many steps and write the weights, also in between."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    clips = speak(utterances=UTTERANCES, seed=SEED)
    print(f"{sum(clip.size for clip in clips) / SAMPLE_RATE / 60:.1f} minutes of speech", flush=True)
    stream = batches(clips, items=ITEMS, samples=int(SECONDS * SAMPLE_RATE), seed=SEED)
    network = Network()
    network.start(several(stream))
    optimiser = torch.optim.AdamW(network.parameters(), betas=(0.8, 0.99), weight_decay=1e-4)
    began = time.monotonic()
    for step in range(steps):
        if step == FREE_STEPS:
            with torch.no_grad():
                network.quantiser.start(network.latent(several(stream)))
        for group in optimiser.param_groups:
            group["lr"] = rate(step, steps)
        audio = torch.from_numpy(next(stream))
        loss, speech = losses(network, audio, coded=step >= FREE_STEPS)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if step % 50 == 0:
            noise = (audio - speech).square().sum() / audio.square().sum()
            print(step, f"loss {loss:.3f} snr {-10 * noise.log10():.2f} {time.monotonic() - began:.0f} s", flush=True)
        if (step + 1) % save_every == 0 or step + 1 == steps:
            save(network, path, steps=step + 1)


def losses(network: Network, audio: Tensor, *, coded: bool) -> tuple[Tensor, Tensor]:
    """Return the loss of a batch and the decoded speech; uncoded latents carry a little noise instead."""
    latent = network.latent(audio)
    if not coded:
        speech = network.speech(latent + 0.15 * latent.std().detach() * torch.randn_like(latent))
        return speech_loss(audio, speech), speech.detach()
    decoded = network.quantiser(latent.detach())
    speech = network.speech(latent + (decoded - latent).detach())
    commitment = functional.mse_loss(latent, decoded) / decoded.square().mean()
    loss = speech_loss(audio, speech) + COMMITMENT_WEIGHT * commitment
    lost = lost_state_loss(network, audio[:LOST_ITEMS], decoded[:LOST_ITEMS])
    return loss + lost, speech.detach()


def save(network: Network, path: Path, *, steps: int) -> None:
    """Write the weights in half precision, with a note of how they were made."""
    note = {
        "made_by": f"examples/streaming_codec/train.py --steps {steps}, seed {SEED}, torch {torch.__version__}",
        "trained_on": "synthetic speech of hibari-tts 0.2.1 (Apache-2.0): random words, voices, rooms and noises",
        "license": "MIT, as the code",
        "format": f"{SAMPLE_RATE} Hz, {HOP} samples a frame, {CODEBOOKS} codebooks of {CODEBOOK_SIZE}",
    }
    half = {name: value.half().contiguous() for name, value in network.folded().items()}
    save_file(half, path, metadata=note)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--save-every", type=int, default=100)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    chosen = parser.parse_args()
    train(chosen.steps, chosen.weights, save_every=chosen.save_every)
    heldout.report(Codec(chosen.weights))
