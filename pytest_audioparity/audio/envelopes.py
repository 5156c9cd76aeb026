"""Envelopes of third-octave bands in steps of 3.2 ms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.intelligibility import BANDS, FRAME, HOP, third_octaves

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

STEP = 32  # samples at 10 kHz
# Below the loudest value of a side by this much, a band says nothing.
_FLOOR_DB = 45.0


def envelopes(signal: Array) -> Array:
    """Return levels in dB above a floor 45 dB under the loudest, shape (15, steps), of a signal at 10 kHz."""
    offsets = range(0, HOP, STEP)
    count = max(0, (signal.size - FRAME - HOP) // HOP)
    levels = np.zeros((BANDS, count, len(offsets)))
    for index, offset in enumerate(offsets):
        levels[:, :, index] = third_octaves(signal[offset:])[:, :count]
    return above_floor(levels.reshape(BANDS, -1))


def above_floor(amplitudes: Array) -> Array:
    """Return amplitudes as dB above a floor 45 dB under the largest; 0 for all of a silent signal."""
    top = amplitudes.max(initial=0.0)
    if not top:
        return np.zeros_like(amplitudes)
    floor = top * 10 ** (-_FLOOR_DB / 20)
    result: Array = 20 * np.log10(np.maximum(amplitudes, floor) / floor)
    return result
