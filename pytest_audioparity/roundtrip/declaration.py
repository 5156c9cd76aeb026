"""What is said of a codec, checked once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_audioparity.audio.signals import rate_of
from pytest_audioparity.errors import StageError
from pytest_audioparity.roundtrip.records import Codec

if TYPE_CHECKING:
    from collections.abc import Mapping

_AXES = ("T", "CT", "BT", "TC", "BCT", "BTC")
# Sorted: their order is the codec's.
_CODES = (["T"], ["C", "T"], ["B", "T"], ["B", "C", "T"])


def codec_of(keywords: Mapping[str, Any]) -> Codec:
    """Check what was said of a codec.

    Raises
    ------
    StageError : something that cannot be
    """
    for needed in ("encode", "decode", "sample_rate"):
        if keywords.get(needed) is None:
            raise StageError(f"round trip: {needed}= is missing")
    for call in ("encode", "decode", "decode_stream", "encode_stream", "fresh", "codes", "to"):
        if keywords.get(call) is not None and not callable(keywords[call]):
            raise StageError(f"round trip: {call}= is not callable")
    codec = Codec(**{**keywords, "sample_rate": rate_of(keywords["sample_rate"])})
    problem = _problem(codec)
    if problem is not None:
        raise StageError(f"round trip: {problem}")
    return replace(codec, chunk_frames=tuple(codec.chunk_frames))


def _problem(codec: Codec) -> str | None:
    for key in ("codebooks", "codebook_size", "frame_samples"):
        count = getattr(codec, key)
        if count is not None and not _is_count(count, 1):
            return f"{key}={count!r} is no number of 1 or more"
    if not _is_count(codec.delay_samples, 0):
        return f"delay_samples={codec.delay_samples!r} is no number of samples"
    if codec.codes_axes is not None and sorted(codec.codes_axes) not in _CODES:
        return f"codes_axes={codec.codes_axes!r} does not name T once, and C and B at most once"
    if codec.axes not in _AXES:
        return f"axes={codec.axes!r} is none of {', '.join(_AXES)}"
    frames = tuple(codec.chunk_frames)
    if not frames or not all(_is_count(size, 1) for size in frames):
        return f"chunk_frames={codec.chunk_frames!r} is no list of numbers of frames"
    return None


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
