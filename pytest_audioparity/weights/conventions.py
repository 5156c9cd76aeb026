"""Whether what moved may move: the orders that runtimes read, and those that break a model.

The values of a transposed square matrix, or of a layer with its rows in another order, are all there, and the model is
broken all the same unless its runtime reads them so. What decides is said at each rule.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from pytest_audioparity.weights.axes import Axes
from pytest_audioparity.weights.gates import Gates, families, gate_counts
from pytest_audioparity.weights.labels import is_recurrent, module_of, series_of
from pytest_audioparity.weights.layouts import squeezed
from pytest_audioparity.weights.pool import GRAPHS, size_of
from pytest_audioparity.weights.roles import part_of_attention
from pytest_audioparity.weights.stacks import stack_problems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.weights.pool import Pool
    from pytest_audioparity.weights.rows import RowOrder
    from pytest_audioparity.weights.search import Found

_PART = r"(^|[._])({})(_?proj|_?lin|[._]|$)"
# The parts of a layer, and names that promise their order when they stand in one tensor.
_STACKED = tuple(
    (order, re.compile(_PART.format("|".join(order)), re.IGNORECASE), re.compile(names, re.IGNORECASE))
    for order, names in ((("q", "k", "v"), "in_proj|qkv"), (("gate", "up"), "gate_?up"))
)


def judged(
    reference: Pool, candidate: Pool, own: Mapping[int, int], found: Mapping[int, Found]
) -> dict[int, tuple[str, dict[str, Any]]]:
    """Return status and detail of each tensor that was found."""
    rules = _Rules(reference, candidate, own, found)
    verdicts = {place: rules.judge(place) for place in found}
    return _together(verdicts | rules.uneven(verdicts), found)


def _together(
    verdicts: Mapping[int, tuple[str, dict[str, Any]]], found: Mapping[int, Found]
) -> dict[int, tuple[str, dict[str, Any]]]:
    """Return the verdicts, the tensors that make one together having one: the worst."""
    wrong = {}
    for place, (status, detail) in verdicts.items():
        if status == "different" and "folded" in detail:
            wrong[found[place].actuals, detail["folded"]] = status, detail
    keys = {place: (found[place].actuals, detail.get("folded")) for place, (_, detail) in verdicts.items()}
    return {place: wrong.get(keys[place], verdict) for place, verdict in verdicts.items()}


class _Rules:
    def __init__(self, reference: Pool, candidate: Pool, own: Mapping[int, int], found: Mapping[int, Found]) -> None:
        self._reference, self._candidate, self._found = reference, candidate, found
        self._counts = gate_counts(reference.weights)
        self._families = tuple(families(pool.weights, pool.format) for pool in (reference, candidate))
        self._axes = Axes(reference, candidate, own, found)
        self._moved = self._carriers()
        self._stacks = stack_problems(reference, candidate, own, found)

    def judge(self, place: int) -> tuple[str, dict[str, Any]]:
        """Return what one tensor is called."""
        one = self._found[place]
        is_good, said = self._gates(place, one)
        detail = {**one.detail, **said}
        if not is_good:
            return "different", {**detail, "reason": _gates_reason(said)}
        if "gates" in said:
            detail.pop("blocks", None)
            return ("permuted" if one.status in ("same", "cast", "transposed") else one.status), detail
        reason = self._broken(place, one)
        return (one.status, detail) if reason is None else ("different", {**detail, "reason": reason})

    def uneven(self, verdicts: Mapping[int, tuple[str, dict[str, Any]]]) -> dict[int, tuple[str, dict[str, Any]]]:
        """Return those whose gates are in another order than those of most tensors of their layer, read by one loop."""
        orders: dict[tuple[str, str | None], dict[int, str]] = defaultdict(dict)
        for place, (status, detail) in verdicts.items():
            weight, other = self._reference.weights[place], self._candidate.weights[self._found[place].actuals[0]]
            module = module_of(weight.name)
            is_read = is_recurrent(weight.name) and module in self._counts and status != "different"
            if is_read and not self._reference.fingerprint(place).is_constant:
                family = self._families[1].get(other.name)
                orders[module, family][place] = str(detail.get("gates", "kept")).rpartition(" ")[2]
        wrong = {}
        for told in orders.values():
            counts = Counter(told.values())
            usual = max(counts, key=lambda order: (counts[order], order == "kept"))
            first = next(place for place, order in told.items() if order == usual)
            name = self._reference.weights[first].name
            for place, order in told.items():
                if order != usual:
                    reason = f"gates are {order}, and {usual} in {name} of the same layer"
                    wrong[place] = ("different", {**verdicts[place][1], "reason": reason})
        return wrong

    def _gates(self, place: int, one: Found) -> tuple[bool, dict[str, Any]]:
        weight, other = self._reference.weights[place], self._candidate.weights[one.actuals[0]]
        own, others = self._families
        gates = Gates(own.get(weight.name), others.get(other.name), weight.name, other.name)
        order = one.orders[0] if one.orders else None
        if not gates.is_recurrent or (order is not None and order.rotary is not None):
            return True, {}
        if order is not None and order.blocks is None and order.is_any:
            return True, {}
        return gates.judged(None if order is None else order.blocks, self._counts.get(module_of(weight.name), 0))

    def _broken(self, place: int, one: Found) -> str | None:
        """Return why values that are all there are not where any runtime would look for them, or None."""
        if (reason := self._stack_problem(place, one)) is not None:
            return reason
        if place in self._stacks:
            return self._stacks[place]
        for order in one.orders:
            if (reason := self._order_problem(place, one, order)) is not None:
                return reason
        return self._axes.problem(place)

    def _stack_problem(self, place: int, one: Found) -> str | None:
        """Return that Q, K or V is not at its place in a tensor whose name promises their order."""
        other = self._candidate.weights[one.actuals[0]]
        if len(one.actuals) > 1 or len(one.orders) != 1 or not one.orders[0].is_contiguous:
            return None
        rows, start = len(one.orders[0].index), int(one.orders[0].index.min())
        for order, part, names in _STACKED:
            word = part.search(self._reference.weights[place].name)
            if word is None or not names.search(other.name) or start == order.index(word[2].lower()) * rows:
                continue
            if size_of(other.shape) == len(order) * size_of(self._reference.weights[place].shape):
                return f"stands at row {start} of {other.name}, where {order[start // rows].upper()} belongs"
        return None

    def _is_own(self, place: int, one: Found) -> bool:
        """Whether the candidate claims the reference's layout: the very name and shape, outside of a graph."""
        other = self._candidate.weights[one.actuals[0]]
        weight = self._reference.weights[place]
        return (
            len(one.actuals) == 1
            and weight.name == other.name
            and weight.shape == other.shape
            and self._candidate.format not in GRAPHS
        )

    def _order_problem(self, place: int, one: Found, order: RowOrder) -> str | None:
        if order.rotary is not None:
            return self._rotary_problem(place, order.rotary)
        if order.is_any:
            return None if self._is_consistent(place, one, order) else "rows in another order"
        if order.blocks is None or order.blocks == tuple(range(len(order.blocks))):
            return None
        if len(order.blocks) == 2:
            return "its halves are exchanged"
        if self._is_own(place, one):
            return f"its {len(order.blocks)} blocks are in another order under its own name"
        return None

    def _rotary_problem(self, place: int, head: int) -> str | None:
        """Return that rotary halves and pairs were exchanged in one alone of what is rotated together: Q and K."""
        name = self._reference.weights[place].name
        exchanged = f"rotary halves and pairs exchanged in heads of {head}"
        part = part_of_attention(name)
        if part == "value":
            return f"{exchanged}, and values are not rotated"
        heads = {
            self._reference.weights[other].name: next((order.rotary for order in two.orders if order.rotary), None)
            for other, two in self._found.items()
            if other != place and len(self._reference.weights[other].shape) == len(self._reference.weights[place].shape)
        }
        if part is None:
            return None if head in heads.values() else f"{exchanged}, here alone"
        layer = module_of(module_of(name))
        for other, size in heads.items():
            is_mate = module_of(module_of(other)) == layer and part_of_attention(other) in {"query", "key"} - {part}
            if (is_mate or series_of(other) == series_of(name)) and size != head:
                return f"{exchanged}, and not so in {other}"
        return None if head in heads.values() else f"{exchanged}, here alone"

    def _carriers(self) -> dict[bytes, list[tuple[int, int]]]:
        """Return for every order of rows that is nobody's convention the tensors that have it, and along which axis."""
        carriers: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
        for place, one in self._found.items():
            for order in one.orders:
                if order.is_any:
                    carriers[order.index.tobytes()].append((place, _reference_axis(one, order)))
        return carriers

    def _is_consistent(self, place: int, one: Found, order: RowOrder) -> bool:
        """Whether what the order disturbs is set right: all outputs of a layer, and the inputs of the next."""
        carriers = self._moved[order.index.tobytes()]
        outputs = {other for other, axis in carriers if axis == 0}
        inputs = {other for other, axis in carriers if axis > 0}
        if not outputs or not inputs - ({place} if _reference_axis(one, order) == 0 else set()):
            return False
        size = len(order.index)
        modules = {module_of(self._reference.weights[other].name) for other in outputs}
        left = [
            other
            for other, weight in enumerate(self._reference.weights)
            if module_of(weight.name) in modules and squeezed(weight.shape)[:1] == (size,) and other not in outputs
        ]
        return all(self._reference.fingerprint(other).is_constant for other in left)


def _reference_axis(one: Found, order: RowOrder) -> int:
    if one.layout is None or not one.layout.of_reference:
        return order.axis
    return one.layout.order[order.axis]


def _gates_reason(said: Mapping[str, Any]) -> str:
    wanted = said.get("expected_gates")
    if wanted is None:
        return f"gates reordered, {said['gates']}, which no framework expects"
    return f"gates are {said['gates'].split(' -> ')[1]}, and {said['convention']} reads them as {wanted}"
