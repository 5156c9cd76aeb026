"""Level, DC offset, peak and clipping of one signal against another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# Samples at a flat top: this many and more in a row that equal the largest (or the smallest) to one part in ten thousand.
_FLAT_RUN = 3
_FLAT = 1e-4
# Coarse quantisation has flat steps at every height: where those above half the peak are more, the tops are no clipping.
_LOUD = 0.5


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
    flat = 0
    for side in (signal, -signal):
        at_top = side >= float(side.max()) - _FLAT * top if side.max() > 0 else np.zeros(side.size, dtype=bool)
        flat += _in_runs(at_top, _FLAT_RUN)
    steps = np.concatenate([[False], np.abs(np.diff(signal)) <= _FLAT * top])
    return flat / signal.size if 2 * flat > _in_runs(steps & (np.abs(signal) > _LOUD * top), _FLAT_RUN - 1) else 0.0


def _in_runs(flags: Array, shortest: int) -> int:
    """Count the flags that stand in runs of this length and more."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    lengths = edges[1::2] - edges[::2]
    return int(lengths[lengths >= shortest].sum())
