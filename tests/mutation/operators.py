"""Mutations that cosmic-ray lacks: what makes a check or a write disappear, rather than come out otherwise.

Each is an operator of cosmic-ray on a tree of parso: `mutation_positions` says where it applies, `mutate` does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import parso.python.tree as tree
from cosmic_ray.operators.operator import Example, Operator

if TYPE_CHECKING:
    from collections.abc import Iterator

    Position = tuple[tuple[int, int], tuple[int, int]]

_OPPOSITES = {"any": "all", "min": "max", "minimum": "maximum", "argmin": "argmax"}
_OPPOSITES |= {new: old for old, new in _OPPOSITES.items()}
_AUGMENTED = {"+=": "-=", "-=": "+=", "*=": "/=", "|=": "&="}


def _span(node: Any) -> Position:
    return node.start_pos, node.end_pos


def _code(node: Any) -> str:
    return str(node.get_code(include_prefix=False))


class DropStatement(Operator):
    """Leave out a call, an assignment to a part of something, a `raise`, or a `return` before the last statement."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type == "simple_stmt" and self._can_go(node):
            yield _span(node.children[0])

    def _can_go(self, node: Any) -> bool:
        statement = node.children[0]
        if statement.type in ("atom_expr", "power"):
            return _code(statement).endswith(")")
        if statement.type == "expr_stmt":
            target, sign = statement.children[:2]
            return target.type in ("atom_expr", "power") or sign.type == "augassign" or _code(sign) in _AUGMENTED
        if statement.type == "return_stmt" or _code(statement) == "return":
            return node.parent.type == "suite" and node.parent.parent.type != "funcdef"
        return statement.type == "raise_stmt" or _code(statement) == "raise"

    def mutate(self, node: Any, _index: int) -> Any:
        first = node.children[0]
        node.children[0] = tree.Keyword("pass", first.start_pos, first.get_first_leaf().prefix)
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example("file.flush()\n", "pass\n"),
            Example("total += 1\n", "pass\n"),
            Example("if x:\n    raise ValueError\n", "if x:\n    pass\n"),
            Example(
                "def f(x):\n    if x:\n        return 1\n    return 2\n",
                "def f(x):\n    if x:\n        pass\n    return 2\n",
            ),
        )


class DropOperand(Operator):
    """Leave out one operand of `and` or `or`."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type in ("and_test", "or_test"):
            yield from map(_span, node.children[::2])

    def mutate(self, node: Any, index: int) -> Any:
        prefix = node.get_first_leaf().prefix
        first = min(2 * index, len(node.children) - 2)  # the sign goes too, which stands before the last operand
        del node.children[first : first + 2]
        node.get_first_leaf().prefix = prefix
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example("x and y", "y"),
            Example("x and y", "x", occurrence=1),
            Example("x or y or z", "x or z", occurrence=1),
        )


class DropFilter(Operator):
    """Leave out the condition of a comprehension."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type == "comp_if":
            yield _span(node)

    def mutate(self, _node: Any, _index: int) -> Any:
        return None

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("[x for x in y if x]", "[x for x in y]"),)


class DropKeyword(Operator):
    """Leave out a keyword argument of a call."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type in ("arglist", "trailer"):
            yield from (_span(child) for child in self._keywords(node))

    def _keywords(self, node: Any) -> list[Any]:
        return [child for child in node.children if child.type == "argument" and _code(child.children[1]) == "="]

    def mutate(self, node: Any, index: int) -> Any:
        place = node.children.index(self._keywords(node)[index])
        del node.children[place]
        if node.type == "arglist":
            del node.children[place if place < len(node.children) else place - 1]
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example("f(a=1)", "f()"),
            Example("f(a, b=1)", "f(a)"),
            Example("f(b=1, c=2)", "f( c=2)"),
        )


class SwapName(Operator):
    """Call `any` for `all`, `min` for `max`, and the other way round."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type == "name" and node.value in _OPPOSITES and node.get_next_leaf().value in "(.":
            yield _span(node)

    def mutate(self, node: Any, _index: int) -> Any:
        node.value = _OPPOSITES[node.value]
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("min(x)", "max(x)"), Example("x.all()", "x.any()"))


class SwapAugmented(Operator):
    """Take away what is added, and the like."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type == "operator" and node.value in _AUGMENTED:
            yield _span(node)

    def mutate(self, node: Any, _index: int) -> Any:
        node.value = _AUGMENTED[node.value]
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("x += 1", "x -= 1"), Example("x |= y", "x &= y"))


OWN = (DropStatement, DropOperand, DropFilter, DropKeyword, SwapName, SwapAugmented)
