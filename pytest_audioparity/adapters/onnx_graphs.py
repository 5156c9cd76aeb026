"""Intermediate tensors of ONNX models: a graph whose inner tensors are made outputs, run once by ONNX Runtime."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.adapters.arrays import ONNX_BITS, as_array, first_line, is_tensor, onnx_type, type_name
from pytest_audioparity.adapters.capturing import shown
from pytest_audioparity.comparison.tolerances import nearest
from pytest_audioparity.errors import AudioparityWarning, StageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_audioparity.adapters.capturing import Capture

    Array = np.ndarray[Any, Any]

# Warnings are for who wrote the model; exposing tensors makes ONNX Runtime say that it found constants and shapes odd.
_ERRORS_ONLY = 3
# What ONNX Runtime returns as values of its own only, since numpy lacks it.
_NOT_NUMPY = {f"tensor({name})" for name in ONNX_BITS}
_HIDDEN = "not compared, since the bodies of If, Loop and Scan cannot be exposed: {}; if that is right: exclude= them"
_EXTERNAL_FOLDER = "session.model_external_initializers_file_folder_path"


def run_exposed(
    model: Any,
    feeds: Mapping[str, Any],
    capture: Capture,
    *,
    providers: Sequence[Any] = ("CPUExecutionProvider",),
    session_options: Any = None,
) -> dict[str, Any]:
    """Run a model once, capture its inner tensors and outputs in the order of its graph, and return its outputs.

    Parameters
    ----------
    model : a path, the bytes of a file, or an onnx.ModelProto, which is left as it is
    feeds : the inputs by name, array-like
    capture : takes the tensors
    providers, session_options : as ONNX Runtime's InferenceSession has them

    Returns
    -------
    The model's own outputs by name: numpy arrays, and what ONNX Runtime returns for what is no tensor

    Raises
    ------
    StageError : onnx or onnxruntime is missing, the model or the feeds do not fit, or what `Capture.close` finds
    """
    __tracebackhide__ = True
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise StageError(f"stages.onnx needs {error.name}: pip install 'pytest-audioparity[onnx]'") from None
    proto, folder = _loaded(model, onnx)
    graph = _Graph(proto.graph)
    wanted = [name for name in graph.inner if capture.may_cover(name)]
    if not isinstance(feeds, Mapping):
        raise StageError(f"feeds are a dictionary of the model's inputs by name, not {type_name(feeds)}")
    options = session_options or _options(onnxruntime)
    try:
        with_more = _serialised(proto, wanted, onnx)
        with _looking_in(folder, options, is_ours=session_options is None):
            session = onnxruntime.InferenceSession(with_more, options, providers=list(providers))
        _check_providers(session, providers)
        del with_more
        values = _run(session, onnxruntime, feeds)
    except StageError:
        raise
    except Exception as error:  # ONNX Runtime has a class for every status, of no common ancestor
        raise StageError(f"ONNX Runtime: {first_line(error)}") from None
    return _captured(graph, values, capture)


def _options(onnxruntime: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    # What the arena has once had it keeps, so that each tensor would take its space twice: there and as a stage.
    options.enable_cpu_mem_arena = False
    return options


@contextmanager
def _looking_in(folder: Path | None, options: Any, *, is_ours: bool) -> Iterator[None]:
    """Let ONNX Runtime find weights in a folder; a user's options lead elsewhere again in a later session."""
    if folder is None:
        yield
        return
    before = ""  # as where none is set
    with suppress(RuntimeError):
        before = options.get_session_config_entry(_EXTERNAL_FOLDER)
    options.add_session_config_entry(_EXTERNAL_FOLDER, str(folder))
    try:
        yield
    finally:
        if not is_ours:  # ONNX Runtime writes a warning to stderr where an entry is overwritten
            options.add_session_config_entry(_EXTERNAL_FOLDER, before)


def _captured(graph: _Graph, values: dict[str, Any], capture: Capture) -> dict[str, Any]:
    """Give each value away as it is taken, so that a trace is not held twice."""
    __tracebackhide__ = True
    outputs = {}
    for name in graph.order(values):
        value = values.pop(name)
        held = _type_of(value)
        if held.startswith("tensor(") and held != "tensor(string)":
            value = as_array(value, name)
            if capture.may_cover(name):
                capture.output(name, value)
        else:
            graph.refuse(name, f"holds {held}, no numbers")
        if name in graph.outputs:
            outputs[name] = value
    capture.close(graph.all_names, graph.why_not)
    if hidden := [name for name in graph.hidden if capture.may_cover(name)]:
        warnings.warn(_HIDDEN.format(shown(hidden)), AudioparityWarning, stacklevel=4)  # at the line of the test
    return {name: outputs[name] for name in graph.outputs}


def _type_of(value: Any) -> str:
    """Return the type of what was computed, as ONNX Runtime calls it."""
    if hasattr(value, "data_type"):
        return str(value.data_type())
    return onnx_type(value.dtype) if is_tensor(value) else type_name(value)


class _Graph:
    """Which tensors of a graph can be made outputs, in the order of its nodes, and why others cannot."""

    def __init__(self, graph: Any) -> None:
        self.outputs = [output.name for output in graph.output]
        nodes = [node for node in graph.node if node.op_type != "Constant"]
        self.inner = [name for node in nodes for name in node.output if name]
        constants = [name for node in graph.node if node.op_type == "Constant" for name in node.output]
        stored = [tensor.name for tensor in graph.initializer]
        sparse = [tensor.values.name for tensor in graph.sparse_initializer]
        bodies = dict(_bodies(graph))
        self.hidden = list(bodies)
        self._reasons = {
            **dict.fromkeys((value.name for value in graph.input), "is an input of the model"),
            **dict.fromkeys((*constants, *stored, *sparse), "is a constant of the model, not computed"),
            **{name: f"is inside the body of {op}, which cannot be exposed" for name, op in bodies.items()},
        }
        for name in self.inner:
            self._reasons.pop(name, None)

    @property
    def all_names(self) -> list[str]:
        """Every tensor that has a name."""
        return list(dict.fromkeys((*self.inner, *self._reasons, *self.outputs)))

    def order(self, values: Mapping[str, Any]) -> list[str]:
        """Return the names of what the model returned in the order in which it is computed."""
        return [name for name in dict.fromkeys((*self.inner, *self.outputs)) if name in values]

    def refuse(self, name: str, reason: str) -> None:
        """Note why a tensor that was computed is no stage."""
        self._reasons[name] = reason

    def why_not(self, name: str) -> str | None:
        """Say why a tensor cannot be exposed, or return None."""
        reason = self._reasons.get(name)
        return None if reason is None else f"{name!r} {reason}"


def _bodies(graph: Any) -> Iterator[tuple[str, str]]:
    """Return the tensors inside the bodies of If, Loop and Scan, each with the operator."""
    for node in graph.node:
        for attribute in node.attribute:
            for body in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                computed = (inner for inner in body.node if inner.op_type != "Constant")
                yield from ((name, node.op_type) for inner in computed for name in inner.output if name)
                yield from _bodies(body)


def _loaded(model: Any, onnx: Any) -> tuple[Any, Path | None]:
    """Return the graph, and the folder of the weights that are kept beside it."""
    if isinstance(model, onnx.ModelProto):
        return model, None
    try:
        if isinstance(model, bytes | bytearray | memoryview):
            return onnx.load_model_from_string(bytes(model)), None
        if isinstance(model, str | os.PathLike):
            path = Path(model)
            return onnx.load(path, load_external_data=False), path.absolute().parent
    except OSError as error:
        raise StageError(f"{model} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # protobuf's own classes, which differ between its versions
        raise StageError(f"this is no ONNX model: {first_line(error)}") from None
    raise StageError(f"stages.onnx takes a path, bytes or an onnx.ModelProto, not {type_name(model)}")


def _serialised(proto: Any, wanted: Sequence[str], onnx: Any) -> bytes:
    """Return the model with more outputs; the caller's own is as it was afterwards."""
    outputs = proto.graph.output
    before = len(outputs)
    own = {output.name for output in outputs}
    outputs.extend(onnx.helper.make_empty_tensor_value_info(name) for name in wanted if name not in own)
    try:
        return bytes(proto.SerializeToString())
    except ValueError as error:  # protobuf ends at 2 GB
        raise StageError(f"{first_line(error)}; save the model with external data and give its path") from None
    finally:
        del outputs[before:]


def _check_providers(session: Any, providers: Sequence[Any]) -> None:
    """Refuse another device in place of what was asked for: ONNX Runtime goes on with the CPU and a warning."""
    names = [provider if isinstance(provider, str) else provider[0] for provider in providers]
    runs_on = session.get_providers()
    if names and not set(names) & set(runs_on):
        raise StageError(
            f"ONNX Runtime would run the model with {', '.join(runs_on)}, not with {', '.join(names)}, which it cannot "
            f"use here; if that will do, providers= has to name it as well"
        )


def _run(session: Any, onnxruntime: Any, feeds: Mapping[str, Any]) -> dict[str, Any]:
    inputs = {value.name: value for value in session.get_inputs()}
    for name in feeds:
        if name not in inputs:
            near = nearest(str(name), inputs)
            hint = f"did you mean {near!r}?" if near else f"it takes {', '.join(map(repr, inputs)) or 'none'}"
            raise StageError(f"the model has no input {name!r}; {hint}")
    if missing := [name for name in inputs if name not in feeds]:
        raise StageError(f"feeds lack the input {missing[0]!r} of the model")
    stated = {output.name: output.type for output in session.get_outputs()}
    values = {name: _fed(inputs[name], value) for name, value in feeds.items()}
    types = {*stated.values(), *(value.type for value in inputs.values())}
    if types.isdisjoint(_NOT_NUMPY):
        returned = session.run(list(stated), values)
    else:  # which returns all as one block, of which no part is freed before the last
        held = {name: _ort_value(value, onnxruntime) for name, value in values.items()}
        returned = session.run_with_ort_values(list(stated), held)
    return dict(zip(stated, returned, strict=True))


def _fed(stated: Any, value: Any) -> Any:
    """Return an input as ONNX Runtime takes it; nothing is cast."""
    if not stated.type.startswith("tensor(") or stated.type == "tensor(string)":
        return value
    array = as_array(value, stated.name)
    if onnx_type(array.dtype) != stated.type:
        raise StageError(f"input {stated.name!r} is {array.dtype.name}, the model takes {stated.type}; cast it")
    return np.asarray(array, array.dtype.newbyteorder("="), order="C")


def _ort_value(array: Array, onnxruntime: Any) -> Any:
    if onnx_type(array.dtype) not in _NOT_NUMPY:
        return onnxruntime.OrtValue.ortvalue_from_numpy(array)
    import onnx

    element_type = getattr(onnx.TensorProto, onnx_type(array.dtype)[len("tensor(") : -1].upper())
    bits = array.view(f"u{array.dtype.itemsize}")
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, element_type)
