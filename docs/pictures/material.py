"""Real stages for the pictures of the documentation: speech that comes with the package, and what models make of it."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import numpy as np

from pytest_audioparity.records import StageMeta, StageTensor
from pytest_audioparity.roundtrip.speech import clips_of

Array = np.ndarray[Any, Any]

ROOT = Path(__file__).resolve().parents[2]
RATE = 16_000
BINS, FFT, HOP = 32, 512, 320
# A log-mel this small keeps a picture of three maps under 12 kB; it is a second and a quarter of speech.
FRAMES = 64
START_S = 0.9
# Points of a curve and colours of a map: enough to see it, few enough for 12 kB.
POINTS, SHADES = 160, 49


def use_examples(*names: str) -> None:
    """Let models of the examples be imported by their module names, as the tests do."""
    for name in names:
        folder = str(ROOT / "examples" / name)
        if folder not in sys.path:
            sys.path.insert(0, folder)


@functools.cache
def speech(name: str = "librivox_0890") -> Array:
    """Return a built-in clip, shape (time,), float32 at 16 kHz."""
    return next(clip.samples for clip in clips_of(None, RATE) if clip.name == name)


def excerpt(samples: int = 800, start_s: float = START_S, name: str = "librivox_0890") -> StageTensor:
    """Return a piece of a clip as a waveform stage."""
    start = int(start_s * RATE)
    return stage("waveform", speech(name)[start : start + samples], kind="waveform", axes="T", sample_rate=float(RATE))


@functools.cache
def log_mel(name: str = "librivox_0890", scale: str = "slaney") -> StageTensor:
    """Return the log-mel of a piece of a clip: ln of an amplitude, 32 bins, 64 frames of 20 ms."""
    mel = mel_spectrum(name, scale).array
    return stage("mel", np.log(np.maximum(mel, 1e-5)), kind="log_spectrum", axes="CT", unit="ln", frame_rate=RATE / HOP)


@functools.cache
def mel_spectrum(name: str = "librivox_0890", scale: str = "slaney") -> StageTensor:
    """Return the same before the logarithm."""
    start = int(START_S * RATE)
    samples = speech(name)[start : start + FFT + (FRAMES - 1) * HOP]
    return stage("mel", mel_of(samples, HOP, scale), axes="CT", frame_rate=RATE / HOP)


def mel_of(samples: Array, hop: int, scale: str = "slaney") -> Array:
    """Return the mel amplitudes of samples, shape (32, frames)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), FFT)[::hop]
    return _filters(scale) @ np.abs(np.fft.rfft(frames * np.hanning(FFT + 1)[:-1])).T


@functools.cache
def codes() -> StageTensor:
    """Return the first 8 codebooks that the streaming codec of the examples makes of a clip, 64 frames of 10 ms."""
    use_examples("streaming_codec")
    from codec import Codec

    start = int(START_S * RATE)
    array = Codec().encode(speech()[start : start + FRAMES * 160])
    return stage("codes", array[:8, :FRAMES], kind="codes", axes="CT", frame_rate=100.0)


@functools.cache
def drawn() -> tuple[StageTensor, StageTensor, StageTensor]:
    """Return logits of the text-to-speech model of the examples and codes drawn from them, as it is set and warmer."""
    use_examples("token_tts", "streaming_codec")
    from token_model import Speaker, sample
    from token_spoken import TEXT, steady_uniforms

    speaker, uniforms = Speaker(), steady_uniforms()
    logits = speaker.speak(TEXT, uniforms).logits[:FRAMES, :16]
    given, top_k = uniforms[:FRAMES, :16], speaker.settings.top_k
    temperature = speaker.settings.temperature
    sides = [sample(logits, given, value, top_k) for value in (temperature, 1.5 * temperature)]
    right, warm = (stage("codes", side, kind="codes", axes="TC") for side in sides)
    return stage("logits", logits, kind="logits", axes="TCV"), right, warm


def stage(name: str, array: Array, **declared: Any) -> StageTensor:
    """Return an array as a stage, floats as float32."""
    array = array.astype(np.float32) if array.dtype.kind == "f" else array
    return StageTensor(StageMeta(name, **declared), np.ascontiguousarray(array))


@functools.cache
def _filters(scale: str) -> Array:
    """Return triangular mel filters, shape (32, 257), on the scale of Slaney or of HTK."""
    low, high = (_mel_of(np.array(hertz), scale) for hertz in (20.0, RATE / 2))
    edges = _hertz_of(np.linspace(low, high, BINS + 2), scale)
    hertz = np.fft.rfftfreq(FFT, 1 / RATE)
    rising = (hertz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - hertz) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]


# Slaney's scale is linear up to 1 kHz, 3 mel per 200 Hz, and then logarithmic.
_STEP = np.log(6.4) / 27


def _mel_of(hertz: Array, scale: str) -> Array:
    if scale == "htk":
        return 2595 * np.log10(1 + hertz / 700)
    return np.where(hertz < 1000, 3 * hertz / 200, 15 + np.log(np.maximum(hertz, 1000) / 1000) / _STEP)


def _hertz_of(mel: Array, scale: str) -> Array:
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * _STEP))
