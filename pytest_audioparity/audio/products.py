"""Products of matrices on one thread: every process that scores would start threads of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# OpenBLAS multiplies on one thread up to so many products.
_ONE_THREAD = 2**18
# Inputs copied at once, 0.25 MB.
_CACHED = 2**15


def product(rows: Array, matrix: Array, out: Array | None = None) -> Array:
    """Return the product of two matrices, some rows at a time.

    Parameters
    ----------
    rows : shape (rows, inputs), of any layout: views that overlap are copied some at a time
    matrix : shape (inputs, outputs)
    out : where to write the result, shape (rows, outputs)
    """
    result = np.empty((len(rows), matrix.shape[1])) if out is None else out
    step = max(1, min(_ONE_THREAD // matrix.size, _CACHED // len(matrix)))
    for at in range(0, len(rows), step):
        result[at : at + step] = np.ascontiguousarray(rows[at : at + step]) @ matrix
    return result
