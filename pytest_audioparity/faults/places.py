"""Faults that hold at some places along time: edges, from a step on, at seams, growing, single elements."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.faults import signals
from pytest_audioparity.faults.subject import Array, Change, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

# Frames of a chunk in streaming codecs, and samples of one.
_CHUNKS = (8, 16, 32, 50)
_CHUNK_SAMPLES = (512, 1920, 4096)
_FEWEST_SEAMS = 3
# A fault of single elements in a stage spoils no more than one in this many.
_RARE = 100
# From here on a tenth of the frames is more than an edge.
_LONG = 60


def edges(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Pad in another way, so that only the first and last frames differ."""
    if subject.frames < 24:
        return
    rows = subject.timed()
    unit = min(200, subject.frames // 64 or 1) if subject.kind == "waveform" else 1
    # Of one row of numbers, a wrong first frame is a wrong element.
    also = ("spikes",) if subject.x.size == subject.frames and unit == 1 else ()
    for count in (1, 2, 4):
        width = min(count * unit, subject.frames // 10)
        wrong = rows.copy()
        wrong[..., :width] = _padded(rows[..., :width], rng)
        detail = {"first": width, "last": 0}
        single = also if width == 1 else ()
        yield Change(f"first {width} frames padded otherwise", subject.untimed(wrong), detail, single)
        wrong = wrong.copy()
        wrong[..., -width:] = _padded(rows[..., : -width - 1 : -1], rng)[..., ::-1]
        detail = {"first": width, "last": width}
        yield Change(f"first and last {width} frames padded otherwise", subject.untimed(wrong), detail, single)
    wrong = rows.copy()
    wrong[..., -unit:] = 0
    detail = {"first": 0, "last": unit}
    yield Change(f"last {unit} frames left at zero", subject.untimed(wrong), detail, also)


def _padded(rows: Array, rng: np.random.Generator) -> Array:
    """Make the error of a padding: largest at the edge, gone where the kernel no longer reaches it."""
    if rows.dtype.kind in "iu":
        drawn: Array = rng.permuted(rows.ravel()).reshape(rows.shape) + 1
        return drawn
    fade = np.linspace(1, 0, rows.shape[-1], endpoint=False)
    level = np.sqrt(np.mean(rows * rows, axis=-1, keepdims=True)) + 1e-9
    noise: Array = rows * (1 - 0.5 * fade) + 0.3 * level * fade * rng.standard_normal(rows.shape)
    return noise


def diverges_from(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Be equal up to a step and wrong from there: state, cache, noise drawn anew."""
    if subject.frames < 12:
        return
    rows = subject.timed()
    error = signals.disturbance(rows, rng)
    places = np.arange(subject.frames)
    # In a short signal, its last tenth would be an edge.
    late = {subject.frames * 9 // 10} if subject.frames >= _LONG else set()
    # Two samples of a clip are nothing that could have been right.
    early = max(2, subject.frames // 16) if subject.kind == "waveform" else 2
    for start in sorted({early, subject.frames // 4, subject.frames // 2} | late):
        after = places >= start
        for size in (1.0, 0.05):
            wrong = rows + np.where(after, size * error, 0)
            detail: dict[str, Any] = {"start": start, "size": size}
            yield Change(f"wrong from frame {start} by {size:g} deviations", subject.untimed(wrong), detail)
    start = subject.frames // 3
    wrong = rows.copy()
    wrong[..., start:] = signals.surrogate(rows, rng)[..., start:]
    yield Change(f"other content from frame {start}", subject.untimed(wrong), {"start": start, "how": "content"})
    wrong = rows.copy()
    wrong[..., start:] *= 1.2
    yield Change(f"cache scaled from frame {start}", subject.untimed(wrong), {"start": start, "how": "gain"})
    wrong = rows.copy()
    wrong[..., start:] = rows.min() if subject.kind == "log_spectrum" else 0.0
    yield Change(f"nothing made from frame {start}", subject.untimed(wrong), {"start": start, "how": "nothing"})
    # A state that was reset is forgotten again, but slowly beside the length of the signal.
    fade = np.where(places >= start, np.exp(-(places - start) / (0.5 * subject.frames)), 0.0)
    detail = {"start": start, "how": "fading"}
    yield Change(f"state reset at frame {start}", subject.untimed(rows + fade * error), detail)


def codes_diverge(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Decode greedily past a near tie: the same tokens up to a step, others after it."""
    if subject.frames < 12:
        return
    rows = subject.timed()
    other = rng.permuted(rows.ravel()).reshape(rows.shape)
    for start in sorted({2, subject.frames // 3, subject.frames * 3 // 4}):
        kept = np.asarray(rng.random(rows.shape)) < 0.1
        kept[..., start] = False
        wrong = np.where((np.arange(subject.frames) >= start) & ~kept, other, rows)
        wrong[..., start] = np.where(wrong[..., start] == rows[..., start], rows[..., start] + 1, wrong[..., start])
        yield Change(f"other tokens from step {start}", subject.untimed(wrong), {"start": start})


def seams(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Be wrong for a few frames after each boundary of a chunk, for want of context."""
    sizes = _CHUNK_SAMPLES if subject.kind == "waveform" else _CHUNKS
    for period in sizes:
        if subject.frames < (_FEWEST_SEAMS + 1) * period:
            continue
        rows = subject.timed()
        for width, size in ((max(1, period // 16), 1.0), (max(1, period // 6), 0.3)):
            since = np.arange(subject.frames) % period
            near = (since < width) & (np.arange(subject.frames) >= period)
            detail = {"period": period, "width": width, "size": size}
            name = f"{width} frames wrong after every {period}"
            if subject.is_float:
                fade = np.where(near, size * (1 - since / width), 0.0)
                wrong = rows + fade * signals.disturbance(rows, rng)
            else:
                wrong = np.where(near, rng.permuted(rows.ravel()).reshape(rows.shape), rows)
            yield Change(name, subject.untimed(wrong), detail)


def drift(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Grow with time: positions, phases, steps that are added up."""
    if subject.frames < 24:
        return
    rows = subject.timed()
    ramp = np.arange(subject.frames) / (subject.frames - 1)
    for size in (0.05, 0.5):
        noise = size * ramp * signals.disturbance(rows, rng)
        yield Change(f"error grows to {size:g} deviations", subject.untimed(rows + noise), {"size": size})
        direction = size * subject.std * rng.standard_normal((*rows.shape[:-1], 1))
        detail = {"size": size, "how": "linear"}
        yield Change(f"t += dt adds up to {size:g}", subject.untimed(rows + ramp * direction), detail)
    yield Change("level drifts by 20 %", subject.untimed(rows * (1 + 0.2 * ramp)), {"size": 0.2, "how": "gain"})
    if subject.kind == "tensor" and subject.channels >= 16 and subject.channels % 2 == 0 and subject.x.ndim > 1:
        yield from _rotary(subject)
    if subject.kind == "waveform":
        # Played by a clock that is off by so little that no sample is lost.
        late = signals.fitted(signals.stretched(rows, 1 + 1.5 / subject.frames, is_audio=True), subject.frames)
        detail = {"shift_frames": 1.5, "how": "clock"}
        yield Change("clock 1.5 samples slow at the end", subject.untimed(late), detail, also=("sample_rate",))


def _rotary(subject: Subject) -> Iterator[Change]:
    """Rotate pairs of channels by the difference of two rotary embeddings: none at t = 0, more and more later."""
    half = subject.channels // 2
    if subject.time is None:
        return
    both = np.moveaxis(subject.x, (subject.channel or 0, subject.time), (-2, -1))
    exponent = np.arange(half) / half
    times = np.arange(subject.frames)
    for name, base in (("50000 for 10000", 50000.0), ("11000 for 10000", 11000.0)):
        angle = (10000.0**-exponent - base**-exponent)[:, np.newaxis] * times
        first, second = both[..., :half, :], both[..., half:, :]
        cos, sin = np.cos(angle), np.sin(angle)
        turned = np.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-2)
        wrong = np.ascontiguousarray(np.moveaxis(turned, (-2, -1), (subject.channel or 0, subject.time)))
        yield Change(f"rotary base {name}", wrong, {"how": "rotary", "base": base})


def spikes(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Spoil single elements."""
    if subject.x.size < 200:
        return
    for count, size in ((1, 0.5), (1, 5.0), (1, 30.0), (3, 10.0), (8, 3.0)):
        if count > subject.x.size // _RARE:
            continue
        flat = subject.x.reshape(-1).copy()
        where = rng.choice(flat.size, count, replace=False)
        flat[where] += size * subject.rms * rng.choice([-1.0, 1.0], count)
        detail = {"count": count, "size": size, "where": sorted(where.tolist())}
        yield Change(f"{count} elements off by {size:g} rms", flat.reshape(subject.x.shape), detail)
    yield from _bursts(subject, rng)


def _bursts(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Spoil two short runs of frames anywhere but at the ends: packets that were lost, races."""
    width = max(1, subject.frames // 100)
    if subject.frames < 24 or subject.time is None:
        return
    rows = subject.timed()
    first, second = (
        int(rng.integers(start, start + subject.frames // 4)) for start in (subject.frames // 8, subject.frames // 2)
    )
    inside = np.isin(np.arange(subject.frames), [*range(first, first + width), *range(second, second + width)])
    wrong = rows + np.where(inside, signals.disturbance(rows, rng), 0.0)
    detail = {"count": 2 * width, "runs": [[first, first + width - 1], [second, second + width - 1]]}
    yield Change(f"two runs of {width} frames wrong", subject.untimed(wrong), detail)


def codes_spikes(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Decide a few near ties otherwise: isolated codes that differ."""
    if subject.x.size < 100:
        return
    for count in (1, 3, math.ceil(0.01 * subject.x.size)):
        flat = subject.x.reshape(-1).copy()
        where = rng.choice(flat.size, count, replace=False)
        flat[where] = np.where(flat[where] > flat.min(), flat[where] - 1, flat[where] + 1)
        detail = {"count": count, "where": sorted(where.tolist())}
        yield Change(f"{count} codes decided otherwise", flat.reshape(subject.x.shape), detail)
