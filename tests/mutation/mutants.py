"""All mutants of a module: its source with one small change each, by cosmic-ray's operators and our own."""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.boolean_replacer import AddNot
from cosmic_ray.operators.number_replacer import NumberReplacer
from cosmic_ray.plugins import get_operator

from tests.mutation.operators import OWN
from tests.mutation.places import places

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of each comparison the neighbour and the opposite, of each arithmetic sign one other: what cosmic-ray offers beside
# (twelve signs for every sign) is killed by the same tests, or makes no sense of the types at hand. `and` for `or` is
# not here either: a test that tells both from either operand alone (see `DropOperand`) tells them from each other.
_COMPARISONS = "Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt Eq_NotEq NotEq_Eq Is_IsNot IsNot_Is"
_SIGNS = (
    "Add_Sub Sub_Add Mul_Div Div_Mul FloorDiv_Mul Mod_Mul Pow_Mul LShift_RShift BitOr_BitAnd BitAnd_BitOr BitXor_BitOr"
)
_UNARY = ("Delete_USub", "Delete_Not", "Delete_Invert")
_OTHERS = (
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ExceptionReplacer",
    "NumberReplacer",
    "ZeroIterationForLoop",
)
CORE = (
    *(f"ReplaceComparisonOperator_{name}" for name in _COMPARISONS.split()),
    *(f"ReplaceBinaryOperator_{name}" for name in _SIGNS.split()),
    *(f"ReplaceUnaryOperator_{name}" for name in _UNARY),
    *_OTHERS,
)

Position = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module.

    Attributes
    ----------
    module : path of the file from the root of the repository
    place : the function or class it is in
    change : the lines that go and those that come, by which it is known from run to run, ``(1 of 2)`` if repeated
    line : where it is now
    source : the whole module with the change
    """

    module: str
    place: str
    change: str
    line: int
    source: str

    @property
    def said(self) -> str:
        """How it is written in `survivors.toml`."""
        return f"{self.place}: {self.change}"

    @property
    def key(self) -> str:
        return f"{self.module} | {self.place} | {self.change}"

    @property
    def lot(self) -> float:
        """A number from 0 to 1 that is the same in every run, to draw a sample by."""
        return int.from_bytes(hashlib.sha256(self.key.encode()).digest()[:4], "big") / 2**32


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Yield each change that gives another program, once."""
    found = list(_mutants(module, source))
    totals, seen = Counter((one.place, one.change) for one in found), Counter[tuple[str, str]]()
    for mutant in found:
        same = mutant.place, mutant.change
        seen[same] += 1
        many = f" ({seen[same]} of {totals[same]})" if totals[same] > 1 else ""
        yield replace(mutant, change=mutant.change + many)


def _mutants(module: str, source: str) -> Iterator[Mutant]:
    tree, skipped, place_of = get_ast(source), _skipped(source), places(source)
    seen = {_meaning(source)}
    for operator in [get_operator(f"core/{name}")() for name in CORE] + [operator() for operator in OWN]:
        for occurrence, (node, start) in enumerate(_positions(tree, operator)):
            if any(first <= start < last for first, last in skipped) or _is_said_twice(operator, node, occurrence):
                continue
            mutated = mutate_code(source, operator, occurrence) or source
            meaning = _meaning(mutated)
            if meaning is None or meaning in seen:
                continue
            seen.add(meaning)
            change = _change(source.splitlines(), mutated.splitlines())
            yield Mutant(module, place_of[start[0] - 1], change, start[0], mutated)


def _positions(tree: Any, operator: Any) -> Iterator[tuple[Any, Position]]:
    return ((node, start) for node in ast_nodes(tree) for start, _ in operator.mutation_positions(node))


def _is_said_twice(operator: Any, node: Any, occurrence: int) -> bool:
    """Whether another operator makes the same change, or a mutation would only spell the signature otherwise."""
    if isinstance(operator, AddNot):  # the signs and operands of a condition have operators of their own
        condition = node.children[2 if node.type == "test" else 1]
        return condition.type in ("comparison", "not_test", "and_test", "or_test")
    if isinstance(operator, NumberReplacer):  # one more, then one less: the former will do
        return occurrence % 2 == 1
    return node.type == "operator" and node.parent.type == "parameters"


def _meaning(source: str) -> str | None:
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return None


def _change(old: list[str], new: list[str]) -> str:
    while old and new and old[0] == new[0]:
        old, new = old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    return " => ".join(" ".join(line.strip() for line in lines) for lines in (old, new))


def _skipped(source: str) -> list[tuple[Position, Position]]:
    """Return what is not mutated: decorators, annotations and their imports, which nothing evaluates, and messages."""
    spans = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            spans.append(node)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            spans += node.decorator_list
        if isinstance(node, ast.FunctionDef):
            spans += [node.returns] if node.returns else []
            spans += [argument.annotation for argument in ast.walk(node.args) if getattr(argument, "annotation", None)]
        if isinstance(node, ast.AnnAssign):
            spans.append(node.annotation)
    return [((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)) for node in spans]
