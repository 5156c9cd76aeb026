"""The encoder's weights: as Resemblyzer publishes them, and as a layer has them before anything is loaded."""

import functools
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from mel_frontend import BANDS

from pytest_audioparity.weights.files import open_weights

Array = np.ndarray[Any, Any]
Weights = dict[str, Array]

HIDDEN, LAYERS, EMBEDDING = 256, 3, 256
_TRAINED = "model_state."

_SHAPES = {
    f"lstm.{part}_l{layer}": (4 * HIDDEN, *columns)
    for layer in range(LAYERS)
    for part, columns in {
        "weight_ih": (HIDDEN if layer else BANDS,),
        "weight_hh": (HIDDEN,),
        "bias_ih": (),
        "bias_hh": (),
    }.items()
} | {"linear.weight": (EMBEDDING, HIDDEN), "linear.bias": (EMBEDDING,)}


def checkpoint() -> Path:
    """Return the published file: a checkpoint of torch, which the wheel brings."""
    return Path(str(metadata.distribution("Resemblyzer").locate_file("resemblyzer/pretrained.pt")))


@functools.cache
def trained() -> Weights:
    """Return the published weights under their own names; rows of gates are in torch's order. This needs no torch."""
    published = {weight.name.removeprefix(_TRAINED): weight for weight in open_weights(checkpoint()).weights}
    return {name: np.array(published[name].read()) for name in _SHAPES}


def initial(seed: int) -> Weights:
    """Return weights as torch initialises an LSTM and a linear layer: uniform within 1 / sqrt(HIDDEN)."""
    draw = np.random.default_rng(seed)
    bound = HIDDEN**-0.5
    return {name: draw.uniform(-bound, bound, shape).astype(np.float32) for name, shape in _SHAPES.items()}


def layer(weights: Weights, index: int) -> tuple[Array, Array, Array, Array]:
    """Return weight_ih, weight_hh, bias_ih and bias_hh of one layer of the LSTM."""
    parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    first, second, third, fourth = (weights[f"lstm.{part}_l{index}"] for part in parts)
    return first, second, third, fourth


def reordered(rows: Array, order: str) -> Array:
    """Return the rows of the four gates in another order than torch's ``ifgo``."""
    blocks = dict(zip("ifgo", np.split(rows, 4), strict=True))
    return np.concatenate([blocks[gate] for gate in order])
