"""Batch norm folded into the layer before it, or kept as a factor and a shift."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.weights.folds import Fold, Folding, noise_of
from pytest_audioparity.weights.labels import module_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pytest_audioparity.weights.pool import Pool

    Array = np.ndarray[Any, Any]

# torch and MLX 1e-5, Keras 1e-3, Core ML 1e-5, others seen in published models.
_EPSILONS = (1e-5, 1e-3, 1e-6, 1e-4, 2e-5, 1e-2, 1e-8, 1e-12)
# How near the folded weight's mean square and mean must come to a candidate's before all of it is computed.
_NEAR = 3e-3
# Layers that are tried with a batch norm, the nearest in the file first.
_LAYERS = 24


@dataclass(frozen=True, slots=True)
class _Norm:
    """One batch norm of the reference: the places of its tensors, and their values."""

    places: tuple[int, ...]
    gamma: Array
    beta: Array
    mean: Array
    variance: Array

    def factor(self, eps: float) -> Array:
        return np.asarray(self.gamma / np.sqrt(self.variance + eps))

    def shift(self, eps: float, bias: Array) -> Array:
        return np.asarray((bias - self.mean) * self.factor(eps) + self.beta)


def batch_norms(reference: Pool, candidate: Pool, wanted: Collection[int]) -> Iterator[Folding]:
    """Yield the foldings of batch norms that a candidate may hold, likely ones only.

    Parameters
    ----------
    reference, candidate : the tensors of both files
    wanted : the reference's tensors that have no place yet
    """
    by_name = {weight.name: place for place, weight in enumerate(reference.weights)}
    for name, place in by_name.items():
        if name.endswith("running_var") and place in wanted:
            norm = _norm(reference, by_name, module_of(name))
            if norm is not None:
                yield from _folded(reference, candidate, norm, by_name, wanted)
                yield from _kept(norm)


def _norm(pool: Pool, by_name: dict[str, int], module: str) -> _Norm | None:
    dot = f"{module}." if module else ""
    parts = {part: by_name.get(dot + part) for part in ("weight", "bias", "running_mean", "running_var")}
    if parts["running_mean"] is None or parts["running_var"] is None:
        return None
    mean, variance = (pool.read(parts[part] or 0).astype(np.float64) for part in ("running_mean", "running_var"))
    weight, bias = parts["weight"], parts["bias"]
    gamma = np.ones_like(mean) if weight is None else pool.read(weight).astype(np.float64)
    beta = np.zeros_like(mean) if bias is None else pool.read(bias).astype(np.float64)
    if len({side.shape for side in (mean, variance, gamma, beta)}) != 1 or not (variance >= 0).all():
        return None
    return _Norm(tuple(place for place in parts.values() if place is not None), gamma, beta, mean, variance)


def _folded(
    reference: Pool, candidate: Pool, norm: _Norm, by_name: dict[str, int], wanted: Collection[int]
) -> Iterator[Folding]:
    """Yield foldings into each layer with as many outputs; the nearest layer first."""
    channels = len(norm.mean)
    layers = [
        place
        for place in wanted
        if len(reference.weights[place].shape) > 1 and channels in reference.weights[place].shape[:2]
    ]
    layers.sort(key=lambda place: abs(place - min(norm.places)))
    for place in layers[:_LAYERS]:
        weight = reference.weights[place]
        bias = by_name.get(f"{module_of(weight.name)}.bias")
        for axis in (0, 1):
            if weight.shape[axis] != channels:
                continue
            for eps in _likely_epsilons(reference.read(place), axis, norm, candidate):
                yield _folding(reference, place, bias, axis, norm, eps)


def _likely_epsilons(weight: Array, axis: int, norm: _Norm, candidate: Pool) -> list[float]:
    """Return the epsilons for which some candidate has the mean square and the mean of the folded weight."""
    rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
    squares = np.array([float(row @ row) for row in rows.astype(np.float64)])
    sums = rows.sum(axis=1, dtype=np.float64)
    likely = []
    for eps in _EPSILONS:
        factor = norm.factor(eps)
        if not np.isfinite(factor).all():
            continue
        rms = math.sqrt(float(squares @ factor**2) / weight.size)
        mean = float(sums @ factor) / weight.size / (rms or 1.0)
        distances = []
        for place in candidate.of_size(weight.size):
            told = candidate.fingerprint(place)
            distances.append(max(abs(told.rms - rms) / (rms or 1.0), abs(told.mean - mean)))
        if distances and min(distances) < _NEAR:
            likely.append((min(distances), eps))
    return [eps for _, eps in sorted(likely)]


def _folding(reference: Pool, place: int, bias: int | None, axis: int, norm: _Norm, eps: float) -> Folding:
    weight = reference.weights[place]
    factor = norm.factor(eps)
    shape = [1] * len(weight.shape)
    shape[axis] = -1

    def folded() -> Array:
        return np.asarray(weight.read().astype(np.float64) * factor.reshape(shape))

    old = np.zeros_like(norm.mean) if bias is None else reference.read(bias).astype(np.float64)
    shift = norm.shift(eps, old)
    terms = np.maximum(np.abs((old - norm.mean) * factor), np.abs(norm.beta))
    sources = (place, *(() if bias is None else (bias,)), *norm.places)
    detail = {"folded": "batch norm into the layer before it", "eps": eps}
    largest = np.abs(reference.read(place)).max() * np.abs(factor).max()
    pieces = (
        Fold(weight.name, sources, weight.shape, folded, noise_of(np.asarray([largest]), weight), detail),
        Fold("bias", sources, shift.shape, partial(np.asarray, shift), noise_of(terms, weight), detail),
    )
    return Folding(pieces, sources, detail)


def _kept(norm: _Norm) -> Iterator[Folding]:
    for eps in _EPSILONS:
        factor, shift = norm.factor(eps), norm.shift(eps, np.zeros_like(norm.mean))
        detail = {"folded": "batch norm into a factor and a shift", "eps": eps}
        noise = noise_of(np.maximum(np.abs(norm.mean * factor), np.abs(norm.beta)))
        pieces = (
            Fold("factor", norm.places, factor.shape, partial(np.asarray, factor), noise_of(factor), detail),
            Fold("shift", norm.places, shift.shape, partial(np.asarray, shift), noise, detail),
        )
        yield Folding(pieces, norm.places, detail)
