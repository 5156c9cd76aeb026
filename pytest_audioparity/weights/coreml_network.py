"""Weights of a Core ML neural network, the older form of model, whose layers hold their weights themselves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.weights.mapped import span_bytes
from pytest_audioparity.weights.quantised import along, dequantise, unpack
from pytest_audioparity.weights.records import Weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_audioparity.weights.protobuf import Message

    Array = np.ndarray[Any, Any]
    Shape = tuple[int, ...]

_LAYERS = 1
_NAME = 1
# Layers that hold something start here in NeuralNetworkLayer; below are names and wiring.
_FIRST_LAYER = 100
# Fields of WeightParams and of what it holds.
_FLOATS, _HALVES, _RAW, _QUANTISATION = 1, 2, 30, 40
_FORMS = frozenset((_FLOATS, _HALVES, _RAW, 31))
_BITS, _LINEAR, _PALETTE = 1, 101, 102
_SCALE, _BIAS = 1, 2


def _convolution(layer: Message) -> Iterator[tuple[int, str, Shape]]:
    outputs, inputs, groups = layer.integer(1), layer.integer(2), max(layer.integer(10), 1)
    kernel = tuple(int(n) for n in layer.integers(20)) or (3, 3)
    turned = bool(layer.integer(60))
    yield 90, "weights", (inputs, outputs // groups, *kernel) if turned else (outputs, inputs, *kernel)
    yield 91, "bias", (outputs,)


def _product(layer: Message) -> Iterator[tuple[int, str, Shape]]:
    inputs, outputs = layer.integer(1), layer.integer(2)
    yield 20, "weights", (outputs, inputs)
    yield 21, "bias", (outputs,)


def _normalisation(layer: Message) -> Iterator[tuple[int, str, Shape]]:
    for number, name in ((15, "gamma"), (16, "beta"), (17, "mean"), (18, "variance")):
        yield number, name, (layer.integer(1),)


def _constant(layer: Message) -> Iterator[tuple[int, str, Shape]]:
    yield 2, "data", tuple(int(n) for n in layer.integers(1))


def _scale(layer: Message) -> Iterator[tuple[int, str, Shape]]:
    yield 2, "scale", tuple(int(n) for n in layer.integers(1))
    yield 5, "bias", tuple(int(n) for n in layer.integers(4))


def _bias(layer: Message) -> Iterator[tuple[int, str, Shape]]:
    yield 2, "bias", tuple(int(n) for n in layer.integers(1))


_GATES = ("inputGate", "forgetGate", "blockInput", "outputGate")


def _recurrent(layer: Message) -> Iterator[tuple[int, str, Shape]]:
    inputs, outputs = layer.integer(1), layer.integer(2)
    for index, gate in enumerate(_GATES):
        yield 1 + index, f"{gate}WeightMatrix", (outputs, inputs)
        yield 20 + index, f"{gate}RecursionMatrix", (outputs, outputs)
        yield 40 + index, f"{gate}BiasVector", (outputs,)


# Which layers are read, by their number: the tensors of each, and the field of the messages that hold them where that
# is not the layer itself.
_READ: dict[int, tuple[Callable[[Message], Iterator[tuple[int, str, Shape]]], int]] = {
    100: (_convolution, 0),
    140: (_product, 0),
    160: (_normalisation, 0),
    245: (_scale, 0),
    250: (_bias, 0),
    290: (_constant, 0),
    420: (_recurrent, 20),
    430: (_recurrent, 20),
    1070: (_constant, 0),
}


def network_weights(network: Message, notes: list[str], prefix: str = "") -> Iterator[Weight]:
    """Yield the weights of a network, and note the layers that hold weights in a form that is not read.

    Raises
    ------
    TensorFileError : it is damaged
    """
    for message in network.messages(_LAYERS):
        name = prefix + message.text(_NAME)
        for number in message.numbers:
            if number < _FIRST_LAYER:
                continue
            layer = message.message(number)
            if number in _READ:
                yield from _layer_weights(layer, name, *_READ[number], notes)
            elif _is_heavy(layer):
                notes.append(f"layer {shown(name)} is of a kind ({number}) that is not read, and is left out")


def _layer_weights(layer: Message, name: str, parts: Any, holder: int, notes: list[str]) -> Iterator[Weight]:
    holders = list(layer.messages(holder)) if holder else [layer]
    for index, held in enumerate(holders):
        inner = f"{name}.{index}" if len(holders) > 1 else name
        for number, part, shape in parts(layer):
            params = held.message(number)
            if not _FORMS.isdisjoint(params.numbers):
                weight = _weight(f"{inner}.{part}", params, shape)
                if weight is None:
                    notes.append(f"{shown(f'{inner}.{part}')} is stored in a form that is not read, and is left out")
                else:
                    yield weight


# A layer with more bytes than its settings could have holds weights.
_SETTINGS_BYTES = 1024


def _is_heavy(layer: Message) -> bool:
    return layer.span[1] - layer.span[0] > _SETTINGS_BYTES


def _weight(name: str, params: Message, shape: Shape) -> Weight | None:
    span_bytes(name, np.dtype("<f4"), shape)
    params.check_holds(name, math.prod(shape))
    if _FLOATS in params:
        return Weight(name, shape, "float32", lambda: params.numbers_of(_FLOATS, np.dtype("<f4"), shape))
    if _HALVES in params:
        return Weight(name, shape, "float16", lambda: params.numbers_of(_HALVES, np.dtype("<f2"), shape))
    if _RAW not in params:
        return None
    quantisation = params.message(_QUANTISATION)
    if quantisation.integer(_BITS) != 8:  # fewer bits are packed in an order that coremltools does not document
        return None
    start, stop = params.last(_RAW)
    if stop - start != math.prod(shape):
        raise TensorFileError(f"holds {shown(name)} with a size that does not fit its shape")
    mapped = params.document.mapped

    def read() -> Array:
        integers = unpack(mapped.view(start, stop - start), 8, stop - start).reshape(shape)
        if _PALETTE in quantisation:
            palette = quantisation.message(_PALETTE).numbers_of(1, np.dtype("<f4"))
            if integers.max(initial=0) >= palette.size:
                raise TensorFileError(f"has an index {integers.max()} into a palette of {palette.size}")
            chosen: Array = palette[integers]
            return chosen
        linear = quantisation.message(_LINEAR)
        scale, bias = (along(linear.numbers_of(number, np.dtype("<f4")), shape, 0) for number in (_SCALE, _BIAS))
        values = dequantise(integers, scale)
        with np.errstate(all="ignore"):  # see dequantise
            return values + bias

    return Weight(name, shape, "float32", read, "lut8" if _PALETTE in quantisation else "uint8")
