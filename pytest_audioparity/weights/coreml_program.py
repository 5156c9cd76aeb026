"""Weights of a Core ML program: its constants and what its constexpr operations make of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.weights.coreml_constexpr import made
from pytest_audioparity.weights.dtypes import dtype_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_audioparity.weights.coreml_values import Values
    from pytest_audioparity.weights.protobuf import Message
    from pytest_audioparity.weights.records import Weight

# Fields of Program, Function, Block, Operation, NamedValueType, Argument and Binding.
_FUNCTIONS = 2
_OPSET, _BLOCKS_BY_OPSET = 2, 3
_OPERATIONS = 3
_OP, _INPUTS, _OUTPUTS, _BLOCKS, _ATTRIBUTES = 1, 2, 3, 4, 5
_BINDINGS, _BOUND_NAME, _BOUND_VALUE = 1, 1, 2
# Bodies of loops and conditions nest a few deep; deeper ones would exhaust the interpreter's stack.
_MOST_DEPTH = 50
_INTEGERS = "iub"
_RECURRENT = ("lstm", "gru")


class Program:
    """The weights of one program.

    Parameters
    ----------
    values : reads its constants

    Attributes
    ----------
    weights : in the order of the program
    notes : what was left out
    small : how many constants are shapes, indices or single numbers
    """

    def __init__(self, values: Values) -> None:
        self.weights: list[Weight] = []
        self.notes: list[str] = []
        self.small = 0
        self._values = values

    def read(self, program: Message, prefix: str = "") -> None:
        """Collect the weights of every function; only of several is the name a part of the weights' names.

        Raises
        ------
        TensorFileError : the program is damaged, or its file of weights is not there
        """
        functions = program.mapping(_FUNCTIONS)
        for name, function in functions.items():
            blocks = function.mapping(_BLOCKS_BY_OPSET)
            chosen = blocks.get(function.text(_OPSET))
            for block in blocks.values() if chosen is None else [chosen]:
                self._block(block, f"{prefix}{name}." if len(functions) > 1 else prefix, {}, 0)

    def _block(self, block: Message, prefix: str, outer: Mapping[str, Weight], depth: int) -> None:
        if depth > _MOST_DEPTH:
            raise TensorFileError(f"nests blocks more than {_MOST_DEPTH} deep")
        known, parts, operators = dict(outer), set[str](), dict[str, str]()
        found: list[str] = []
        for operation in block.messages(_OPERATIONS):
            op = operation.text(_OP)
            name = next((output.text(1) for output in operation.messages(_OUTPUTS)), "")
            weight = None
            if op == "const":
                value = operation.mapping(_ATTRIBUTES).get("val")
                weight = None if value is None else self._values.weight(name, value)
            elif op.startswith("constexpr_"):
                arguments = dict(self._arguments(operation, known, parts))
                weight = made(op, name, arguments)
                if weight is None:
                    self.notes.append(f"{shown(prefix + name)} is made by {op}, which is not read, and is left out")
            elif op in _RECURRENT:
                operators |= dict.fromkeys(_bound_names(operation), op)
            for inner in operation.messages(_BLOCKS):
                self._block(inner, f"{prefix}{name}.", known, depth + 1)
            if weight is not None:
                known[name] = weight
                found.append(name)
        whole = [replace(known[name], operator=operators.get(name)) for name in found if name not in parts]
        self._keep(whole, prefix)

    def _arguments(
        self, operation: Message, known: Mapping[str, Weight], parts: set[str]
    ) -> Iterator[tuple[str, Weight]]:
        """Yield the constants of a constexpr; those it names are parts of its weight and no weights themselves."""
        for key, value in operation.mapping(_ATTRIBUTES).items():
            weight = self._values.weight(key, value)
            if weight is not None:
                yield key, weight
        for key, argument in operation.mapping(_INPUTS).items():
            for binding in argument.messages(_BINDINGS):
                name = binding.text(_BOUND_NAME)
                weight = known.get(name) if name else self._values.weight(key, binding.message(_BOUND_VALUE))
                parts.add(name)
                if weight is not None:
                    yield key, weight

    def _keep(self, weights: list[Weight], prefix: str) -> None:
        for weight in weights:
            integers = weight.stored is None and dtype_named(weight.dtype).kind in _INTEGERS
            if not weight.shape or 0 in weight.shape or (integers and len(weight.shape) == 1):
                self.small += 1
            else:
                self.weights.append(replace(weight, name=f"{prefix}{weight.name}"))


def _bound_names(operation: Message) -> Iterator[str]:
    """Return the names of what an operation is given."""
    for argument in operation.mapping(_INPUTS).values():
        yield from (name for binding in argument.messages(_BINDINGS) if (name := binding.text(_BOUND_NAME)))
