"""Familiar functions of single values: activations, and what features are made with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]


def _relu(x: Array) -> Array:
    return np.maximum(x, 0)


def _leaky(slope: float) -> Callable[[Array], Array]:
    return lambda x: np.where(x > 0, x, slope * x)


def _gelu_tanh(x: Array) -> Array:
    y: Array = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    return y


def _silu(x: Array) -> Array:
    y: Array = x * _sigmoid(x)
    return y


def _sigmoid(x: Array) -> Array:
    y: Array = 1 / (1 + np.exp(-np.clip(x, -700, 700)))
    return y


def _log(x: Array) -> Array:
    return np.log(np.where(x > 0, x, np.nan))


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "relu": _relu,
    "leaky relu 0.01": _leaky(0.01),
    "leaky relu 0.1": _leaky(0.1),
    "leaky relu 0.2": _leaky(0.2),
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "silu": _silu,
    "gelu": _gelu_tanh,
    "softplus": lambda x: np.logaddexp(0, x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "exp": lambda x: np.exp(np.minimum(x, 700)),
    "log": _log,
    "log10": lambda x: _log(x) / math.log(10),
    "abs": np.abs,
    "square": np.square,
    "sqrt": lambda x: np.sqrt(np.where(x >= 0, x, np.nan)),
}
# Those that bend at zero alone.
BENDS = ("relu", "leaky relu 0.01", "leaky relu 0.1", "leaky relu 0.2")
