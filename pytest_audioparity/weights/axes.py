"""Axes reversed or exchanged in a tensor that keeps its name and its shape: a name and a shape promise a layout.

Where the shape shows that axes moved, whoever reads the tensor has to know. Where it does not, in a square matrix or a
kernel with as many inputs as outputs, only the other tensors of the file tell whether its framework has other layouts.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pytest_audioparity.weights.labels import is_same_tensor, kind_of, module_of, series_of
from pytest_audioparity.weights.layouts import squeezed
from pytest_audioparity.weights.pool import GRAPHS, size_of
from pytest_audioparity.weights.records import INPUTS_FIRST, OUTPUTS_FIRST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_audioparity.weights.pool import Pool
    from pytest_audioparity.weights.search import Found

    Order = tuple[int, ...]

# Other matrices under the same names that kept their axes, before a lone transposed one is called a fault.
_KEPT = 2
_PRODUCTS = (INPUTS_FIRST, OUTPUTS_FIRST)
# Tables are looked up by rows in every framework, and what is no layer's weight may be used either way round.
_TABLE = re.compile(r"emb|codebook|pos|table|tokens|wpe|wte|lut", flags=re.IGNORECASE)
_WEIGHT = re.compile(r"(^|[._/])(weight|kernel|w)$", flags=re.IGNORECASE)
# Axes from which on a tensor is a kernel: what is said of matrices does not go for those.
_KERNEL = 3


class Axes:
    """What the tensors that were found say about the layouts of the candidate.

    Parameters
    ----------
    reference, candidate : the tensors of both files
    own : for each tensor of the reference the candidate's of that name
    found : where each tensor of the reference is
    """

    def __init__(self, reference: Pool, candidate: Pool, own: Mapping[int, int], found: Mapping[int, Found]) -> None:
        self._reference, self._candidate, self._own, self._found = reference, candidate, own, found

    def problem(self, place: int) -> str | None:
        """Return why the axes of one tensor are not where its name and shape promise them, or None."""
        layout, shape = self._found[place].layout, self._reference.weights[place].shape
        if layout is None:
            return None
        if (reason := self._series_problem(place)) is not None:
            return reason
        if self._namesake_shape(place) != shape:
            return self._beside_problem(place)
        if layout.flips:
            return f"reversed along axis {_full_order(shape, layout.flips)[0]} under its own name"
        if len(shape) < _KERNEL:
            return self._matrix_problem(place)
        return self._kernel_problem(place, _moved(shape, layout.order))

    def _namesake_shape(self, place: int) -> tuple[int, ...] | None:
        """Return the shape under which the candidate holds a tensor by its own name, or None for another name."""
        weight, partners = self._reference.weights[place], self._found[place].actuals
        shapes = [
            self._candidate.weights[other].shape
            for other in partners
            if is_same_tensor(
                weight.name, self._candidate.weights[other].name, are_partners=self._own.get(place) == other
            )
        ]
        return max(shapes, key=size_of, default=None)  # of a weight norm the direction, not the magnitude

    def _matrix_problem(self, place: int) -> str | None:
        """Say that a square matrix alone is transposed. A converter would do it to all."""
        one = self._found[place]
        if one.orders or one.layout is None:
            return None
        if one.layout.order != (1, 0):
            return self._beside_problem(place)
        before, after = self._reference.weights[place].operator, self._candidate.weights[one.actuals[0]].operator
        if before in _PRODUCTS and before == after:
            return f"transposed, and both graphs read it as {after}"
        # An optimiser may turn a matrix and the operator that reads it. A Gemm with transB reads it as torch does.
        if self._candidate.format in GRAPHS and (before is not None or after != OUTPUTS_FIRST):
            return None
        kept = 0
        for other, two in self._found.items():
            if other == place or two.layout is None or len(two.layout.shape) != 2 or two.orders:
                continue
            if self._namesake_shape(other) is None:
                continue
            if two.layout.order == (1, 0):
                return None
            kept += 1
        return None if kept < _KEPT else "transposed, where the other matrices under their own names are not"

    def _beside_problem(self, place: int) -> str | None:
        """Say that a square matrix is the only one to have been turned, or to have been left, by those beside it.

        The shapes of the nearest part of the model that has matrices of the same operator decide.
        """
        one, shape = self._found[place], self._reference.weights[place].shape
        is_square = len(shape) == 2 and shape[0] == shape[1] > 1
        if one.orders or one.layout is None or not is_square or not self._is_layer(place) or self._is_symmetric(place):
            return None
        if self._candidate.format in GRAPHS and self._operators(place)[1] not in _PRODUCTS:
            return None
        is_turned = one.layout.order == (1, 0)
        beside = self._beside(place, _KEPT if is_turned else 1)
        if not beside or any(turned == is_turned for _, turned in beside):
            return None
        if is_turned:
            return f"transposed, where {beside[0][0]} beside it is not"
        return f"not transposed, where {beside[0][0]} beside it is"

    def _beside(self, place: int, least: int) -> list[tuple[str, bool]]:
        """Return the matrices nearest to one that are not square, and whether they were turned."""
        part = module_of(self._reference.weights[place].name)
        told = self._oblong.get(self._operators(place), [])
        while part:
            part = module_of(part)
            beside = [(name, turned) for name, turned in told if not part or name.startswith(f"{part}.")]
            if len(beside) >= least:
                return beside
        return []

    def _is_layer(self, place: int) -> bool:
        name = self._reference.weights[place].name
        return _WEIGHT.search(name) is not None and _TABLE.search(name) is None

    def _is_symmetric(self, place: int) -> bool:
        values = self._reference.read(place)
        return np.array_equal(values, values.T)

    def _operators(self, place: int) -> tuple[str | None, str | None]:
        after = self._candidate.weights[self._found[place].actuals[0]].operator
        return self._reference.weights[place].operator, after

    @cached_property
    def _oblong(self) -> dict[tuple[str | None, str | None], list[tuple[str, bool]]]:
        """The matrices of layers that are not square, and whether they were transposed, by what reads them."""
        told: dict[tuple[str | None, str | None], list[tuple[str, bool]]] = {}
        for other, two in self._found.items():
            one, layout = self._reference.weights[other], two.layout
            if layout is None or two.orders or len(one.shape) != 2 or 1 in one.shape or one.shape[0] == one.shape[1]:
                continue
            if self._is_layer(other):
                told.setdefault(self._operators(other), []).append((one.name, layout.order == (1, 0)))
        return told

    def _series_problem(self, place: int) -> str | None:
        """Say that the axes of one layer moved otherwise than in all others of its list, where shapes allow both."""
        one = self._found[place]
        if self._candidate.format in GRAPHS or one.layout is None or one.layout.is_merged or one.orders:
            return None
        shape, own = squeezed(self._reference.weights[place].shape), (one.layout.order, one.layout.flips)
        moved = squeezed(self._candidate.weights[one.actuals[0]].shape)
        shown: list[str] = []
        orders: Counter[tuple[Order, Order]] = Counter()
        for other in self._lists[series_of(self._reference.weights[place].name)]:
            layout = self._found[other].layout
            if other == place or layout is None or len(squeezed(self._reference.weights[other].shape)) != len(shape):
                continue
            orders[layout.order, layout.flips] += 1
            if len(set(layout.shape)) == len(layout.shape):
                shown.append(self._reference.weights[other].name)
        if own in orders or len(orders) != 1:
            return None
        (order, flips), count = next(iter(orders.items()))
        if tuple(shape[axis] for axis in order) != moved or (count < _KEPT and not shown):
            return None
        named = self._lists[series_of(self._reference.weights[place].name)]
        beside = self._reference.weights[next(other for other in named if other != place)].name
        return f"{_said(own)}, where {beside} {_said((order, flips))}"

    @cached_property
    def _lists(self) -> dict[str, list[int]]:
        """The tensors that tell a layout, by the list of layers that they belong to."""
        told: dict[str, list[int]] = defaultdict(list)
        for place, one in self._found.items():
            weight = self._reference.weights[place]
            is_plain = one.layout is not None and not one.layout.is_merged and not one.orders
            if is_plain and len(squeezed(weight.shape)) > 1 and not self._reference.fingerprint(place).is_constant:
                told[series_of(weight.name)].append(place)
        return told

    def _kernel_problem(self, place: int, order: Order) -> str | None:
        """Say that the axes of a kernel moved, unless the shapes of all kernels of its kind show that order."""
        if order == tuple(range(len(order))):
            return None
        name = self._reference.weights[place].name
        moved = f"axes {','.join(map(str, order))} under its own name and shape"
        kept: list[str] = []
        for label in (series_of, kind_of):
            shown, kept = self._evidence(place, order, label)
            if shown and not kept:
                return None
        if kept:
            return f"{moved}, where {kept[0]} has its axes in order"
        return f"{moved}, and no other {name.rpartition('.')[2]} shows by its shape that all have them so"

    def _evidence(self, place: int, order: Order, label: Callable[[str], str]) -> tuple[list[str], list[str]]:
        """Return the other tensors of one kind whose shape shows an order of axes, and those that have none."""
        shown, kept = [], []
        for other, before, after, seen in self._others(place, label):
            name = self._reference.weights[other].name
            wanted = tuple(before[axis] for axis in order)
            if before == after and seen == tuple(range(len(seen))):
                kept.append(name)
            elif before != after == wanted and seen == _among(before, order):
                shown.append(name)
        return shown, kept

    def _others(self, place: int, label: Callable[[str], str]) -> Iterator[tuple[int, Order, Order, Order]]:
        """Yield the other namesakes of a kind that have a layout to see: both shapes, and the order of long axes."""
        weight = self._reference.weights[place]
        for other, two in self._found.items():
            one = self._reference.weights[other]
            after = self._namesake_shape(other)
            if other == place or two.layout is None or two.layout.is_merged or after is None:
                continue
            if len(one.shape) != len(weight.shape) or label(one.name) != label(weight.name):
                continue
            if len(squeezed(one.shape)) > 1 and not self._reference.fingerprint(other).is_constant:
                yield other, one.shape, after, two.layout.order


def _said(order: tuple[Order, Order]) -> str:
    """Say an order of axes and which of them are reversed."""
    moved, flips = order
    told = [f"axes {','.join(map(str, moved))}"] if moved != tuple(range(len(moved))) else []
    told += [f"axes {','.join(map(str, flips))} reversed"] if flips else []
    return f"has its {' and '.join(told)}" if told else "has its axes in order"


def _long(shape: Order) -> Order:
    """Return the axes that are longer than one."""
    return tuple(axis for axis, size in enumerate(shape) if size != 1)


def _full_order(shape: Order, axes: Order) -> Order:
    """Return axes that are counted without those of length one as axes of the shape."""
    long = _long(shape)
    return tuple(long[axis] for axis in axes)


def _moved(shape: Order, order: Order) -> Order:
    """Return an order of the axes longer than one as one of all, those of length one staying where they are."""
    full = list(range(len(shape)))
    for axis, source in zip(_long(shape), _full_order(shape, order), strict=True):
        full[axis] = source
    return tuple(full)


def _among(shape: Order, order: Order) -> Order:
    """Return what an order of all axes is among those longer than one."""
    long = _long(shape)
    return tuple(long.index(axis) for axis in order if axis in long)
