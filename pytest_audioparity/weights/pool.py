"""The tensors of one file with what was learnt of them so far, each read when it is needed and kept no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.weights.fingerprints import fingerprint

if TYPE_CHECKING:
    import numpy as np

    from pytest_audioparity.weights.fingerprints import Fingerprint
    from pytest_audioparity.weights.records import Weight, WeightFile

    Array = np.ndarray[Any, Any]


class Pool:
    """The tensors of one file, by their place in it."""

    def __init__(self, file: WeightFile) -> None:
        self.file = file
        self.weights = file.weights
        self._fingerprints: dict[int, Fingerprint] = {}
        self._last: tuple[int, Array] | None = None
        self._by_size: dict[int, list[int]] = {}
        for place, weight in enumerate(file.weights):
            self._by_size.setdefault(size_of(weight), []).append(place)

    def read(self, place: int) -> Array:
        """Return the values of one tensor; those of the last one are at hand."""
        if self._last is None or self._last[0] != place:
            self._last = None  # before the next is read, or there would be two
            self._last = (place, self.weights[place].read())
        return self._last[1]

    def fingerprint(self, place: int) -> Fingerprint:
        """Return what is known of one tensor's values whatever their order."""
        if place not in self._fingerprints:
            self._fingerprints[place] = fingerprint(self.read(place))
        return self._fingerprints[place]

    def of_size(self, size: int) -> list[int]:
        """Return the tensors of so many elements."""
        return self._by_size.get(size, [])

    def names(self) -> list[str]:
        """Return the names in the order of the file."""
        return [weight.name for weight in self.weights]


def size_of(weight: Weight) -> int:
    """Return the number of elements."""
    size = 1
    for length in weight.shape:
        size *= length
    return size
