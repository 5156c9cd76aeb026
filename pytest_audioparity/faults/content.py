"""Faults that replace or filter the content as a whole: filters, wrong weights or inputs, buffers of something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_audioparity.faults import signals
from pytest_audioparity.faults.subject import Array, Change, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

# Below this a filter of a few taps touches mostly edges.
_SHORTEST = 64
# Stages of one model and clips of one language have something in common; above this a reader would say related.
_UNLIKE = 0.4


def filtered(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Pass everything through a linear filter along time."""
    if subject.frames < _SHORTEST:
        return
    rows = subject.timed()
    is_audio = subject.kind == "waveform"
    kernels = [("smoothed over three frames", [0.25, 0.5, 0.25]), ("averaged with the frame before", [0.5, 0.5])]
    if subject.kind != "log_spectrum":
        kernels.append(("random short filter", [1.0, *(0.3 * rng.standard_normal(4)).tolist()]))
    if is_audio:
        kernels.append(("pre-emphasis 0.97 applied", [1.0, -0.97]))
        kernels.append(("slight pre-emphasis 0.05", [1.0, -0.05]))
        kernels.append(("pre-emphasis undone twice", (0.97 ** np.arange(200)).tolist()))
    for name, kernel in kernels:
        wrong = signals.convolved(rows, np.array(kernel), "zero" if is_audio else "edge")
        yield Change(name, subject.untimed(wrong), {"kernel": kernel[:8]})
    if is_audio:
        for cutoff in (0.9, 0.5, 0.25):
            name = f"low-pass of a resampler at {cutoff:g} of the Nyquist frequency"
            yield Change(name, subject.untimed(signals.lowpassed(rows, cutoff)), {"cutoff": cutoff})
        blocked = subject.untimed(signals.without_dc(rows, 0.995))
        yield Change("DC blocker that is not in the reference", blocked, {"pole": 0.995})


def uncorrelated(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Put other content of like statistics: random weights, another input."""
    mean, std = float(subject.x.mean()), subject.std
    noise = np.asarray(rng.standard_normal(subject.x.shape))
    if float(subject.x.min()) >= 0:
        # A ReLU or a softmax leaves no sign, whatever the weights.
        noise, mean = np.abs(noise), 0.0
    yield Change("random weights: noise of the same mean and deviation", mean + std * noise, {"level": 1.0})
    yield Change("random weights, 200 times too small", 0.005 * std * noise, {"level": 0.005})
    yield Change("random weights, half as large", 0.5 * std * noise, {"level": 0.5})
    if subject.frames >= _SHORTEST:
        rows = subject.timed()
        like = float(subject.x.mean()) + signals.surrogate(rows - rows.mean(axis=-1, keepdims=True), rng)
        yield Change("other content as smooth along time", subject.untimed(like), {"level": 1.0})
    for other in subject.others:
        is_alike = other.meta.kind == subject.stage.meta.kind and _fits(subject, other.array)
        if is_alike and _likeness(subject, other.array) < _UNLIKE:
            name = f"another input: the values of {other.meta.name!r}"
            yield Change(name, other.array.astype(np.float64), {"source": other.meta.name}, also=("stale",))


def codes_uncorrelated(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Draw codes anew: an untrained encoder, another clip."""
    low, high = int(subject.x.min()), int(subject.x.max())
    drawn = np.asarray(rng.integers(low, high + 1, subject.x.shape))
    yield Change("codes of random weights", drawn, {"range": [low, high]})
    yield Change("codes of another clip", rng.permuted(subject.x.ravel()).reshape(subject.x.shape), {})


def stale(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Hold what another stage held: a buffer reused, a result of an earlier call."""
    for other in subject.others:
        if _fits(subject, other.array):
            array = other.array.astype(subject.x.dtype)
            # Of the two tensors alone, without the rest of the run, other content is all that can be seen.
            also = ("uncorrelated",) if not subject.is_float or _likeness(subject, array) < _UNLIKE else ()
            yield Change(f"equals {other.meta.name!r}", array, {"source": other.meta.name}, also, exact=True)


def _fits(subject: Subject, array: Array) -> bool:
    return bool(array.shape == subject.x.shape and array.dtype == subject.stage.array.dtype)


def _likeness(subject: Subject, array: Array) -> float:
    """Return the magnitude of the correlation over time: what two clips have in common is a mean per channel."""
    one, two = (side - side.mean(axis=subject.time, keepdims=True) for side in (subject.x, array.astype(np.float64)))
    norms = float(np.sqrt(np.sum(one * one) * np.sum(two * two)))
    return abs(float(np.sum(one * two))) / norms if norms > 0 else 0.0
