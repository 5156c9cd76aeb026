"""Which two axes of a tensor a picture shows, and where along the others it is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Plane:
    """A matrix cut from a tensor.

    Attributes
    ----------
    row, column : the axes that go up and to the right; None where the tensor has no such axis
    at : the index along every other axis, zero for the two
    axes : their letters, or None where none are declared
    """

    row: int | None
    column: int | None
    at: tuple[int, ...]
    axes: str | None

    def cut(self, array: Array) -> Array:
        """Return the matrix of a tensor, shape (rows, columns), without a copy."""
        shown = [axis for axis in (self.row, self.column) if axis is not None]
        index = tuple(slice(None) if axis in shown else place for axis, place in enumerate(self.at))
        matrix = array[index]
        if self.row is not None and self.column is not None and self.row > self.column:
            matrix = matrix.T
        return matrix.reshape(1, -1) if matrix.ndim < 2 else matrix

    def letter(self, axis: int | None) -> str:
        """Return the name of an axis: as declared, else by its place."""
        if axis is None:
            return ""
        return f"axis {axis}" if self.axes is None else self.axes[axis]

    def where(self, shape: Sequence[int]) -> str:
        """Say where along the other axes the plane lies, those of one element left out."""
        parts = [
            f"{self.letter(axis)}={place}" if self.axes else f"{self.letter(axis)} at {place}"
            for axis, place in enumerate(self.at)
            if axis not in (self.row, self.column) and shape[axis] > 1
        ]
        return ", ".join(parts)


def plane(shape: Sequence[int], axes: str | None, worst: Sequence[int] | None = None) -> Plane:
    """Choose the plane of a tensor that is drawn: time to the right and channels upwards, where the worst element is.

    Parameters
    ----------
    shape : of the tensor
    axes : as declared; where they are not, the last axes of more than one element are taken, in their order
    worst : index of the element that differs most, if there is one
    """
    named = axes if axes is not None and len(axes) == len(shape) else None
    long = [axis for axis, size in enumerate(shape) if size > 1]
    column = _pick(long, named, "T")
    row = _pick([axis for axis in long if axis != column], named, "C")
    inside = worst is not None and len(worst) == len(shape) and all(map(_is_inside, worst, shape))
    places = worst if inside and worst is not None else (0,) * len(shape)
    at = tuple(0 if axis in (row, column) else int(place) for axis, place in enumerate(places))
    return Plane(row, column, at, named)


def _is_inside(place: object, size: int) -> bool:
    return isinstance(place, int) and 0 <= place < size


def _pick(choice: Sequence[int], axes: str | None, letter: str) -> int | None:
    for axis in choice:
        if axes is not None and axes[axis] == letter:
            return axis
    return choice[-1] if choice else None
