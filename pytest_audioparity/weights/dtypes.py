"""Types of numbers by the names that weights have for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.tensorbytes import dtype_from_numpy_name

if TYPE_CHECKING:
    import numpy as np


def dtype_named(name: str) -> np.dtype[Any]:
    """Return the little-endian dtype of that name, one of numpy or of ml_dtypes.

    Raises
    ------
    TensorFileError : there is none
    """
    dtype = dtype_from_numpy_name(name)
    if dtype is None:
        raise TensorFileError(f"has numbers of a type that is not read: {shown(name)}")
    return dtype
