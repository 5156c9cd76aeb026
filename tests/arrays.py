"""Dtypes by their names, and whether two arrays are the same."""

from __future__ import annotations

import ml_dtypes
import numpy as np


def dtype_of(name: str) -> np.dtype:
    """Return a dtype of numpy or of ml_dtypes."""
    return np.dtype(getattr(ml_dtypes, name) if hasattr(ml_dtypes, name) else name)


def same(left: np.ndarray, right: np.ndarray) -> bool:
    """Whether arrays are equal bit by bit, NaNs included, and of one dtype and shape."""
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
