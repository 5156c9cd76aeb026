"""Statistics of a tensor for its manifest: what a reviewer sees change in a diff. They are never compared."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# Elements that are held as float64 at a time: 2 MB, which stays in the cache of a core.
_BLOCK = 1 << 18
# As many digits as tell two tensors apart in a diff; more would differ between machines that sum in another order.
_DIGITS = 6


def statistics(values: Array) -> dict[str, float]:
    """Return min, max, mean and std of the finite elements, and how many NaN and infinities there are, if any.

    Parameters
    ----------
    values : one-dimensional; of complex tensors the real and imaginary parts

    Returns
    -------
    Numbers by name; without those that do not exist or are out of the range of float64
    """
    low, high, count, mean, squares, nan = math.inf, -math.inf, 0, 0.0, 0.0, 0
    with np.errstate(all="ignore"):
        for start in range(0, values.size, _BLOCK):
            block = values[start : start + _BLOCK].astype(np.float64)
            nan += int(np.isnan(block).sum())
            block = block[np.isfinite(block)]
            if block.size == 0:
                continue
            low, high = min(low, float(block.min())), max(high, float(block.max()))
            # Merging of means and squared deviations: Chan, Golub & LeVeque 1983, "Algorithms for computing the
            # sample variance".
            own, total = float(block.mean()), count + block.size
            step = own - mean
            squares += float(((block - own) ** 2).sum()) + step * step * count * block.size / total
            mean += step * block.size / total
            count = total
    found = {"min": low, "max": high, "mean": mean, "std": math.sqrt(squares / count) if count else math.inf}
    numbers = {key: _rounded(value) for key, value in found.items() if count and math.isfinite(value)}
    bad = {"nan": nan, "inf": values.size - count - nan}
    return {**numbers, **{key: value for key, value in bad.items() if value}}


def _rounded(value: float) -> float:
    rounded = float(f"{value:.{_DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 10**_DIGITS else rounded
