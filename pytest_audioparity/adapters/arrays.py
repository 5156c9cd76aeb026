"""Anything array-like as a numpy array, without importing a runtime the user has not imported.

An object is recognised by the module of its class, as array-api-compat does it; the numpy types of bfloat16 and
float8 come from ml_dtypes. Nothing is cast: an object that numpy cannot represent exactly is refused.
"""

from __future__ import annotations

import ctypes
import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import StageError
from pytest_audioparity.golden.declarations import declaration_problem, is_stage_name
from pytest_audioparity.records import StageMeta
from pytest_audioparity.tensorfile import name_from_dtype

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

# dtypes that numpy lacks: their names in ml_dtypes, torch, mlx and jax, with the integer that carries their bits. It is
# a signed one, since torch 2.2 has no uint16.
BITS = {
    "bfloat16": "int16",
    "float8_e4m3fn": "int8",
    "float8_e4m3fnuz": "int8",
    "float8_e5m2": "int8",
    "float8_e5m2fnuz": "int8",
    "float8_e8m0fnu": "int8",
}
# Their names in ONNX, as in ``tensor(float8e4m3fn)``.
ONNX_BITS = {
    "bfloat16": "bfloat16",
    "float8e4m3fn": "float8_e4m3fn",
    "float8e4m3fnuz": "float8_e4m3fnuz",
    "float8e5m2": "float8_e5m2",
    "float8e5m2fnuz": "float8_e5m2fnuz",
    "float8e8m0": "float8_e8m0fnu",
}
# The classes of tensors, by the package that defines them.
_TENSORS = {"torch": "Tensor", "mlx": "array", "jax": "Array", "jaxlib": "ArrayImpl", "onnxruntime": "OrtValue"}
# Audio is sampled at 4 kHz and more; what is given between these is thousands of Hz.
_LEAST_KHZ, _MOST_KHZ = 4, 768
_ONNX_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
# Some libraries repeat in a message all of what they could not read.
_SHOWN_CHARACTERS = 300
_ONNX_PLAIN = ("float", "double", "float16", "bool", *_ONNX_INTEGERS)


def as_array(value: Any, name: str) -> Array:
    """Return a value as a numpy array that shares its memory where possible.

    Parameters
    ----------
    value : numpy, torch, mlx, jax, OrtValue, or anything numpy can read: nested lists, numbers, `__array__`, DLPack
    name : the stage's name, for the message

    Raises
    ------
    StageError : no tensor, ragged, or of a dtype that a golden cannot hold
    """
    try:
        array = _convert(value)
    except StageError as error:
        raise StageError(f"stage {name!r}: {error}") from None
    except Exception as error:  # whatever a foreign object raises while it is converted is the caller's news
        if "inhomogeneous" in str(error):
            raise StageError(f"stage {name!r}: the rows of this {type_name(value)} differ in length") from None
        raise StageError(f"stage {name!r}: {type_name(value)} is not array-like: {first_line(error)}") from None
    # A golden stores complex128 as pairs, so the format's lack of it is no matter.
    if name_from_dtype(array.dtype) is None and array.dtype.name != "complex128":
        raise StageError(f"stage {name!r}: {_refusal(value, array)}")
    if array.dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:  # a golden of these could not be read
        raise StageError(f"stage {name!r}: its truth values are stored as other bytes than 0 and 1; write 1 for true")
    return array


def snapshot(array: Array) -> Array:
    """Return a copy in C order and native byte order that later changes of the original do not reach."""
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C", copy=True)


def declare(
    name: str,
    array: Array,
    *,
    kind: str | None,
    axes: str | None,
    unit: str | None,
    sample_rate: float | None,
    frame_rate: float | None,
    role: str | None = None,
) -> StageMeta:
    """Check what was declared of a stage against its tensor and return it as a record.

    Raises
    ------
    StageError : an unknown kind or unit, axes that do not fit the tensor, a rate that is not positive
    """
    name = plain_name(name)
    said = {"kind": kind, "axes": axes, "unit": unit, "sample_rate": sample_rate, "frame_rate": frame_rate}
    problem = declaration_problem(array, said) or rate_problem(kind, sample_rate)
    if problem is not None:
        raise StageError(f"stage {name!r}: {problem}")
    return StageMeta(name, _text(kind), _text(axes), _text(unit), _plain(sample_rate), _plain(frame_rate), role)


def rate_problem(kind: str | None, rate: float | None) -> str | None:
    """Say that a sample rate of audio is one in kHz, with which nobody could listen to it, or return None."""
    if kind != "waveform" or rate is None or not _LEAST_KHZ <= rate <= _MOST_KHZ:
        return None
    return f"sample_rate={rate} Hz of a waveform; did you give kHz? {rate} kHz are {rate * 1000:g} Hz"


def _plain(rate: Any) -> float | None:
    """Return a rate as a number that JSON takes, numpy's scalars included."""
    return rate if rate is None or type(rate) is int else float(rate)


def _text(value: str | None) -> str | None:
    """Return a text as such: members of a text enumeration are shown otherwise, and cannot leave the process."""
    return None if value is None else "".join(value)


def plain_name(name: Any) -> str:
    """Return a stage name as plain text, refusing what a golden cannot carry or a report cannot show.

    Raises
    ------
    StageError : not a string, empty, with control characters, or safetensors' own ``__metadata__``
    """
    if not is_stage_name(name):
        if isinstance(name, str | int | float | bytes | None):
            raise StageError(f"{name!r} is no stage name: it must be printable text and not '__metadata__'")
        # Not its repr: an array may have millions of numbers to print.
        said = "the name comes first, as in stages.record('mel', x)"
        raise StageError(f"{type(name).__name__} is no stage name; {said}")
    return "".join(name)


def first_line(error: BaseException) -> str:
    """Return what a foreign exception says on one line of bounded length, or its class when it says nothing."""
    lines = str(error).strip().splitlines()
    line = lines[0] if lines else type(error).__name__
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[:_SHOWN_CHARACTERS]}…"


def _convert(value: Any) -> Array:
    if type(value) is np.ndarray:
        return value
    if isinstance(value, np.ndarray):
        # numpy loads masked arrays, and much with them, when one asks for the name.
        if "numpy.ma" in sys.modules and isinstance(value, np.ma.MaskedArray):
            raise StageError("a masked array has no value at masked places; fill it first")
        return np.asarray(value)
    for module, convert in _RUNTIMES.items():
        if is_from(value, module):
            return convert(value)
    if isinstance(value, str | bytes | dict | set | frozenset) or value is None:
        raise StageError(f"{type_name(value)} is not array-like")
    if isinstance(value, tuple) and any(getattr(element, "shape", ()) for element in value):
        # What a recurrent layer returns would otherwise be stacked when its parts happen to have one shape.
        raise StageError("a tuple of tensors; record each as a stage of its own, such as 'lstm/h' and 'lstm/c'")
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return np.from_dlpack(value)
    return np.asarray(value)


def is_from(value: Any, module: str) -> bool:
    """Whether a class of the value, or one it derives from, was defined in a package that is loaded."""
    if module not in sys.modules:
        return False
    return any(base.__module__ == module or base.__module__.startswith(module + ".") for base in type(value).__mro__)


def is_tensor(value: Any) -> bool:
    """Whether an object is a tensor of a runtime, numpy included."""
    classes = {base.__name__ for base in type(value).__mro__}
    return isinstance(value, np.ndarray) or any(
        name in classes and is_from(value, module) for module, name in _TENSORS.items()
    )


def _from_torch(value: Any) -> Array:
    torch = sys.modules["torch"]
    if not isinstance(value, torch.Tensor):
        raise StageError(f"{type_name(value)} is not a tensor")
    if value.layout is not torch.strided or value.is_quantized or value.is_nested:
        raise StageError("a sparse, quantised or nested torch tensor has no plain values; convert it first")
    plain = value.detach().cpu().resolve_conj().resolve_neg()
    dtype = str(plain.dtype).removeprefix("torch.")
    if dtype in BITS:
        return _reinterpreted(plain.view(getattr(torch, BITS[dtype])).numpy(), dtype)
    return np.asarray(plain.numpy())


def _from_mlx(value: Any) -> Array:
    core = sys.modules["mlx.core"]
    if not isinstance(value, core.array):
        raise StageError(f"{type_name(value)} is not a tensor")
    dtype = str(value.dtype).rpartition(".")[2]
    if dtype in BITS:
        return _reinterpreted(np.array(value.view(getattr(core, BITS[dtype]))), dtype)
    return np.array(value)


def _from_onnxruntime(value: Any) -> Array:
    stated = value.data_type() if hasattr(value, "data_type") else ""
    element = stated.removeprefix("tensor(").removesuffix(")")
    if element in ONNX_BITS:
        return _onnx_bits(value, ONNX_BITS[element])
    if element not in _ONNX_PLAIN:
        raise StageError(f"{type_name(value)} holds {stated or 'no tensor'}, which numpy cannot represent")
    return np.asarray(value.numpy())


def onnx_type(dtype: np.dtype[Any]) -> str:
    """Return what ONNX Runtime calls tensors of a numpy or ml_dtypes type, such as ``tensor(float)``."""
    if dtype.kind in "OUS":
        return "tensor(string)"
    names = {"float32": "float", "float64": "double", **{ours: theirs for theirs, ours in ONNX_BITS.items()}}
    return f"tensor({names.get(dtype.name, dtype.name)})"


def _onnx_bits(value: Any, dtype: str) -> Array:
    """Copy the bytes of an OrtValue: its ``numpy()`` refuses bfloat16 and passes the bits of float8 off as uint8."""
    if value.device_name().lower() != "cpu":
        raise StageError(f"an OrtValue of {dtype} on {value.device_name()} cannot be read; copy it to the CPU first")
    shape = tuple(value.shape())
    carrier = np.dtype(BITS[dtype])
    count = math.prod(shape)
    data = ctypes.string_at(value.data_ptr(), count * carrier.itemsize) if count else b""
    return _reinterpreted(np.frombuffer(data, carrier).reshape(shape), dtype)


_RUNTIMES: dict[str, Callable[[Any], Array]] = {
    "torch": _from_torch,
    "mlx": _from_mlx,
    "onnxruntime": _from_onnxruntime,
}


def _reinterpreted(bits: Array, dtype: str) -> Array:
    import ml_dtypes

    return bits.view(getattr(ml_dtypes, dtype))


def _refusal(value: Any, array: Array) -> str:
    if array.dtype.kind == "O":
        return f"{type_name(value)} makes an array of Python objects; give one rectangular tensor of numbers"
    if array.dtype.kind in "US":
        return "text is not a tensor; record its ids"
    return f"dtype {array.dtype} cannot be stored in a golden; cast it to one that can (float64, float32, int64 …)"


def type_name(value: Any) -> str:
    """Return what a message calls the type of an object."""
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
