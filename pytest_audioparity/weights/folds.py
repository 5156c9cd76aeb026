"""Tensors that converters compute from several: weight norm folded, the two biases of a recurrent layer added.

What is computed here is looked for in the candidate like any tensor; of a candidate that has several where the
reference has one, the same functions make the one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.weights.pool import size_of
from pytest_audioparity.weights.records import Weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Array = np.ndarray[Any, Any]

# What float32 may leave of a product, a norm of some thousand values or a difference, beside the largest term.
_NOISE = 4e-6
# The same beside the unit of a narrower type that the converter computed in.
_HALF_NOISE = {"float16": 2.0**-9, "bfloat16": 2.0**-6}
# What quantisers call the sums of the vectors of a code and their number, and the least that moshi divides by.
_SUMS = re.compile(r"(?:^|[._/])(embedding_sum|embed_sum|embed_avg)$")
_COUNTS = ("cluster_usage", "cluster_size")
_LEAST_USAGE = 1e-5
_MAGNITUDE = re.compile(r"^(.*?)(?:(weight)_g|parametrizations\.(\w+)\.original0)$")


@dataclass(frozen=True, slots=True)
class Fold:
    """A tensor that several of one file make.

    Attributes
    ----------
    name : the names of the several, joined by " + "
    sources : their places in the file
    shape : of what they make
    compute : makes it, in float64
    noise : what the arithmetic may leave, absolute
    detail : what was folded
    """

    name: str
    sources: tuple[int, ...]
    shape: tuple[int, ...]
    compute: Callable[[], Array]
    noise: float
    detail: Mapping[str, Any] = field(default_factory=dict)

    def as_weight(self) -> Weight:
        """Return it as a tensor of the file."""
        return Weight(self.name, self.shape, "float64", self.compute)


@dataclass(frozen=True, slots=True)
class Folding:
    """Tensors that must all be found for their sources to be accounted for."""

    pieces: tuple[Fold, ...]
    sources: tuple[int, ...]
    detail: Mapping[str, Any]


def foldings(weights: Sequence[Weight]) -> Iterator[Folding]:
    """Yield what the names of a file's tensors say can be folded."""
    places = {weight.name: place for place, weight in enumerate(weights)}
    for name, place in places.items():
        yield from _weight_norm(weights, places, name, place)
        yield from _two_biases(weights, places, name, place)
        yield from _codebook(weights, places, name, place)


def single_folds(weights: Sequence[Weight]) -> list[Fold]:
    """Return those foldings that make one tensor."""
    return [folding.pieces[0] for folding in foldings(weights) if len(folding.pieces) == 1]


def noise_of(values: Array, *sources: Weight) -> float:
    """Return what the arithmetic may leave of computed values, from the types that they came in."""
    relative = max((_HALF_NOISE.get(source.dtype, _NOISE) for source in sources), default=_NOISE)
    return relative * float(np.abs(values).max(initial=0.0))


def _weight_norm(weights: Sequence[Weight], places: Mapping[str, int], name: str, place: int) -> Iterator[Folding]:
    matched = _MAGNITUDE.match(name)
    if matched is None:
        return
    prefix, _, parametrised = matched.groups()
    other = f"{prefix}parametrizations.{parametrised}.original1" if parametrised else f"{prefix}weight_v"
    direction = places.get(other)
    if direction is None:
        return
    g, v = weights[place], weights[direction]
    is_one = size_of(g.shape) == 1  # dim=None: one norm for the whole tensor
    if not is_one and (
        len(g.shape) != len(v.shape) or any(one not in (1, size) for one, size in zip(g.shape, v.shape, strict=True))
    ):
        return

    def compute() -> Array:
        magnitude, values = g.read().astype(np.float64), v.read().astype(np.float64)
        magnitude = magnitude.reshape((1,) * values.ndim) if is_one else magnitude
        axes = tuple(axis for axis in range(values.ndim) if magnitude.shape[axis] == 1)
        norm = np.sqrt((values * values).sum(axis=axes or None, keepdims=True))
        with np.errstate(invalid="ignore", divide="ignore"):
            made: Array = magnitude * values / norm
        return made

    detail = {"folded": "weight norm"}
    fold = Fold(f"{g.name} + {v.name}", (place, direction), v.shape, compute, noise_of(g.read(), g, v), detail)
    yield Folding((fold,), fold.sources, detail)


def _codebook(weights: Sequence[Weight], places: Mapping[str, int], name: str, place: int) -> Iterator[Folding]:
    """Yield the codebook that a quantiser keeps as sums of vectors and how often each was used (Mimi, EnCodec)."""
    matched = _SUMS.search(name)
    if matched is None:
        return
    counts = (name[: matched.start(1)] + count for count in _COUNTS)
    other = next((places[count] for count in counts if count in places), None)
    total = weights[place]
    if other is None or len(total.shape) != 2 or weights[other].shape != total.shape[:1]:
        return
    usage = weights[other]

    def compute() -> Array:
        times = np.maximum(usage.read().astype(np.float64), _LEAST_USAGE)
        return np.asarray(total.read().astype(np.float64) / times[:, None])

    detail = {"folded": "codebook, sums by usage"}
    fold = Fold(
        f"{total.name} + {usage.name}", (place, other), total.shape, compute, noise_of(compute(), total), detail
    )
    yield Folding((fold,), fold.sources, detail)


def _two_biases(weights: Sequence[Weight], places: Mapping[str, int], name: str, place: int) -> Iterator[Folding]:
    if "bias_ih" not in name:
        return
    other = places.get(name.replace("bias_ih", "bias_hh"))
    if other is None or weights[other].shape != weights[place].shape or len(weights[place].shape) != 1:
        return
    one, two = weights[place], weights[other]
    both, label = (place, other), f"{one.name} + {two.name}"
    shape = one.shape

    def added() -> Array:
        return np.asarray(one.read().astype(np.float64) + two.read().astype(np.float64))

    noise = noise_of(np.abs(one.read()).astype(np.float64) + np.abs(two.read()).astype(np.float64), one, two)
    new = shape[0] // 3 * 2
    gates = _gates(weights, places, name, shape[0])
    # A GRU multiplies the second bias of its new gate by the reset gate: only one of zeros is lost in a sum.
    if gates != 3 or not two.read()[new:].any():
        detail = {"folded": "the two biases added"}
        yield Folding((Fold(label, both, shape, added, noise, detail),), both, detail)
    if shape[0] % 3 == 0 and gates != 4:

        def added_but_last() -> Array:
            kept = two.read().astype(np.float64).copy()
            kept[new:] = 0
            return np.asarray(one.read().astype(np.float64) + kept)

        def last() -> Array:
            return two.read().astype(np.float64)[new:]

        detail = {"folded": "the two biases of a GRU added, but for those of the new gate"}
        pieces = (
            Fold(label, both, shape, added_but_last, noise, detail),
            Fold(two.name, (other,), (shape[0] - new,), last, noise, detail),
        )
        yield Folding(pieces, both, detail)


def _gates(weights: Sequence[Weight], places: Mapping[str, int], name: str, rows: int) -> int | None:
    """Return how many gates a recurrent layer has, as its recurrent weight says by its shape."""
    place = places.get(name.replace("bias_ih", "weight_hh"))
    shape = () if place is None else weights[place].shape
    return rows // min(shape) if len(shape) == 2 and rows in shape and rows % min(shape) == 0 else None
