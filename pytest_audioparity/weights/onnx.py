"""Weights of an ONNX model, read from its file in place and without the onnx package: bodies of If and Loop, constants
and outside data included, quantised weights as the values that the model computes with.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.weights.dtypes import dtype_named
from pytest_audioparity.weights.mapped import Mapped
from pytest_audioparity.weights.onnx_graphs import function_of, graph_of
from pytest_audioparity.weights.onnx_quantised import parameters, quantised
from pytest_audioparity.weights.onnx_tensors import Tensors
from pytest_audioparity.weights.protobuf import Document
from pytest_audioparity.weights.records import INPUTS_FIRST, OUTPUTS_FIRST, Weight, WeightFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pytest_audioparity.weights.onnx_graphs import Graph
    from pytest_audioparity.weights.onnx_quantised import Found

# Fields of ModelProto.
_GRAPH, _FUNCTIONS = 7, 25
# Kinds of numpy types that are shapes and indices where they have at most one axis.
_INTEGERS = "iub"
# Operations whose second input is a matrix of weights.
_PRODUCTS = ("Gemm", "MatMul")
# Inputs that say how an operation is to work, even where they are floats of several numbers.
_SETTINGS = {
    "Clip": (1, 2),
    "Dropout": (1, 2),
    "Pad": (1, 2, 3),
    "Range": (0, 1, 2),
    "Resize": (1, 2, 3),
    "Upsample": (1,),
}


def read(path: Path) -> WeightFile:
    """Read a model.

    Raises
    ------
    TensorFileError : missing or damaged, or outside data that is not there
    """
    mapped = Mapped(path)
    root = Document(mapped).root
    if _GRAPH not in root:
        raise TensorFileError("is not an ONNX model: it has no graph")
    tensors = Tensors(path.parent, len(mapped))
    roots = [graph_of(root.message(_GRAPH), tensors), *(function_of(one, tensors) for one in root.messages(_FUNCTIONS))]
    graphs = [graph for one in roots for graph in one.all()]
    made, notes = _unambiguous(found for graph in graphs for found in quantised(graph))
    used = {(id(owner), name) for graph in graphs for owner, name in parameters(graph)}
    settings = {(id(owner), name) for graph in graphs for owner, name in _settings(graph)}
    weights, small = [], 0
    for graph in graphs:
        for name, constant in graph.constants.items():
            key = (id(graph), name)
            if key in made:
                weights.append(_named(made[key], graph.prefix))
            elif key in settings or _is_small(constant, name in graph.given):
                small += key not in used
            elif key not in used:
                weights.append(replace(_named(constant, graph.prefix), operator=_reader(graph, name)))
    if small:
        notes.append(f"{small} constants that are shapes, indices or single numbers are left out")
    return WeightFile(path, "onnx", tuple(weights), tuple(notes))


def _settings(graph: Graph) -> Iterator[tuple[Graph, str]]:
    for node in graph.nodes:
        for index in _SETTINGS.get(node.op, ()):
            name = node.input(index)
            owner = graph.owner(name) if name else None
            if owner is not None:
                yield owner, name


def _reader(graph: Graph, name: str) -> str | None:
    """Return which operator multiplies by a matrix, where one kind does: it says which axis holds the outputs."""
    readers = set()
    for node in graph.consumers.get(name, ()):
        if node.op not in _PRODUCTS or node.input(1) != name:
            return None
        is_turned = node.op == "Gemm" and node.integer("transB", 0) == 1
        readers.add(OUTPUTS_FIRST if is_turned else INPUTS_FIRST)
    return readers.pop() if len(readers) == 1 else None


def _named(weight: Weight, prefix: str) -> Weight:
    """Return a weight with its name in the model; integers whose scale was not found are said to be stored so."""
    stored = weight.stored
    if stored is None and dtype_named(weight.dtype).itemsize == 1 and weight.dtype in ("int8", "uint8"):
        stored = weight.dtype
    return replace(weight, name=f"{prefix}{weight.name}", stored=stored)


def _is_small(constant: Weight, given: bool) -> bool:
    kind = dtype_named(constant.dtype).kind
    if 0 in constant.shape:
        return True
    if constant.stored is None and kind in _INTEGERS:
        return len(constant.shape) <= 1
    return not given and not constant.shape


def _unambiguous(found: Iterable[Found]) -> tuple[dict[tuple[int, str], Weight], list[str]]:
    """Return the dequantised weights, and a note of each that two operations take with different scales."""
    made: dict[tuple[int, str], Found] = {}
    unclear: Counter[tuple[int, str]] = Counter()
    notes = []
    for one in found:
        key = (id(one.graph), one.name)
        if made.setdefault(key, one).parameters != one.parameters:
            if not unclear[key]:
                notes.append(f"{shown(one.name)} is used with several scales and is given as integers")
            unclear[key] += 1
    return {key: one.weight for key, one in made.items() if key not in unclear}, notes
