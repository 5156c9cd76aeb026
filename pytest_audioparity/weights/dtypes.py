"""Types of numbers by the names that numpy and ml_dtypes give them."""

from __future__ import annotations

from typing import Any

import numpy as np

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_NUMPY = frozenset(("bool", *_INTEGERS, "float16", "float32", "float64", "complex64", "complex128"))


def dtype_named(name: str) -> np.dtype[Any]:
    """Return the little-endian dtype of that name, one of numpy or of ml_dtypes.

    Raises
    ------
    AttributeError : there is none
    """
    dtype: np.dtype[Any]
    if name in _NUMPY:
        dtype = np.dtype(name).newbyteorder("<")
        return dtype
    import ml_dtypes

    dtype = np.dtype(getattr(ml_dtypes, name))
    return dtype
