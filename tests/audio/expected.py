"""Scores by other implementations. ``python -m tests.audio.expected`` stores them beside this file.

Nothing of ours takes part: STOI and ESTOI are pystoi's, PESQ is the package pesq's, and the rest is written down from
its definition, one frame after the other, with scipy's transforms.
"""

from __future__ import annotations

import json
import math
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tests.audio.verdicts import SPEECH

Array = np.ndarray[Any, Any]
STORED = Path(__file__).with_name("expected.json")
RATE = 16_000
_CLIP, _OTHER = "librivox_sense_and_sensibility_0930.wav", "pocketsphinx_cards_002.wav"
_PACKAGES = ("pystoi", "pesq", "scipy", "numpy")


def pairs() -> dict[str, tuple[Array, Array]]:
    """Return real speech, and what was made of it without any random number."""
    clip, other = (soundfile.read(SPEECH / name)[0] for name in (_CLIP, _OTHER))
    made = {
        "another voice in it": clip + 0.2 * np.resize(other, clip.size),
        "coarse steps": np.round(clip * 32) / 32,
        "its loud parts clipped": np.clip(clip, -0.1 * np.max(np.abs(clip)), 0.1 * np.max(np.abs(clip))),
        "an echo": clip + 0.6 * np.concatenate([np.zeros(1600), clip[:-1600]]),
    }
    return {name: (clip, estimate) for name, estimate in made.items()}


def by_others(reference: Array, estimate: Array) -> dict[str, float]:
    """Return all scores of two aligned signals of 16 kHz."""
    from pesq import pesq
    from pystoi import stoi

    # A constant is no speech, but is sound where pystoi looks for pauses: `score` takes it out first.
    upright = [side - side.mean() for side in (reference, estimate)]
    return {
        "stoi": float(stoi(*upright, RATE)),
        "estoi": float(stoi(*upright, RATE, extended=True)),
        "pesq_wb": pesq(RATE, reference, estimate, "wb"),
        "pesq_nb": pesq(RATE, reference, estimate, "nb"),
        "si_sdr": _si_sdr(reference.tolist(), estimate.tolist()),
        "snr": _decibel(math.fsum(x * x for x in reference) / math.fsum((estimate - reference) ** 2)),
        **_spectral(reference, estimate),
    }


def _decibel(power: float) -> float:
    return 10 * math.log10(power)


def _si_sdr(x: list[float], y: list[float]) -> float:
    """Le Roux et al. 2019: 10·log10(‖αx‖² / ‖αx − y‖²) with α = <x, y> / ‖x‖²."""
    scale = math.fsum(a * b for a, b in zip(x, y, strict=True)) / math.fsum(a * a for a in x)
    error = math.fsum((scale * a - b) ** 2 for a, b in zip(x, y, strict=True))
    return _decibel(math.fsum((scale * a) ** 2 for a in x) / error)


def _spectral(reference: Array, estimate: Array) -> dict[str, float]:
    """Frames of 512 every 128, Hann; levels matched; 80 dB under the loudest bin counts as that."""
    from scipy import fft, signal

    sides = [side / math.sqrt(np.mean(side**2)) for side in (reference, estimate)]
    window = signal.get_window("hann", 512)
    starts = range(0, reference.size - 511, 128)
    powers = [[np.abs(fft.rfft(side[at : at + 512] * window)) ** 2 for at in starts] for side in sides]
    floor = max(float(frame.max()) for frame in powers[0]) * 1e-8
    energy = [float(np.mean(sides[0][at : at + 512] ** 2)) for at in starts]
    spectral, cepstral = [], []
    for loudness, *both in zip(energy, *powers, strict=True):
        if loudness <= max(energy) * 1e-4:
            continue
        x, y = (np.maximum(power, floor) for power in both)
        spectral.append(math.sqrt(np.mean([_decibel(a / b) ** 2 for a, b in zip(x, y, strict=True)])))
        # A DCT of type 2 without normalisation is twice the sum of products with the cosines.
        c, d = (fft.dct(np.log(_mel_bands(side))) / 2 / 40 for side in (x, y))
        cepstral.append(10 / math.log(10) * math.sqrt(2 * sum((c - d)[1:14] ** 2)))
    return {"log_spectral_distance": float(np.mean(spectral)), "mel_cepstral_distortion": float(np.mean(cepstral))}


def _mel_bands(power: Array) -> list[float]:
    """Triangles of height 1 over 40 equal steps of O'Shaughnessy's mel scale, one after the other."""
    top = 2595 * math.log10(1 + RATE / 2 / 700)
    hertz = [700 * (10 ** (top * k / 41 / 2595) - 1) for k in range(42)]
    bins = np.arange(257) * RATE / 512
    bands = []
    for low, middle, high in zip(hertz, hertz[1:], hertz[2:], strict=False):
        triangle = np.interp(bins, [low, middle, high], [0, 1, 0], left=0, right=0)
        if not triangle.any():
            triangle[np.argmin(np.abs(bins - middle))] = 1
        bands.append(float(triangle @ power))
    return bands


def main() -> None:
    """Write the scores, and what computed them."""
    said = {
        "origin": {
            "command": "python -m tests.audio.expected",
            "clips": [f"tests/data/speech/{name}" for name in (_CLIP, _OTHER)],
            "packages": {name: metadata.version(name) for name in _PACKAGES},
        },
        "scores": {name: by_others(*sides) for name, sides in pairs().items()},
    }
    STORED.write_text(json.dumps(said, indent=2) + "\n")


if __name__ == "__main__":
    main()
