"""The round trip on one page: clips → encode → decode → compared, scored, judged by name → one result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio import gates
from pytest_audioparity.audio.scoring import score
from pytest_audioparity.errors import StageError
from pytest_audioparity.records import FAIL, CheckResult, shape_text
from pytest_audioparity.roundtrip.calls import decoded, travelled
from pytest_audioparity.roundtrip.causes import cause_of
from pytest_audioparity.roundtrip.codes import check_codes, unused_codebooks
from pytest_audioparity.roundtrip.declaration import codec_of
from pytest_audioparity.roundtrip.limits import CHECKS, Limits, limits_of, problem_with_limits
from pytest_audioparity.roundtrip.output import LOST, check_output_of, compared
from pytest_audioparity.roundtrip.records import Clip, Codec, RoundtripResult, Trip
from pytest_audioparity.roundtrip.scores import check_thresholds
from pytest_audioparity.roundtrip.speech import clips_of
from pytest_audioparity.roundtrip.state import check_instance, check_leaks, check_repeats
from pytest_audioparity.roundtrip.streaming import (
    Streamed,
    check_seams,
    check_stream_encoding,
    check_streaming,
    streamed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def check_roundtrip(*, clips: Any = None, name: str = "", **keywords: Any) -> RoundtripResult:
    """Send speech through a codec and judge what comes back: the fixture `roundtrip` without pytest.

    Parameters
    ----------
    clips, name, encode, decode, sample_rate, ... : as for the fixture, see `Roundtrip.__call__`
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
    return judged(codec, clips, limits_of([limits]), name)[0]


def judged(codec: Codec, clips: Any, limits: Limits, name: str = "") -> tuple[RoundtripResult, tuple[Trip, ...]]:
    """Judge a codec by every check that is not switched off; nothing is raised for what fails."""
    taken = clips_of(clips, codec.sample_rate)
    first = travelled(codec, taken[0])
    state = [*_wanted(limits, "stale_state", lambda: check_repeats(codec, first, limits))]
    others = [travelled(codec, clip) for clip in taken[1:]]
    repeats = state[0] if state else None
    state += _wanted(limits, "leaked_state", lambda: check_leaks(codec, first, others, repeats, limits))
    if codec.fresh is not None:
        state += _wanted(limits, "fresh_instance", lambda: check_instance(codec, first, limits))
    trips = tuple(_scored(codec, trip) for trip in (first, *others))
    streams = _streams(codec, trips[0], limits)
    checks = [*_codes(codec, trips, limits), *state, *_streaming(codec, trips[0], streams, limits)]
    checks += [
        *check_output_of(codec, trips, limits),
        *_loud(codec, trips[0], limits),
        *check_thresholds(trips, limits),
    ]
    garbled = [(stream, _scored(codec, stream.trip)) for stream in streams if stream.problem is not None]
    checks = [_with_streams(check, garbled) for check in _explained(codec, trips, checks)]
    found = RoundtripResult(
        tuple(sorted(_merged(checks, limits), key=_place)),
        name=name,
        about=_about(codec, trips),
        clips=tuple((trip.clip.name, trip.score) for trip in trips),
        streams=tuple(
            (f"{trip.clip.name}, chunks of {stream.frames}", trip.score) for stream, trip in garbled if trip.score
        ),
    )
    return found, trips


def _place(check: CheckResult) -> int:
    names = list(CHECKS)
    return names.index(check.name) if check.name in CHECKS else len(names)


def _wanted(limits: Limits, name: str, make: Callable[[], CheckResult]) -> Iterator[CheckResult]:
    if name not in limits.skip:
        yield make()


def _scored(codec: Codec, trip: Trip) -> Trip:
    output = compared(codec, trip)
    estimate = np.full(1, np.nan) if trip.nonfinite else output
    return replace(trip, score=score(trip.clip.samples, estimate, sample_rate=codec.sample_rate))


def _codes(codec: Codec, trips: Sequence[Trip], limits: Limits) -> Iterator[CheckResult]:
    for check in check_codes(codec, trips):
        used = (
            unused_codebooks(codec, trips[0], lambda codes: _changes(codec, trips[0], codes))
            if (check.name == "codebooks" and check.passed and "codebooks" not in limits.skip)
            else None
        )
        yield check if used is None else _unused(check, used)


def _changes(codec: Codec, trip: Trip, codes: Any) -> bool:
    """Whether decoding other codes gives another output."""
    output = decoded(codec, replace(trip, encoded=codes)).output
    return output.size != trip.output.size or bool(np.any(output != trip.output))


def _unused(check: CheckResult, used: int) -> CheckResult:
    message = f"{check.message} codebooks are encoded, but decode uses the first {used} only"
    return CheckResult("codebooks", FAIL, message, {**check.detail, "used": used})


def _streams(codec: Codec, trip: Trip, limits: Limits) -> list[Streamed]:
    if codec.decode_stream is None or {"streaming", "seams"} <= limits.skip:
        return []
    return [streamed(codec, trip, frames, limits) for frames in codec.chunk_frames]


def _streaming(codec: Codec, trip: Trip, streams: list[Streamed], limits: Limits) -> Iterator[CheckResult]:
    if streams:
        yield check_streaming(codec, streams)
        yield check_seams(codec, trip, streams, limits)
    if codec.encode_stream is not None and "stream_encoding" not in limits.skip:
        yield from check_stream_encoding(codec, trip, limits)


def _loud(codec: Codec, trip: Trip, limits: Limits) -> Iterator[CheckResult]:
    """Send the first clip through once more at full scale: what bounds the output is not tried by soft speech."""
    peak = float(np.max(np.abs(trip.clip.samples)))
    if "bounded" in limits.skip or peak >= gates.FULL_SCALE:
        return
    loud = travelled(codec, Clip(f"{trip.clip.name} at full scale", trip.clip.samples / np.float32(peak)))
    yield from (check for check in check_output_of(codec, [loud], limits) if check.name == "bounded")


def _explained(codec: Codec, trips: Sequence[Trip], checks: list[CheckResult]) -> Iterator[CheckResult]:
    """Return the checks, the first one that shows lost words or a score too low with its cause, if there is one."""
    sick = [check for check in checks if not check.passed and (check.name == "words" or check.name.startswith("min_"))]
    worst = min(trips, key=lambda trip: -1.0 if trip.score is None or trip.score.estoi is None else trip.score.estoi)
    cause = cause_of(codec, worst) if sick else None
    for check in checks:
        if cause is not None and check is sick[0]:
            yield replace(check, findings=(cause, *check.findings), message=f"{check.message}; {cause.message}")
        else:
            yield check


def _with_streams(check: CheckResult, garbled: list[tuple[Streamed, Trip]]) -> CheckResult:
    """Let streams that lost their words count as such."""
    lost = [(stream, trip.score) for stream, trip in garbled if trip.score is not None and trip.score.verdict in LOST]
    if check.name != "words" or not check.passed or not lost:
        return check
    stream, judgement = lost[0]
    said = f"chunks of {stream.frames}: {judgement.verdict.replace('_', ' ')}: {judgement.findings[0].message}"
    where = (
        ""
        if stream.begins is None
        else (
            "; the loss starts at a chunk boundary"
            if stream.begins_at_boundary()
            else "; it does not start at a chunk boundary"
        )
    )
    detail = {**check.detail, "verdict": judgement.verdict, "starts_at_boundary": stream.begins_at_boundary()}
    return CheckResult("words", FAIL, f"{said}{where}", detail, judgement.findings)


def _merged(checks: Sequence[CheckResult], limits: Limits) -> list[CheckResult]:
    """Return one check per name, the first that fails where several were made of it, without those switched off."""
    found: dict[str, CheckResult] = {}
    for check in checks:
        if check.name not in limits.skip and (check.name not in found or found[check.name].passed):
            found[check.name] = check
    return list(found.values())


def _about(codec: Codec, trips: Sequence[Trip]) -> str:
    seconds = sum(trip.clip.samples.size for trip in trips) / codec.sample_rate
    notes = [f"{trip.clip.name} {trip.clip.note}" for trip in trips if trip.clip.note]
    codes = trips[0].codes
    said = f"{len(trips)} clip{'s' * (len(trips) != 1)}, {seconds:.1f} s at {codec.sample_rate} Hz"
    said += f" (resampled: {', '.join(notes)})" if notes else ""
    return said + ("" if codes is None else f"; codes {shape_text(codes.shape)} {codes.dtype}")
