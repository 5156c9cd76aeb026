"""The encoder as a Core ML package, written by coremltools and read back from the package.

coremltools writes packages on any system, but Core ML itself predicts on a Mac alone. `trace` computes what the package
says: its program, operation by operation in numpy, with the weights in the package. A wrong weight or a wrong graph
shows; what the Neural Engine rounds does not.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import coremltools
import numpy as np
from coremltools.converters.mil import Builder
from coremltools.converters.mil.frontend.milproto.load import load
from coremltools.models.utils import load_spec
from mel_frontend import BANDS, FRAMES, VOICES
from numpy_encoder import lstm
from voice_weights import HIDDEN, LAYERS, Weights, layer, reordered

Array = np.ndarray[Any, Any]

GATES = "ifog"  # of Core ML
_TARGET = coremltools.target.iOS15
_PLAIN = {
    "direction": "forward",
    "output_sequence": "True",
    "recurrent_activation": "sigmoid",
    "cell_activation": "tanh",
    "activation": "tanh",
}
_FLOATS = {"fp16": np.float16, "fp32": np.float32}


def save(weights: Weights, path: Path, gates: str = GATES) -> Path:
    """Write the package, whose input is the mel (FRAMES, VOICES, BANDS); what is no LSTM computes in half precision."""

    @Builder.program(input_specs=[Builder.TensorSpec(shape=(FRAMES, VOICES, BANDS))], opset_version=_TARGET)
    def encoder(mel: Any) -> tuple[Any, ...]:
        sequences, hidden = _layers(weights, gates, mel, np.zeros((VOICES, HIDDEN), np.float32))
        raw = Builder.linear(x=hidden, weight=weights["linear.weight"], bias=weights["linear.bias"], name="linear")
        positive = Builder.relu(x=raw, name="relu")
        length = Builder.reduce_l2_norm(x=positive, axes=[1], keep_dims=True)
        return *sequences, raw, positive, Builder.real_div(x=positive, y=length, name="embedding")

    model = coremltools.convert(
        encoder, convert_to="mlprogram", minimum_deployment_target=_TARGET, skip_model_load=True
    )
    model.save(str(path))
    return path


def _layers(weights: Weights, gates: str, x: Any, zero: Array) -> tuple[list[Any], Any]:
    """Build the LSTM; return each layer's hidden states, and the last one of the last."""
    sequences, hidden = [], None
    for index in range(LAYERS):
        weight_ih, weight_hh, *biases = (reordered(part, gates) for part in layer(weights, index))
        x, hidden, _cell = Builder.lstm(
            x=x,
            initial_h=zero,
            initial_c=zero,
            weight_ih=weight_ih,
            weight_hh=weight_hh,
            bias=biases[0] + biases[1],
            output_sequence=True,
            name=f"lstm_{index}",
        )
        sequences.append(x)
    return sequences, hidden


def trace(path: Path, mel: Array) -> Iterator[tuple[str, Array]]:
    """Yield every output of the package for a mel (FRAMES, VOICES, BANDS), in the order of the data flow."""
    spec = load_spec(str(path))
    folder = path / "Data" / "com.apple.CoreML" / "weights"
    program = load(spec, specification_version=spec.specificationVersion, file_weights_dir=str(folder))
    function = program.functions["main"]
    values = {next(iter(function.inputs)): mel}
    for operation in function.operations:
        for output, value in zip(operation.outputs, _computed(operation, values), strict=True):
            values[output.name] = value
    yield from ((f"lstm/{index}", values[f"lstm_{index}_0"]) for index in range(LAYERS))
    yield from ((name, values[name]) for name in ("linear", "relu", "embedding"))


def _computed(operation: Any, values: Mapping[str, Any]) -> list[Any]:
    """Return the outputs of one operation of the program."""
    if operation.op_type == "const":
        return [operation.outputs[0].val]
    given = {name: values[var.name] for name, var in operation.inputs.items() if var is not None}
    if operation.op_type not in _OPERATIONS:
        raise ValueError(f"the package has an operation {operation.op_type!r}, which is not written in numpy here")
    return _OPERATIONS[operation.op_type](**given)


def _lstm(*, x: Array, weight_ih: Array, weight_hh: Array, bias: Array, **more: Any) -> list[Array]:
    """Compute a layer from zero on, time first; the cell's last state is asked for by nobody."""
    settings = {name: str(value) for name, value in more.items() if not name.startswith("initial_")}
    if settings != _PLAIN or more["initial_h"].any() or more["initial_c"].any():
        raise ValueError(f"only a plain LSTM that starts at zero is written in numpy here, not {settings}")
    states = lstm(x.swapaxes(0, 1), weight_ih, weight_hh, bias, GATES).swapaxes(0, 1)
    return [states, states[-1], np.full_like(states[-1], np.nan)]


_OPERATIONS: dict[str, Any] = {
    "lstm": _lstm,
    "cast": lambda *, x, dtype: [x.astype(_FLOATS[str(dtype)])],
    "linear": lambda *, x, weight, bias: [x @ weight.T + bias],
    "relu": lambda *, x: [np.maximum(x, 0)],
    "reduce_l2_norm": lambda *, x, axes, keep_dims: [_length(x, tuple(axes), bool(keep_dims))],
    "real_div": lambda *, x, y: [x / y],
}


def _length(x: Array, axes: tuple[int, ...], keep_dims: bool) -> Array:
    # Squares of half precision are summed in single, as every device does.
    return np.sqrt(np.sum(x.astype(np.float32) ** 2, axis=axes, keepdims=keep_dims)).astype(x.dtype)
