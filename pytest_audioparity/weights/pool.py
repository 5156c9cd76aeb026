"""The tensors of one file with what was learnt of them so far, each read when it is needed and kept no longer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pytest_audioparity.weights.fingerprints import fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from pytest_audioparity.weights.fingerprints import Fingerprint
    from pytest_audioparity.weights.folds import Fold
    from pytest_audioparity.weights.records import Weight, WeightFile
    from pytest_audioparity.weights.rows import Known

    Array = np.ndarray[Any, Any]

# Formats whose tensors belong to operators with conventions of their own, and that hold constants of the program.
GRAPHS = ("onnx", "mlpackage")


class Pool:
    """The tensors of one file, by their place in it, and behind them those that can be computed from several.

    Parameters
    ----------
    file : the weights
    folds : of the file's own tensors, such as the weight that a weight norm makes of two
    """

    def __init__(self, file: WeightFile, folds: Sequence[Fold] = ()) -> None:
        self.format = file.format
        self.weights = list(file.weights)
        self.real = len(self.weights)
        self.folds = {self.real + number: fold for number, fold in enumerate(folds)}
        self.weights += [fold.as_weight() for fold in folds]
        self._fingerprints: dict[int, Fingerprint] = {}
        self._known: dict[int, Known] = {}
        self._last: tuple[int, Array] | None = None
        self._by_size: dict[int, list[int]] = {}
        for place, weight in enumerate(self.weights):
            self._by_size.setdefault(size_of(weight.shape), []).append(place)

    def read(self, place: int) -> Array:
        """Return the values of one tensor; those of the last one are at hand."""
        if self._last is None or self._last[0] != place:
            self._last = None  # before the next is read, or there would be two
            self._last = (place, self.weights[place].read())
        return self._last[1]

    def noise(self, place: int) -> float:
        """Return what the arithmetic behind a tensor may have left, absolute; 0 for one that is in the file."""
        return self.folds[place].noise if place in self.folds else 0.0

    def fingerprint(self, place: int) -> Fingerprint:
        """Return what is known of one tensor's values whatever their order."""
        if place not in self._fingerprints:
            self._fingerprints[place] = fingerprint(self.read(place))
        return self._fingerprints[place]

    def known(self, place: int) -> Known:
        """Return what was computed of the rows of one tensor, a thousandth of its size, for whoever adds to it."""
        return self._known.setdefault(place, {})

    def of_size(self, size: int) -> list[int]:
        """Return the tensors of so many elements."""
        return self._by_size.get(size, [])

    def places(self, place: int) -> tuple[int, ...]:
        """Return the tensors of the file that one stands for: itself, or those it is computed from."""
        return self.folds[place].sources if place in self.folds else (place,)

    def names(self) -> list[str]:
        """Return the names in the order of the file."""
        return [weight.name for weight in self.weights[: self.real]]


def size_of(shape: tuple[int, ...]) -> int:
    """Return the number of elements."""
    size = 1
    for length in shape:
        size *= length
    return size


def bytes_of(weight: Weight) -> int:
    """Return the bytes of a tensor's values, from the width that ends or follows the name of their type."""
    bits = re.search(r"\d+", weight.dtype)
    return size_of(weight.shape) * max(1, int(bits[0]) // 8 if bits else 1)
