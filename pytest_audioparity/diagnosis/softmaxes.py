"""Shares that add up to 1 along an axis: another scale or bias before the softmax, or a softmax on one side alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import Explanation, in_units_of_actual
from pytest_audioparity.diagnosis.problem import Problem, energy, product, squared

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# Probabilities add up to 1 within this, as half precision has it; so far below the largest they are rounded away.
_ONE, _ROUNDED = 2e-3, 1e-4
# Lines of shares that tell of a number for each of their indices.
_LINES = 8
# A factor of the logits that is none.
_NO_FACTOR = 1e-3


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield pointwise, and channel_gain for a bias, where one side is a softmax of what the other says."""
    if problem.is_codes:
        return
    e, a = problem.expected, problem.actual
    for axis, n in enumerate(problem.shape):
        if n < 2 or problem.labels[axis] in problem.origin:
            continue
        is_softmax = [_adds_up(side, axis) for side in (e, a)]
        if all(is_softmax):
            yield from _other_logits(problem, axis)
        elif any(is_softmax):
            sides = (e, a, "actual") if is_softmax[1] else (a, e, "expected")
            yield from _one_sided(problem, axis, *sides)


def _adds_up(side: Array, axis: int) -> bool:
    return bool(side.min() >= 0 and np.abs(side.sum(axis=axis) - 1).max() <= _ONE)


def _other_logits(problem: Problem, axis: int) -> Iterator[Explanation]:
    """Both are a softmax: of the same logits times a number, and perhaps with a number for each index added."""
    e, a = problem.expected, problem.actual
    fit = _Fit(_logarithm(e), a, axis)
    label = problem.labels[axis]
    if (factor := fit.factor) is not None:
        message = (
            f"actual is the softmax along {label} of {factor:.6g} times the logits of expected; check the scale of the "
            "attention (1/sqrt of the width of a head), and temperatures"
        )
        detail = {"function": "softmax", "factor": factor, "axis": label, "side": "actual"}
        yield Explanation("pointwise", message, 1, fit.predicted(factor), a, detail)
    if e.size >= _LINES * e.shape[axis]:
        bias = fit.bias(tuple(i for i in range(e.ndim) if i != axis))
        gains = np.exp(bias.ravel() - bias.mean())
        message = (
            f"each index of {label} has a factor of its own, from {gains.min():.4g} to {gains.max():.4g}, before all "
            f"add up to 1: a bias of the logits; check a bias vector that is missing or doubled"
        )
        detail = {"axis": label, "function": "softmax", "side": "actual"}
        yield Explanation("channel_gain", message, gains.size, fit.predicted(1.0, bias), a, detail)


def _one_sided(problem: Problem, axis: int, source: Array, target: Array, who: str) -> Iterator[Explanation]:
    """Only one side is a softmax along an axis: of the other, of what that is a sigmoid of, or along another axis."""
    other, label = "expected" if who == "actual" else "actual", problem.labels[axis]
    found: list[tuple[dict[str, Any], str, float, Array]] = []
    plain = _Fit(source, target, axis)
    if (factor := plain.factor) is not None:
        too = "one too many" if who == "actual" else "missing"
        times = "" if abs(factor - 1) <= _NO_FACTOR else f"{factor:.6g} * "
        message = f"{who} is the softmax along {label} of {times}{other}; the softmax of this stage is {too}"
        found.append(({"function": "softmax", "factor": factor}, message, 1, plain.predicted(factor)))
    if source.min() >= 0 and source.max() <= 1:
        odds = _Fit(_logarithm(source) - _logarithm(1 - source), target, axis)
        message = f"{who} is a softmax along {label}, {other} a sigmoid of the same logits; one of them is wrong"
        found.append(({"function": "sigmoid"}, message, 1, odds.predicted(1.0)))
    for turned in (i for i in range(source.ndim) if i != axis and _adds_up(source, i)):
        fit, across = _Fit(_logarithm(source), target, axis), problem.labels[turned]
        bias = fit.bias((turned,))
        message = (
            f"{who} is a softmax along {label}, {other} along {across}, of the same logits; check dim= and axis= of "
            "the softmax"
        )
        found.append(({"function": "softmax", "across": across}, message, bias.size, fit.predicted(1.0, bias)))
    for detail, message, parameters, predicted in found:
        left = in_units_of_actual(problem, squared(predicted, target), who)
        detail |= {"axis": label, "side": who}
        yield Explanation("pointwise", message, parameters, predicted, target, detail, left)


def _logarithm(side: Array) -> Array:
    """Return logarithms, -inf where there is nothing."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(side))


class _Fit:
    """Logits, and what their softmax along an axis is to be: the logarithms of shares are logits up to a constant."""

    def __init__(self, logits: Array, target: Array, axis: int) -> None:
        self.logits, self.axis = logits, axis
        both = self.predicted(1.0), target
        shares = (side / np.maximum(side.max(axis=axis, keepdims=True), 1e-300) for side in both)
        self._used = (np.minimum(*shares) > _ROUNDED) & np.isfinite(logits)
        self._counts = np.maximum(self._used.sum(axis=axis, keepdims=True), 1)
        self._x, self._y = self._centred(logits), self._centred(_logarithm(target))

    def _centred(self, logits: Array) -> Array:
        known = np.where(self._used, logits, 0.0)
        mean = known.sum(axis=self.axis, keepdims=True) / self._counts
        return np.where(self._used, known - mean, 0.0)

    @property
    def factor(self) -> float | None:
        """The number that the logits were multiplied by; None where there is none."""
        power = energy(self._x.ravel())
        factor = product(self._x, self._y) / power if power > 0 else 0.0
        return factor if 0 < factor < math.inf else None

    def bias(self, over: tuple[int, ...]) -> Array:
        """Return what was added to the logits at each index, as the means over other axes have it."""
        counts = self._used.sum(axis=over, keepdims=True)
        return np.asarray((self._y - self._x).sum(axis=over, keepdims=True) / np.maximum(counts, 1))

    def predicted(self, factor: float, bias: Array | float = 0.0) -> Array:
        """Return the softmax of the logits times a factor, plus a bias."""
        raised = factor * self.logits + bias
        raised = np.exp(raised - raised.max(axis=self.axis, keepdims=True))
        return np.asarray(raised / raised.sum(axis=self.axis, keepdims=True))
