"""Pairs of channels that are turned by other angles: rotary embeddings with other pairs, positions or base.

A rotation keeps the size of each pair, which little else does. So it is looked for where the sizes agree and the values
do not (Su et al., RoFormer, 2021: pair j of a head of width d is turned by t·base^(-2j/d)).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import Explanation
from pytest_audioparity.diagnosis.problem import Problem, energy, squared

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Widths of heads and bases that are in use.
_WIDTHS = (32, 48, 64, 80, 96, 128, 192, 256)
_BASES = (10_000.0, 500_000.0, 1_000_000.0)
# Frames that tell whether it is worth applying to all, and the fewest that tell of angles.
_FEW, _FEWEST = 32, 16
# What sizes may differ by, and what may be left, as a share of the squared difference.
_SAME, _LEFT = 0.01, 0.05
# Positions by which a whole rotary embedding may be off, the pairs by which they are told, and how far their angles may
# be from them, in radians: a hundredth of what one position turns the first pair by. Faint pairs (60 dB) say nothing.
_POSITIONS, _PAIRS, _APART, _FAINT = 4096, 64, 0.01, 1e-6
# The numbers of a rotary embedding: base, width, first position and step. It has no others, however many pairs.
_NUMBERS = 4


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield interleaved, time_shift and drift of the positions that rotary embeddings have."""
    if problem.is_codes or problem.labels[-1:] == ("part",):
        return
    declared = problem.axis("T")
    times = [i for i in range(problem.expected.ndim) if problem.labels[i] not in ("B", "C")]
    for time in times if declared is None else [declared]:
        for axis in problem.channel_axes():
            n = problem.expected.shape[axis]
            is_whole = problem.labels[axis] not in problem.origin
            if axis != time and n >= 4 and n % 2 == 0 and is_whole and problem.expected.shape[time] >= _FEWEST:
                yield from _of_axes(problem, axis, time)


def _of_axes(problem: Problem, axis: int, time: int) -> Iterator[Explanation]:
    sides = [np.moveaxis(side, (axis, time), (0, 1)) for side in (problem.expected, problem.actual)]
    e, a = (side.reshape(*side.shape[:2], -1) for side in sides)
    n, frames, _ = e.shape
    few = slice(None, None, max(1, frames // _FEW))
    if not _same_size(e[:, few], a[:, few]):
        return
    widths = [width for width in (*_WIDTHS, n) if n % width == 0 and width % 2 == 0]
    pairings = [_neighbours(n), *(_halves(n, width) for width in dict.fromkeys(widths))]
    for pairs in pairings:
        if _same_size(e[:, few], a[:, few], pairs):
            yield _turned(problem, axis, time, e, a, pairs)
            return
    positions = problem.at(problem.labels[time], 0) + np.arange(frames)
    for width in widths:
        yield from _repaired(problem, axis, time, e, a, width, positions, few)


def _neighbours(n: int) -> Array:
    return np.asarray(np.arange(n).reshape(-1, 2).T)


def _halves(n: int, width: int) -> Array:
    return np.asarray(np.arange(n).reshape(-1, 2, width // 2).swapaxes(0, 1).reshape(2, -1))


def _same_size(e: Array, a: Array, pairs: Array | None = None) -> bool:
    """Whether each pair, or each frame as a whole where no pairs are given, has the size that is expected."""
    norms = [np.linalg.norm(side if pairs is None else side[pairs], axis=0) for side in (e, a)]
    error = squared(e, a)
    return bool(error > 0 and squared(*norms) <= _SAME * error)


def _complex(side: Array, pairs: Array) -> Array:
    return np.asarray(side[pairs[0]] + 1j * side[pairs[1]])


def _real(turned: Array, pairs: Array) -> Array:
    """Return the values of pairs in the places that they come from."""
    values = np.empty((2 * pairs.shape[1], *turned.shape[1:]))
    values[pairs[0]], values[pairs[1]] = turned.real, turned.imag
    return values


def _turned(problem: Problem, axis: int, time: int, e: Array, a: Array, pairs: Array) -> Explanation:
    """Turn each pair by an angle that is a straight line over time."""
    before = _complex(e, pairs)
    products = (before.conj() * _complex(a, pairs)).sum(axis=2)
    channel, label = problem.labels[axis], problem.labels[time]
    still = np.angle(products.sum(axis=1))
    predicted = _real(before * np.exp(1j * still[:, None, None]), pairs)
    if squared(predicted, a) <= _LEFT * problem.error:
        largest = float(still[np.abs(still).argmax()])
        turned = f"pairs along {channel} are turned by one angle each, up to {largest:+.4g} radians"
        check = "check the first position: 0 or 1, a cache, and an offset"
        shift = _positions(still, np.abs(products).sum(axis=1))
        if shift is None:
            message = f"{turned}, which are those of no usual base; {check}"
            return _explained(
                problem, "time_shift", message, {"axis": label, "radians": largest}, predicted, axis, time
            )
        message = f"{turned}, as rotary positions along {label} that are {shift:+g} off; {check}"
        return _explained(problem, "time_shift", message, {"axis": label, "shift": shift}, predicted, axis, time)
    slopes, starts = _lines(products)
    angles = slopes[:, None] * np.arange(e.shape[1]) + starts[:, None]
    predicted = _real(before * np.exp(1j * angles[..., None]), pairs)
    largest = float(slopes[np.abs(slopes).argmax()])
    message = (
        f"pairs along {channel} are turned by angles that grow along {label}, by up to {largest:+.4g} radians a frame; "
        "check rotary embeddings: whether they are applied, their base (theta), sign and positions"
    )
    return _explained(problem, "drift", message, {"axis": label, "radians": largest}, predicted, axis, time)


def _positions(still: Array, powers: Array) -> int | None:
    """Return by how many positions rotary embeddings turn pairs by such angles; None if no usual base does.

    An angle is known up to whole turns: all of them are those of one number of positions, the smallest that fits.
    """
    offsets = np.concatenate([[0], np.repeat(np.arange(1, _POSITIONS + 1), 2)])
    offsets[2::2] *= -1
    n = 2 * still.size
    for width in (width for width in (n, *_WIDTHS[::-1]) if n % width == 0 and width % 2 == 0):
        for base in _BASES:
            # In either way of pairing, the pairs of a head follow each other.
            angles = base ** (-2 * (np.arange(still.size) % (width // 2)) / width)
            heard = np.argsort(powers)[-_PAIRS:]
            apart = np.abs(_wrapped(still[heard] - np.outer(offsets, angles[heard]))).max(axis=1)
            best = int(offsets[np.argmax(apart < _APART)])
            if float(np.abs(_wrapped(still - best * angles) * (powers > _FAINT * powers.max())).max()) < _APART:
                return best
    return None


def _lines(products: Array) -> tuple[Array, Array]:
    """Return slope and start of the line that the angles of each row of complex numbers are on, over its columns."""
    frames = products.shape[1]
    size = 8 << (frames - 1).bit_length()
    slopes = 2 * math.pi * np.abs(np.fft.fft(products, size)).argmax(axis=1) / size
    t = np.arange(frames)
    # What is left of the angles is small beside a turn: a straight line through them is exact.
    still = products * np.exp(-1j * slopes[:, None] * t)
    still = still * np.exp(-1j * (around := np.angle(still.sum(axis=1))))[:, None]
    weights, angles = np.abs(still), np.angle(still)
    total = np.maximum(weights.sum(axis=1), 1e-300)
    middle, mean = (weights @ t) / total, (weights * angles).sum(axis=1) / total
    apart = t - middle[:, None]
    steeper = (weights * apart * angles).sum(axis=1) / np.maximum((weights * apart**2).sum(axis=1), 1e-300)
    slopes = slopes + steeper
    starts = around + mean - steeper * middle
    return (_wrapped(slopes), _wrapped(starts))


def _wrapped(angles: Array) -> Array:
    wrapped: Array = (angles + math.pi) % (2 * math.pi) - math.pi
    return wrapped


def _repaired(
    problem: Problem, axis: int, time: int, e: Array, a: Array, width: int, positions: Array, few: slice
) -> Iterator[Explanation]:
    """Turn back pairs of halves and turn pairs of neighbours instead, or the other way round."""
    n = e.shape[0]
    neighbours, halves = _neighbours(n), _halves(n, width)
    for base in _BASES:
        angles = base ** (-np.arange(0, width, 2) / width)[:, None] * positions
        turn = np.exp(1j * np.tile(angles, (n // width, 1)))[..., None]
        for here, there, who in ((halves, neighbours, "actual"), (neighbours, halves, "expected")):

            def moved(part: slice, here: Array = here, there: Array = there, turn: Array = turn) -> Array:
                plain = _real(_complex(e[:, part], here) * turn[:, part].conj(), here)
                return _real(_complex(plain, there) * turn[:, part], there)

            if squared(moved(few), a[:, few]) > _LEFT * energy((a - e)[:, few].ravel()):
                continue
            other = "expected" if who == "actual" else "actual"
            message = (
                f"along {problem.labels[axis]}, {who} turns neighbours where {other} turns halves of heads of {width}: "
                f"a rotary embedding (base {base:g}) of interleaved pairs against halves; check which one the weights "
                "are for"
            )
            detail = {"axis": problem.labels[axis], "width": width, "base": base, "parts": 2}
            yield _explained(problem, "interleaved", message, detail, moved(slice(None)), axis, time)
            return


def _explained(
    problem: Problem, code: str, message: str, detail: dict[str, Any], predicted: Array, axis: int, time: int
) -> Explanation:
    shape = np.moveaxis(problem.expected, (axis, time), (0, 1)).shape
    there = np.moveaxis(predicted.reshape(shape), (0, 1), (axis, time))
    return Explanation(code, message, _NUMBERS, there, problem.actual, detail)
