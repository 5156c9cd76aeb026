"""STOI and ESTOI, overall and over time.

STOI: Taal, Hendriks, Heusdens, Jensen, "An Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy
Speech", IEEE TASLP 19(7), 2011. ESTOI: Jensen, Taal, "An Algorithm for Predicting the Intelligibility of Speech Masked
by Modulated Noise Maskers", IEEE/ACM TASLP 24(11), 2016.

Both agree with pystoi 0.4.1 to 1e-9. pystoi adds noise of the size of one rounding error from numpy's global generator,
so that it never divides by zero; here what has no variance correlates with nothing (0, the mean of what that noise
gives), and no random number is drawn.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Array = np.ndarray[Any, Any]

# The constants of the papers: rate, frames, third-octave bands, segments of 384 ms, clipping at -15 dB, and the frames
# that count: within 40 dB of the reference's loudest.
RATE = 10_000
FRAME = 256
HOP = FRAME // 2
_FFT = 512
BANDS = 15
_LOWEST_HZ = 150.0
SEGMENT = 30
_CLIP = 1 + 10 ** (15 / 20)
RANGE_DB = 40.0
_EPS = float(np.finfo(np.float64).eps)  # beside the norms, as in pystoi, whose scores these are
# A row or column varies where its norm is above the rounding of its mean.
_ROUNDING = 64 * _EPS
# What is computed at once: segments of 3.6 kB, frames of 2 kB. Measured, larger arrays take twice as long: they leave
# the cache, and the C library gives their memory back each time.
_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Bands:
    """Third-octave amplitudes of both sides over the frames in which the reference speaks.

    Attributes
    ----------
    reference, estimate : shape (15, frames)
    starts : shape (frames,): first sample of each frame at 10 kHz, before silent frames were taken out
    """

    reference: Array
    estimate: Array
    starts: Array


def bands_of(reference: Array, estimate: Array) -> Bands:
    """Take out the frames in which the reference is silent and return third-octave bands of both sides.

    Parameters
    ----------
    reference, estimate : shape (time,), 10 kHz, equally long
    """
    starts = np.arange(0, reference.size - FRAME, HOP)
    if not starts.size:
        return Bands(np.empty((BANDS, 0)), np.empty((BANDS, 0)), starts)
    kept = starts[active(reference)]
    left, right = (third_octaves(_joined(side, kept)) for side in (reference, estimate))
    return Bands(left, right, kept[:-1])


def bands_at(signal: Array, starts: Array, pitch: float = 1.0) -> Array:
    """Return third-octave amplitudes, shape (15, frames), of frames: `power_at` and `in_bands` in one."""
    frames, places = _frames_at(signal, starts)
    return np.concatenate([in_bands(_power(frames[places[part]]), pitch) for part in _parts(places.size)], axis=1)


def power_at(signal: Array, starts: Array) -> Array:
    """Return power spectra, shape (frames, 257), of the frames that start at these samples.

    Parameters
    ----------
    signal : shape (time,), 10 kHz; zero beyond its ends
    starts : shape (frames,)
    """
    frames, places = _frames_at(signal, starts)
    return np.concatenate([_power(frames[places[part]]) for part in _parts(places.size)])


def _frames_at(signal: Array, starts: Array) -> tuple[Array, Array]:
    """Return all frames of a signal that is zero beyond its ends, and the places of these among them."""
    padded = np.concatenate([np.zeros(FRAME), signal, np.zeros(FRAME)])
    return np.lib.stride_tricks.sliding_window_view(padded, FRAME), np.clip(starts + FRAME, 0, signal.size + FRAME)


def _parts(count: int) -> list[slice]:
    """Cut so many frames into parts that are computed at once; of none, one empty part."""
    return [slice(at, at + _CHUNK) for at in range(0, max(1, count), _CHUNK)]


def in_bands(power: Array, pitch: float = 1.0) -> Array:
    """Return third-octave amplitudes, shape (15, frames), of power spectra.

    Parameters
    ----------
    power : shape (frames, 257)
    pitch : factor on the band edges: what stands at 110 Hz counts as 100 Hz where it is 1.1
    """
    # A product with a matrix of ones would start threads, and take several times as long where the cores are busy.
    edges = _octave_edges(pitch)
    sums = np.add.reduceat(power, edges, axis=1)[:, :BANDS]
    sums[:, np.diff(edges) == 0] = 0.0  # beyond the last bin; an empty range gives the bin where it begins
    return np.asarray(np.sqrt(sums).T)


def active(reference: Array) -> Array:
    """Return which frames (256 samples every 128) are within 40 dB of the loudest."""
    frames = _frames(reference)
    norms = np.concatenate([np.linalg.norm(frames[part] * _HANN, axis=1) for part in _parts(len(frames))])
    energies = 20 * np.log10(norms + _EPS)
    return np.asarray(np.max(energies) - RANGE_DB - energies < 0)


def third_octaves(signal: Array) -> Array:
    """Return the amplitudes of 15 third-octave bands from 150 Hz, shape (15, frames)."""
    frames = _frames(signal)
    return np.concatenate([in_bands(_power(frames[part])) for part in _parts(len(frames))], axis=1)


def _power(frames: Array) -> Array:
    parts = np.fft.rfft(frames * _HANN, n=_FFT).view(np.float64)
    parts *= parts
    return np.asarray(parts[:, ::2] + parts[:, 1::2])


def stoi(bands: Bands) -> float:
    """Return STOI: about 0 (nothing) to 1 (all is understood). Needs 30 frames."""
    total, count = 0.0, 0
    for x, y in zip(_segments(bands.reference), _segments(bands.estimate), strict=True):
        scaled = y * np.sqrt(_squares(x) / (np.sqrt(_squares(y)) + _EPS) ** 2)
        clipped = np.minimum(scaled, x * _CLIP, out=scaled)
        left, right = (side - side.mean(axis=0) for side in (x, clipped))
        norms = [np.sqrt(_squares(side)) + _EPS for side in (left, right)]
        total += float(np.sum(np.einsum("tbs,tbs->bs", left, right) / (norms[0] * norms[1])))
        count += x.shape[2] * BANDS
    return total / count


def estoi_segments(bands: Bands, step: int = 1) -> Array:
    """Return ESTOI of every segment of 30 frames, shape (frames − 29,), -1 to 1; their mean is ESTOI.

    Parameters
    ----------
    bands : at least 30 frames; of fewer there is no segment
    step : frames from one segment to the next
    """
    return estoi_between(normal_segments(bands.reference, step), normal_segments(bands.estimate, step))


def estoi_between(reference: Iterable[Array], estimate: Iterable[Array]) -> Array:
    """Return the same of segments that are normal already, where one side is compared again and again."""
    parts = [np.einsum("tbs,tbs->s", x, y) / SEGMENT for x, y in zip(reference, estimate, strict=True)]
    return np.concatenate(parts) if parts else np.empty(0)


def normal_segments(side: Array, step: int = 1) -> Iterator[Array]:
    """Normalise each band over time, then each frame over the bands: mean 0 and norm 1.

    Yields
    ------
    shape (30, 15, segments): as many segments as stay in the cache of a core; beside each other they lie in memory, so
    that sums over the other axes run along it
    """
    for segments in _segments(side, step):
        yield _unit(_unit(segments.copy(), 0), 1)


def _segments(side: Array, step: int = 1) -> Iterator[Array]:
    """Cut bands, shape (15, frames), into segments of 30 frames: shape (30, 15, segments)."""
    if side.shape[1] < SEGMENT:
        return
    views = np.lib.stride_tricks.sliding_window_view(side, SEGMENT, axis=1)[:, ::step].transpose(2, 0, 1)
    for at in range(0, views.shape[2], _CHUNK):
        yield views[:, :, at : at + _CHUNK]


def _unit(values: Array, axis: int) -> Array:
    """Take out the mean and divide by the norm, in place."""
    mean = values.mean(axis=axis, keepdims=True)
    values -= mean
    squares = np.sum(values * values, axis=axis, keepdims=True)
    norm = np.sqrt(squares)
    size = np.sqrt(squares + values.shape[axis] * mean**2)
    # Infinite: what is constant becomes zero.
    values /= np.where(norm <= _ROUNDING * size, np.inf, norm)
    return values


def _squares(segments: Array) -> Array:
    """Return the sums of squares over time, shape (15, segments)."""
    return np.asarray(np.einsum("tbs,tbs->bs", segments, segments))


def _frames(signal: Array) -> Array:
    count = len(range(0, signal.size - FRAME, HOP))
    return np.lib.stride_tricks.sliding_window_view(signal, FRAME)[::HOP][:count] if count else np.empty((0, FRAME))


def _joined(signal: Array, starts: Array) -> Array:
    """Overlap and add the windowed frames that start there, one after another."""
    views = np.lib.stride_tricks.sliding_window_view(signal, FRAME)
    joined = np.zeros((len(starts) + 1, HOP))
    for part in _parts(len(starts)):
        frames = views[starts[part]] * _HANN
        joined[:-1][part] += frames[:, :HOP]
        joined[1:][part] += frames[:, HOP:]
    return joined.reshape(-1)


@functools.lru_cache(maxsize=256)
def _octave_edges(pitch: float = 1.0) -> Array:
    """Return the first bins of the 15 bands, and the end of the last; shape (16,)."""
    bins = np.linspace(0, RATE, _FFT + 1)[: _FFT // 2 + 1]
    edges = _LOWEST_HZ * pitch * 2 ** ((2 * np.arange(BANDS + 1) - 1) / 6)
    return np.asarray(np.abs(bins[:, None] - edges).argmin(axis=0))


# Matlab's `hanning`, which leaves out the zeros at the ends.
_HANN = np.hanning(FRAME + 2)[1:-1]
