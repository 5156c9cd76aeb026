"""The clips that go through a codec: the user's, or a few that come with the package."""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.adapters.arrays import type_name
from pytest_audioparity.audio.reading import read_audio
from pytest_audioparity.audio.resampling import by_soxr
from pytest_audioparity.audio.signals import signal_of
from pytest_audioparity.comparison.tolerances import unmatched
from pytest_audioparity.errors import StageError
from pytest_audioparity.roundtrip.records import Clip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Array = np.ndarray[Any, Any]

# Resampling and equalising speech at full scale goes beyond it by some dB; integers as floats are far beyond.
_BEYOND = 4.0
# Sources and licences stand beside them. The longest comes first: it is the one that is repeated and streamed.
BUILT_IN = {
    "librivox_0890": "unless to be rather cold hearted and rather selfish is to be ill disposed",
    "arctic_a0007": "and you always want to see it in the superlative degree",
    "praatio_mary": "Mary rolled the barrel",
}


def clips_of(clips: Any, sample_rate: int, transcripts: Mapping[str, str] | None = None) -> tuple[Clip, ...]:
    """Return clips at a codec's sample rate.

    Parameters
    ----------
    clips : None for the built-in ones; a clip, a sequence of clips, or a mapping from names to clips. A clip is an
        array of shape (time,) at `sample_rate`, or the path of an audio file; a file of another rate is resampled (soxr
        VHQ), which its note says
    transcripts : what clips say, by their names; those of the built-in ones are known

    Raises
    ------
    StageError : no clip, a transcript of none, two of one name, one that is silent, not finite, beyond full scale or of
        several channels
    """
    if clips is None:
        folder = resources.files("pytest_audioparity.roundtrip") / "speech"
        named: Iterable[tuple[str, Any]] = [(name, Path(str(folder / f"{name}.flac"))) for name in BUILT_IN]
        transcripts = {**BUILT_IN, **(transcripts or {})}
    else:
        named = _named(clips)
    says = transcripts or {}
    found = tuple(replace(_clip(name, value, sample_rate), transcript=says.get(name)) for name, value in named)
    if not found:
        raise StageError("round trip: clips= holds no clip; leave it out for the built-in speech")
    if len({clip.name for clip in found}) < len(found):
        raise StageError("round trip: two clips have one name; give a mapping from names to clips")
    if (problem := unmatched(says, [clip.name for clip in found], what="clip")) is not None:
        raise StageError(f"round trip: transcripts= {problem}")
    return found


def _named(clips: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(clips, Mapping):
        yield from ((str(name), value) for name, value in clips.items())
    elif isinstance(clips, list | tuple) and not (clips and all(isinstance(one, numbers.Real) for one in clips)):
        for place, value in enumerate(clips, 1):
            yield (Path(value).stem if _is_path(value) else f"clip{place}"), value
    else:
        yield (Path(clips).stem if _is_path(clips) else "clip"), clips


def _is_path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike)


def _clip(name: str, value: Any, sample_rate: int) -> Clip:
    note = None
    if _is_path(value):
        samples, rate = read_audio(Path(value))
        if rate != sample_rate:
            samples, note = by_soxr(samples, rate, sample_rate), f"from {rate} Hz"
    else:
        if isinstance(value, bytes | dict):
            raise StageError(f"round trip: clip {name!r} is {type_name(value)}; give an array or a path")
        signal = signal_of(value, f"clip {name!r}", "round trip")
        if signal.nonfinite:
            raise StageError(f"round trip: clip {name!r} has {signal.nonfinite} samples that are not finite")
        samples = signal.samples
    peak = float(np.max(np.abs(samples), initial=0.0))
    if peak == 0:
        raise StageError(f"round trip: clip {name!r} is {'silent' if samples.size else 'empty'}")
    if peak > _BEYOND:
        raise StageError(
            f"round trip: clip {name!r} has a peak of {peak:.6g}; full scale is 1: was it scaled to integers?"
        )
    return Clip(name, samples.astype(np.float32), note)
