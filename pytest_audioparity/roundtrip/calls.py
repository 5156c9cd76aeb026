"""Calls of a codec: what goes into it, and what is taken of what comes out."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.adapters.arrays import first_line, snapshot, type_name
from pytest_audioparity.audio.signals import one_array, signal_of
from pytest_audioparity.errors import StageError
from pytest_audioparity.roundtrip.codes import codes_of, out_of_range
from pytest_audioparity.roundtrip.records import Trip

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_audioparity.roundtrip.records import Clip, Codec

    Array = np.ndarray[Any, Any]


def given(codec: Codec, clip: Clip) -> Any:
    """Return a clip as encode takes it: a copy, of the declared axes, made what the codec's runtime wants."""
    audio = clip.samples.copy().reshape([clip.samples.size if axis == "T" else 1 for axis in codec.axes])
    return audio if codec.to is None else codec.to(audio)


def travelled(codec: Codec, clip: Clip) -> Trip:
    """Send a clip through a codec.

    Raises
    ------
    StageError : what comes out is no audio of one channel, or no codes where some were declared
    """
    encoded = codec.encode(given(codec, clip))
    if isinstance(encoded, Iterator):
        raise StageError(f"round trip: encode returned a {type_name(encoded)}, which can be read once; return a list")
    codes = codes_of(codec, encoded)
    # Decoders write into what they are given, too.
    trip = Trip(clip, encoded, None if codes is None else snapshot(codes), np.empty(0))
    try:
        return decoded(codec, trip)
    except Exception as error:
        problem = out_of_range(codec, trip)
        if problem is None or isinstance(error, StageError):
            raise
        raise StageError(f"round trip: decode raised {type(error).__name__}: {first_line(error)}; {problem}") from error


def raised(what: str, error: Exception) -> str:
    """Say in one line that a call raised, and where."""
    if isinstance(error, StageError):  # about what it returned
        return first_line(error)
    frames = traceback.extract_tb(error.__traceback__)  # at least that of the call
    # Of a layer that refuses its input it is the line of the model that helps, not one of the library.
    own = next((frame for frame in reversed(frames) if "site-packages" not in frame.filename), frames[-1])
    where = f" ({Path(own.filename).name}:{own.lineno})"
    return f"{what} raised {type(error).__name__}: {first_line(error)}{where}"


def decoded(codec: Codec, trip: Trip) -> Trip:
    """Decode what was encoded, and return the trip with its output."""
    return with_output(trip, codec.decode(trip.encoded), "decode")


def with_output(trip: Trip, value: Any, by: str) -> Trip:
    """Return a trip whose output is what a call has returned.

    Raises
    ------
    StageError : that is no audio of one channel
    """
    signal = signal_of(value, f"what {by} returned", "round trip")
    return replace(trip, output=signal.samples, nonfinite=signal.nonfinite)


def joined(value: Any) -> tuple[Any, tuple[int, ...] | None]:
    """Return chunks of audio as one array, and where the second one and those after it begin; None where none shows.

    Parameters
    ----------
    value : what decode_stream returned: an iterator or a list of chunks, or all of them as one array
    """
    if hasattr(value, "shape") or not isinstance(value, Iterable):
        return value, None
    chunks = [signal_samples(chunk) for chunk in value]
    if not chunks:
        raise StageError("round trip: decode_stream returned no chunks")
    starts = np.cumsum([chunk.size for chunk in chunks])[:-1]
    return np.concatenate(chunks), tuple(int(start) for start in starts)


def signal_samples(chunk: Any) -> Array:
    """Return one chunk of audio as it is, of shape (time,); it may be empty, while a decoder waits for more."""
    array = one_array(chunk, "a chunk of decode_stream", "round trip")
    if sum(size != 1 for size in array.shape) > 1:
        raise StageError(
            f"round trip: a chunk of decode_stream has shape {array.shape}; one channel is judged at a time"
        )
    return array.reshape(-1)


def instance_of(codec: Codec) -> Codec:
    """Return a codec that makes the calls of a fresh instance.

    Raises
    ------
    StageError : `fresh` made nothing that has them
    """
    assert codec.fresh is not None
    made = codec.fresh()
    if any(made is getattr(call, "__self__", None) for call in (codec.encode, codec.decode)):
        raise StageError("round trip: fresh() returned the instance that is in use; let it make another one")
    if isinstance(made, tuple | list) and len(made) == 2 and all(map(callable, made)):
        return replace(codec, encode=made[0], decode=made[1])
    return replace(codec, encode=_call_of(made, codec.encode, "encode"), decode=_call_of(made, codec.decode, "decode"))


def _call_of(made: Any, known: Callable[[Any], Any], name: str) -> Callable[[Any], Any]:
    """Return what a fresh instance calls a known call, or by its usual name."""
    call = getattr(made, getattr(known, "__name__", name), None) or getattr(made, name, None)
    if not callable(call):
        what = f"fresh() made {type_name(made)}, which has no {name}"
        raise StageError(f"round trip: {what}; let it return the pair (encode, decode)")
    return call  # type: ignore[no-any-return]
