"""Tensors of the reference that a port may leave out: inference does not read them, or makes them itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

_COUNTERS = re.compile(r"(^|\.)num_batches_tracked$")
# What quantisers of EnCodec and Mimi keep to know that their codebooks were begun.
_BEGUN = re.compile(r"(^|\.)_?init(ed|ialized)$")
# Averages that the training makes a codebook of, beside which it lies ready for use.
_AVERAGES = re.compile(r"(^|\.)(embed_avg|cluster_size)$")


def unused_reason(name: str, values: Array, *, is_absent: bool, is_graph: bool) -> str | None:
    """Return why a tensor that the candidate does not hold is no loss, or None.

    Parameters
    ----------
    name, values : of the reference's tensor
    is_absent : whether the candidate has nothing of that name; what it has, it must have right
    is_graph : whether the reference is a graph, which holds constants beside its weights
    """
    if _COUNTERS.search(name):
        return "counts batches of the training; inference does not read it"
    if not is_absent or not values.size:
        return None
    if _BEGUN.search(name) and values.size == 1 and values.all():
        return "says that the training had begun; inference does not read it"
    if values.dtype.kind in "iu" and values.size > 1 and np.array_equal(values.reshape(-1), np.arange(values.size)):
        return "positions 0, 1, 2 ..., which a port counts itself"
    if name.rpartition(".")[2] == "bias" and not values.any():
        return "all zeros: adding it changes nothing"
    if is_graph and not values.any():
        return "zeros of the graph, such as an initial state"
    if name.rpartition(".")[2] == "inv_freq" and _is_geometric(values):
        return "rotary frequencies, which a port computes itself"
    return None


def codebook_of(name: str) -> str | None:
    """Return the name of the codebook that averages of the training belong to, or None for another name."""
    matched = _AVERAGES.search(name)
    return None if matched is None else f"{name[: matched.start(2)]}embed"


def _is_geometric(values: Array) -> bool:
    flat = values.astype(np.float64).reshape(-1)
    if flat.size < 3 or not (flat > 0).all():
        return False
    ratios = flat[1:] / flat[:-1]
    return bool(np.allclose(ratios, ratios[0], rtol=1e-2) and flat[0] == 1)
