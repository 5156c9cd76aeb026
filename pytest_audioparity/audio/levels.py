"""Level, DC offset, peak and clipping of one signal against another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.signals import runs_of

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# Samples at a flat top: this many and more in a row that equal the largest (or the smallest) to one part in ten
# thousand.
_FLAT_RUN = 3
_FLAT = 1e-4
# Coarse quantisation has flat tops that are no clipping: above half the peak, it knows few heights.
_LOUD, _HEIGHTS = 0.5, 16


def level_db(reference: Array, estimate: Array) -> float | None:
    """Return the ratio of the root mean squares without DC, in dB; -infinite for a silent estimate.

    None where the reference is silent.
    """
    left, right = (float(np.std(side)) for side in (reference, estimate))
    if not left:
        return None
    return 20 * math.log10(right / left) if right else -math.inf


def clipped_share(signal: Array) -> float:
    """Return the share of samples (0 to 1) that stand in flat tops: three and more in a row at the same extreme."""
    top = float(np.max(np.abs(signal), initial=0.0))
    if not top:
        return 0.0
    if not _has_heights(signal, _LOUD * top):
        return 0.0
    flat = 0
    for side in (signal, -signal):
        if side.max() > 0:
            flat += _in_runs(side >= float(side.max()) - _FLAT * top, _FLAT_RUN)
    return flat / signal.size


def _has_heights(signal: Array, loud: float) -> bool:
    """Whether what is loud has more heights than coarse quantisation knows; mostly its first samples tell."""
    heights = np.abs(signal[np.abs(signal) > loud])
    return any(np.unique(some).size > _HEIGHTS for some in (heights[: _HEIGHTS**2], heights))


def _in_runs(flags: Array, shortest: int) -> int:
    """Count the flags that stand in runs of this length and more."""
    starts, ends = runs_of(flags)
    lengths = ends - starts
    return int(lengths[lengths >= shortest].sum())
