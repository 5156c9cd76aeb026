"""What can happen to speech, with random parameters: faults that lose its words, and changes that keep them.

Every change takes a clip (shape (time,), floats), its rate, a generator of random numbers and other speech, and returns
the changed clip. The verdicts that are right for it stand beside it, the exact one first; a change that lies between
two (a strong reverberation is `degraded`, a weak one `ok`) has both.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
import soxr

Array = np.ndarray[Any, Any]
Random = np.random.Generator
LOST = frozenset({"silent", "garbled", "wrong_content"})


@dataclass(frozen=True, slots=True)
class Change:
    """One kind of change: `make(clip, rate, random, others)`."""

    name: str
    make: Callable[[Array, int, Random, list[Array]], Array]
    verdicts: tuple[str, ...]
    shortest_seconds: float = 0.0  # of a clip that it can be done to

    @property
    def loses_words(self) -> bool:
        """Whether words are lost or others have come."""
        return self.verdicts[0] in LOST


def speech_span(x: Array, rate: int, random: Random, seconds: float) -> slice:
    """Choose a span of that length full of speech: at least 60 % of its 10 ms frames within 30 dB of the top."""
    n, hop = round(seconds * rate), rate // 100
    loud = frame_levels(x, hop) > frame_levels(x, hop).max() - 30
    share = np.convolve(loud, np.ones(max(1, n // hop)) / max(1, n // hop), "valid")
    good = np.flatnonzero(share >= min(0.6, share.max()))
    start = int(random.choice(good)) * hop
    return slice(start, min(start + n, x.size))


def frame_levels(x: Array, hop: int) -> Array:
    frames = x[: x.size // hop * hop].reshape(-1, hop)
    return 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)


def rms(x: Array) -> float:
    return float(np.sqrt(np.mean(x**2)))


def speech_rms(x: Array, rate: int) -> float:
    """Return the level of speech without its pauses."""
    levels = frame_levels(x, rate // 50)
    return float(10 ** (np.mean(levels[levels > levels.max() - 25]) / 20))


def fitted(other: Array, size: int, random: Random) -> Array:
    """Cut or repeat other speech to a length, from anywhere."""
    other = np.tile(other, -(-size // other.size) + 1)
    start = int(random.integers(other.size - size))
    return other[start : start + size]


def faded(piece: Array, rate: int) -> Array:
    n = min(rate // 200, piece.size // 2)
    ramp = np.ones(piece.size)
    ramp[:n], ramp[piece.size - n :] = np.linspace(0, 1, n), np.linspace(1, 0, n)
    return piece * ramp


def stft(x: Array, size: int, hop: int) -> Array:
    padded = np.concatenate([np.zeros(size), x, np.zeros(size)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    return np.fft.rfft(frames * np.hanning(size + 1)[:-1], axis=1)


def istft(spectrum: Array, size: int, hop: int, length: int) -> Array:
    window = np.hanning(size + 1)[:-1]
    frames = np.fft.irfft(spectrum, size, axis=1) * window
    out, norm = np.zeros((len(frames) + size // hop, hop)), np.zeros((len(frames) + size // hop, hop))
    for k in range(size // hop):
        out[k : k + len(frames)] += frames[:, k * hop : (k + 1) * hop]
        norm[k : k + len(frames)] += window[k * hop : (k + 1) * hop] ** 2
    return (out.ravel() / np.maximum(norm.ravel(), 1e-3))[size : size + length]


def frame_size(rate: int) -> int:
    return 1 << round(np.log2(rate * 0.032))


def stretched(x: Array, factor: float, rate: int) -> Array:
    """Phase vocoder: `factor` times as long, at the same pitch."""
    size = frame_size(rate) * 2
    hop = size // 8
    spectrum = stft(x, size, hop)
    count = int((len(spectrum) - 1) * factor)
    advance = 2 * np.pi * hop * np.arange(size // 2 + 1) / size
    phase, out = np.angle(spectrum[0]), []
    for k in range(count):
        i, rest = divmod(k / factor, 1)
        a, b = spectrum[int(i)], spectrum[min(int(i) + 1, len(spectrum) - 1)]
        out.append(((1 - rest) * np.abs(a) + rest * np.abs(b)) * np.exp(1j * phase))
        delta = np.angle(b) - np.angle(a) - advance
        phase = phase + advance + delta - 2 * np.pi * np.round(delta / (2 * np.pi))
    result = istft(np.array(out), size, hop, len(out) * hop + size)
    start = round(size * (factor - 1))
    return result[max(0, start) :][: round(x.size * factor)]


def pitched(x: Array, semitones: float, rate: int) -> Array:
    factor = 2 ** (semitones / 12)
    out = soxr.resample(stretched(x, factor, rate), round(rate * factor), rate)
    return np.pad(out, (0, max(0, x.size - out.size)))[: x.size]


def noise_like(x: Array, random: Random, colour: float) -> Array:
    spectrum = np.fft.rfft(random.standard_normal(x.size))
    f = np.arange(spectrum.size) + 1.0
    return np.fft.irfft(spectrum * f**-colour, x.size)


def at_snr(x: Array, noise: Array, snr_db: float) -> Array:
    return x + noise * (rms(x) / rms(noise) * 10 ** (-snr_db / 20))


def coded(x: Array, rate: int, file_format: str, subtype: str, **options: Any) -> Array:
    buffer = io.BytesIO()
    soundfile.write(buffer, x, rate, format=file_format, subtype=subtype, **options)
    buffer.seek(0)
    return np.asarray(soundfile.read(buffer)[0], dtype=np.float64)


def opus(x: Array, rate: int, level: float) -> Array:
    whole = soxr.resample(x, rate, 48000) if rate not in (8000, 12000, 16000, 24000, 48000) else x
    out = coded(whole, rate if whole is x else 48000, "OGG", "OPUS", compression_level=level)
    return (out if whole is x else soxr.resample(out, 48000, rate))[: x.size]


def telephoned(x: Array, rate: int) -> Array:
    """Send it through GSM 06.10: 13 kb/s at 8 kHz."""
    narrow = np.clip(soxr.resample(x, rate, 8000), -1, 1)
    return fitted_end(soxr.resample(coded(narrow, 8000, "WAV", "GSM610"), 8000, rate), x.size)


def fitted_end(x: Array, size: int) -> Array:
    return np.pad(x, (0, max(0, size - x.size)))[:size]


def blocks(x: Array, size: int) -> list[Array]:
    return [x[i : i + size] for i in range(0, x.size, size)]


def reverberated(x: Array, rate: int, random: Random, rt60: float, direct: float) -> Array:
    t = np.arange(round(rt60 * rate)) / rate
    tail = random.standard_normal(t.size) * 10 ** (-3 * t / rt60)
    tail[: rate // 200] = 0
    tail *= 1 / np.sqrt(np.sum(tail**2))
    tail[0] = direct
    size = 1 << (x.size + tail.size).bit_length()
    wet = np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(tail, size), size)[: x.size]
    return wet * (rms(x) / rms(wet))


def vocoded(x: Array, rate: int, random: Random, turns: int) -> Array:
    """Keep the magnitudes only; the phase is found again by Griffin and Lim, or left random."""
    size, hop = frame_size(rate), frame_size(rate) // 4
    magnitude = np.abs(stft(x, size, hop))
    spectrum = magnitude * np.exp(2j * np.pi * random.random(magnitude.shape))
    for _ in range(turns):
        again = stft(istft(spectrum, size, hop, x.size), size, hop)
        spectrum = magnitude * np.exp(1j * np.angle(again))
    return istft(spectrum, size, hop, x.size)


def mel_coded(x: Array, rate: int, random: Random, bands: int, step_db: float) -> Array:
    """Code parametrically: quantised band levels per frame, and noise or Griffin-Lim in between."""
    size, hop = frame_size(rate), frame_size(rate) // 4
    magnitude = np.abs(stft(x, size, hop))
    edges = np.unique(np.round(np.geomspace(2, magnitude.shape[1], bands + 1)).astype(int))
    edges[0] = 0
    coarse = np.zeros_like(magnitude)
    for low, high in itertools.pairwise(edges.tolist()):
        level = 20 * np.log10(np.sqrt(np.mean(magnitude[:, low:high] ** 2, axis=1)) + 1e-6)
        coarse[:, low:high] = (10 ** (np.round(level / step_db) * step_db / 20))[:, None]
    spectrum = coarse * np.exp(2j * np.pi * random.random(coarse.shape))
    for _ in range(15):
        spectrum = coarse * np.exp(1j * np.angle(stft(istft(spectrum, size, hop, x.size), size, hop)))
    return istft(spectrum, size, hop, x.size)


def mu_law(x: Array, bits: int) -> Array:
    top = np.max(np.abs(x))
    level = np.sign(x) * np.log1p(255 * np.abs(x) / top) / np.log(256)
    level = np.round(level * 2 ** (bits - 1)) / 2 ** (bits - 1)
    return np.sign(level) * (256 ** np.abs(level) - 1) / 255 * top
