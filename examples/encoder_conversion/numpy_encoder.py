"""The encoder in numpy: slow, obvious, and in need of nothing else."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from voice_weights import HIDDEN, LAYERS, Weights, layer

Array = np.ndarray[Any, Any]


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), which for large -x is not computed through infinity."""
    return 0.5 + 0.5 * np.tanh(x / 2)


def lstm(x: Array, weight_ih: Array, weight_hh: Array, bias: Array, order: str = "ifgo") -> Array:
    """Return the hidden state at every frame, from zero on; time is the second axis, `order` that of the gates."""
    inputs = x @ weight_ih.T + bias
    hidden = np.zeros((x.shape[0], HIDDEN), np.float32)
    cell, states = hidden, []
    for frame in range(x.shape[1]):
        blocks = np.split(inputs[:, frame] + hidden @ weight_hh.T, 4, axis=1)
        gates = dict(zip(order, blocks, strict=True))
        cell = sigmoid(gates["f"]) * cell + sigmoid(gates["i"]) * np.tanh(gates["g"])
        hidden = sigmoid(gates["o"]) * np.tanh(cell)
        states.append(hidden)
    return np.stack(states, axis=1)


def trace(weights: Weights, mel: Array) -> Iterator[tuple[str, Array]]:
    """Yield every stage behind the mel, which is (voices, frames, bands)."""
    x = mel
    for index in range(LAYERS):
        weight_ih, weight_hh, *biases = layer(weights, index)
        x = lstm(x, weight_ih, weight_hh, biases[0] + biases[1])
        yield f"lstm/{index}", x
    raw = x[:, -1] @ weights["linear.weight"].T + weights["linear.bias"]
    yield "linear", raw
    positive = np.maximum(raw, 0)
    yield "relu", positive
    yield "embedding", positive / np.linalg.norm(positive, axis=1, keepdims=True)
