"""Quantised weights of an ONNX graph: where the scale and the zero point of integers are, and the values they make."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.weights.quantised import along, dequantise, unpack
from pytest_audioparity.weights.records import Weight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.weights.onnx_graphs import Graph, Node

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class _Slot:
    """Which inputs of an operation are integers, the factors of their scale and their zero point."""

    values: int
    scales: tuple[int, ...]
    zero_point: int | None
    axis: int = 0


# From https://onnx.ai/onnx/operators/ and ONNX Runtime's ContribOperators.md.
_SLOTS = {
    "QLinearConv": (_Slot(3, (4,), 5, 0), _Slot(8, (1, 4), None, 0)),
    "QLinearMatMul": (_Slot(3, (4,), 5, -1),),
    "MatMulIntegerToFloat": (_Slot(1, (3,), 5, -1),),
    "DynamicQuantizeMatMul": (_Slot(1, (2,), 3, -1),),
    "QLinearAdd": (_Slot(0, (1,), 2), _Slot(3, (4,), 5)),
    "QLinearMul": (_Slot(0, (1,), 2), _Slot(3, (4,), 5)),
    "QAttention": (_Slot(1, (4,), 7, -1),),
}
# Scales of other inputs and outputs, which are no weights either.
_PARAMETERS = {
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "DynamicQuantizeMatMul": (2, 3),
    "DynamicQuantizeLSTM": (8, 9, 10, 11),
    "QAttention": (3, 4, 6, 7),
    "QGemm": (1, 2, 4, 5, 7, 8),
    "QLinearAdd": (1, 2, 4, 5, 6, 7),
    "QLinearMul": (1, 2, 4, 5, 6, 7),
    "QLinearSigmoid": (1, 2, 3, 4),
    "QLinearLeakyRelu": (1, 2, 3, 4),
    "MatMulInteger": (2, 3),
    "ConvInteger": (2, 3),
    "MatMulNBits": (2, 3),
}
# What biases are quantised to, and what finer formats hold.
_WIDE = ("int32", "int16", "uint16")
_AXES_OF_RECURRENT = 3
_INTEGER_AXES = {"MatMulInteger": -1, "ConvInteger": 0}
# Operations that only move numbers, after which one scale still is that of the tensor.
_MOVERS = ("Gather", "Transpose", "Reshape")

# The name of integers, the values that they make where that is certain, and the names of their scale and zero point.
_Made = tuple[str, Weight | None, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Found:
    """How the integers of one constant become values; `parameters` are the names of its scale and zero point."""

    graph: Graph
    name: str
    parameters: tuple[str, ...]
    weight: Weight


def quantised(graph: Graph) -> Iterator[Found]:
    """Yield what each operation of a graph makes of its constant integers, where that is certain."""
    for node in graph.nodes:
        for name, weight, parameters in _of_node(graph, node):
            owner = graph.owner(name)
            if owner is not None and weight is not None:
                yield Found(owner, name, parameters, weight)


def parameters(graph: Graph) -> Iterator[tuple[Graph, str]]:
    """Yield the constants of a graph that are scales and zero points, of weights or of what flows between them."""
    for node in graph.nodes:
        names = [node.input(index) for index in _PARAMETERS.get(node.op, ())]
        if node.op in _INTEGER_AXES:
            names += [scale for scale in (_scale_of_product(graph, node),) if scale]
        for name in names:
            owner = graph.owner(name) if name else None
            if owner is not None:
                yield owner, name


def _of_node(graph: Graph, node: Node) -> Iterator[_Made]:
    for slot in _SLOTS.get(node.op, ()):
        yield _affine(graph, node, slot, _moved_from(graph, node, slot.values, slot.scales[0]))
    if node.op == "DequantizeLinear":
        name = _moved_from(graph, node, 0, 1)
        yield _affine(graph, node, _Slot(0, (1,), 2, node.integer("axis", 1)), name, node.integer("block_size", 0))
    elif node.op == "DynamicQuantizeLSTM":
        yield _recurrent(graph, node, 1, 8, 9)
        yield _recurrent(graph, node, 2, 10, 11)
    elif node.op == "QGemm":
        outputs = 0 if node.integer("transB", 0) else -1
        yield _affine(graph, node, _Slot(3, (4,), 5, outputs))
        yield _affine(graph, node, _Slot(6, (1, 4), None, -1))
    elif node.op in _INTEGER_AXES:
        name, scale, zero_point = node.input(1), _scale_of_product(graph, node), node.input(3)
        yield name, _made(graph, name, (scale,), zero_point, _INTEGER_AXES[node.op]), (scale, zero_point)
    elif node.op == "MatMulNBits":
        yield node.input(1), _of_bits(graph, node), (node.input(2), node.input(3))


def _affine(graph: Graph, node: Node, slot: _Slot, name: str | None = None, block: int = 0) -> _Made:
    name = node.input(slot.values) if name is None else name
    scales = tuple(node.input(index) for index in slot.scales)
    zero_point = "" if slot.zero_point is None else node.input(slot.zero_point)
    return name, _made(graph, name, scales, zero_point, slot.axis, block), (*scales, zero_point)


def _made(
    graph: Graph, name: str, scales: tuple[str, ...], zero_point: str, axis: int, block: int = 0
) -> Weight | None:
    """Return the weight that integers, factors of a scale and a zero point make, or None where one is no constant."""
    values = graph.constant(name)
    factors = [graph.constant(scale) for scale in scales]
    zero = graph.constant(zero_point)
    if values is None or not all(factors) or (zero_point and zero is None):
        return None

    def scales_of() -> Array:
        with np.errstate(all="ignore"):  # see dequantise
            product = (factor.read().astype(np.float64) for factor in factors if factor is not None)
            return np.asarray(math.prod(product, start=1.0))

    def read() -> Array:
        scale = scales_of()
        shape = values.shape
        shift = None if zero is None else along(_flat(zero.read()), shape, axis, block)
        return dequantise(values.read(), along(_flat(scale), shape, axis, block), shift)

    stored = values.stored or values.dtype
    step = (lambda: float(np.abs(scales_of()).max(initial=0.0))) if stored in _WIDE else None
    return replace(values, dtype="float32", read=read, stored=stored, step=step)


def _flat(parameter: Array) -> Array:
    """Return a parameter of shape (C, 1, 1) or (1, C, 1, 1), which broadcasts over channels, as one of shape (C,)."""
    return parameter.reshape(-1) if parameter.size == max(parameter.shape, default=1) else parameter


def _moved_from(graph: Graph, node: Node, values: int, scales: int) -> str:
    """Return the constant that an operation with one scale for it gets moved, or its own input."""
    name = node.input(values)
    scale = graph.constant(node.input(scales))
    producer = graph.producers.get(name)
    if producer is not None and producer.op in _MOVERS and scale is not None and math.prod(scale.shape) == 1:
        return producer.input(0)
    return name


def _scale_of_product(graph: Graph, node: Node) -> str:
    """Return the constant scale by which the product of a MatMulInteger or ConvInteger is multiplied, or "".

    Certain only in the pattern of dynamic quantisation: Cast, then Mul by the product of the constant and of the scale
    that DynamicQuantizeLinear found for the other input.
    """
    cast = _only_consumer(graph, node.outputs[0] if node.outputs else "", "Cast")
    product = _only_consumer(graph, cast.outputs[0], "Mul") if cast is not None and cast.outputs else None
    if cast is None or product is None:
        return ""
    other = [name for name in product.inputs if name != cast.outputs[0]]
    scales = graph.producers.get(other[0]) if len(other) == 1 else None
    source = graph.producers.get(node.input(0))
    if scales is None or scales.op != "Mul" or source is None or source.op != "DynamicQuantizeLinear":
        return ""
    constant = [name for name in scales.inputs if name not in source.outputs[1:2]]
    return constant[0] if len(constant) == 1 and graph.constant(constant[0]) is not None else ""


def _only_consumer(graph: Graph, name: str, op: str) -> Node | None:
    consumers = graph.consumers.get(name, [])
    return consumers[0] if name and len(consumers) == 1 and consumers[0].op == op else None


def _recurrent(graph: Graph, node: Node, index: int, scale: int, zero: int) -> _Made:
    """Read a weight [directions, inputs, gates] with one scale for each direction, or for each of its gates.

    It is told as the operator has it that is not quantised, [directions, gates, inputs].
    """
    name, names = node.input(index), (node.input(scale), node.input(zero))
    values, factor, shift = graph.constant(name), graph.constant(names[0]), graph.constant(names[1])
    if values is None or factor is None or shift is None:
        return name, None, names

    def read() -> Array:
        laid_out = [one.read().reshape(values.shape[0], 1, -1) for one in (factor, shift)]
        made: Array = dequantise(values.read(), *laid_out).transpose(0, 2, 1)
        return made

    if len(values.shape) != _AXES_OF_RECURRENT:
        return name, None, names
    shape = (values.shape[0], values.shape[2], values.shape[1])
    return name, replace(values, shape=shape, dtype="float32", read=read, stored=values.dtype), names


def _of_bits(graph: Graph, node: Node) -> Weight | None:
    """Read the weight of a MatMulNBits: [outputs, blocks, bytes] with the lowest bits first, as [outputs, inputs]."""
    rows, columns = node.integer("N", 0), node.integer("K", 0)
    bits, block = node.integer("bits", 4), node.integer("block_size", 0)
    values, scale, zero = (graph.constant(node.input(index)) for index in (1, 2, 3))
    lost = bool(node.input(3)) and zero is None
    if values is None or scale is None or lost or node.input(4) or not 2 <= bits <= 8 or min(rows, columns, block) < 1:
        return None
    count = -(-columns // block)
    if math.prod(values.shape) * 8 != rows * count * block * bits:
        return None

    def read() -> Array:
        integers = unpack(values.read().reshape(-1), bits, rows * count * block).reshape(rows, count, block)
        shift = np.full((rows, count), 1 << (bits - 1), np.float32) if zero is None else _zeros(zero, bits, rows, count)
        made = dequantise(integers, scale.read().reshape(rows, count, 1), shift.reshape(rows, count, 1))
        return made.reshape(rows, count * block)[:, :columns]

    return Weight(values.name, (rows, columns), "float32", read, f"uint{bits}")


def _zeros(zero: Weight, bits: int, rows: int, count: int) -> Array:
    """Return the zero points of blocks: packed like the values, each row from a byte of its own, or as floats."""
    found = zero.read()
    if found.dtype.kind != "u":
        return found.reshape(rows, count)
    packed = found.reshape(rows, -1)
    if packed.shape[1] * 8 < count * bits:
        raise TensorFileError("has fewer zero points than blocks")
    return np.stack([unpack(row, bits, count) for row in packed])
