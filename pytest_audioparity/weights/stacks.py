"""Tensors that a candidate holds in one: which of them stands where in it, and what else is there.

Each tensor is there, whatever the order. A runtime cuts all of them the same way: what most layers have is right.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_audioparity.weights.labels import module_of, series_of
from pytest_audioparity.weights.roles import ATTENTION, part_of_attention

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_audioparity.weights.pool import Pool
    from pytest_audioparity.weights.rows import RowOrder
    from pytest_audioparity.weights.search import Found

# Rows behind those of the reference are never looked up, or are more classes that are never chosen.
_TABLE = re.compile(r"emb|codebook|table|tokens|wpe|wte|lut|head|proj_out|logits", flags=re.IGNORECASE)
# Names that promise the order of Q, K and V.
_PROMISE = re.compile(r"in_proj|qkv", flags=re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Part:
    """One tensor of the reference inside a candidate's: its place, its name, where it begins and how it lies."""

    place: int
    name: str
    order: RowOrder
    axes: tuple[int, ...]

    @property
    def start(self) -> int:
        return int(self.order.index.min())

    @property
    def lies(self) -> str:
        """How its rows lie: one after the other, or by heads that take turns with other tensors."""
        return "in one run" if self.order.is_contiguous else "by heads"


def stack_problems(
    reference: Pool, candidate: Pool, own: Mapping[int, int], found: Mapping[int, Found]
) -> dict[int, str]:
    """Return why tensors that stand in larger ones are not where a runtime would cut them out."""
    stacks = _stacks(reference, found)
    problems: dict[int, str] = {}
    for actual, parts in stacks.items():
        name = candidate.weights[actual].name
        problems |= _out_of_order(parts, name) | _turned(parts)
        if len(parts) == 1 and (own.get(parts[0].place) == actual or _TABLE.search(parts[0].name)):
            reason = _beside(reference, candidate, parts[0], actual)
            problems |= {} if reason is None else {parts[0].place: reason}
    problems |= _split_problems(reference, found)
    return _uneven(stacks, candidate) | problems


def _stacks(reference: Pool, found: Mapping[int, Found]) -> dict[int, list[_Part]]:
    """Return the parts of each of the candidate's tensors in the order of their rows."""
    stacks: dict[int, list[_Part]] = defaultdict(list)
    for place, one in found.items():
        if "part_of" in one.detail and len(one.actuals) == 1 and len(one.orders) == 1:
            axes = tuple(one.detail.get("axes", ()))
            stacks[one.actuals[0]].append(_Part(place, reference.weights[place].name, one.orders[0], axes))
    return {actual: sorted(parts, key=lambda part: part.start) for actual, parts in stacks.items()}


def _out_of_order(parts: Sequence[_Part], name: str) -> dict[int, str]:
    """Say which layers of one list stand in another order than that of their numbers."""
    lists: dict[str, list[_Part]] = defaultdict(list)
    for part in parts:
        lists[series_of(part.name)].append(part)
    problems = {}
    for members in lists.values():
        for part, wanted in zip(members, sorted(members, key=lambda one: _numbers(one.name)), strict=True):
            if part is not wanted:
                problems[part.place] = f"stands at row {part.start} of {name}, where {wanted.name} belongs"
    return problems


def _turned(parts: Sequence[_Part]) -> dict[int, str]:
    """Say which part has its axes in another order than most of those beside it."""
    matrices = [part for part in parts if part.axes]
    (usual, count), *_ = Counter(part.axes for part in matrices).most_common(1) or [((), 0)]
    if 2 * count <= len(matrices):
        return {}
    beside = next((part.name for part in matrices if part.axes == usual), "")
    return {
        part.place: f"has its axes in another order than {beside} in the same tensor"
        for part in matrices
        if part.axes != usual
    }


def _beside(reference: Pool, candidate: Pool, part: _Part, actual: int) -> str | None:
    """Return what else stands in a tensor that should hold one alone, where that is read."""
    other, axis = candidate.weights[actual], part.order.axis
    if part.order.is_contiguous and part.start:
        return f"begins at row {part.start} of {other.name}, behind rows that the reference does not have"
    if not part.order.is_contiguous or _TABLE.search(part.name) or len(other.shape) <= axis:
        return None
    rows = len(part.order.index)
    if len(other.shape) != len(reference.weights[part.place].shape) or other.shape[axis] <= rows:
        return None
    more = candidate.read(actual).take(range(rows, other.shape[axis]), axis=axis)
    return (
        f"has {other.shape[axis] - rows} rows more behind it in {other.name}, which are not zeros"
        if more.any()
        else None
    )


def _uneven(stacks: Mapping[int, Sequence[_Part]], candidate: Pool) -> dict[int, str]:
    """Say which layers are stacked in another order than most layers like them, weights and biases together."""
    told: dict[tuple[str, frozenset[str]], dict[int, tuple[tuple[str, str], ...]]] = defaultdict(dict)
    for actual, parts in stacks.items():
        parents = {module_of(module_of(part.name)) for part in parts}
        words = [module_of(part.name).rpartition(".")[2] for part in parts]
        if len(parents) == 1 and len(set(words)) == len(parts) > 1:
            lies = tuple((word, part.lies) for word, part in zip(words, parts, strict=True))
            told[series_of(parents.pop()), frozenset(words)][actual] = lies
    problems = {}
    for orders in told.values():
        counts = Counter(orders.values())
        usual = counts.most_common(1)[0][0]
        for actual, lies in orders.items():
            beside = next(candidate.weights[other].name for other, order in orders.items() if order == usual)
            for part, (word, lie), (wanted, other) in zip(stacks[actual], lies, usual, strict=True):
                if word != wanted:
                    problems[part.place] = f"stands where {wanted} does in {beside}"
                elif lie != other:
                    problems[part.place] = f"stands {lie}, where it does {other} in {beside}"
    return problems


def _split_problems(reference: Pool, found: Mapping[int, Found]) -> dict[int, str]:
    """Say which tensors have pieces in another order than their names say, or than most layers like them."""
    problems: dict[int, str] = {}
    layers: dict[str, dict[int, tuple[str, ...]]] = defaultdict(dict)
    for place, one in found.items():
        if "split" not in one.detail:
            continue
        name = reference.weights[place].name
        rows = {
            str(piece): int(order.index.min()) for piece, order in zip(one.detail["split"], one.orders, strict=True)
        }
        pieces = sorted(rows, key=lambda piece: rows[piece])
        parts = tuple(str(part_of_attention(piece)) for piece in pieces)
        if "None" not in parts and len(set(parts)) == len(parts):
            layers[series_of(module_of(name))][place] = parts
            wanted = sorted(pieces, key=lambda piece: ATTENTION.index(str(part_of_attention(piece))))
            is_wrong = pieces != wanted and _PROMISE.search(name) is not None
        else:
            is_wrong = len(set(map(series_of, pieces))) == 1 and pieces != sorted(pieces, key=_numbers)
        if is_wrong:
            problems[place] = f"its pieces in the candidate follow in the order {', '.join(pieces)}"
    for told in layers.values():
        usual = Counter(told.values()).most_common(1)[0][0]
        for place, parts in told.items():
            if parts != usual and place not in problems:
                problems[place] = f"its pieces are {', '.join(parts)}, and {', '.join(usual)} in most layers"
    return problems


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", name))
