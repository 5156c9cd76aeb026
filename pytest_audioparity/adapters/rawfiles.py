"""Raw numbers beside a JSON text that says what they are: what a program writes that has no library for anything.

``mel.f32`` holds the numbers, its suffix their type; ``mel.f32.json``, or ``mel.json``, the rest: the keys of `_KEYS`.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.adapters.arrays import rate_problem
from pytest_audioparity.adapters.opening import opened, refusal
from pytest_audioparity.comparison.tolerances import nearest
from pytest_audioparity.errors import StageError, TensorFileError, shown
from pytest_audioparity.golden.declarations import declaration_problem
from pytest_audioparity.records import DECLARED, StageMeta, StageTensor
from pytest_audioparity.tensorbytes import are_sizes, dtype_from_name, dtype_from_numpy_name, fits, raw_bytes
from pytest_audioparity.tensorfile import MAX_HEADER_BYTES, contents, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Array = np.ndarray[Any, Any]

# Suffixes are the names that Rust and Go have for these types; in capitals they are those of safetensors.
_NAMES = ("f16", "f32", "f64", "bf16", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")
SUFFIXES = tuple(f".{name}" for name in _NAMES)
SIDECAR = ".json"
_KEYS = ("shape", "strides", "offset", "byte_order", "dtype", "name", *DECLARED, "role")
_EXAMPLE = '{"shape": [1, 80, 412], "axes": "BCT"}'


def read_raw(path: Path, name: str) -> list[StageTensor]:
    """Read one tensor of raw numbers, as the JSON text beside it says, which may give it another name.

    Raises
    ------
    TensorFileError : a file is missing or damaged, or the two do not fit
    """
    dtype = _dtype(path)
    opened(path).close()
    data, _ = contents(path)
    sidecar = _sidecar(path)
    said = _said(sidecar)
    _check_dtype(sidecar, said, dtype)
    if len(data) % dtype.itemsize:
        raise refusal(path, f"has {len(data)} bytes, which are no whole number of {dtype.name}")
    bits: Array = np.frombuffer(data, f"{_order(sidecar, said)}u{dtype.itemsize}")
    laid_out = _laid_out(bits, sidecar, said)
    # Swapped as integers: numpy cannot swap the bytes of bfloat16.
    native = laid_out if laid_out.dtype.isnative else laid_out.astype(laid_out.dtype.newbyteorder("="))
    array = native.view(dtype)
    if not isinstance(said.get("name", name), str):
        raise refusal(sidecar, f"has the name {shown(said['name'])}, which is no text")
    declared = {key: said.get(key) for key in (*DECLARED, "role")}
    problem = declaration_problem(array, declared) or rate_problem(said.get("kind"), said.get("sample_rate"))
    if problem is not None:
        raise refusal(sidecar, f"describes {path.name} wrongly: {problem}")
    return [StageTensor(StageMeta(said.get("name", name), **declared), array)]


def raw_files(stage: StageTensor) -> tuple[str, bytes | memoryview, bytes]:
    """Return a stage as the suffix, the numbers and the JSON text of a raw file, little-endian and in C order.

    Raises
    ------
    StageError : there is no such file of its dtype
    """
    array, meta = stage.array, stage.meta
    name = next((name for name in _NAMES if _known(name).name == array.dtype.name), None)
    if name is None:
        raise StageError(f"stage {meta.name!r} is {array.dtype.name}, of which there are no raw files; use safetensors")
    said = {"name": meta.name, "dtype": array.dtype.name, "shape": list(array.shape), "byte_order": "little"}
    said |= {key: value for key in (*DECLARED, "role") if (value := getattr(meta, key)) is not None}
    return f".{name}", raw_bytes(array), json.dumps(said, ensure_ascii=False).encode()


def sidecar_of(path: Path) -> Path | None:
    """Return the JSON text beside a raw file, ``mel.f32.json`` before ``mel.json``; None where there is none."""
    beside = (path.with_name(f"{path.name}{SIDECAR}"), path.with_suffix(SIDECAR))
    return next((file for file in beside if file.is_file()), None)


def _known(name: str) -> np.dtype[Any]:
    dtype = dtype_from_name(name.upper())
    assert dtype is not None
    return dtype


def _dtype(path: Path) -> np.dtype[Any]:
    return _known(path.suffix.lower().removeprefix("."))


def _sidecar(path: Path) -> Path:
    sidecar = sidecar_of(path)
    if sidecar is None:
        raise TensorFileError(
            f"{path} holds numbers without a shape; write {path.name}{SIDECAR} beside it, such as {_EXAMPLE}",
            cause="missing",
        )
    return sidecar


def _said(sidecar: Path) -> Mapping[str, Any]:
    try:
        data, _ = contents(sidecar)
        if len(data) > MAX_HEADER_BYTES:
            raise TensorFileError(f"is no description of a tensor: it has {len(data)} bytes")
        said = parse_json(bytes(data).decode("utf-8-sig"))  # .NET begins UTF-8 with a byte order mark
    except TensorFileError as error:
        raise refusal(sidecar, str(error), error.cause) from None
    except (ValueError, RecursionError) as error:
        raise refusal(sidecar, f"is not JSON: {error}") from None
    if not isinstance(said, dict):
        raise refusal(sidecar, "is not a JSON object")
    unknown = next((key for key in said if key not in _KEYS), None)
    if unknown is not None:
        near = nearest(unknown, _KEYS)
        hint = f"; did you mean {near!r}?" if near else f"; it may have {', '.join(_KEYS)}"
        raise refusal(sidecar, f"has an unknown key {shown(unknown)}{hint}")
    return said


def _check_dtype(sidecar: Path, said: Mapping[str, Any], dtype: np.dtype[Any]) -> None:
    """Refuse a dtype that is not that of the suffix; it may be spelt as numpy, Rust or safetensors do."""
    stated = said.get("dtype")
    if stated is None:
        return
    known = dtype_from_numpy_name(stated) or (dtype_from_name(stated.upper()) if isinstance(stated, str) else None)
    if known != dtype:
        raise refusal(sidecar, f"says dtype {shown(stated)} of a file whose suffix says {dtype.name}")


def _order(sidecar: Path, said: Mapping[str, Any]) -> str:
    order = said.get("byte_order", "little")
    if order not in ("little", "big"):
        raise refusal(sidecar, f"says byte_order {shown(order)}, which is neither 'little' nor 'big'")
    return "<" if order == "little" else ">"


def _laid_out(bits: Array, sidecar: Path, said: Mapping[str, Any]) -> Array:
    """Return the numbers of a file in the shape that is said of them, as a view: strides and offset count elements."""
    shape: Any = said.get("shape")
    offset = said.get("offset", 0)
    if not _is_shape(shape, bits.dtype) or not are_sizes((offset,)):
        raise refusal(sidecar, "needs a shape, and may have an offset: whole numbers that are not negative")
    strides = said.get("strides")
    if strides is None:
        strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
        needed = offset + math.prod(shape)
        if needed != bits.size:
            raise refusal(sidecar, f"describes {needed} numbers, the file has {bits.size}")
    elif not _are_strides(strides, len(shape)):
        raise refusal(sidecar, f"has strides that are not {len(shape)} whole numbers, in elements")
    _check_span(bits.size, shape, strides, offset, sidecar)
    at = bits[min(offset, bits.size) :]
    # The stride of a dimension that has no second element says nothing, and may be any number.
    steps = [
        stride * bits.itemsize if n > 1 and 0 not in shape else 0 for n, stride in zip(shape, strides, strict=True)
    ]
    return np.lib.stride_tricks.as_strided(at, shape, steps, writeable=False)


def _is_shape(shape: Any, dtype: np.dtype[Any]) -> bool:
    """Whether numpy can hold an array of a shape."""
    return isinstance(shape, list) and are_sizes(shape) and fits(dtype, shape, math.prod(shape) * dtype.itemsize)


def _are_strides(strides: Any, dimensions: int) -> bool:
    return isinstance(strides, list) and len(strides) == dimensions and all(type(n) is int for n in strides)


def _check_span(size: int, shape: list[int], strides: list[int], offset: int, sidecar: Path) -> None:
    """Refuse strides that lead out of the file, that count elements twice, or that leave a part of the file over."""
    if 0 in shape:
        return
    steps = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    first = offset + sum(step for step in steps if step < 0)
    last = offset + sum(step for step in steps if step > 0)
    if first < 0 or last >= size:
        raise refusal(sidecar, f"describes elements {first} to {last} of a file that has {size}")
    if math.prod(shape) > size:
        raise refusal(sidecar, f"describes {math.prod(shape)} elements of a file that has {size}; write each of them")
    reach = 0  # how far the dimensions of smaller strides lead; the next has to step over all of that
    for stride, n in sorted((abs(stride), n) for n, stride in zip(shape, strides, strict=True) if n > 1):
        if stride <= reach:
            raise refusal(sidecar, f"has strides that lead to one element twice: {strides} of shape {shape}")
        reach += (n - 1) * stride
    # Rows may be padded, the last one too; what lies behind that belongs to something else.
    whole = offset + max((n * abs(stride) for n, stride in zip(shape, strides, strict=True)), default=1)
    if size > max(whole, last + 1):
        raise refusal(sidecar, f"describes {max(whole, last + 1)} numbers, the file has {size}")
