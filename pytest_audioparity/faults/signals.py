"""Signal processing that faults are made of. Time is the last axis everywhere; nothing is changed in place."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def shifted(rows: Array, frames: int, fill: str = "zero") -> Array:
    """Delay by `frames` (advance if negative); what moves in is zero, the edge, or what fell off the other end."""
    result = np.roll(rows, frames, axis=-1)
    if fill == "wrap":
        return result
    where = np.s_[..., :frames] if frames > 0 else np.s_[..., frames:]
    edge = rows[..., :1] if frames > 0 else rows[..., -1:]
    result[where] = edge if fill == "edge" else 0
    return result


def delayed(rows: Array, frames: float) -> Array:
    """Delay by any number of frames, whole or not: each frequency is turned; silence stands before and behind."""
    size = 1 << (2 * rows.shape[-1]).bit_length()
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(size) * frames)
    result: Array = np.fft.irfft(np.fft.rfft(rows, size) * turn, size)[..., : rows.shape[-1]]
    return result


def fitted(rows: Array, frames: int, value: float = 0.0) -> Array:
    """Cut or fill to a number of frames, at the end."""
    if rows.shape[-1] >= frames:
        return np.array(rows[..., :frames])
    missing = [(0, 0)] * (rows.ndim - 1) + [(0, frames - rows.shape[-1])]
    longer: Array = np.pad(rows, missing, constant_values=value)
    return longer


def stretched(rows: Array, ratio: float, *, is_audio: bool) -> Array:
    """Play `ratio` times as long: through a resampler for audio, by linear interpolation for frames of features."""
    if is_audio:
        import soxr

        flat = rows.reshape(-1, rows.shape[-1])
        longer = soxr.resample(np.ascontiguousarray(flat.T), 1.0, ratio, quality="HQ").T
        return np.asarray(longer, np.float64).reshape(*rows.shape[:-1], -1)
    frames = rows.shape[-1]
    count = max(2, round(frames * ratio))
    return interpolated(rows, np.minimum(np.arange(count) / ratio, frames - 1.0))


def interpolated(rows: Array, places: Array) -> Array:
    """Read frames at fractional places, linearly."""
    frames = rows.shape[-1]
    low = np.clip(np.floor(places).astype(int), 0, max(0, frames - 2))
    weight = places - low
    high = np.minimum(low + 1, frames - 1)
    result: Array = rows[..., low] * (1 - weight) + rows[..., high] * weight
    return result


def convolved(rows: Array, kernel: Array, before: str = "zero") -> Array:
    """Filter causally with a short impulse response; before the start stand zeros, or the first frame ("edge")."""
    if before == "edge":
        padded = np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(len(kernel) - 1, 0)], mode="edge")
        return convolved(padded, kernel)[..., len(kernel) - 1 :]
    result = np.zeros_like(rows)
    for lag, weight in enumerate(kernel.tolist()[: rows.shape[-1]]):
        if weight:
            result[..., lag:] += weight * rows[..., : rows.shape[-1] - lag]
    return result


def without_dc(rows: Array, pole: float) -> Array:
    """Apply the usual DC blocker y[t] = x[t] − x[t−1] + pole·y[t−1], as its impulse response cut where it has faded."""
    taps = min(rows.shape[-1], int(np.ceil(np.log(1e-6) / np.log(pole))))
    response = -(1 - pole) * pole ** np.maximum(0, np.arange(taps) - 1)
    response[0] = 1.0
    size = 1 << (rows.shape[-1] + taps - 1).bit_length()
    spectrum = np.fft.rfft(rows, size) * np.fft.rfft(response, size)
    result: Array = np.fft.irfft(spectrum, size)[..., : rows.shape[-1]]
    return result


def lowpassed(rows: Array, cutoff: float, taps: int = 31) -> Array:
    """Apply a windowed-sinc low-pass without delay; `cutoff` is a share of the Nyquist frequency."""
    half = taps // 2
    places = np.arange(taps) - half
    kernel = np.sinc(cutoff * places) * np.hanning(taps + 2)[1:-1]
    padded = np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, half)])
    return convolved(padded, kernel / kernel.sum())[..., half:]


def surrogate(rows: Array, rng: np.random.Generator) -> Array:
    """Make other content with the same spectrum along time, so the same smoothness, mean and level per row."""
    spectrum = np.fft.rfft(rows)
    phase = rng.uniform(-np.pi, np.pi, spectrum.shape)
    phase[..., 0] = 0.0
    result: Array = np.fft.irfft(np.abs(spectrum) * np.exp(1j * phase), rows.shape[-1])
    return result


def disturbance(rows: Array, rng: np.random.Generator) -> Array:
    """Make an error signal with each row's spread and the signal's smoothness along time, mean about zero."""
    spread = rows.std(axis=-1, keepdims=True)
    # A row that is constant still gets wrong when the others do.
    spread = np.maximum(spread, 0.1 * rows.std())
    noise = np.asarray(rng.standard_normal(rows.shape))
    noise[..., 1:] = 0.8 * noise[..., 1:] + 0.6 * noise[..., :-1]
    result: Array = spread * noise
    return result
