"""Anything array-like as a numpy array, without importing a runtime the user has not imported.

An object is recognised by the module of its class, as array-api-compat does it; the numpy types of bfloat16 and
float8 come from ml_dtypes. Nothing is cast: an object that numpy cannot represent exactly is refused.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import StageError
from pytest_audioparity.records import DB_PER_UNIT, KINDS, StageMeta
from pytest_audioparity.tensorfile import name_from_dtype

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

# dtypes that numpy lacks, by their name in torch, mlx and jax, with the unsigned integer that carries their bits.
_BITS = {
    "bfloat16": ("bfloat16", "uint16"),
    "float8_e4m3fn": ("float8_e4m3fn", "uint8"),
    "float8_e5m2": ("float8_e5m2", "uint8"),
    "float8_e8m0fnu": ("float8_e8m0fnu", "uint8"),
}


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
            raise StageError(f"stage {name!r}: the rows of this {_type(value)} differ in length") from None
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StageError(f"stage {name!r}: {_type(value)} is not array-like: {problem}") from None
    if array.dtype.kind == "c" and array.dtype.itemsize <= 16:
        return array
    if name_from_dtype(array.dtype) is None:
        raise StageError(f"stage {name!r}: {_refusal(value, array)}")
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
) -> StageMeta:
    """Check what was declared of a stage against its tensor and return it as a record.

    Raises
    ------
    StageError : an unknown kind or unit, axes that do not fit the tensor, a rate that is not positive
    """
    check_name(name)
    if kind is not None and kind not in KINDS:
        raise StageError(f"stage {name!r}: kind={kind!r} is none of {', '.join(KINDS)}")
    if unit is not None and kind == "log_spectrum" and unit not in DB_PER_UNIT:
        raise StageError(f"stage {name!r}: unit={unit!r} of a log_spectrum is none of {', '.join(DB_PER_UNIT)}")
    if kind == "codes" and array.dtype.kind not in "iub":
        raise StageError(f"stage {name!r}: kind='codes' needs integers, got {array.dtype.name}")
    if axes is not None and (not isinstance(axes, str) or len(axes) != array.ndim or len(set(axes)) != len(axes)):
        raise StageError(f"stage {name!r}: axes={axes!r} must name each of its {array.ndim} dimensions with one letter")
    for label, rate in (("sample_rate", sample_rate), ("frame_rate", frame_rate)):
        if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 1e9):
            raise StageError(f"stage {name!r}: {label}={rate!r} is not a positive number of Hz")
    return StageMeta(name, kind, axes, unit, sample_rate, frame_rate)


def check_name(name: Any) -> None:
    """Refuse stage names that a safetensors file cannot carry or a report cannot show.

    Raises
    ------
    StageError : not a string, empty, with control characters, or safetensors' own ``__metadata__``
    """
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or name == "__metadata__":
        raise StageError(f"{name!r} is no stage name: it must be printable text and not '__metadata__'")


def _convert(value: Any) -> Array:
    if isinstance(value, np.ma.MaskedArray):
        raise StageError("a masked array has no value at masked places; fill it first")
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    for module, convert in _RUNTIMES.items():
        if _is_from(value, module):
            return convert(value)
    if isinstance(value, str | bytes | dict | set) or value is None:
        raise StageError(f"{_type(value)} is not array-like")
    return np.asarray(value)


def _is_from(value: Any, module: str) -> bool:
    """Whether a class of the value, or one it derives from, was defined in a package that is loaded."""
    if module not in sys.modules:
        return False
    return any(base.__module__ == module or base.__module__.startswith(module + ".") for base in type(value).__mro__)


def _from_torch(value: Any) -> Array:
    if (
        getattr(value, "is_sparse", False)
        or getattr(value, "is_quantized", False)
        or getattr(value, "is_nested", False)
    ):
        raise StageError("a sparse, quantised or nested torch tensor has no plain values; convert it first")
    plain = value.detach().cpu().resolve_conj().resolve_neg()
    dtype = str(plain.dtype).removeprefix("torch.")
    if dtype in _BITS:
        torch = sys.modules["torch"]
        target, carrier = _BITS[dtype]
        return _reinterpreted(plain.contiguous().view(getattr(torch, carrier)).numpy(), target)
    return np.asarray(plain.numpy())


def _from_mlx(value: Any) -> Array:
    dtype = str(value.dtype).rpartition(".")[2]
    if dtype in _BITS:
        core = sys.modules["mlx.core"]
        target, carrier = _BITS[dtype]
        return _reinterpreted(np.array(value.view(getattr(core, carrier))), target)
    return np.array(value)


def _from_onnxruntime(value: Any) -> Array:
    if not hasattr(value, "numpy"):
        raise StageError(f"{_type(value)} is not array-like")
    return np.asarray(value.numpy())


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
        return f"{_type(value)} makes an array of Python objects; give one rectangular tensor of numbers"
    if array.dtype.kind in "US":
        return "text is not a tensor; record its ids"
    return f"dtype {array.dtype} cannot be stored in a golden; cast it to one that can (float64, float32, int64 …)"


def _type(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
