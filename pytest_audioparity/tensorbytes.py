"""Arrays as bytes: which dtypes tensor files have, which arrays numpy can hold, and no copy on the way."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import TensorFileError, shown

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterable, Sequence

    Array = np.ndarray[Any, Any]

# The limit of numpy, raised from 32 by numpy 2.
_MAX_DIMENSIONS = 64 if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else 32

_NUMPY_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "C64": "<c8",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}
_ML_DTYPES = {
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
}
_NAME_OF = {np.dtype(numpy).name: name for name, numpy in _NUMPY_DTYPES.items()}
_NAME_OF |= {ml: name for name, ml in _ML_DTYPES.items()}
# The formats have no complex128, but a pair of its parts (see `golden.document`), which is the same bytes.
_COMPLEX = "complex128"


def dtype_from_name(name: str) -> np.dtype[Any] | None:
    """Return the numpy dtype of a safetensors dtype name, or None when there is none (4- and 6-bit floats)."""
    if name in _NUMPY_DTYPES:
        return np.dtype(_NUMPY_DTYPES[name])
    if name in _ML_DTYPES:
        import ml_dtypes

        dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, _ML_DTYPES[name]))
        return dtype
    return None


# numpy makes a name anew each time, in a tenth of the time that the comparison of a small stage takes.
@lru_cache(maxsize=64)
def dtype_name(dtype: np.dtype[Any]) -> str:
    """Return what numpy calls a dtype, such as ``float32``."""
    name: str = dtype.name
    return name


def name_from_dtype(dtype: np.dtype[Any]) -> str | None:
    """Return the safetensors name of a numpy dtype of either byte order, or None when the format has none."""
    return _NAME_OF.get(dtype_name(dtype))


def dtype_from_numpy_name(name: object) -> np.dtype[Any] | None:
    """Return the little-endian dtype that numpy, or ml_dtypes, calls so, if it is one of tensors; or None."""
    if name == _COMPLEX:
        return np.dtype("<c16")
    known = _NAME_OF.get(name) if isinstance(name, str) else None
    return None if known is None else dtype_from_name(known)


def as_array(
    name: str, dtype: np.dtype[Any], shape: tuple[int, ...], data: mmap.mmap | bytes, offset: int = 0
) -> Array:
    """Return bytes as a read-only array, without copying.

    Raises
    ------
    TensorFileError : a boolean tensor holds bytes other than 0 and 1, which numpy would count as it likes
    """
    array: Array = np.ndarray(shape, dtype, data, offset)
    if dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:
        raise TensorFileError(f"holds bytes other than 0 and 1 in the BOOL tensor {shown(name)}")
    return array


def fits(dtype: np.dtype[Any], shape: Sequence[int], size_bytes: int) -> bool:
    """Whether an array of that dtype and shape has that many bytes, and numpy can hold it."""
    # numpy refuses an empty array too when its other dimensions would overflow.
    span = math.prod(filter(None, shape)) * dtype.itemsize
    return size_bytes == (0 if 0 in shape else span) and span < 2**63 and len(shape) <= _MAX_DIMENSIONS


def are_sizes(numbers: Iterable[Any]) -> bool:
    """Whether all are integers, not truth values, that can be a dimension or a count of bytes."""
    return all(type(n) is int and 0 <= n < 2**63 for n in numbers)


def raw_bytes(array: Array) -> memoryview:
    """Return the little-endian C-order bytes of an array, without a copy where it already has that layout."""
    if array.size == 0:
        return memoryview(b"")
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data
