"""How far two signals differ at each moment: a word that is lost in one second of many hardly shows in the whole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# The shortest that a lost word is found by; see `audio.words`.
WINDOW_SECONDS = 0.25
# An error this far under the mean power of the signal is no word: the pauses of speech begin 28 dB under it.
QUIET_DB = 40.0
# Windows that are looked at together, so that no second copy of a long signal is made.
_TOGETHER = 64


def may_differ(snr_db: float, size: int, sample_rate: float) -> bool:
    """Whether any window can differ audibly, by the signal-to-error ratio of the whole alone.

    An error of one window at the least that counts is 40 dB under the mean power, and lower in the whole by as much as
    there are windows.
    """
    return snr_db < QUIET_DB + 10 * math.log10(_count(size, sample_rate))


def lowest_snr_db(expected: Array, actual: Array, *, sample_rate: float, mean_power: float) -> float:
    """Return the lowest signal-to-error ratio of any quarter of a second in dB, infinite where no error is audible.

    Parameters
    ----------
    expected, actual : shape (time,), real and finite, equally long, not empty
    sample_rate : in Hz
    mean_power : mean square of the whole stage, other channels included
    """
    count, length = _count(expected.size, sample_rate), max(1, round(WINDOW_SECONDS * sample_rate))
    audible = mean_power * 10 ** (-QUIET_DB / 10)
    lowest = math.inf
    for first in range(0, count, _TOGETHER):
        # What is left at the end belongs to the last window.
        end = (first + _TOGETHER) * length if first + _TOGETHER < count else expected.size
        sides = [side[first * length : end].astype(np.float64) for side in (expected, actual)]
        starts = np.arange(min(_TOGETHER, count - first)) * length
        sizes = np.diff(np.append(starts, sides[0].size))
        power, error = (np.add.reduceat(part**2, starts) / sizes for part in (sides[0], sides[1] - sides[0]))
        heard = (error > audible) & (error > 0)
        if heard.any():
            with np.errstate(divide="ignore"):
                lowest = min(lowest, float(10 * np.log10(power[heard] / error[heard]).min()))
    return lowest


def _count(size: int, sample_rate: float) -> int:
    return max(1, size // max(1, round(WINDOW_SECONDS * sample_rate)))
