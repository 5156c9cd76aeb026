"""Graphs of an ONNX model: their constant tensors, their nodes and what those are wired to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.weights.records import Weight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.weights.onnx_tensors import Tensors
    from pytest_audioparity.weights.protobuf import Message

# Fields of GraphProto, of FunctionProto, of NodeProto and of AttributeProto.
_NODES, _INITIALISERS, _SPARSE = 1, 5, 15
_FUNCTION_NODES = 7
_INPUTS, _OUTPUTS, _NAME, _OP, _ATTRIBUTES = 1, 2, 3, 4, 5
_FLOAT, _INT, _TENSOR, _GRAPH, _FLOATS, _GRAPHS, _SPARSE_TENSOR = 2, 3, 5, 6, 7, 11, 22
# Bodies of If and Loop nest a few deep; deeper ones would exhaust the interpreter's stack.
_MOST_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: absent inputs have an empty name."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Message]

    def input(self, index: int) -> str:
        """Return the name of an input, empty where it is absent."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def integer(self, name: str, default: int) -> int:
        """Return an integer attribute."""
        if name not in self.attributes:
            return default
        value = self.attributes[name].integer(_INT)
        return value - 2**64 if value >= 2**63 else value


@dataclass(eq=False, slots=True)
class Graph:
    """One graph or body: constants by the name that its nodes use; `given` are those that are no Constant nodes."""

    prefix: str
    outer: Graph | None
    constants: dict[str, Weight] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    nodes: list[Node] = field(default_factory=list)
    bodies: list[Graph] = field(default_factory=list)
    producers: dict[str, Node] = field(default_factory=dict)
    consumers: dict[str, list[Node]] = field(default_factory=dict)

    def owner(self, name: str) -> Graph | None:
        """Return the graph, this one or one around it, whose constant a name is; or None."""
        graph: Graph | None = self
        while graph is not None and name not in graph.constants:
            if name in graph.producers:
                return None
            graph = graph.outer
        return graph

    def constant(self, name: str) -> Weight | None:
        """Return the constant that a name is in this graph, or None."""
        owner = self.owner(name) if name else None
        return None if owner is None else owner.constants[name]

    def all(self) -> Iterator[Graph]:
        """Yield this graph and all bodies in it."""
        yield self
        for body in self.bodies:
            yield from body.all()


def graph_of(proto: Message, tensors: Tensors) -> Graph:
    """Read a GraphProto and the bodies in it.

    Raises
    ------
    TensorFileError : it is damaged
    """
    return _graph(proto, tensors, Graph("", None), _NODES, 0)


def function_of(proto: Message, tensors: Tensors) -> Graph:
    """Read a FunctionProto, whose constants are named after it.

    Raises
    ------
    TensorFileError : it is damaged
    """
    return _graph(proto, tensors, Graph(f"{proto.text(1)}.", None), _FUNCTION_NODES, 0)


def _graph(proto: Message, tensors: Tensors, graph: Graph, nodes: int, depth: int) -> Graph:
    if depth > _MOST_DEPTH:
        raise TensorFileError(f"nests graphs more than {_MOST_DEPTH} deep")
    if nodes == _NODES:
        given = [tensors.weight(initialiser) for initialiser in proto.messages(_INITIALISERS)]
        given += [tensors.sparse(initialiser) for initialiser in proto.messages(_SPARSE)]
        graph.constants = {weight.name: weight for weight in given if weight is not None}
        graph.given = set(graph.constants)
    for message in proto.messages(nodes):
        node = _node(message)
        if node.op == "Constant" and node.outputs:
            _add_constant(graph, node, tensors)
        else:
            graph.nodes.append(node)
            graph.producers.update(dict.fromkeys(node.outputs, node))
            for name in set(node.inputs):
                graph.consumers.setdefault(name, []).append(node)
    for node in graph.nodes:
        for name, body in _bodies(node):
            inner = Graph(f"{graph.prefix}{node.name or next(iter(node.outputs), node.op)}.{name}.", graph)
            graph.bodies.append(_graph(body, tensors, inner, _NODES, depth + 1))
    return graph


def _node(message: Message) -> Node:
    attributes = {attribute.text(1): attribute for attribute in message.messages(_ATTRIBUTES)}
    inputs, outputs = tuple(message.texts(_INPUTS)), tuple(message.texts(_OUTPUTS))
    return Node(message.text(_OP), message.text(_NAME), inputs, outputs, attributes)


def _bodies(node: Node) -> Iterator[tuple[str, Message]]:
    for name, attribute in node.attributes.items():
        if _GRAPH in attribute:
            yield name, attribute.message(_GRAPH)
        for index, body in enumerate(attribute.messages(_GRAPHS)):
            yield f"{name}.{index}", body


def _add_constant(graph: Graph, node: Node, tensors: Tensors) -> None:
    name, weight = node.outputs[0], None
    for key, attribute in node.attributes.items():
        if key == "value":
            weight = tensors.weight(attribute.message(_TENSOR), name)
        elif key == "sparse_value":
            weight = tensors.sparse(attribute.message(_SPARSE_TENSOR))
        elif key in ("value_float", "value_floats"):
            weight = _floats(name, attribute, _FLOAT if key == "value_float" else _FLOATS)
    if weight is not None:
        graph.constants[name] = replace(weight, name=name)


def _floats(name: str, attribute: Message, number: int) -> Weight:
    values = attribute.numbers_of(number, np.dtype("<f4"))
    if number == _FLOAT:
        values = values[-1:].reshape(())
    return Weight(name, values.shape, "float32", lambda: values)
