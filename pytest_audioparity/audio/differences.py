"""Signal-to-error ratios and spectral distances between two aligned signals.

Each returns None where the number does not exist for these signals.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.products import product

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

FRAME_SECONDS = 0.032
# Power below the reference's loudest bin (of the clip) by this much counts as this: 16-bit audio has no more.
FLOOR_DB = 80.0
# Frames that count are within this of the loudest, as for STOI.
RANGE_DB = 40.0
MEL_BANDS = 40
CEPSTRA = 13
# Values computed at once. Measured, arrays of megabytes take twice as long: the C library gives their memory back each
# time, and the system has to find it again, page by page.
_CACHED = 2**14


def snr(reference: Array, estimate: Array) -> float | None:
    """Return 10·log10(‖reference‖² / ‖estimate − reference‖²) in dB; infinite where they are equal.

    None where the reference is zero.
    """
    return _ratio(float(np.sum(reference**2)), float(np.sum((estimate - reference) ** 2)))


def si_sdr(reference: Array, estimate: Array) -> float | None:
    """Return the scale-invariant signal-to-distortion ratio in dB.

    Le Roux, Wisdom, Erdogan, Hershey, "SDR - half-baked or well done?", ICASSP 2019; means are not removed. Infinite
    where the estimate is a multiple of the reference, -infinite where it is orthogonal. None where one of them is zero.
    """
    energy = float(np.sum(reference**2))
    if not energy or not np.any(estimate):
        return None
    target = reference * (float(np.dot(reference, estimate)) / energy)
    return _ratio(float(np.sum(target**2)), float(np.sum((estimate - target) ** 2)), none=-math.inf)


def _ratio(signal: float, error: float, none: float | None = None) -> float | None:
    if not signal:
        return none
    # Rounding leaves an error of one part in 2⁵² of the signal where there is none.
    return 10 * math.log10(signal / error) if error > signal * 2.0**-100 else math.inf


def spectral_distances(reference: Array, estimate: Array, sample_rate: int) -> tuple[float | None, float | None]:
    """Return the log-spectral distance and the mel-cepstral distortion, both in dB, after the levels were matched.

    log-spectral distance : root mean square over frequency of the difference of log power spectra, mean over frames
        (Gray and Markel, "Distance Measures for Speech Processing", IEEE TASSP 24(5), 1976)
    mel-cepstral distortion : (10/ln 10)·√(2·Σ(c − c')²) over cepstra 1 to 13 of 40 mel bands, mean over frames
        (Kubichek, "Mel-cepstral distance measure for objective speech quality assessment", PACRIM 1993); by Parseval
        the root mean square over mel bands of what differs in the smoothed log power, in dB

    Frames of 32 ms, every 8 ms, in which the reference is within 40 dB of its loudest. None where there is no such
    frame, or no frame of the reference has any sound, or one side is zero.
    """
    size = 1 << max(5, round(math.log2(FRAME_SECONDS * sample_rate)))
    if reference.size < size or not np.any(reference) or not np.any(estimate):
        return None, None
    left, right = (_frames(side, size) for side in (reference, estimate))
    # The window takes the levels out: a signal divided by its own would be one more copy of it.
    windows = [np.hanning(size + 1)[:-1] / np.sqrt(np.mean(side**2)) for side in (reference, estimate)]
    energy, loudest = _measured(left, windows[0])
    if not loudest > 0:  # what sounds lies behind the last whole frame, or where the window ends
        return None, None
    chosen = np.flatnonzero(energy > energy.max() * 10 ** (-RANGE_DB / 10))
    floor = loudest * 10 ** (-FLOOR_DB / 10)
    spectral, cepstral = [], []
    for rows in _parts(chosen.size, size):
        sides = zip((left, right), windows, strict=True)
        powers = [np.maximum(_power(side[chosen[rows]], window), floor) for side, window in sides]
        spectral.append(np.sqrt(np.mean((10 * np.log10(powers[0] / powers[1])) ** 2, axis=1)))
        bands = [np.log(product(power, _mel(size, sample_rate))) for power in powers]
        change = product(bands[0] - bands[1], _cosines())
        cepstral.append(10 / math.log(10) * np.sqrt(2 * np.sum(change**2, axis=1)))
    return float(np.mean(np.concatenate(spectral))), float(np.mean(np.concatenate(cepstral)))


def _frames(signal: Array, size: int) -> Array:
    return np.lib.stride_tricks.sliding_window_view(signal, size)[:: size // 4]


def _parts(count: int, size: int) -> Iterator[slice]:
    """Cut so many frames of a size into parts that stay in the cache of a core."""
    step = max(1, _CACHED // size)
    return (slice(at, at + step) for at in range(0, count, step))


def _measured(frames: Array, window: Array) -> tuple[Array, float]:
    """Return the energy of each frame, and the largest power of any bin of any frame."""
    energy, loudest = np.empty(len(frames)), 0.0
    for rows in _parts(len(frames), window.size):
        energy[rows] = np.mean(frames[rows] ** 2, axis=1)
        loudest = max(loudest, float(np.max(_power(frames[rows], window))))
    return energy, loudest


def _power(frames: Array, window: Array) -> Array:
    spectrum = np.fft.rfft(frames * window)
    return np.asarray(spectrum.real**2 + spectrum.imag**2)


@functools.lru_cache(maxsize=8)
def _mel(size: int, sample_rate: int) -> Array:
    """Return triangles that are even on the mel scale of O'Shaughnessy (2595·log10(1 + f/700)), shape (bins, 40)."""
    frequency = np.fft.rfftfreq(size, 1 / sample_rate)
    top = 2595 * math.log10(1 + sample_rate / 1400)
    edges = 700 * (10 ** (np.linspace(0, top, MEL_BANDS + 2) / 2595) - 1)
    rising = (frequency[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequency[:, None]) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0, np.minimum(rising, falling))
    # A triangle between two bins has none: it takes the bin next to its top.
    empty = np.flatnonzero(weights.sum(axis=0) == 0)
    weights[np.abs(frequency[:, None] - edges[1:-1][empty]).argmin(axis=0), empty] = 1
    return np.asarray(weights)


@functools.lru_cache(maxsize=1)
def _cosines() -> Array:
    """Return the cosines whose mean products with log power are cepstra 1 to 13, over the number of bands: (40, 13)."""
    n = np.arange(MEL_BANDS)[:, None] + 0.5
    return np.asarray(np.cos(np.pi / MEL_BANDS * n * np.arange(1, CEPSTRA + 1)) / MEL_BANDS)
