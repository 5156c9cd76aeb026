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
    counts = {key: getattr(codec, key) for key in ("codebooks", "codebook_size", "frame_samples")}
    for key, count in counts.items():
        if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
            raise StageError(f"round trip: {key}={count!r} is no number of 1 or more")
    if not isinstance(codec.delay_samples, int) or isinstance(codec.delay_samples, bool) or codec.delay_samples < 0:
        raise StageError(f"round trip: delay_samples={codec.delay_samples!r} is no number of samples")
    if codec.axes not in _AXES:
        raise StageError(f"round trip: axes={codec.axes!r} is none of {', '.join(_AXES)}")
    frames = tuple(codec.chunk_frames)
    if not frames or not all(isinstance(size, int) and size > 0 for size in frames):
        raise StageError(f"round trip: chunk_frames={codec.chunk_frames!r} is no list of numbers of frames")
    return replace(codec, chunk_frames=frames)
