"""Stages of which a diagnosis looks at a part: a minute of speech, its features, and a network that read it.

`python -m tests.faults.confusion --large` judges faults of them, as of the corpus.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from pytest_audioparity.records import StageMeta, StageTensor
from tests.faults.features import clip, mel_filters, network, spectrum

Array = np.ndarray[Any, Any]

_RATE = 16_000
_SECONDS = 60
# Attention has the square of it.
_FRAMES = 1200


@functools.cache
def stages() -> tuple[StageTensor, ...]:
    """Return them; their names are unique."""
    return tuple(_stages())


def _stages() -> Iterator[StageTensor]:
    speech = _speech()
    yield _stage("large/waveform", speech, "waveform", "T", sample_rate=float(_RATE))
    yield _stage("large/waveform-undeclared", speech[: 20 * _RATE + 123])
    magnitude = np.abs(spectrum(speech, 1024, 160))
    yield _stage("large/spectrum", magnitude[:, :2500], "tensor", "CT", frame_rate=100.0)
    mel = np.log(np.maximum(mel_filters(80, 1024, _RATE) @ magnitude, 1e-5))
    yield _stage("large/mel", mel[np.newaxis], "log_spectrum", "BCT", unit="ln", frame_rate=100.0)
    layers = network(mel[:, :_FRAMES])
    yield _stage("large/relu", layers["relu"][np.newaxis], "tensor", "BTC")
    yield _stage("large/relu-undeclared", layers["relu"])
    yield _stage("large/logits", layers["logits"][np.newaxis], "logits", "BTC")
    yield _stage("large/attention", layers["attention/probabilities"][np.newaxis], "probabilities", "BHTS")


def _stage(name: str, array: Array, kind: str | None = None, axes: str | None = None, **declared: Any) -> StageTensor:
    return StageTensor(StageMeta(name, kind=kind, axes=axes, **declared), np.ascontiguousarray(array, np.float32))


def _speech() -> Array:
    """Return clips one after another with pauses, each time at another level and speed, so that nothing comes twice."""
    rng = np.random.default_rng(0)
    clips = [clip(name)[0].astype(np.float64) for name in ("austen", "cards")]
    parts: list[Array] = []
    while sum(map(len, parts)) < _SECONDS * _RATE:
        for samples in clips:
            read = np.arange(0, len(samples) - 1, rng.uniform(0.94, 1.06))
            parts.append(rng.uniform(0.5, 1.5) * np.interp(read, np.arange(len(samples)), samples))
            parts.append(1e-4 * rng.standard_normal(rng.integers(1600, 9600)))
    return np.concatenate(parts)[: _SECONDS * _RATE]
