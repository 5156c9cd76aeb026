"""The round trip on one page: clips → encode → decode → scored → every check, by name → one result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.jobs import cached_score
from pytest_audioparity.audio.spoken import compare_words
from pytest_audioparity.errors import StageError
from pytest_audioparity.records import shape_text
from pytest_audioparity.roundtrip.causes import cause_of, with_cause
from pytest_audioparity.roundtrip.codes import check_codes
from pytest_audioparity.roundtrip.declaration import codec_of
from pytest_audioparity.roundtrip.limits import CHECKS, Limits, limits_of, problem_with_limits
from pytest_audioparity.roundtrip.output import check_bounds, check_output_of, check_words, compared
from pytest_audioparity.roundtrip.records import Clip, Codec, RoundtripResult, Trip
from pytest_audioparity.roundtrip.scores import check_thresholds
from pytest_audioparity.roundtrip.speech import clips_of
from pytest_audioparity.roundtrip.state import passed_through
from pytest_audioparity.roundtrip.streaming import Streamed, check_streams, streams_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Unpack

    from pytest_audioparity.audio.recognition import Recogniser
    from pytest_audioparity.checks import CheckResult
    from pytest_audioparity.keywords import CheckRoundtripKeywords

    Array = np.ndarray[Any, Any]


def check_roundtrip(
    *,
    clips: Any = None,
    transcripts: Mapping[str, str] | None = None,
    recogniser: Recogniser | None = None,
    name: str = "",
    **keywords: Unpack[CheckRoundtripKeywords],
) -> RoundtripResult:
    """Send speech through a codec and judge what comes back: the fixture `roundtrip` without pytest.

    Parameters
    ----------
    clips, transcripts, name, encode, decode, sample_rate, ... : as for the fixture, see `Roundtrip.__call__`
    recogniser : what `max_wer` is measured with; None takes pocketsphinx
    min_stoi, skip, ... : the keywords of the mark `codec_roundtrip`; `max_drop_*` needs a golden, and so the fixture

    Returns
    -------
    RoundtripResult; true when every check passes

    Raises
    ------
    StageError : a wrong keyword, a clip that cannot be used, output that is no audio of one channel
    """
    fields = set(Codec.__slots__)
    limits = {key: value for key, value in keywords.items() if key not in fields}
    if (problem := problem_with_limits((), limits)) is not None:
        raise StageError(f"check_roundtrip: {problem}")
    if drops := sorted(key for key in limits if key.startswith("max_drop_")):
        raise StageError(f"check_roundtrip: {drops[0]} compares with a golden; use the fixture roundtrip")
    codec = codec_of({key: value for key, value in keywords.items() if key in fields})
    taken = clips_of(clips, codec.sample_rate, transcripts)
    return judged(codec, taken, limits_of([limits]), name, recogniser=recogniser)[0]


def judged(
    codec: Codec,
    clips: Sequence[Clip],
    limits: Limits,
    name: str = "",
    *,
    recogniser: Recogniser | None = None,
    cache: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[RoundtripResult, tuple[Trip, ...]]:
    """Judge a codec by every check that is not switched off; nothing is raised for what fails.

    Parameters
    ----------
    codec, clips, limits, name, recogniser : as for the fixture
    cache : folder of scores, so that what was scored before is not scored again; None for none
    progress : is told what is being done

    Returns
    -------
    the result, and the clips on their way
    """
    progress("encode and decode")
    trips, checks = passed_through(codec, clips, limits)
    trips = tuple(_scored(codec, trip, cache, progress) for trip in trips)
    if limits.listens:
        progress("recognising words")
        trips = tuple(_heard(codec, trip, recogniser) for trip in trips)
    progress("streaming")
    streams = [_scored_stream(codec, stream, cache, progress) for stream in streams_of(codec, trips[0], limits)]
    checks += check_codes(codec, trips, limits)
    checks += check_streams(codec, trips[0], streams, limits)
    checks += check_output_of(codec, trips, streams, limits)
    checks += check_bounds(codec, trips, limits)
    checks += check_words(trips, streams, limits)
    checks += check_thresholds(trips, limits)
    if any(not check.passed and (check.name == "words" or check.name.startswith("min_")) for check in checks):
        progress("why words are lost")
        checks = with_cause(checks, cause_of(codec, min(trips, key=_understood)))
    found = RoundtripResult(
        tuple(sorted(checks, key=_place)),
        name=name,
        about=_about(codec, trips),
        clips=tuple((trip.clip.name, trip.score) for trip in trips),
        streams=tuple((f"{trips[0].clip.name}, chunks of {s.frames}", s.trip.score) for s in streams if s.problem),
    )
    return found, trips


def _estimate(codec: Codec, trip: Trip) -> Array:
    """Return what is scored: the output as it is compared, or as many NaN as it had."""
    return np.full(trip.nonfinite, np.nan) if trip.nonfinite else compared(codec, trip)


def _scored(codec: Codec, trip: Trip, cache: Path | None, progress: Callable[[str], None]) -> Trip:
    progress(f"scores of {trip.clip.name}")
    found = cached_score(
        trip.clip.samples, _estimate(codec, trip), sample_rate=codec.sample_rate, pesq=True, cache=cache
    )
    return replace(trip, score=found)


def _heard(codec: Codec, trip: Trip, recogniser: Recogniser | None) -> Trip:
    words = compare_words(
        trip.clip.samples,
        _estimate(codec, trip),
        sample_rate=codec.sample_rate,
        transcript=trip.clip.transcript,
        recogniser=recogniser,
    )
    return replace(trip, words=words)


def _scored_stream(codec: Codec, stream: Streamed, cache: Path | None, progress: Callable[[str], None]) -> Streamed:
    """Score what was streamed where it is not what it should be; else it has the score of the output at once."""
    if stream.problem is None or not stream.has_output:
        return stream
    return replace(stream, trip=_scored(codec, stream.trip, cache, progress))


def _understood(trip: Trip) -> float:
    return -1.0 if trip.score is None or trip.score.estoi is None else trip.score.estoi


def _place(check: CheckResult) -> int:
    names = list(CHECKS)
    return names.index(check.name) if check.name in CHECKS else len(names)


def _about(codec: Codec, trips: Sequence[Trip]) -> str:
    seconds = sum(trip.clip.samples.size for trip in trips) / codec.sample_rate
    notes = [f"{trip.clip.name} {trip.clip.note}" for trip in trips if trip.clip.note]
    codes = trips[0].codes
    said = f"{len(trips)} clip{'s' * (len(trips) != 1)}, {seconds:.1f} s at {codec.sample_rate} Hz"
    said += f" (resampled: {', '.join(notes)})" if notes else ""
    return said + ("" if codes is None else f"; codes {shape_text(codes.shape)} {codes.dtype}")
