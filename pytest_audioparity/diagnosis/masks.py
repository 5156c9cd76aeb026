"""One side is zero at places where the other is not, and the rest is right up to a gain: dropout, attention masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import Explanation, in_units_of_actual
from pytest_audioparity.diagnosis.problem import Problem, energy, product, squared

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# A mask leaves more than single elements out, and something.
_LEAST, _MOST = 0.001, 0.99
# What the gain has to leave at most of what was not masked: a masked signal is right there.
_LEFT = 0.01
# Values of a line that its gain needs.
_PER_LINE = 8
# Nobody drops less than this share.
_DROPPED = 0.01
# How far the share that is left may be from the one that was asked for, and probabilities from 1 in half precision.
_MADE_UP, _ONE = 0.05, 2e-3


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield gain, and channel_gain along an axis, between two sides of which one is masked with zeros."""
    if problem.is_codes:
        return
    e, a = problem.expected, problem.actual
    for masked, whole, who in ((a, e, "actual"), (e, a, "expected")):
        out = (masked == 0) & (whole != 0)
        if not _LEAST < out.mean() < _MOST:
            continue
        yield from _with_gain(problem, masked, whole, out, who)
        for axis in range(e.ndim):
            yield from _with_gains(problem, masked, whole, out, who, axis)


def _with_gain(problem: Problem, masked: Array, whole: Array, out: Array, who: str) -> Iterator[Explanation]:
    rest = np.where(out, 0.0, whole)
    power = energy(rest.ravel())
    gain = product(rest, masked) / power if power > 0 else 0.0
    # What dropout leaves makes up for what it takes.
    if (
        gain < 1 + _DROPPED
        or abs(gain * float(1 - out.mean()) - 1) > _MADE_UP
        or squared(gain * rest, masked) > _LEFT * energy(masked.ravel())
    ):
        return
    other, share = "expected" if who == "actual" else "actual", float(out.mean())
    message = (
        f"{who} is 0 at {share:.1%} of the elements where {other} is not, and {gain:.6g} * {other} elsewhere; check "
        "that dropout is off (eval mode), and masks"
    )
    left = in_units_of_actual(problem, squared(gain * rest, masked), who)
    detail = {"gain": gain, "share": share, "side": who}
    yield Explanation("gain", message, 2, gain * rest, masked, detail, left)


def _with_gains(
    problem: Problem, masked: Array, whole: Array, out: Array, who: str, axis: int
) -> Iterator[Explanation]:
    """As of a softmax along an axis over what a mask leaves: all that is left of each line of it is larger."""
    if any(np.abs(side.sum(axis=axis) - 1).max() > _ONE for side in (masked, whole)):
        return
    rest = np.where(out, 0.0, whole)
    powers = (rest * rest).sum(axis=axis, keepdims=True)
    if not 1 < powers.size <= problem.size / _PER_LINE:
        return
    gains = np.where(powers > 0, (rest * masked).sum(axis=axis, keepdims=True) / np.where(powers > 0, powers, 1), 1.0)
    left = squared(gains * rest, masked)
    if left > _LEFT * energy(masked.ravel()):
        return
    other, label = "expected" if who == "actual" else "actual", problem.labels[axis]
    message = (
        f"{who} is 0 at {float(out.mean()):.1%} of the elements where {other} is not, and {other} elsewhere with a "
        f"gain for each line along {label}, from {gains.min():.4g} to {gains.max():.4g}; check the mask of the "
        "attention (causal, padding, window) before its softmax"
    )
    detail = {"axis": label, "side": who, "share": float(out.mean())}
    left = in_units_of_actual(problem, left, who)
    yield Explanation("channel_gain", message, gains.size, gains * rest, masked, detail, left)
