"""Complex numbers that are multiplied by others: turned as a whole, or each index of an axis by its own angle."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import Explanation
from pytest_audioparity.diagnosis.problem import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.diagnosis.problem import Problem

    Array = np.ndarray[Any, Any]

# Values per index that a number of its own needs, and indices that make a line.
_FEWEST, _INDICES = 8, 8
# A factor this near to a real one turns nothing.
_REAL = 1e-3


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield gain and channel_gain by complex factors, and the loss of all phases."""
    if problem.is_codes or problem.labels[-1:] != ("part",):
        return
    e, a = (side[..., 0] + 1j * side[..., 1] for side in (problem.expected, problem.actual))
    power = float(np.vdot(e, e).real)
    if power <= 0:
        return
    factor = complex(np.vdot(e, a)) / power
    if abs(factor.imag) > _REAL * abs(factor):
        yield _turned(problem, e, factor)
    message = "actual is the magnitude of expected; its phase is lost"
    yield Explanation("pointwise", message, 0, _parts(np.abs(e)), problem.actual, {"function": "abs", "side": "actual"})
    for axis, n in enumerate(e.shape):
        if n >= _INDICES and e.size // n >= _FEWEST:
            yield from _by_index(problem, e, a, axis)


def _parts(side: Array) -> Array:
    return np.stack([side.real, side.imag], axis=-1)


def _turned(problem: Problem, e: Array, factor: complex) -> Explanation:
    angle, gain = math.degrees(math.atan2(factor.imag, factor.real)), abs(factor)
    level = f" and multiplied by {gain:.6g}" if abs(gain - 1) > _REAL else ""
    message = (
        f"actual is expected turned by {angle:+.4g} degrees{level}; check real against imaginary parts, the sign of "
        "the exponent, and a factor of i"
    )
    detail = {"gain": gain, "degrees": angle}
    return Explanation("gain", message, 2, _parts(factor * e), problem.actual, detail)


def _by_index(problem: Problem, e: Array, a: Array, axis: int) -> Iterator[Explanation]:
    """Yield the factors along an axis whose angles are in proportion to the index, and others that are there."""
    rows_e, rows_a = rows_of(e, axis), rows_of(a, axis)
    powers = np.einsum("ij,ij->i", rows_e, rows_e.conj()).real
    products = np.einsum("ij,ij->i", rows_e.conj(), rows_a)
    factors = np.where(powers > 0, products / np.where(powers > 0, powers, 1), 1.0)
    label, n = problem.labels[axis], len(factors)
    shape = [1] * e.ndim
    shape[axis] = n
    step = float(np.angle(np.sum(products[1:] * products[:-1].conj())))
    # The mean angle between neighbours is off by a little, which all indices would add up.
    fine = (np.arange(-64, 65) / 64 / n) * np.pi + step
    sums = np.exp(-1j * np.outer(fine, np.arange(n))) @ products
    best = int(np.abs(sums).argmax())
    line = np.exp(1j * (fine[best] * np.arange(n) + np.angle(sums[best])))
    gain = float(np.abs(sums[best]) / powers.sum())
    degrees = math.degrees(fine[best])
    if abs(degrees) * n < 1:
        return
    size = 2 * (n - 1)
    message = (
        f"actual is expected with phases that turn by {degrees:+.4g} degrees with each index of {label}, as by "
        f"{-fine[best] / (2 * np.pi) * size:.4g} samples of a transform of {size}; check where frames begin, their "
        "centring, and the sign of the exponent"
    )
    detail = {"axis": label, "degrees_per_index": degrees}
    yield Explanation("channel_gain", message, 3, _parts(gain * line.reshape(shape) * e), problem.actual, detail)
    message = (
        f"each index of {label} has a complex factor of its own, {float(np.abs(factors).min()):.4g} to "
        f"{float(np.abs(factors).max()):.4g} in size; check phases, delays and scales per channel"
    )
    yield Explanation(
        "channel_gain", message, 2 * n, _parts(factors.reshape(shape) * e), problem.actual, {"axis": label}
    )
