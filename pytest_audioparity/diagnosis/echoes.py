"""An echo: the same once more, later or earlier, which no short filter reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import PARTIAL, Explanation, in_units_of_actual
from pytest_audioparity.diagnosis.problem import numbers_for, product, squared, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.diagnosis.problem import Problem

    Array = np.ndarray[Any, Any]

# Nearer than this an echo is a filter of a few taps, which says it as well.
_NEAREST = 3
# Where the direct sound has less than this share of the echo's power, it is the echo that is there.
_ALONE = 0.02


def echoes(problem: Problem, axis: int, rows_e: Array, rows_a: Array) -> Iterator[Explanation]:
    """Yield filtered explanations: one side is the other with an echo.

    Parameters
    ----------
    problem, axis : what is looked at
    rows_e, rows_a : its two sides, time in columns
    """
    yield from _echo(problem, rows_e, rows_a, "actual", problem.labels[axis])
    yield from _echo(problem, rows_a, rows_e, "expected", problem.labels[axis])


def _echo(problem: Problem, source: Array, target: Array, who: str, label: str) -> Iterator[Explanation]:
    """Yield that target is source and the same once more, later or earlier: where the rest is like it at one lag."""
    n = source.shape[1]
    if n < 4 * _NEAREST:
        return
    lag = _most_alike(source, target - _part(source, target) * source)
    if abs(lag) < _NEAREST or abs(lag) > n // 2:
        return
    later = np.zeros_like(source)
    later[:, max(lag, 0) : n + min(lag, 0)] = source[:, max(-lag, 0) : n - max(lag, 0)]
    gains = numbers_for((source, later), target)
    if gains is None or gains[0] ** 2 < _ALONE * gains[1] ** 2:
        return  # one signal, or a shift
    predicted = gains[0] * source + gains[1] * later
    left = in_units_of_actual(problem, squared(predicted, target), who)
    if left > PARTIAL * problem.error:
        return
    other = "expected" if who == "actual" else "actual"
    unit, word = unit_of(problem.meta, abs(lag)), "later" if lag > 0 else "earlier"
    message = (
        f"{who} is {gains[0]:.4g} * {other} and {gains[1]:.4g} times the same {abs(lag)} {unit} {word} along "
        f"{label}; check overlaps that are added twice, chunks and branches that are mixed, and echoes"
    )
    detail = {"side": who, "gains": gains.tolist(), "lag": lag}
    yield Explanation("filtered", message, 3, predicted.T, target.T, detail, left)


def _part(source: Array, target: Array) -> float:
    power = product(source, source)
    return product(source, target) / power if power > 0 else 0.0


def _most_alike(source: Array, rest: Array) -> int:
    """Return how much later, but for next to no time, the rest is most like the source, up to a sign."""
    n = source.shape[1]
    size = 1 << (2 * n - 1).bit_length()
    cross = np.fft.irfft((np.fft.rfft(rest, size) * np.conj(np.fft.rfft(source, size))).sum(axis=0), size)
    cross[:_NEAREST] = cross[1 - _NEAREST :] = 0.0
    lag = int(np.abs(cross).argmax())
    return lag - size if lag > size // 2 else lag
