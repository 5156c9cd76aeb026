"""Jumps in time, as of a streaming decoder that loses or repeats a buffer."""

from __future__ import annotations

import numpy as np

from tests.audio.changes import Array, Random, frame_levels, speech_span


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
