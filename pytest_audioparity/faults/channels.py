"""Faults along the channels: order, pairing, one number per channel, a few channels that are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_audioparity.faults import signals
from pytest_audioparity.faults.subject import Array, Change, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of fewer elements per channel, a number per channel cannot be told from noise.
_PER_CHANNEL = 8
# A channel whose peak is below this share of the usual peak and of the rms is silent.
_SILENT = 0.1
# Gains that differ less than this over the frames are one gain.
_UNEVEN = 0.01


def channel_permutation(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Put channels in another order."""
    count = subject.channels
    if count < 2:
        return
    for name, order in _orders(count, _live(subject), rng):
        wrong = subject.unchanneled(subject.by_channel()[order])
        yield Change(name, wrong, {"permutation": order.tolist()})


def _live(subject: Subject) -> Array:
    """Return the channels with enough in them that losing one matters."""
    level = np.abs(subject.by_channel()).reshape(subject.channels, -1).max(axis=1)
    # The median of a few loud channels is loud; the rms of a softmax says that most of its channels are silent.
    return np.flatnonzero(level >= _SILENT * max(float(np.median(level)), subject.rms))


def _orders(count: int, live: Array, rng: np.random.Generator) -> Iterator[tuple[str, Array]]:
    plain = np.arange(count)
    if len(live) >= 2:
        first, second = sorted(rng.choice(live, 2, replace=False).tolist())
        swap = plain.copy()
        swap[[first, second]] = second, first
        yield ("left and right swapped" if count == 2 else f"channels {first} and {second} swapped"), swap
    if count < 4:
        return
    yield "channels in random order", rng.permutation(count)
    yield "channels rolled by one", np.roll(plain, 1)
    if count % 2 == 0:
        yield "the two halves swapped (gate and value)", np.roll(plain, count // 2)
    if count % 3 == 0:
        third = plain.reshape(3, -1)
        yield "key, query, value for query, key, value", third[[1, 0, 2]].ravel()
    if count % 4 == 0 and count > 4:
        quarter = plain.reshape(4, -1)
        yield "gates i o f g for i f g o", quarter[[0, 3, 1, 2]].ravel()


def interleaved(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Take halves for pairs, or pairs for halves."""
    count = subject.channels
    if count < 4 or count % 2:
        return
    # Of four channels the two are one and the same swap of the middle ones.
    also = ("channel_permutation",) if count == 4 else ()
    plain = np.arange(count)
    for name, order in (
        ("pairs where halves are meant", plain.reshape(2, -1).T.ravel()),
        ("halves where pairs are meant", plain.reshape(-1, 2).T.ravel()),
    ):
        wrong = subject.unchanneled(subject.by_channel()[order])
        yield Change(name, wrong, {"permutation": order.tolist()}, also)


def channel_gain(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Multiply every channel with a number of its own."""
    if subject.channels < 3 or subject.kind == "log_spectrum" or subject.x.size < _PER_CHANNEL * subject.channels:
        return
    for spread in (0.005, 0.05, 0.4):
        gains = np.exp(spread * rng.standard_normal(subject.channels))
        detail = {"gains": gains.tolist()}
        name = f"weight norm not folded, spread {spread:g}"
        yield Change(name, subject.x * subject.per_channel(gains), detail)
    # Filters of other widths: the gain is a smooth function of the bin.
    gains = np.linspace(1.3, 0.7, subject.channels)
    yield Change("mel filters of another area", subject.x * subject.per_channel(gains), {"gains": gains.tolist()})
    if subject.kind == "tensor" and subject.frames >= 16 and subject.channels >= 8:
        yield from _norm(subject)


def _norm(subject: Subject) -> Iterator[Change]:
    """Normalise with an ε that is too large: one gain per frame, smallest in quiet frames."""
    # There is no other word for one gain per index of an axis; `axis` says that it is not the channels' here.
    level = np.mean(np.square(subject.timed()), axis=tuple(range(subject.x.ndim - 1)))
    gains = np.sqrt(level / (level + 0.1 * float(level.mean())))
    if gains.max() - gains.min() > _UNEVEN:
        detail = {"axis": "T", "gains": gains.tolist()}
        yield Change("norm with an ε too large", subject.x * subject.per_frame(gains), detail)


def channel_offset(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Add to every channel a number of its own."""
    if subject.channels < 3 or subject.x.size < _PER_CHANNEL * subject.channels:
        return
    for size in (0.02, 0.2, 1.0):
        offsets = size * subject.std * rng.standard_normal(subject.channels)
        name = f"bias vector missing, {size:g} deviations"
        yield Change(name, subject.x + subject.per_channel(offsets), {"offsets": offsets.tolist()})
    if subject.kind == "log_spectrum":
        offsets = np.linspace(-0.5, 0.5, subject.channels) * subject.std
        detail = {"offsets": offsets.tolist()}
        yield Change("HTK for Slaney: a slope over the bins", subject.x + subject.per_channel(offsets), detail)


def channels(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Spoil a few channels: dead, noisy, or with the content of another."""
    count = subject.channels
    if count < (8 if subject.is_float else 4) or subject.x.size < _PER_CHANNEL * count:
        return
    by = subject.by_channel()
    spread, live = float(by.std()), _live(subject)
    for few in sorted({1, min(2, count // 4), max(1, count // 20)}):
        if few > len(live):
            return
        where = np.sort(rng.choice(live, few, replace=False))
        detail = {"channels": where.tolist()}
        dead = by.copy()
        dead[where] = 0
        yield Change(f"{few} channels dead", subject.unchanneled(dead), detail)
        if not subject.is_float:
            drawn = by.copy()
            drawn[where] = rng.permuted(by[where], axis=-1)
            yield Change(f"{few} codebooks of random weights", subject.unchanneled(drawn), detail)
            continue
        noisy = by.copy()
        noisy[where] += 0.7 * spread * rng.standard_normal(noisy[where].shape)
        yield Change(f"{few} channels noisy", subject.unchanneled(noisy), detail)
        other = by.copy()
        other[where] = by[(where + count // 2) % count]
        yield Change(f"{few} channels hold another's content", subject.unchanneled(other), detail)
        scrambled = by.copy()
        scrambled[where] = signals.surrogate(by[where], rng) if by.ndim > 1 else by[where]
        yield Change(f"{few} channels of random weights", subject.unchanneled(scrambled), detail)


def codes_channel_offset(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Leave the codes of all codebooks in one flat vocabulary."""
    if subject.channels < 2:
        return
    size = 1 << int(subject.x.max()).bit_length()
    offsets = size * np.arange(subject.channels)
    wrong = subject.x + subject.per_channel(offsets)
    yield Change(f"codebook k offset by {size}·k", wrong, {"offsets": offsets.tolist()})


def delay_pattern(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Shift codebook k by k frames: the delay pattern not undone, undone twice, or not on the first codebook."""
    if subject.channels < 2 or subject.frames < 4 * subject.channels or subject.x.ndim < 2:
        return
    for sign, name in ((1, "delay pattern not undone"), (-1, "delay pattern undone twice")):
        for fill in ("zero", "wrap"):
            rows = np.moveaxis(subject.x, (subject.channel or 0, subject.time or 0), (-2, -1)).copy()
            for codebook in range(1, subject.channels):
                rows[..., codebook, :] = signals.shifted(rows[..., codebook, :], sign * codebook, fill)
            wrong = np.ascontiguousarray(np.moveaxis(rows, (-2, -1), (subject.channel or 0, subject.time or 0)))
            yield Change(f"{name}, {fill} moved in", wrong, {"sign": sign, "fill": fill})
