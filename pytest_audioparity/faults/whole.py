"""Faults of a whole tensor that a line describes: gains, offsets, logarithms, signs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_audioparity.faults.subject import Change, Subject
from pytest_audioparity.records import DB_PER_UNIT

if TYPE_CHECKING:
    from collections.abc import Iterator

# Constants that ports really multiply with, and where each comes from.
_GAINS = (
    (1.5, "inverse STFT without overlap normalisation, gain 1.5"),
    (0.75, "inverse STFT with the wrong overlap, gain 0.75"),
    (math.sqrt(2), "orthonormal against plain transform, gain sqrt 2"),
    (0.5, "channels averaged where they were to be added, gain 0.5"),
    (32768.0, "int16 samples not divided by 32768"),
    (1 / 32768, "samples divided by 32768 twice"),
    (10 ** (0.5 / 20), "loudness 0.5 dB high"),
    (10 ** (-0.5 / 20), "loudness 0.5 dB low"),
    (10 ** (0.02 / 20), "gain of 0.02 dB"),
)
# Head size where no channel count is known.
_HEAD = 64
# A normalisation that moves the mean by less than this share of the deviation is a gain.
_SHIFTED = 0.05


def gain(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Multiply everything."""
    gains = [] if subject.kind == "log_spectrum" else list(_GAINS)
    width = subject.channels if subject.channels > 1 else _HEAD
    if subject.kind != "log_spectrum":
        gains.append((width**-0.5, f"attention scaled by 1/sqrt({width}) once more"))
        gains.append((float(width) ** 0.5, f"embedding scaled by sqrt({width}) though it was already"))
        value = math.exp(rng.uniform(math.log(0.3), math.log(3.0)))
        gains.append((value, f"weights scaled by {value:.4g}"))
    # Of a log spectrum a familiar slope would be another logarithm, so these stay near one.
    value = 1 + float(rng.choice([-1, 1])) * rng.uniform(0.01, 0.3)
    gains.append((value, f"scale off by {value:.4g}"))
    for value, name in gains:
        yield Change(name, subject.x * value, {"gain": value})


def offset(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Add one number to everything."""
    if subject.kind == "log_spectrum":
        unit = DB_PER_UNIT.get(subject.stage.meta.unit or "")
        for db in (-1.46, 1.5, 7.82, -0.05, float(rng.uniform(-3, 3))) if unit else ():
            assert unit is not None
            yield Change(f"log-mel {db:+.2f} dB", subject.x + db / unit, {"offset": db / unit, "offset_db": db})
        return
    for share in (0.02, 0.3, 1.0, float(rng.uniform(0.01, 2))):
        value = float(rng.choice([-1, 1])) * share * subject.std
        yield Change(f"bias of {share:.3g} standard deviations", subject.x + value, {"offset": value})


def affine(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Multiply and add, as a normalisation with another mean and deviation does."""
    mean = float(subject.x.mean())
    slopes = [(0.8, 0.3), (1.25, -0.3), (float(rng.uniform(0.5, 0.9)), float(rng.uniform(-1, 1)))]
    for slope, share in slopes:
        # Relative to the mean, so that neither of the two numbers cancels the other over the signal's own range.
        shift = mean * (1 - slope) + share * subject.std
        name = f"normalised with another mean and deviation: {slope:.4g}·x {shift:+.4g}"
        yield Change(name, slope * subject.x + shift, {"gain": slope, "offset": shift})
    slope, shift = 1 / subject.std, -mean / subject.std
    # What had no mean to begin with would only be scaled.
    if abs(shift) > _SHIFTED:
        yield Change("normalised where it was not to be", slope * subject.x + shift, {"gain": slope, "offset": shift})
    if subject.kind == "log_spectrum" and subject.stage.meta.unit == "log10_power":
        yield Change("(x + 4) / 4 left in", subject.x / 4 + 1, {"gain": 0.25, "offset": 1.0})


def log_base(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Write a log spectrum in another unit; power for amplitude is one of the pairs."""
    unit = subject.stage.meta.unit
    if subject.kind != "log_spectrum" or unit not in DB_PER_UNIT:
        return
    assert unit is not None
    for other, worth in DB_PER_UNIT.items():
        if other != unit:
            slope = DB_PER_UNIT[unit] / worth
            detail = {"gain": slope, "expected_unit": unit, "actual_unit": other}
            yield Change(f"{other} where {unit} is meant", subject.x * slope, detail)


def sign_flip(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Invert every value."""
    yield Change("inverted", -subject.x, {"gain": -1.0})


def codes_offset(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Count codes from another number."""
    for value, name in ((1, "codes counted from 1"), (-1, "start token not subtracted"), (3, "three special tokens")):
        moved = subject.x.astype(np.int64) + value
        limits = np.iinfo(subject.x.dtype) if subject.x.dtype.kind in "iu" else None
        if limits is not None and moved.min() >= limits.min and moved.max() <= limits.max:
            yield Change(name, moved, {"offset": value})
