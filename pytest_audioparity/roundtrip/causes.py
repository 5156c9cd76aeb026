"""Why words are lost, found by decoding changed codes: codebooks exchanged, a delay pattern, codes off by one.

A codec whose decoder reads codes otherwise than its encoder writes them speaks again when the codes are changed to what
the decoder takes them for. That is tried on one clip, and believed where words are understood that were not. A delay
pattern shows without that as well: a code of codebook k that is changed is heard k frames later than one of the first.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.scoring import score
from pytest_audioparity.audio.verdict import GARBLED_ESTOI
from pytest_audioparity.records import Finding
from pytest_audioparity.roundtrip.codes import as_encoded, by_codebook, decoded_codes, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_audioparity.audio.signals import Signal
    from pytest_audioparity.checks import CheckResult
    from pytest_audioparity.roundtrip.records import Codec, Trip

    Array = np.ndarray[Any, Any]

# ESTOI has to gain this much, and to reach what words need: re-seeding a decoder moves it by 0.01, the mildest of these
# faults (a delay pattern on a codec of eight codebooks) by 0.22.
_GAIN = 0.1
# Each try is a decode: 32 codebooks make 95 of them, which a decoder of a second should not spend on a failed test.
_PATIENCE_SECONDS = 30.0
# Up to so many codebooks all pairs are tried, beyond only neighbours and those with the first, which carries most.
_ALL_PAIRS = 8
# Frames by which a step between codebooks may be off: filters smear the beginning of a change.
_SAME_STEP = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    """Other codes to decode: the code of the finding that they would prove, its sentence and its numbers."""

    code: str
    message: str
    detail: dict[str, Any]
    codes: Array


def cause_of(codec: Codec, trip: Trip) -> Finding | None:
    """Return what is wrong with how codes are read, None where nothing that was tried makes it better."""
    codes = trip.codes
    if codes is None or codec.codes is not None or trip.score is None or codes.dtype.kind not in "iu":
        return None
    before = trip.score.estoi or 0.0
    if before + _GAIN > 1:  # a perceptual threshold was missed, but no words are lost
        return None
    deadline = time.monotonic() + _PATIENCE_SECONDS
    best, reached = None, max(before + _GAIN, GARBLED_ESTOI)
    for change in _changes(codec, codes):
        if time.monotonic() > deadline:
            break
        estoi = _understood(codec, trip, change.codes)
        if estoi is not None and estoi > reached:
            best, reached = change, estoi
    if best is None:
        return _delays(codec, trip, codes, deadline)
    message = (
        f"{best.message}: so changed and decoded, {trip.clip.name} has an ESTOI of {reached:.2f} and not {before:.2f}"
    )
    return Finding(best.code, message, None, {**best.detail, "estoi": reached})


def with_cause(checks: Sequence[CheckResult], cause: Finding | None) -> list[CheckResult]:
    """Return checks of which the first that shows what is lost has its cause."""
    if cause is None:
        return list(checks)
    sick = next(check for check in checks if not check.passed and check.name.startswith(("words", "min_")))
    told = replace(sick, findings=(cause, *sick.findings), message=f"{sick.message}; {cause.message}")
    return [told if check is sick else check for check in checks]


def _delays(codec: Codec, trip: Trip, codes: Array, deadline: float) -> Finding | None:
    """Say that codebooks are heard one frame later each, where a code that is changed is heard so."""
    count, frames = size_of(codec, codes, "C") or 1, size_of(codec, codes, "T") or 1
    if count == 1 or frames <= 2 * count:
        return None
    onsets = []
    for k in range(count):
        if time.monotonic() > deadline:
            return None
        changed = by_codebook(codec, codes)
        row = changed[k]
        row[..., frames // 2] = next((v for v in np.unique(row) if np.all(v != row[..., frames // 2])), row[..., 0])
        onsets.append(_onset(codec, trip, as_encoded(codec, changed)))
    frame = trip.output.size / frames
    known = [(k, onset) for k, onset in enumerate(onsets) if onset is not None]
    if len(known) < max(2, count - 1):
        return None
    steps = np.diff([onset for _, onset in known]) / (frame * np.diff([k for k, _ in known]))
    step = round(float(np.median(steps)))
    if not step or np.max(np.abs(steps - step)) > _SAME_STEP:
        return None
    late = "later" if step > 0 else "earlier"
    why = "a delay pattern was not undone" if step > 0 else "a delay pattern is undone: do the codes have it?"
    message = f"what is changed in codebook k is heard {abs(step)}·k frames {late} than in codebook 0: {why}"
    return Finding("delay_pattern", message, None, {"step": step})


def _onset(codec: Codec, trip: Trip, codes: Array) -> int | None:
    """Return the first sample that other codes change, None where there is none."""
    other = _decoded(codec, trip, codes)
    if other is None or other.samples.size != trip.output.size:
        return None
    changed = np.flatnonzero(other.samples != trip.output)
    return int(changed[0]) if changed.size else None


def _decoded(codec: Codec, trip: Trip, codes: Array) -> Signal | None:
    """Decode other codes; None where that gives nothing that can be compared."""
    try:
        found = decoded_codes(codec, trip, codes)
    except Exception:  # a decoder may refuse these codes as it likes, and then they explain nothing
        return None
    return None if found is None or found.nonfinite else found


def _understood(codec: Codec, trip: Trip, codes: Array) -> float | None:
    tried = _decoded(codec, trip, codes)
    output = None if tried is None else tried.samples[codec.delay_samples :]
    if output is None or not output.size:
        return None
    return score(trip.clip.samples, output, sample_rate=codec.sample_rate, pesq=False).estoi


def _changes(codec: Codec, codes: Array) -> Iterator[_Change]:
    for step in (1, -1):
        moved = codes.astype(np.int64) + step
        inside = (moved >= 0) & (moved < (codec.codebook_size or np.inf))
        message = f"the decoder takes codes for {'smaller' if step > 0 else 'larger'} by one than they are"
        yield _Change("offset", message, {"offset": step}, np.where(inside, moved, codes).astype(codes.dtype))
    count = size_of(codec, codes, "C") or 1
    if count == 1:
        return
    rows = by_codebook(codec, codes)
    for step in (1, -1):
        shifted = np.stack([np.roll(row, -step * k, axis=-1) for k, row in enumerate(rows)])
        message = f"codebook k is {'late' if step > 0 else 'early'} by k frames: a delay pattern was not undone"
        yield _Change("delay_pattern", message, {"step": step}, as_encoded(codec, shifted))
    for order, message in _orders(count):
        yield _Change("channel_permutation", message, {"order": list(order)}, as_encoded(codec, rows[list(order)]))


def _orders(count: int) -> Iterator[tuple[tuple[int, ...], str]]:
    yield tuple(reversed(range(count))), "the codebooks are read in reversed order"
    for i, j in combinations(range(count), 2):
        if count > _ALL_PAIRS and i and j != i + 1:
            continue
        order = list(range(count))
        order[i], order[j] = j, i
        yield tuple(order), f"codebooks {i} and {j} are exchanged between encode and decode"
