"""Faults that move content along time: shifts, rates, reversal, frames repeated or lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_audioparity.faults import signals
from pytest_audioparity.faults.subject import Array, Change, Subject, smoothness

if TYPE_CHECKING:
    from collections.abc import Iterator

# MP3 through the usual encoders comes 1105 samples late.
_CODEC_DELAY = 1105
_HOP = 256
# Frames whose neighbours correlate less cannot be read between, as a stretched input would make them.
_SMOOTH = 0.5
# A waveform of fewer samples is mostly its own beginning and end.
_SHORTEST = 256
_RATES = ((24000, 22050), (16000, 24000), (44100, 48000), (48000, 44100), (22050, 24000))


def time_shift(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Come some frames early or late."""
    shifts = [1, -1, 3, -3]
    if subject.kind == "waveform":
        shifts += [_HOP, -_HOP, _CODEC_DELAY, int(rng.integers(5, 600))]
    elif subject.frames >= 100:
        shifts.append(int(rng.choice([-1, 1])) * int(rng.integers(4, 20)))
    if (rows := _rows(subject, 16)) is None:
        return
    for shift in shifts:
        if subject.frames >= 8 * abs(shift):
            fill = str(rng.choice(["zero", "edge"]))
            name = f"{abs(shift)} frames {'late' if shift > 0 else 'early'}, {fill} moved in"
            moved = subject.untimed(signals.shifted(rows, shift, fill))
            yield Change(name, moved, {"shift_frames": shift, "fill": fill})


def part_of_a_sample(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Come late or early by no whole number of samples, as behind a filter with an even number of taps."""
    rows = _rows(subject, _SHORTEST)
    if rows is None or subject.kind != "waveform":
        return
    for shift in (0.5, -0.5, 15.5, round(float(rng.uniform(0.1, 0.4)), 3)):
        name = f"{abs(shift):g} samples {'late' if shift > 0 else 'early'}"
        yield Change(name, subject.untimed(signals.delayed(rows, shift)), {"shift_frames": shift})


def sample_rate(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Stretch by the ratio of two rates, in the same number of frames or in as many as that makes."""
    rows = _rows(subject, 64)
    is_audio = subject.kind == "waveform"
    if rows is None or not (is_audio or smoothness(subject.x, subject.time or 0) > _SMOOTH):
        return
    for wrong, right in _RATES:
        ratio = wrong / right
        longer = signals.stretched(rows, ratio, is_audio=is_audio)
        detail = {"ratio": ratio, "rates": [wrong, right]}
        name = f"{wrong} Hz where {right} Hz is meant"
        silence = float(rows.min()) if subject.kind == "log_spectrum" else 0.0
        yield Change(f"{name}, same length", subject.untimed(signals.fitted(longer, subject.frames, silence)), detail)
        if (wrong, right) in _RATES[:2]:
            # Its length differs too, and that is what a look at the shapes alone can say.
            also = ("length",)
            yield Change(f"{name}, length {longer.shape[-1]}", subject.untimed(longer), detail, also)


def reversed_axis(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Run an axis backwards."""
    if (rows := _rows(subject, 4)) is not None:
        yield Change("time backwards", subject.untimed(rows[..., ::-1]), {"axis": "T"})
    if subject.channels >= 3:
        # Bins in reverse order are a permutation of channels as well.
        flipped = subject.unchanneled(subject.by_channel()[::-1])
        yield Change("channels in reverse order", flipped, {"axis": "C"}, also=("channel_permutation",))


def repeated_frames(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Hold a frame, or play a piece twice."""
    rows = _rows(subject, 40)
    if rows is None:
        return
    unit = _unit(subject)
    for count in (1, 4):
        held = count * unit
        start = int(rng.integers(subject.frames // 5, subject.frames - held - 2))
        wrong = rows.copy()
        # A waveform repeats its last hop, as concealment does; a frame is simply held.
        repeats = [1] * (rows.ndim - 1) + [count]
        wrong[..., start + 1 : start + 1 + held] = np.tile(rows[..., start + 1 - unit : start + 1], repeats)
        detail = {"start": start, "count": held, "how": "held"}
        yield Change(f"what ends at frame {start} repeated over {held} more", subject.untimed(wrong), detail)
    piece = 4 * unit
    start = int(rng.integers(subject.frames // 5, subject.frames // 2))
    twice = np.concatenate([rows[..., : start + piece], rows[..., start:]], axis=-1)[..., : subject.frames]
    detail = {"start": start, "count": piece, "how": "inserted"}
    yield Change(f"{piece} frames from {start} played twice, the rest late", subject.untimed(twice), detail)
    wrong = rows.copy()
    period = max(8, subject.frames // 8)
    for start in range(period, subject.frames - unit, period):
        wrong[..., start : start + unit] = rows[..., start - unit : start]
    detail = {"period": period, "count": unit, "how": "per chunk"}
    yield Change(f"{unit} frames repeated every {period}", subject.untimed(wrong), detail, also=("seams",))


def dropped_frames(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Lose frames, once or at the end of every chunk; what follows comes early."""
    rows = _rows(subject, 40)
    if rows is None:
        return
    unit = _unit(subject)
    for count in (1, 4):
        lost = count * unit
        start = int(rng.integers(subject.frames // 5, subject.frames // 2))
        keep = np.r_[0:start, start + lost : subject.frames]
        detail = {"start": start, "count": lost}
        name = f"{lost} frames lost at {start}"
        shorter = rows[..., keep]
        yield Change(name, subject.untimed(signals.fitted(shorter, subject.frames)), detail)
        # The length differs too: what the shapes alone can say.
        yield Change(f"{name}, shorter", subject.untimed(shorter), detail, also=("length",))
    period = max(10, subject.frames // 8)
    places = np.arange(subject.frames)
    keep = places[places % period < period - unit]
    detail = {"period": period, "count": unit}
    wrong = signals.fitted(rows[..., keep], subject.frames)
    yield Change(f"{unit} frames lost of every {period}", subject.untimed(wrong), detail)


def _rows(subject: Subject, least: int) -> Array | None:
    return subject.timed() if subject.frames >= least else None


def _unit(subject: Subject) -> int:
    """Return how many frames a fault of one frame takes: a hop of samples for a waveform."""
    return min(_HOP, subject.frames // 64 or 1) if subject.kind == "waveform" else 1
