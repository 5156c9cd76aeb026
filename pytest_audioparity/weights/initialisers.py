"""Whether values look as a framework's default initialisation leaves them: trained ones do not.

The fit is judged by the range, which of uniform values is known to about range/n, and by the Kolmogorov-Smirnov
distance. Only the ranges and spreads that initialisers really use are tried, so that chance has little to choose from.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Array = np.ndarray[Any, Any]

# Fewer values fit some distribution by chance.
LEAST_UNIFORM, LEAST_NORMAL = 48, 256
# The same where any spread will do.
LEAST_ANY = 1024
# Kolmogorov's distance times sqrt(n): beyond this with a chance of 0.001.
_KOLMOGOROV = 1.95
# The share of it that is left where the spread was fitted.
_FITTED = 0.8
# The largest of n uniform values lies below 1 - k/n of the range with a chance of e^-k.
_RANGE = 10.0
# Standard errors that an observed spread may lie from the initialiser's.
_SPREAD = 4.0
_SAMPLE = 100_000
# The largest unit in the last place beside the value, of the types that weights are stored in.
_ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
_ROUND = 2e-6
# Standard deviation of a normal distribution cut at two of its own.
_TRUNCATED = 0.87962566103423978


def initialiser(
    array: Array, shapes: Iterable[tuple[int, ...]], *, is_recurrent: bool = False
) -> dict[str, Any] | None:
    """Return which initialiser makes such values, or None.

    Parameters
    ----------
    array : the values
    shapes : of the tensor and of those in its module, whose sizes give the ranges
    is_recurrent : whether it belongs to a recurrent layer, whose two biases may have been added

    Returns
    -------
    name, its range or spread, the number of values, and the fit: Kolmogorov's distance and what it may be
    """
    values = array.astype(np.float64).reshape(-1)
    if values.size < 2 or not np.isfinite(values).all():
        return None
    if values.min() == values.max():
        constant = {0.0: "zeros", 1.0: "ones"}.get(float(values[0]))
        return None if constant is None else {"initialiser": constant, "values": values.size}
    slack = _ROUNDING.get(array.dtype.name, _rounding_of(values))
    known = list(shapes)
    found = _uniform(values, known, slack) or (_two_added(values, known, slack) if is_recurrent else None)
    # No framework draws vectors from a normal distribution, and trained biases are near enough to one by chance.
    if found is None and sum(size > 1 for size in array.shape) > 1:
        found = _normal(values, [array.shape]) or _of_any_spread(values.reshape(array.shape))
    return found


def _rounding_of(values: Array) -> float:
    with np.errstate(over="ignore"):
        is_half = (values.astype(np.float16).astype(np.float64) == values).all()
    return _ROUNDING["float16"] if is_half else _ROUND


def _uniform(values: Array, shapes: list[tuple[int, ...]], slack: float) -> dict[str, Any] | None:
    if values.size < LEAST_UNIFORM:
        return None
    largest = float(np.abs(values).max())
    for name, bound in _bounds(shapes):
        if not bound * (1 - _RANGE / values.size) <= largest <= bound * (1 + slack):
            continue
        distance = _distance(values, lambda x, bound=bound: (x / bound + 1) / 2)
        if distance is not None:
            return {"initialiser": name, "range": bound, "values": values.size, **distance}
    return None


def _two_added(values: Array, shapes: list[tuple[int, ...]], slack: float) -> dict[str, Any] | None:
    """Recognise the sum of two uniform vectors, which converters make of the two biases of a recurrent layer."""
    if values.size < LEAST_UNIFORM:
        return None
    largest = float(np.abs(values).max())
    for name, bound in _recurrent_bounds(shapes):
        # The density falls to 0 at the ends: the largest of n lies below 1 - x of the range by a chance of exp(-n·x²).
        if not 2 * bound * (1 - math.sqrt(_RANGE / values.size)) <= largest <= 2 * bound * (1 + slack):
            continue
        distance = _distance(values, partial(_triangular_cdf, bound=bound))
        if distance is not None:
            return {"initialiser": f"two added, of {name}", "range": 2 * bound, "values": values.size, **distance}
    return None


def _triangular_cdf(x: Array, *, bound: float) -> Array:
    tail = (1 - np.minimum(np.abs(x) / (2 * bound), 1)) ** 2 / 2
    return np.asarray(np.where(x >= 0, 1 - tail, tail))


def _normal(values: Array, shapes: list[tuple[int, ...]]) -> dict[str, Any] | None:
    if values.size < LEAST_NORMAL:
        return None
    spread = float(np.sqrt(np.mean(values * values)))
    for name, sigma, cut in _spreads(shapes):
        true = sigma * (_TRUNCATED if cut else 1.0)
        if abs(spread / true - 1) > _SPREAD / math.sqrt(2 * values.size):
            continue
        if cut and float(np.abs(values).max()) > 2 * sigma * (1 + _ROUND):
            continue
        distance = _distance(values, _truncated_cdf(sigma) if cut else lambda x, sigma=sigma: _phi(x / sigma))
        if distance is not None:
            return {"initialiser": name, "spread": true, "values": values.size, **distance}
    return None


def _of_any_spread(values: Array) -> dict[str, Any] | None:
    """Recognise values drawn alike from a flat or a normal distribution with a gain of the model's own.

    Training leaves rows and columns that are larger than others, and tails.
    """
    count = values.size
    if count < LEAST_ANY:
        return None
    flat = values.reshape(-1)
    bound = float(np.abs(flat).max()) * (count + 1) / count
    distance = _distance(flat, lambda x: (x / bound + 1) / 2)
    if distance is not None:
        return {"initialiser": f"U(±{bound:.4g}), with a gain", "range": bound, "values": count, **distance}
    spread = float(np.sqrt(np.mean(flat * flat)))
    distance = _distance(flat, lambda x: _phi(x / spread))
    # The spread was fitted, which takes a part of the distance away.
    if distance is None or distance["ks"] > _FITTED * distance["ks_limit"] or not _is_even(values):
        return None
    return {"initialiser": f"N(0, {spread:.4g}), with a gain", "spread": spread, "values": count, **distance}


def _is_even(values: Array) -> bool:
    """Whether rows and columns differ in size no more than those of one normal distribution do."""
    squares = values * values / np.mean(values * values)
    for axis in range(values.ndim):
        sizes = squares.mean(axis=tuple(other for other in range(values.ndim) if other != axis))
        if sizes.size < 2:
            continue
        expected = 2 * sizes.size / values.size
        if abs(float(sizes.var(ddof=1)) / expected - 1) > _SPREAD * math.sqrt(2 / (sizes.size - 1)):
            return False
    return True


def _fans(shapes: list[tuple[int, ...]]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of fan-in and fan-out that shapes may have, whatever the order of their axes."""
    for shape in shapes:
        size = math.prod(shape)
        if len(shape) < 2 or not size:
            continue
        for one in dict.fromkeys((shape[0], shape[1], shape[-1])):
            yield size // one, one * (size // (shape[0] * shape[1])) if len(shape) > 2 else one


def _plain_fans(shapes: list[tuple[int, ...]]) -> Iterator[tuple[int, int]]:
    """Yield the same with the outputs first, or last in a matrix: a spread fits by chance more easily than a range."""
    for shape in shapes:
        size = math.prod(shape)
        if len(shape) < 2 or not size:
            continue
        yield size // shape[0], shape[0] * (shape[-1] if len(shape) > 2 else 1)
        if len(shape) == 2:
            yield shape[0], shape[1]


def _bounds(shapes: list[tuple[int, ...]]) -> list[tuple[str, float]]:
    told: list[tuple[str, float]] = []
    for fan_in, fan_out in _fans(shapes):
        told += [
            (f"U(±1/sqrt({fan_in})), the default of torch and MLX layers", 1 / math.sqrt(fan_in)),
            (f"Glorot uniform, U(±sqrt(6/{fan_in + fan_out}))", math.sqrt(6 / (fan_in + fan_out))),
            (f"He uniform, U(±sqrt(6/{fan_in}))", math.sqrt(6 / fan_in)),
            (f"LeCun uniform, U(±sqrt(3/{fan_in}))", math.sqrt(3 / fan_in)),
        ]
    told += _recurrent_bounds(shapes)
    return list({round(bound, 12): (name, bound) for name, bound in reversed(told)}.values())[::-1]


def _recurrent_bounds(shapes: list[tuple[int, ...]]) -> list[tuple[str, float]]:
    return [
        (f"U(±1/sqrt({rows // gates})), the default of recurrent layers", 1 / math.sqrt(rows // gates))
        for shape in shapes
        for rows in dict.fromkeys(shape)
        for gates in (4, 3, 1)
        if rows % gates == 0 and rows >= 2 * gates
    ]


def _spreads(shapes: list[tuple[int, ...]]) -> list[tuple[str, float, bool]]:
    """Yield name, standard deviation and whether it is cut at two of them."""
    told = [("N(0, 1), the default of embeddings", 1.0, False)]
    told += [(f"N(0, {sigma})", sigma, False) for sigma in (0.02, 0.01)]
    told += [("truncated N(0, 0.02)", 0.02, True)]
    for fan_in, fan_out in _plain_fans(shapes):
        told += [
            (f"Glorot normal, N(0, sqrt(2/{fan_in + fan_out}))", math.sqrt(2 / (fan_in + fan_out)), False),
            (f"He normal, N(0, sqrt(2/{fan_in}))", math.sqrt(2 / fan_in), False),
            (f"N(0, 1/sqrt({fan_in}))", math.sqrt(1 / fan_in), False),
        ]
        # Keras and Flax divide by the spread of the cut distribution, so that the spread comes out as named.
        told += [
            (f"truncated {name}", math.sqrt(2 / fan) / _TRUNCATED, True)
            for name, fan in (("He normal", fan_in), ("Glorot normal", fan_in + fan_out), ("LeCun normal", 2 * fan_in))
        ]
    return told


def _distance(values: Array, cdf: Any) -> dict[str, float] | None:
    """Return Kolmogorov's distance to a distribution and its limit, or None where it is beyond."""
    picked = np.sort(values if values.size <= _SAMPLE else values[:: values.size // _SAMPLE])
    expected = cdf(picked)
    count = picked.size
    places = np.arange(count)
    distance = float(np.maximum(np.abs(expected - places / count), np.abs(expected - (places + 1) / count)).max())
    limit = _KOLMOGOROV / math.sqrt(count)
    return None if distance > limit else {"ks": distance, "ks_limit": limit}


def _phi(x: Array) -> Array:
    """Return the normal distribution function, by Abramowitz and Stegun 7.1.26, good to 1.5e-7."""
    scaled = np.abs(x) / math.sqrt(2)
    t = 1 / (1 + 0.3275911 * scaled)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    upper = 0.5 * (1 + (1 - poly * np.exp(-scaled * scaled)))
    return np.asarray(np.where(x >= 0, upper, 1 - upper))


def _truncated_cdf(sigma: float) -> Any:
    low, high = (float(_phi(np.asarray(x))) for x in (-2.0, 2.0))
    return lambda x: (_phi(x / sigma) - low) / (high - low)
