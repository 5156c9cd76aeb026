"""Changes of time: a lag, another rate or tempo, and jumps, as of a decoder that loses or repeats a buffer."""

from __future__ import annotations

import numpy as np
import soxr

from tests.audio.changes import Array, Random, frame_levels, pitched, speech_span, stretched


def jump_at(x: Array, rate: int, r: Random, before: float = 0.0) -> int:
    """Choose a place that has 0.8 s of speech, and `before` seconds more, in front of it and 0.8 s behind."""
    hop = rate // 100
    levels = frame_levels(x, hop)
    spoken = np.cumsum(levels > levels.max() - 30) / 100
    good = np.flatnonzero((spoken > 0.8 + before) & (spoken[-1] - spoken > 0.8))
    return int(r.choice(good if good.size else [levels.size // 2])) * hop


def more_pause(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    """Put in silence, anywhere."""
    at = jump_at(x, rate, r)
    return np.concatenate([x[:at], np.zeros(round(r.uniform(0.05, 0.6) * rate)), x[at:]])


def chunk_missing(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    """Leave out less than a syllable."""
    n = round(r.uniform(0.04, 0.1) * rate)
    at = jump_at(x, rate, r, n / rate)
    return np.concatenate([x[: at - n], x[at:]])


def chunk_repeated(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    """Play a buffer twice."""
    at = jump_at(x, rate, r)
    return np.concatenate([x[:at], x[at - round(r.uniform(0.04, 0.12) * rate) :]])


def words_missing(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    """Leave out half a second to a second that speaks throughout."""
    span = inner_span(x, rate, r, r.uniform(0.5, 1.0))
    return np.concatenate([x[: span.start], x[span.stop :]])


def words_repeated(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    """Say half a second to a second twice, which speaks throughout."""
    span = inner_span(x, rate, r, r.uniform(0.5, 1.0))
    return np.concatenate([x[: span.stop], x[span.start :]])


def inner_span(x: Array, rate: int, r: Random, seconds: float) -> slice:
    """Choose a span of speech that has a second before and after it."""
    span = speech_span(x[rate : x.size - rate], rate, r, seconds)
    return slice(span.start + rate, span.stop + rate)


def late(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    n = round(r.uniform(0.008, 0.3) * rate)
    few = min(n, rate // 12)  # so that no word is cut off
    return [np.pad(x, (n, 0)), np.pad(x, (few, 0))[: x.size], x[few:]][int(r.integers(3))]


def wrong_rate(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    true, played = [(24000, 22050), (22050, 24000), (16000, 24000), (24000, 16000), (44100, 48000), (48000, 44100)][
        int(r.integers(6))
    ]
    return soxr.resample(x, played, true)


def tempo(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    return stretched(x, float(r.choice([r.uniform(0.95, 0.975), r.uniform(1.025, 1.05)])), rate)


def faster_or_slower(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    """Another tempo, as of a synthesiser that is told a speed."""
    return stretched(x, float(r.choice([r.uniform(0.6, 0.87), r.uniform(1.15, 1.6)])), rate)


def another_speed(x: Array, _: int, r: Random, __: list[Array]) -> Array:
    """Faster and higher, or slower and lower, by no ratio of usual rates."""
    return soxr.resample(x, float(r.choice([r.uniform(0.55, 0.9), r.uniform(1.1, 1.9)])), 1.0)


def pitch(x: Array, rate: int, r: Random, _: list[Array]) -> Array:
    return pitched(x, float(r.choice([-1, 1])) * r.uniform(0.5, 2.0), rate)
