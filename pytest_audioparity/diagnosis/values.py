"""Each element is a function of its own value alone: clipped, floored, quantised, another activation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.activations import BENDS, FUNCTIONS
from pytest_audioparity.diagnosis.explanation import Explanation, in_units_of_actual
from pytest_audioparity.diagnosis.problem import Problem, energy, product, squared
from pytest_audioparity.records import DB_PER_UNIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Knots of a function that is read off the data.
_KNOTS = 48
# What takes fewer values than this is a function of nearly anything, as where it is 0 or 1.
_VALUES = 4
# A piece of a value's range that one side maps to a single value, as a share of the elements, to be called clipped.
_AT_LIMIT = 3
_STRAY = 0.1
_MOST_BELOW = 0.6
# Even rounding reaches the square root of 3 of its rms, so this far from a limit a value was moved by something else.
_MOST_NOISE = 2.0
# What half precision leaves of a limit: values there are rounded relative to it.
_HALF = 2.0**-10
# A function of actual leaves so little of the difference: noise on top of actual is taken off by one as well (a
# shrinkage, or a ReLU where it makes quiet values negative), and is none.
_UNDONE = 0.1
_LINEAR = 1e-10
# Leaky ReLUs have slopes of 0.01 to 0.3; what no activation was applied to is about as large on both sides.
_STEEPEST = 0.35


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield clipped, floor, quantised and pointwise explanations."""
    if problem.is_codes:
        return
    yield from _limits(problem)
    yield from _floor(problem)
    yield from _named(problem)
    yield from _read_off(problem)


def _limits(problem: Problem) -> Iterator[Explanation]:
    """Either side is the other one, clamped."""
    e, a = problem.expected, problem.actual
    for clamped, whole, who in ((a, e, "actual"), (e, a, "expected")):
        beyond = max(problem.allowed, 4 * problem.floor, _MOST_NOISE * _noise_inside(clamped, whole))
        raised, lowered = clamped[clamped > whole + beyond], clamped[clamped < whole - beyond]
        # What was moved sits at the limit, within the rounding that may be on top.
        low = float(np.median(raised)) if raised.size else -math.inf
        high = float(np.median(lowered)) if lowered.size else math.inf
        # Rounding alone reaches beyond the limit here and there, anywhere.
        are_some = raised.size + lowered.size >= _AT_LIMIT
        ends = float(clamped.min()), float(clamped.max())
        near = [beyond + _HALF * abs(end) for end in ends]
        cuts_low = are_some and _sit_at(raised - ends[0], near[0], lowered.size)
        cuts_high = are_some and _sit_at(ends[1] - lowered, near[1], raised.size)
        if not (cuts_low or cuts_high):
            continue
        limits = (low if cuts_low else -math.inf, high if cuts_high else math.inf)
        predicted = np.clip(whole, *limits)
        named = [
            f"{word} {limit:.6g}"
            for word, limit in zip(("below", "above"), limits, strict=True)
            if math.isfinite(limit)
        ]
        share = float(np.mean(predicted != whole))
        detail = {"side": who, "low": limits[0], "high": limits[1], "share": share}
        other = "expected" if who == "actual" else "actual"
        left = in_units_of_actual(problem, squared(clamped, predicted), who)
        if cuts_low and not cuts_high and _is_logarithmic(problem):
            other = "expected" if who == "actual" else "actual"
            text = f"{who} has a floor of {low:.6g}, {other} has not; check the floor of the logarithm (max, eps)"
            yield Explanation("floor", text, 1, predicted, clamped, {"floor": low, "share": share}, left)
            continue
        if who == "actual" and abs(low) <= beyond and cuts_low and not cuts_high:
            text = "actual = max(expected, 0); there is a ReLU where none is expected"
            yield Explanation("pointwise", text, 0, predicted, clamped, {"function": "relu", "side": who}, left)
            continue
        text = f"{who} is clipped {' and '.join(named)} ({share:.2%} of the elements), {other} is not"
        text += "; check clamps, saturating integer types and activations"
        yield Explanation("clipped", text, len(named), predicted, clamped, detail, left)


def _sit_at(away: Array, near: float, others: int) -> bool:
    """Whether values that were moved sit at the end from which they are so far away, beside others at the other end.

    Few are strays, unless all of them are there, as of a clamp that hardly reaches this end.
    """
    if away.size > _STRAY * others:
        return float(np.median(away)) <= near
    return away.size >= _AT_LIMIT and float(away.max()) <= near


def _noise_inside(clamped: Array, whole: Array) -> float:
    """Return the rms of what differs where nothing was clamped, as the rounding of a quantiser that also clamps."""
    inside = (whole > clamped.min()) & (whole < clamped.max())
    count = int(np.count_nonzero(inside))
    return math.sqrt(energy((clamped - whole)[inside]) / count) if count else 0.0


def _is_logarithmic(problem: Problem) -> bool:
    return problem.meta.kind == "log_spectrum"


def _floor(problem: Problem) -> Iterator[Explanation]:
    """Only the smallest values differ, those near the floor of a logarithm."""
    if not _is_logarithmic(problem):
        return
    yield from _added(problem)
    e, a = problem.expected, problem.actual
    # By the larger of both: where one side is loud, something else is missing than a floor.
    lower = np.maximum(e, a).ravel()
    error = ((a - e).ravel()) ** 2
    order = np.argsort(lower)
    above = np.cumsum(error[order][::-1])[::-1]
    # The smallest values down to which all others agree within the floor of the residual.
    clean = above <= error.size * min(problem.allowed**2, 0.01 * problem.error / error.size)
    cut = int(np.argmax(clean)) if clean.any() else error.size
    if not 0 < cut <= 0.9 * error.size:
        return
    # A floor moves nearly all values below it; if only some differ, their place is what matters.
    if float(np.mean(error[order][:cut] > problem.floor**2)) < _MOST_BELOW:
        return
    threshold = float(lower[order][cut - 1])
    flat = [float(side.min()) for side in (e, a)]
    message = (
        f"only the {cut / error.size:.1%} of the values below {threshold:.4g} differ; the smallest are {flat[0]:.4g} "
        f"in expected and {flat[1]:.4g} in actual; check the floor of the logarithm: its value, and max against +eps"
    )
    detail = {"below": threshold, "share": cut / error.size, "expected_min": flat[0], "actual_min": flat[1]}
    yield Explanation("floor", message, 1, e, a, detail, float(above[cut] if cut < error.size else 0.0))


def _added(problem: Problem) -> Iterator[Explanation]:
    """Add a small constant before the logarithm where the larger of both is expected, or the other way round."""
    e, a = problem.expected, problem.actual
    unit = DB_PER_UNIT.get(problem.meta.unit or "", 0.0)
    for nats in (unit * math.log(10) / 20, unit * math.log(10) / 10):
        for source, target, who in ((e, a, "actual"), (a, e, "expected")):
            for floor in {float(e.min()), float(a.min()), *_constant(source, target, nats)}:
                predicted = _with_added(source, target, floor, nats) if nats else source
                left = in_units_of_actual(problem, squared(predicted, target), who)
                if left >= 0.5 * problem.error:
                    continue
                message = (
                    f"{who} has a constant added before the logarithm (log(x + eps), a floor of {floor:.4g}), the "
                    f"other side takes the larger (log(max(x, eps))); check the floor of the logarithm"
                )
                yield Explanation("floor", message, 1, predicted, target, {"side": who, "floor": floor}, left)


def _with_added(source: Array, target: Array, floor: float, nats: float) -> Array:
    """Return source with a constant added before the logarithm.

    Where source is at its own floor, what it was before is lost: between nothing and the floor, so up to twice that.
    """
    predicted: Array = np.logaddexp(source * nats, floor * nats) / nats
    lost = source == source.min()
    predicted[lost] = np.clip(target[lost], floor, floor + math.log(2) / nats)
    return predicted


def _constant(source: Array, target: Array, nats: float) -> list[float]:
    """Return the constant that was added, in the unit of the values, as most of the raised elements have it."""
    raised = target > source
    if nats == 0 or not raised.any():
        return []
    added = target[raised] * nats + np.log(-np.expm1((source - target)[raised] * nats))
    return [float(np.median(added)) / nats]


def _named(problem: Problem) -> Iterator[Explanation]:
    """One side is a familiar function of the other: an activation that is missing, or one too many."""
    e, a = problem.expected, problem.actual
    for name, function in FUNCTIONS.items():
        for source, target, who in ((e, a, "actual"), (a, e, "expected")):
            with np.errstate(all="ignore"):
                predicted = function(source)
            if not np.isfinite(predicted).all() or _is_gain(predicted, source):
                continue
            left = in_units_of_actual(problem, squared(predicted, target), who)
            if left >= 0.5 * problem.error or (who == "expected" and left > _UNDONE * problem.error):
                continue
            other = "expected" if who == "actual" else "actual"
            too = "one too many" if who == "actual" else "missing"
            message = f"{who} = {name}({other}); the {name} of this stage is {too}"
            if name in BENDS and (slope := _slope(source)) < _STEEPEST:
                message = f"{who} = {name}({other}), and {other} has little below zero already (about {slope:.2g} of "
                message += "what is above); check the slope for negative values, of ReLU 0"
            yield Explanation("pointwise", message, 0.5, predicted, target, {"function": name, "side": who}, left)


def _slope(source: Array) -> float:
    """Return how large negative values are beside positive ones, as an activation with a slope leaves them."""
    below, above = (energy(side) / max(side.size, 1) for side in (source[source < 0], source[source > 0]))
    return math.sqrt(below / above) if above > 0 else math.inf


def _is_gain(predicted: Array, source: Array) -> bool:
    """Whether a function is a gain for the values that there are, as a leaky ReLU where all are negative."""
    power = energy(source.ravel())
    gain = product(predicted, source) / power if power > 0 else 0.0
    return squared(predicted, gain * source) <= _LINEAR * energy(predicted.ravel())


def _read_off(problem: Problem) -> Iterator[Explanation]:
    """Actual is some function of expected, read off the data as straight pieces between quantiles."""
    e, a = problem.expected.ravel(), problem.actual.ravel()
    if e.size < 8 * _KNOTS:
        return
    for source, target, who in ((e, a, "actual"), (a, e, "expected")):
        order = np.argsort(source, kind="stable")
        x, y = source[order], target[order]
        knots = np.unique(x[np.linspace(0, x.size - 1, _KNOTS).astype(int)])
        if knots.size < _VALUES:
            continue
        predicted = _fitted(x, y, knots)
        left = in_units_of_actual(problem, float(((y - predicted) ** 2).sum()), who)
        if left >= 0.5 * problem.error or (who == "expected" and left > _UNDONE * problem.error):
            continue
        if np.unique(y).size < _VALUES:
            continue
        flat = x[np.abs(np.gradient(predicted, x, edge_order=1)) < 1e-3] if np.all(np.diff(x) > 0) else x[:0]
        other = "expected" if who == "actual" else "actual"
        message = (
            f"{who} is a function of {other}, element by element, and no straight line"
            f"{' (flat in a part of its range)' if flat.size > 0.01 * x.size else ''}"
            f"; check activations, clamps, and approximations such as tanh against erf in GELU"
        )
        # In the order of the values; only the residual and the size count.
        yield Explanation("pointwise", message, knots.size, predicted, y, {"side": who}, left)


def _fitted(x: Array, y: Array, knots: Array) -> Array:
    """Return least-squares values of a piecewise linear function with given knots at sorted x."""
    piece = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, knots.size - 2)
    t = (x - knots[piece]) / (knots[piece + 1] - knots[piece])
    m = knots.size
    # Normal equations of the hat functions: tridiagonal, solved densely since there are few.
    gram, right = np.zeros((m, m)), np.zeros(m)
    for i, j, w in ((0, 0, (1 - t) ** 2), (0, 1, t * (1 - t)), (1, 0, t * (1 - t)), (1, 1, t**2)):
        np.add.at(gram, (np.arange(m - 1) + i, np.arange(m - 1) + j), np.bincount(piece, w, m - 1))
    right[:-1] += np.bincount(piece, (1 - t) * y, m - 1)
    right[1:] += np.bincount(piece, t * y, m - 1)
    gram[np.diag_indices(m)] += 1e-12 * (gram.trace() / m + 1e-300)
    heights = np.linalg.solve(gram, right)
    values: Array = heights[piece] * (1 - t) + heights[piece + 1] * t
    return values
