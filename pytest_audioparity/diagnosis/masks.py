"""One side has one value where the other has any, and the rest is right, or up to a gain: dropout, masks, padding."""

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
# Fewer elements are told by their places.
_FEWEST = 16
# What the gain has to leave at most of what was not masked: a masked signal is right there.
_LEFT = 0.01
# Values of a line that its gain needs, and how many of them are left on average.
_PER_LINE, _KEPT = 8, 2
# Share of what stands behind the ends that is masked where they are the ends; the rest may have had the value before.
_FULL = 0.9
# Nobody drops less than this share.
_DROPPED = 0.01
# How far the share that is left may be from the one that was asked for, and probabilities from 1 in half precision.
_MADE_UP, _ONE = 0.05, 2e-3


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield explanations of two sides of which one is masked with a value: zero, or any other."""
    e, a = problem.expected, problem.actual
    for masked, whole, who in ((a, e, "actual"), (e, a, "expected")):
        for value in _values(masked, whole, problem.floor):
            yield from _filled(problem, masked, whole, who, value)
        out = (masked == 0) & (whole != 0)
        if problem.is_codes or not out.mean() > _LEAST:
            continue
        if out.mean() < _MOST:
            yield from _with_gain(problem, masked, whole, out, who)
        for axis in range(e.ndim):
            yield from _with_gains(problem, masked, whole, out, who, axis)


def is_mask(found: Explanation) -> bool:
    """Whether an explanation is that one side has one value at some of its elements."""
    return found.code == "pointwise" and "value" in found.detail


def _values(masked: Array, whole: Array, floor: float) -> set[float]:
    """Return what may be a mask's value: zero, the least, or what most elements have that differ."""
    differ = masked[np.abs(masked - whole) > floor]
    return {0.0, float(masked.min()), float(np.median(differ))} if differ.size else set()


def _filled(problem: Problem, masked: Array, whole: Array, who: str, value: float) -> Iterator[Explanation]:
    """One side has a value where the other has any: beyond an end of each item of a batch, or anywhere."""
    out = (masked == value) & (whole != value)
    share = float(out.mean())
    if share <= _LEAST or out.sum() < _FEWEST:
        return
    predicted = np.where(out, value, whole)
    left = squared(predicted, masked)
    if left > _LEFT * energy(masked[~out].ravel()):
        return
    other, left = "expected" if who == "actual" else "actual", in_units_of_actual(problem, left, who)
    # Codes are hashed: which one it was is not known here.
    said = "one code" if problem.is_codes else f"{value:.6g}"
    detail = {"side": who, **({} if problem.is_codes else {"value": value}), "share": share}
    if (found := _ends_of_items(problem, out)) is not None:
        word, ends = found
        shown = f"{', '.join(map(str, ends[:8]))}{' ...' if len(ends) > 8 else ''}"
        message = (
            f"{who} is {said} {word} an end of its own along T in each item of B ({shown}), where {other} is not, and "
            "the rest is right; check lengths, and masks of padding"
        )
        yield Explanation("edges", message, 2, predicted, masked, {"axis": "T", "ends": ends, **detail}, left)
    elif not problem.is_codes:
        message = (
            f"{who} is {said} at {share:.1%} of the elements where {other} is not, and the rest is right; check masks "
            "(attention, top-k, suppressed tokens), and dropout"
        )
        yield Explanation("pointwise", message, _numbers(whole, out), predicted, masked, detail, left)


def _ends_of_items(problem: Problem, out: Array) -> tuple[str, list[int]] | None:
    """Return the time from or up to which each item of a batch is masked, all of it; None if all have the same."""
    batch, time = problem.axis("B"), problem.axis("T")
    if batch is None or time is None or {"B", "T"} & problem.origin.keys():
        return None
    items = np.moveaxis(out, (batch, time), (0, 1)).reshape(out.shape[batch], out.shape[time], -1)
    frames = items.shape[1]
    lost: Array = items.any(axis=2).sum(axis=1)
    if np.unique(lost).size == 1:
        return None
    at = np.arange(frames)
    for word, ends, beyond in (
        ("behind", frames - lost, at >= (frames - lost)[:, np.newaxis]),
        ("in front of", lost, at < lost[:, np.newaxis]),
    ):
        # What had the value before does not tell.
        if items[beyond].mean() > _FULL and not items[~beyond].any():
            return word, ends.tolist()
    return None


def _numbers(whole: Array, out: Array) -> float:
    """Return how many numbers a mask takes: one for each line of which the lesser values are out, or its elements."""
    lines = [out.size // out.shape[axis] for axis in range(out.ndim) if _is_below(whole, out, axis)]
    return float(min([int(out.sum()), *lines]))


def _is_below(whole: Array, out: Array, axis: int) -> bool:
    most = np.where(out, whole, -np.inf).max(axis=axis)
    least = np.where(out, np.inf, whole).min(axis=axis)
    return bool((most <= least).all())


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
    if not 1 < powers.size <= problem.size / _PER_LINE or out.size - out.sum() < _KEPT * powers.size:
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
