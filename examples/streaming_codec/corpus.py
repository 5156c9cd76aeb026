"""Speech to train on: sentences of random words, spoken by hibari-tts and turned into many voices and rooms.

Nothing is downloaded and nobody's recording is used: text, voice and rooms follow from one seed.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import soxr
from layout import SAMPLE_RATE

Array = np.ndarray

# A voice resampled by less than 1 is a bigger speaker, by more than 1 a smaller one; hibari's own voice is a woman's.
_VOICES = (0.58, 1.35)
_WORDS = (4, 12)  # of a sentence
_PEAK_DB = (-26.0, -0.5)
_NOISE_DB = (3.0, 40.0)  # below the speech
_BABBLE_DB = (0.0, 25.0)  # another voice, below this one
_BANDWIDTH = (3000.0, 8000.0)  # Hz
_ROOM_SECONDS = (0.05, 0.5)
_TILT = 0.8  # largest zero or pole of the first-order filter that stands for a microphone


def speak(*, utterances: int, seed: int) -> list[Array]:
    """Return utterances at 16 kHz, each of another size of speaker; the same seed gives the same speech."""
    from hibari import Hibari

    voice, generator = Hibari(), np.random.default_rng(seed)
    words = _vocabulary(voice)
    clips = []
    for number in range(utterances):
        text = " ".join(generator.choice(words, generator.integers(*_WORDS))) + "."
        size = math.exp(generator.uniform(*np.log(_VOICES)))
        # The pace undoes what resampling does to it, as far as the model was trained for.
        speech = voice(text, speed=float(np.clip(1 / size, 0.7, 1.6)), seed=seed + number)
        clips.append(soxr.resample(speech, round(voice.sample_rate * size), SAMPLE_RATE).astype(np.float32))
    return clips


def _vocabulary(voice: Any) -> list[str]:
    """Return the plain words that the text-to-speech package knows how to say."""
    known = sorted(voice.g2p.lexicon.golds.d)
    return [word for word in known if word.isascii() and word.isalpha() and word.islower() and 2 < len(word) < 10]


def batches(clips: list[Array], *, items: int, samples: int, seed: int) -> Iterator[Array]:
    """Yield float32 batches (items, samples) without end: pieces of clips in random rooms, microphones and noises."""
    generator = np.random.default_rng(seed)
    usable = [clip for clip in clips if clip.size > samples]
    while True:
        yield np.stack([_record(_talk(usable, samples, generator), generator) for _ in range(items)])


def _talk(clips: list[Array], samples: int, generator: np.random.Generator) -> Array:
    """Return a piece of a clip, one time in three with another voice behind it."""
    speech = _piece(clips, samples, generator)
    if generator.random() < 1 / 3:
        speech = speech + _piece(clips, samples, generator) * 10 ** (-generator.uniform(*_BABBLE_DB) / 20)
    return speech


def _piece(clips: list[Array], samples: int, generator: np.random.Generator) -> Array:
    clip = clips[generator.integers(len(clips))]
    begin = generator.integers(clip.size - samples)
    return clip[begin : begin + samples]


def _record(speech: Array, generator: np.random.Generator) -> Array:
    """Let a microphone hear it, at some tilt and level: sometimes in a room, with noise, over a narrow line."""
    if generator.random() < 1 / 3:
        speech = _in_room(speech, generator)
    zero, pole = generator.uniform(-_TILT, _TILT, 2)
    speech = _first_order(speech, zero, pole)
    if generator.random() < 3 / 4:
        noise = _first_order(generator.standard_normal(speech.size), *generator.uniform(-0.9, 0.9, 2))
        wanted = np.sqrt(np.mean(speech**2)) * 10 ** (-generator.uniform(*_NOISE_DB) / 20)
        speech = speech + noise * wanted / np.sqrt(np.mean(noise**2))
    if generator.random() < 1 / 3:
        speech = _over_line(speech, generator)
    peak = np.max(np.abs(speech))
    if not peak:
        return speech.astype(np.float32)
    return (speech * 10 ** (generator.uniform(*_PEAK_DB) / 20) / peak).astype(np.float32)


def _first_order(signal: Array, zero: float, pole: float) -> Array:
    """Filter by (1 + zero·z⁻¹) / (1 − pole·z⁻¹), in the frequency domain: the ends meet, which training may hear."""
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(signal.size))
    return np.fft.irfft(np.fft.rfft(signal) * (1 + zero * turn) / (1 - pole * turn), signal.size)


def _over_line(signal: Array, generator: np.random.Generator) -> Array:
    """Leave out what lies above some frequency."""
    spectrum = np.fft.rfft(signal)
    spectrum[np.fft.rfftfreq(signal.size, 1 / SAMPLE_RATE) > generator.uniform(*_BANDWIDTH)] = 0
    return np.fft.irfft(spectrum, signal.size)


def _in_room(signal: Array, generator: np.random.Generator) -> Array:
    seconds = generator.uniform(*_ROOM_SECONDS)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    echo = generator.standard_normal(time.size) * 10 ** (-3 * time / seconds)  # 60 dB in that time
    echo *= generator.uniform(0.1, 0.7) / np.sqrt(np.sum(echo**2))
    echo[0] = 1.0
    size = signal.size + echo.size
    return np.fft.irfft(np.fft.rfft(signal, size) * np.fft.rfft(echo, size), size)[: signal.size]
