"""Audio as `score` takes it: one channel, finite, as float64 with the full scale at 1."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.adapters.arrays import as_array
from pytest_audioparity.errors import StageError
from pytest_audioparity.records import HIGHEST_RATE, LOWEST_RATE

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# PCM has its full scale at the largest integer; 8 bits exist with and without an offset, so they are not guessed at.
_FULL_SCALE = {"int16": 2.0**15, "int32": 2.0**31}
# Zeros that last a frame of 25.6 ms and longer are no samples of a recording.
_PADDING_SECONDS = 0.0256


@dataclass(frozen=True, slots=True)
class Signal:
    """One side: `samples` of shape (time,), and how many of the given ones were not finite (then there are none)."""

    samples: Array
    nonfinite: int = 0


def signal_of(value: Any, name: str, by: str = "score") -> Signal:
    """Take one channel of audio.

    Parameters
    ----------
    value : anything array-like of floats, int16 or int32 (divided by 2¹⁵ or 2³¹); shape (time,), with axes of length 1
    name, by : "reference" or "estimate", and who takes it, for the message

    Raises
    ------
    StageError : not an array, more than one channel, another dtype
    """
    if isinstance(value, str | os.PathLike):
        raise StageError(f"{by}: {name} is a path; give samples, or files to score_many and `audioparity score`")
    array = one_array(value, name, by)
    if array.ndim == 0 or sum(size != 1 for size in array.shape) > 1:
        raise StageError(f"{by}: {name} has shape {array.shape}; give one channel at a time, shape (time,)")
    scale = _FULL_SCALE.get(array.dtype.name)
    # bfloat16 and float8 are of kind "V" to numpy.
    if scale is None and (array.dtype.kind not in "fV" or array.dtype.itemsize > 8):
        raise StageError(f"{by}: {name} is {array.dtype}; audio is float (full scale 1), int16 or int32")
    samples = array.reshape(-1).astype(np.float64)
    bad = int(samples.size - np.count_nonzero(np.isfinite(samples)))
    return Signal(samples[:0] if bad else samples / (scale or 1.0), bad)


def one_array(value: Any, name: str, by: str) -> Array:
    """Return what is one array, of the audio and nothing beside it, as numpy's.

    Raises
    ------
    StageError : not an array, or several in a tuple, as many models return them
    """
    if isinstance(value, tuple) and any(getattr(part, "shape", ()) for part in value):
        raise StageError(f"{by}: {name} is a tuple of {len(value)}; give the audio alone")
    return as_array(value, name)


def rate_of(sample_rate: Any) -> int:
    """Return a sample rate as an integer.

    Raises
    ------
    StageError : not a whole number of Hz from 4000 to 768 000
    """
    whole = not isinstance(sample_rate, bool) and isinstance(sample_rate, int | float | np.integer | np.floating)
    if not whole or sample_rate != sample_rate or not float(sample_rate).is_integer():
        raise StageError(f"score: sample_rate={sample_rate!r} is not a whole number of Hz")
    if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
        hint = (
            f"; did you give kHz? {sample_rate} kHz are {int(sample_rate) * 1000} Hz" if 4 <= sample_rate <= 768 else ""
        )
        raise StageError(f"score: sample_rate={sample_rate} is not within {LOWEST_RATE} to {HIGHEST_RATE} Hz{hint}")
    return int(sample_rate)


def runs_of(flags: Array) -> tuple[Array, Array]:
    """Return where runs of true flags begin, and where they have ended."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return edges[::2], edges[1::2]


def without_constant(signal: Array, rate: int) -> Array:
    """Take the mean out of what was recorded; silence that was put in, zero throughout, has no constant."""
    zeros = [span for span in zip(*runs_of(signal == 0), strict=True) if span[1] - span[0] >= _PADDING_SECONDS * rate]
    recorded = np.ones(signal.size, dtype=bool)
    for start, end in zeros:
        recorded[start:end] = False
    kept = signal[recorded]
    if not kept.size or kept.min() == kept.max():  # a pulse, of which nothing would be left
        return np.asarray(signal - signal.mean())
    return np.where(recorded, signal - kept.mean(), 0.0)


def fast_length(size: int) -> int:
    """Return the smallest length from `size` on that has no prime factor above 5: its Fourier transform is fast."""
    size = max(1, size)
    best = 1 << (size - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            best = min(best, three << max(0, (-(-size // three) - 1).bit_length()))
            three *= 3
        five *= 5
    return best
