"""The codes: integers, in range, as many codebooks and frames as there should be, all of them used by the decoder."""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.adapters.arrays import as_array, is_from, type_name
from pytest_audioparity.audio.signals import Signal, signal_of
from pytest_audioparity.errors import StageError
from pytest_audioparity.records import shape_text
from pytest_audioparity.roundtrip.records import detail_of, result, unmeasured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_audioparity.checks import CheckResult
    from pytest_audioparity.roundtrip.limits import Limits
    from pytest_audioparity.roundtrip.records import Codec, Trip

    Array = np.ndarray[Any, Any]

# The layouts that codecs have, where none is declared. A codec of another one fails `codes_shape`, which says so.
_USUAL = {1: "T", 2: "CT", 3: "BCT"}
# Frames more or fewer than the length says: padding at either end, and the frame that is not full.
_FRAMES_MORE = 2.0
# Frames that each codebook is tried on: a second or more of any codec, and cheap enough for 32 codebooks.
_TRIED_FRAMES = 64
# Codecs in use have up to 32; of many more, another axis was taken for codebooks, or a decode each is too much.
_MOST_CODEBOOKS = 64
_ABOUT_CODES = ("codes_integer", "codes_in_range", "codebooks", "codes_shape")


def codes_of(codec: Codec, encoded: Any) -> Array | None:
    """Return the integers of what encode returned; None where it is a byte stream or an object of the codec's own.

    Raises
    ------
    StageError : codes were declared, and there is no array
    """
    value = encoded if codec.codes is None else codec.codes(encoded)
    if isinstance(value, bytes | bytearray | memoryview):
        if codec.declares_codes:
            raise StageError(f"codes are declared, but there is {type_name(value)} where integers should be")
        return None
    try:
        array = as_array(value, "codes")
    except StageError as error:
        if codec.declares_codes:
            what = "encode" if codec.codes is None else "codes="
            hint = "; let codes= take one array of integers out of it" if codec.codes is None else f": {error}"
            raise StageError(f"codes are declared, but {what} returned {type_name(value)}, no array{hint}") from None
        return None
    is_bytes = array.dtype == np.uint8 and array.ndim == 1 and not codec.declares_codes
    return None if is_bytes else array


def was_changed(codec: Codec, trip: Trip) -> bool:
    """Whether the codes that encode returned are others by now."""
    now = codes_of(codec, trip.encoded)
    return now is not None and trip.codes is not None and not np.array_equal(now, trip.codes)


def axes_of(codec: Codec, codes: Array) -> str:
    """Return the axes of the codes: those that were declared, else the usual ones."""
    return codec.codes_axes or _USUAL.get(codes.ndim, "")


def size_of(codec: Codec, codes: Array, axis: str) -> int | None:
    """Return the size of an axis of the codes, None where they have none of that name."""
    axes = axes_of(codec, codes)
    return codes.shape[axes.index(axis)] if axis in axes and len(axes) == codes.ndim else None


def frame_samples(codec: Codec, trip: Trip) -> int | None:
    """Return the samples per frame of codes: as declared, else where an output has a whole number for each."""
    if codec.frame_samples is not None or trip.codes is None:
        return codec.frame_samples
    frames = size_of(codec, trip.codes, "T")
    return trip.output.size // frames if frames and trip.output.size and trip.output.size % frames == 0 else None


def check_codes(codec: Codec, trips: Sequence[Trip], limits: Limits) -> Iterator[CheckResult]:
    """Judge the codes of all clips; nothing where they are no integers that can be seen."""
    seen = [(trip, trip.codes) for trip in trips if trip.codes is not None]
    if not seen:
        return
    codes = [array for _, array in seen]
    made: dict[str, Callable[[], CheckResult]] = {
        "codes_integer": lambda: _integer(codes),
        "codes_in_range": lambda: _in_range(codec, codes),
        "codebooks": lambda: _codebooks(codec, seen[0][0], codes),
        "codes_shape": lambda: _shape(codec, seen),
    }
    yield from (make() for name, make in made.items() if name not in limits.skip)


def _integer(codes: Sequence[Array]) -> CheckResult:
    kind = next((array.dtype for array in codes if array.dtype.kind not in "iu"), None)
    problem = None if kind is None else f"encode returns {kind}; a codec without codes: skip={list(_ABOUT_CODES)}"
    return result("codes_integer", problem, f"{codes[0].dtype}")


def out_of_range(codec: Codec, trip: Trip) -> str | None:
    """Say that codes are not in the codebook, or return None."""
    check = None if trip.codes is None else _in_range(codec, [trip.codes])
    return None if check is None or check.passed else check.message


def _in_range(codec: Codec, codes: Sequence[Array]) -> CheckResult:
    filled = [array for array in codes if array.size]
    if not filled:
        return unmeasured("codes_in_range", "there is no code")
    least, most = min(float(array.min()) for array in filled), max(float(array.max()) for array in filled)
    detail = detail_of(min=least, max=most, codebook_size=codec.codebook_size)
    limit = codec.codebook_size
    of = "; declare codebook_size= to have the largest checked" if limit is None else f" of {limit}"
    said = f"{least:.0f} to {most:.0f}{of}"
    problem = None
    largest = min(np.iinfo(array.dtype).max if array.dtype.kind in "iu" else math.inf for array in filled)
    if limit is not None and largest < limit - 1:
        problem = f"codes are {filled[0].dtype}, which ends at {largest}: of {limit} codes the larger ones wrap around"
    elif least < 0 or (limit is not None and most >= limit):
        bad = sum(int(np.count_nonzero((a < 0) | (a >= (limit or np.inf)))) for a in filled)
        problem = f"codes are {said}: {bad} of {sum(a.size for a in filled)} are not in the codebook"
    return result("codes_in_range", problem, said, detail=detail)


def _codebooks(codec: Codec, trip: Trip, codes: Sequence[Array]) -> CheckResult:
    found = sorted({size_of(codec, array, "C") or 1 for array in codes})
    count = " or ".join(map(str, found))
    problem = None
    if codec.codebooks is not None and found != [codec.codebooks]:
        problem = f"{count} codebooks, {codec.codebooks} are declared"
    elif len(found) > 1:
        problem = f"{count} codebooks, by the clip"
    if problem is not None and codec.codes_axes is None:
        taken = f"{shape_text(codes[0].shape)} are taken for {axes_of(codec, codes[0])}"
        problem += f"; codes of shape {taken}, else declare codes_axes="
    unused = _unused_codebooks(codec, trip) if problem is None else []
    if unused:
        used = found[0] - len(unused)
        at_the_end = f"uses the first {used} only" if used else "uses none of them"
        those = at_the_end if unused[0] == used else f"ignores {', '.join(map(str, unused))} (counted from 0)"
        problem = f"{count} codebooks are encoded, but decode {those}"
    many = found[0] if len(found) == 1 else None
    return result("codebooks", problem, count, detail=detail_of(codebooks=many, unused=unused or None))


def _shape(codec: Codec, seen: Sequence[tuple[Trip, Array]]) -> CheckResult:
    first = seen[0][1]
    axes = axes_of(codec, first)
    shown = shape_text(first.shape)
    if len(axes) != first.ndim or "T" not in axes:
        return result("codes_shape", f"codes of shape {shown} do not have the axes {axes or 'B, C and T'}: codes_axes=")
    frames = [size_of(codec, array, "T") or 0 for _, array in seen]
    samples = [trip.clip.samples.size for trip, _ in seen]
    if not all(frames):
        return result("codes_shape", f"{seen[frames.index(0)][0].clip.name}: no frames")
    rate = sum(frames) / (sum(samples) / codec.sample_rate)
    off = [n - size * rate / codec.sample_rate for n, size in zip(frames, samples, strict=True)]
    worst = max(range(len(off)), key=lambda i: abs(off[i]))
    said = f"{shown} ({axes}), {rate:.4g} frames/s"
    problem = None
    if abs(off[worst]) > _FRAMES_MORE:
        problem = (
            f"{seen[worst][0].clip.name}: {frames[worst]} frames for {samples[worst]} samples, where all clips have "
            f"{rate:.4g} frames/s; codes of shape {shape_text(seen[worst][1].shape)} are taken for {axes}"
        )
    return result("codes_shape", problem, said, detail={"frame_rate": rate})


def by_codebook(codec: Codec, codes: Array) -> Array:
    """Return codes as a copy with codebooks as the first axis and time as the last; `as_encoded` undoes it."""
    axes = axes_of(codec, codes)
    rows: Array = np.moveaxis(codes, (axes.index("C"), axes.index("T")), (0, -1)).copy()
    return rows


def as_encoded(codec: Codec, rows: Array) -> Array:
    """Return codes that `by_codebook` has turned in the order of the codec's axes."""
    axes = codec.codes_axes or _USUAL[rows.ndim]
    return np.moveaxis(rows, (0, -1), (axes.index("C"), axes.index("T")))


def turned(codec: Codec, trip: Trip) -> Any:
    """Return a trip's codes in the order of time that ends where the output is loudest; None where that cannot be made.

    What speech leaves in a decoder is next to nothing: it ends in silence, and so is what state is made of.
    """
    codes = trip.codes
    frames = None if codes is None else size_of(codec, codes, "T")
    if codes is None or not frames or not trip.output.size or codec.codes is not None:
        return None
    loudest = int(np.argmax(np.abs(trip.output))) * frames // trip.output.size
    return rebuilt(trip.encoded, np.roll(codes, frames - 1 - loudest, axes_of(codec, codes).index("T")))


def rebuilt(encoded: Any, codes: Array) -> Any:
    """Return other codes as the kind of object that encode returned, or None where that is not known how."""
    if isinstance(encoded, np.ndarray):
        return codes.astype(encoded.dtype)
    if is_from(encoded, "torch"):
        return sys.modules["torch"].as_tensor(codes.copy(), dtype=encoded.dtype, device=encoded.device)
    if is_from(encoded, "mlx"):
        return sys.modules["mlx.core"].array(codes).astype(encoded.dtype)
    if isinstance(encoded, list) and len(encoded) == len(codes):  # an array for each codebook
        rows = [rebuilt(one, row) for one, row in zip(encoded, codes, strict=True)]
        return None if any(row is None for row in rows) else rows
    return None


def _unused_codebooks(codec: Codec, trip: Trip) -> list[int]:
    """Return the codebooks that change no sample of the output; none where that cannot be seen.

    Some frames of the middle are tried first, since that is one decode for each codebook; what changes nothing there
    has to change nothing in the whole clip either.
    """
    codes = trip.codes
    count = None if codes is None else size_of(codec, codes, "C")
    if codes is None or count is None or count == 1 or codec.codes is not None:
        return []
    axes = axes_of(codec, codes)
    frames = codes.shape[axes.index("T")] if "T" in axes else 0
    middle = slice(max(0, (frames - _TRIED_FRAMES) // 2), (frames + _TRIED_FRAMES) // 2)
    some = codes[tuple(middle if axis == "T" else slice(None) for axis in axes)]
    suspects = list(range(count))  # the last codebook stands for all, and where it is not used those before it
    if count <= _MOST_CODEBOOKS:
        with suppress(Exception):  # this decoder takes whole clips only
            expected = decoded_codes(codec, trip, some)
            suspects = [k for k in range(count) if not _matters(codec, trip, some, k, expected)]
    unused: list[int] = []
    for k in reversed(suspects):
        if not _matters(codec, trip, codes, k, Signal(trip.output, trip.nonfinite)):
            unused.insert(0, k)
        elif len(suspects) == count:
            break
    return unused


def _matters(codec: Codec, trip: Trip, codes: Array, k: int, expected: Signal | None) -> bool:
    """Whether a change of the k-th codebook changes what codes are decoded to."""
    other = decoded_codes(codec, trip, _altered(codec, codes, k))
    if other is None or expected is None or other.nonfinite or expected.nonfinite:
        return True  # what is not finite tells nothing, and fails `finite`
    return not np.array_equal(other.samples, expected.samples)


def decoded_codes(codec: Codec, trip: Trip, codes: Array) -> Signal | None:
    """Decode other codes in place of a trip's; None where it is not known how to hand them over.

    Raises
    ------
    Exception : whatever decode raises
    """
    other = rebuilt(trip.encoded, codes)
    return None if other is None else signal_of(codec.decode(other), "what decode returned", "round trip")


def _altered(codec: Codec, codes: Array, k: int) -> Array:
    """Return codes whose k-th codebook is another: itself backwards, or another codebook where that is no change."""
    rows = by_codebook(codec, codes)
    row = rows[k].copy()
    options = [row[..., ::-1], *(rows[j] for j in range(len(rows)) if j != k)]
    rows[k] = next((option for option in options if np.any(option != row)), row)
    return as_encoded(codec, rows)
