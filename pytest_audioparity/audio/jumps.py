"""Whether time jumps in the estimate: something is missing, repeated or put in, and the rest comes earlier or later.

The lag is constant but for few jumps. Blocks of the reference are correlated with the estimate at every lag, and a path
through the lags is paid for: each jump must gain more than it costs, each piece lasts half a second and more and is
understood where it stands and not where its neighbours do, and no place of the estimate is used twice. So frames out of
order are never explained away.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.alignment import align
from pytest_audioparity.audio.envelopes import STEP, envelopes
from pytest_audioparity.audio.intelligibility import RATE, SEGMENT, bands_of, estoi_segments
from pytest_audioparity.audio.timeline import Piece, common

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Blocks of 0.64 s every 0.13 s, in steps of 3.2 ms.
_BLOCK, _HOP = 200, 40
# A jump must gain as much as one block that fits throughout. With the price of two, 60 ms that were put in a second
# before the end stayed unseen; what chance gains at the price of one, the pieces' ESTOI refuses.
_COST = 1.0
# Looked for up to this far beyond the lags of the beginning, of the end and of the whole; further only by accident.
_BEYOND_SECONDS, _WIDEST_SECONDS = 1.0, 8.0
_SHORTEST_SECONDS = 0.5
# What stands where it belongs is understood (as of a clip), and better than at the neighbours' lags.
_UNDERSTOOD, _GAIN = 0.47, 0.1
# Two lags that differ by less are one: envelopes place codecs that do not keep the phase to about 3 ms, and a frame of
# 16 ms that is missing costs no phone.
_SMALLEST_SECONDS = 0.016
_SOUND_DB = 10.0
_EACH = 32  # blocks held at once


def pieces_of(narrow: tuple[Array, Array], lag: int) -> tuple[Piece, ...]:
    """Divide the reference into pieces of one lag each; one piece where time does not jump.

    Parameters
    ----------
    narrow : reference and estimate, shape (time,), 10 kHz
    lag : samples by which the estimate is late as a whole
    """
    reference, estimate = narrow
    whole = (Piece(0, reference.size, lag),)
    levels = envelopes(reference), envelopes(estimate)
    if levels[0].shape[1] < 2 * _BLOCK or not levels[1].shape[1]:
        return whole
    lags = _lags(lag, estimate.size - reference.size)
    path = _path(*levels, lags)
    while len(path) > 1:
        pieces = _cut(levels, path, reference.size)
        worth = [_worth(reference, estimate, pieces, index) for index in range(len(pieces))]
        if min(worth) >= 0:
            return tuple(pieces)
        path = _merged([run for run, kept in zip(path, _kept(worth), strict=True) if kept])
    return whole


def settled(sides: tuple[Array, Array], narrow: tuple[Array, Array], pieces: list[Piece], rate: int) -> Iterator[Piece]:
    """Yield the pieces with lags to the sample, where the phase was kept; samples at `rate`."""
    for piece in pieces:
        exact = align(common(*sides, (piece,)), common(*narrow, (piece.at(rate, RATE),)), rate)
        close = abs(exact.lag_samples) < _SMALLEST_SECONDS * rate
        yield replace(piece, lag=piece.lag + exact.lag_samples) if close else piece


def _lags(lag: int, surplus: int) -> range:
    """Return the lags to look at, in steps."""
    beyond, widest = (round(seconds * RATE) for seconds in (_BEYOND_SECONDS, _WIDEST_SECONDS))
    low, high = min(lag, surplus, 0) - beyond, max(lag, surplus, 0) + beyond
    low, high = max(low, lag - widest // 2), min(high, lag + widest // 2)
    return range(low // STEP, high // STEP + 1)


def _path(reference: Array, estimate: Array, lags: range) -> list[tuple[int, int, int]]:
    """Return runs of one lag: first and last step of the reference that they are seen at, and the lag, in steps."""
    best: Array = np.zeros(len(lags))
    jumped, origin = [], []
    for likeness in _likeness(reference, estimate, lags):
        top = int(np.argmax(best))
        jump = best < best[top] - _COST
        jumped.append(jump)
        origin.append(top)
        best = np.where(jump, best[top] - _COST, best) + likeness
    at = int(np.argmax(best))
    runs: list[tuple[int, int, int]] = []
    for block in range(len(origin) - 1, -1, -1):
        middle = block * _HOP + _BLOCK // 2
        start, end = (middle, runs[0][1]) if runs and runs[0][2] == lags[at] else (middle, middle)
        if runs and runs[0][2] == lags[at]:
            runs[0] = (start, end, lags[at])
        else:
            runs.insert(0, (start, end, lags[at]))
        if jumped[block][at]:
            at = origin[block]
    return _merged(runs)


def _merged(runs: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Join neighbours of nearly the same lag: the lag of the longer one."""
    merged: list[tuple[int, int, int]] = []
    for start, end, lag in runs:
        if merged and abs(merged[-1][2] - lag) * STEP < _SMALLEST_SECONDS * RATE:
            before = merged.pop()
            kept = max(before, (start, end, lag), key=lambda run: run[1] - run[0])
            merged.append((before[0], end, kept[2]))
        else:
            merged.append((start, end, lag))
    return merged


def _likeness(reference: Array, estimate: Array, lags: range) -> Iterator[Array]:
    """Yield, for each block, the correlation with the estimate at every lag: 0 to 1, times its share of sound."""
    width = _BLOCK + len(lags) - 1
    size = 1 << (width - 1).bit_length()
    count = (reference.shape[1] - _BLOCK) // _HOP + 1
    before = max(0, -lags[0])
    padded = np.pad(estimate, ((0, 0), (before, max(0, count * _HOP + lags[0] + width - estimate.shape[1]))))
    blocks = np.lib.stride_tricks.sliding_window_view(reference, _BLOCK, axis=1)[:, ::_HOP]
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1)[:, before + lags[0] :: _HOP]
    for at in range(0, count, _EACH):
        block, window = blocks[:, at : at + _EACH], windows[:, at : min(at + _EACH, count)]
        sound = np.mean(block.mean(axis=0) > _SOUND_DB, axis=1)
        block = block - block.mean(axis=2, keepdims=True)
        products = np.fft.rfft(window, size) * np.conj(np.fft.rfft(block, size))
        product = np.fft.irfft(products.sum(axis=0), size)[:, : len(lags)]
        energy = _energy(window) * np.sum(block**2, axis=(0, 2))[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            yield from np.where(energy > 0, np.maximum(product, 0) / np.sqrt(energy), 0.0) * sound[:, None]


def _energy(window: Array) -> Array:
    """Return the energy about the mean of every stretch as long as a block, over all bands."""
    first, second = (np.cumsum(np.pad(side, ((0, 0), (0, 0), (1, 0))), axis=2) for side in (window, window**2))
    total, square = (side[:, :, _BLOCK:] - side[:, :, :-_BLOCK] for side in (first, second))
    energy: Array = np.sum(square - total**2 / _BLOCK, axis=0)
    return np.where(energy > 1e-6 * np.max(energy, initial=0.0), energy, 0.0)


def _cut(levels: tuple[Array, Array], runs: list[tuple[int, int, int]], size: int) -> list[Piece]:
    """Place the jumps between runs: where the levels of both sides differ least."""
    pieces, start = [], 0
    for (first, last, lag), (following, final, later) in itertools.pairwise(runs):
        low = max(start // STEP, (first + last) // 2, last - _BLOCK)
        high = min((following + final) // 2, following + _BLOCK)
        missing = max(0, lag - later)
        end = _cheapest(levels, (lag, later), low, high + missing, missing)
        pieces.append(Piece(start, end * STEP, lag * STEP))
        start = (end + missing) * STEP
    return [*pieces, Piece(start, size, runs[-1][2] * STEP)]


def _cheapest(levels: tuple[Array, Array], lags: tuple[int, int], low: int, high: int, missing: int) -> int:
    """Return the step up to which the first lag is right; from `missing` steps later the second one is."""
    steps = np.arange(low, min(high, levels[0].shape[1]))
    costs = []
    for lag in lags:
        places = steps + lag
        inside = (places >= 0) & (places < levels[1].shape[1])
        found = np.where(inside, levels[1][:, np.where(inside, places, 0)], 0.0)
        costs.append(np.concatenate([[0.0], np.cumsum(np.mean(np.abs(levels[0][:, steps] - found), axis=0))]))
    ends = np.arange(0, max(1, steps.size + 1 - missing))
    left, right = costs[0][ends], costs[1][-1] - costs[1][np.minimum(ends + missing, steps.size)]
    return low + int(ends[np.argmin(left + right)])


def _kept(worth: list[float]) -> list[bool]:
    """Return which pieces stay for now: all but those that fail, and by more than the ones beside them.

    Several go at once, so that the time does not grow with the square of what chance finds in minutes of noise.
    """
    padded = [np.inf, *worth, np.inf]
    return [own >= 0 or own >= left or own > right for left, own, right in zip(padded, worth, padded[2:], strict=False)]


def _worth(reference: Array, estimate: Array, pieces: list[Piece], index: int) -> float:
    """Return by how much a piece is more than it must be: at least 0 where it is to be believed."""
    piece = pieces[index]
    if piece.end - piece.start < _SHORTEST_SECONDS * RATE:
        return -1.0
    own = _understood(reference, estimate, piece)
    beside = [pieces[at].lag for at in (index - 1, index + 1) if 0 <= at < len(pieces)]
    others = max(_understood(reference, estimate, Piece(piece.start, piece.end, lag)) for lag in beside)
    return min(own - _UNDERSTOOD, own - others - _GAIN)


def _understood(reference: Array, estimate: Array, piece: Piece) -> float:
    bands = bands_of(*common(reference, estimate, (piece,)))
    return float(estoi_segments(bands).mean()) if bands.starts.size >= SEGMENT else -1.0
