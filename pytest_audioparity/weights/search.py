"""Where the content of one tensor is in the candidate: in another layout, in another order, in a larger one."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.weights.agreement import Agreement, agreement
from pytest_audioparity.weights.fingerprints import CLOSE, LOOSE, fingerprint
from pytest_audioparity.weights.layouts import layouts, likely, squeezed
from pytest_audioparity.weights.rows import among, reordered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_audioparity.weights.fingerprints import Fingerprint
    from pytest_audioparity.weights.layouts import Layout
    from pytest_audioparity.weights.pool import Pool
    from pytest_audioparity.weights.rows import Known, RowOrder

    Array = np.ndarray[Any, Any]

# Layouts and tensors that are verified in full before a search gives up; the first is right nearly always.
_LAYOUTS, _CANDIDATES = 4, 12
# Fewer distinct values than this say nothing about where they came from.
LEAST_EVIDENCE = 16
_MOST_STACKED = 4


@dataclass(frozen=True, slots=True)
class Found:
    """The place of a tensor in the candidate.

    Attributes
    ----------
    actuals : the candidate's tensors
    status : one of `records.PASSING`
    detail : the numbers and words behind it
    agreement : how the values relate
    layout : what moved, where one tensor became one
    orders : of rows, where they moved
    """

    actuals: tuple[int, ...]
    status: str
    agreement: Agreement
    detail: dict[str, Any] = field(default_factory=dict)
    layout: Layout | None = None
    orders: tuple[RowOrder, ...] = ()


def find_whole(expected: Array, pool: Pool, places: Iterable[int], *, noise: float = 0.0) -> Found | None:
    """Return the first of some tensors that holds the values in any layout of the axes, or None."""
    for place in places:
        actual = pool.read(place)
        for flipped in (False, True) if expected.ndim > 2 else (False,):
            for layout in likely(expected, actual, flipped=flipped)[:_LAYOUTS]:
                relation = _related(*layout.views(expected, actual), pool, place, noise)
                if relation is not None:
                    return _found_whole(expected, actual, pool, place, layout, relation)
    return None


def _related(expected: Array, actual: Array, pool: Pool, place: int, noise: float) -> Agreement | None:
    if place in pool.folds:  # what is computed is exact, and what is stored was rounded: here it is the reference
        return agreement(actual, expected, noise=noise + pool.noise(place))
    weight = pool.weights[place]
    step = None if weight.step is None else weight.step()
    return agreement(expected, actual, noise=noise, stored=weight.stored, step=step)


def _found_whole(expected: Array, actual: Array, pool: Pool, place: int, layout: Layout, relation: Agreement) -> Found:
    detail = dict(relation.detail)
    has_moved = not layout.is_identity or expected.shape != actual.shape
    if has_moved:
        detail |= layout.detail(expected.shape, actual.shape)
        if relation.kind != "same":
            detail["values"] = relation.kind
    # A rounding that is coarser than a layout is the news: a quantised tensor is reported as such.
    status = "quantised" if relation.kind == "quantised" else "transposed" if has_moved else relation.kind
    if place in pool.folds:
        status, detail = "fused", {**pool.folds[place].detail, **detail}
    return Found(pool.places(place), status, relation, detail, layout)


def find_reordered(expected: Array, pool: Pool, places: Iterable[int], *, noise: float = 0.0) -> Found | None:
    """Return the first of some tensors of the same size that holds the values with rows in another order, or None."""
    for place in places:
        actual = pool.read(place)
        for layout in _same_axes(expected, actual):
            e, a = layout.views(expected, actual)
            orders = tuple(reordered(e, a))
            if not orders:
                continue
            taken = a
            for order in orders:
                taken = taken.take(order.index, axis=order.axis)
            relation = _related(e, taken, pool, place, noise)
            if relation is not None:
                detail = {**relation.detail, **orders[0].detail()}
                if len(orders) > 1:
                    detail["axes_reordered"] = [order.axis for order in orders]
                if not layout.is_identity or expected.shape != actual.shape:
                    detail |= layout.detail(expected.shape, actual.shape)
                if relation.kind != "same":
                    detail["values"] = relation.kind
                if place in pool.folds:
                    detail = {**pool.folds[place].detail, **detail}
                status = "fused" if place in pool.folds else "permuted"
                return Found(pool.places(place), status, relation, detail, layout, orders)
    return None


def _same_axes(expected: Array, actual: Array) -> Iterator[Layout]:
    return itertools.islice(layouts(expected.shape, actual.shape), 24)


def find_part(
    expected: Array, pool: Pool, places: Iterable[int], *, noise: float = 0.0, known: Known | None = None
) -> Found | None:
    """Return the first of some larger tensors that holds the values along one of its axes, or None.

    Parameters
    ----------
    expected : the values
    pool, places : the larger tensors
    noise : what arithmetic may have left of the values, absolute
    known : what was computed of the rows of expected, which grows
    """
    known = {} if known is None else known
    for place in places:
        actual = pool.read(place)
        found = part_of(expected, actual, known, pool.known(place))
        for view_e, view_a, order, axes in found:
            taken = view_a.take(order.index, axis=order.axis)
            relation = _related(view_e, taken, pool, place, noise)
            if relation is not None:
                shapes = [list(expected.shape), list(actual.shape)]
                detail = {"part_of": pool.weights[place].name, **relation.detail, **order.detail(), "shape": shapes}
                if len(axes) > 1:
                    detail["axes"] = list(axes)
                if relation.kind != "same":
                    detail["values"] = relation.kind
                return Found(pool.places(place), "fused", relation, detail, None, (order,))
    return None


def part_of(
    small: Array, large: Array, of_small: Known, of_large: Known
) -> Iterator[tuple[Array, Array, RowOrder, tuple[int, ...]]]:
    """Yield views of a tensor and of a larger one, where the rows of the one may be among the other's, and its axes."""
    seen = set()
    for axes in itertools.permutations(range(len(squeezed(small.shape)))):
        e = small.reshape(squeezed(small.shape)).transpose(axes)
        for a in _merged(large, e.ndim):
            longer = [axis for axis in range(e.ndim) if e.shape[axis] != a.shape[axis]]
            if len(longer) != 1 or e.shape[longer[0]] > a.shape[longer[0]] or (axes, a.shape) in seen:
                continue
            seen.add((axes, a.shape))
            order = among(e, a, longer[0], of_small, of_large)
            if order is not None:
                yield e, a, order, axes


def _merged(array: Array, axes: int) -> Iterator[Array]:
    """Yield an array with so many axes: neighbours merged, those of length one left out."""
    shape = squeezed(array.shape)
    if len(shape) == axes:
        yield array.reshape(shape)
    # Vectors are stacked by direction or by Q, K and V; those of a matrix in general are no vectors.
    if len(shape) != axes + 1 or (axes == 1 and shape[0] > _MOST_STACKED):
        return
    for first in range(axes):
        yield array.reshape(*shape[:first], shape[first] * shape[first + 1], *shape[first + 2 :])


def same_content(told: Fingerprint, pool: Pool, size: int) -> tuple[list[int], list[int]]:
    """Return the tensors whose fingerprint is near, nearest first, and a few that only int4 would explain."""
    far = [(told.distance(pool.fingerprint(place)), place) for place in pool.of_size(size)]
    near = sorted((distance, place) for distance, place in far if distance <= LOOSE)
    close = [place for distance, place in near if distance <= CLOSE]
    return close[:_CANDIDATES], [place for _, place in near[len(close) :]][: _CANDIDATES // 3]


def seek(
    expected: Array, pool: Pool, *, noise: float = 0.0, told: Fingerprint | None = None, in_larger: bool = True
) -> Found | None:
    """Return where a tensor's content is, looking for it whole first, then reordered, then in a larger one if asked."""
    told = told or fingerprint(expected)
    if told.is_constant or expected.size < 2:
        places = [p for p in pool.of_size(expected.size) if told.distance(pool.fingerprint(p)) <= CLOSE]
        return find_whole(expected, pool, places, noise=noise)
    close, loose = same_content(told, pool, expected.size)
    found = find_whole(expected, pool, [*close, *loose], noise=noise)
    # Coarse storage moves the largest value further than other orders of rows are looked for otherwise.
    coarse = [place for place in loose if pool.weights[place].stored is not None]
    found = found or find_reordered(expected, pool, [*close, *coarse], noise=noise)
    if found is not None or expected.size < LEAST_EVIDENCE or not in_larger:
        return found
    return find_part(expected, pool, larger(expected, pool), noise=noise)


def larger(expected: Array, pool: Pool) -> list[int]:
    """Return the tensors that could hold a smaller one along one axis: floats, a multiple of all other axes."""
    sizes = squeezed(expected.shape) or (1,)
    rests = {expected.size // size for size in sizes}
    return [
        place
        for place, weight in enumerate(pool.weights)
        if (total := int(np.prod(weight.shape, dtype=np.int64))) > expected.size
        and any(total % rest == 0 for rest in rests)
        and len(squeezed(weight.shape)) in (len(sizes), len(sizes) + 1)
        and not weight.dtype.startswith(("int", "uint", "bool"))
    ]
