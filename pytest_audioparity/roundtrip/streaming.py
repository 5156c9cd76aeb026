"""Streaming against one-shot: the same codes, the same audio, for several sizes of chunks, seams included."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.records import shape_text
from pytest_audioparity.report.attribution import amount
from pytest_audioparity.report.numbers import decibel
from pytest_audioparity.roundtrip.calls import decoded, given, joined, raised, with_output
from pytest_audioparity.roundtrip.codes import codes_of, frame_samples, size_of, turned, was_changed
from pytest_audioparity.roundtrip.comparing import difference, same_audio, same_codes
from pytest_audioparity.roundtrip.records import Trip, detail_of, result, unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_audioparity.checks import CheckResult
    from pytest_audioparity.records import Finding
    from pytest_audioparity.results import StageResult
    from pytest_audioparity.roundtrip.limits import Limits
    from pytest_audioparity.roundtrip.records import Codec

    Array = np.ndarray[Any, Any]

# On either side of a boundary: a click is shorter, and less holds too few samples to measure.
_SEAM_SECONDS = 0.0025
# A difference begins where it is this much above what tol_db allows on average.
_BEGINS = 3.0
# A difference that begins within this share of a chunk after a boundary begins there; by chance one in fifty does.
_AT_BOUNDARY = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """One clip decoded in chunks.

    Attributes
    ----------
    frames : per chunk
    trip : with the streamed output
    boundaries : samples where chunks begin, without the first
    problem : how it differs from the output at once, or None
    findings : why
    begins : sample where the difference begins, None where there is none or the lengths differ
    has_output : False where decode_stream raised
    """

    frames: int
    trip: Trip
    boundaries: tuple[int, ...]
    problem: str | None
    findings: tuple[Finding, ...]
    begins: int | None
    has_output: bool = True

    @property
    def boundary(self) -> tuple[int, int] | None:
        """The chunk (counted from 1) that the difference begins in, and how many samples after its start."""
        if self.begins is None:
            return None
        chunk = int(np.searchsorted(self.boundaries, self.begins, side="right"))
        return chunk + 1, self.begins - (0, *self.boundaries)[chunk]

    def begins_at_boundary(self) -> bool:
        """Whether the difference begins where a chunk does, other than the first."""
        place = self.boundary
        if place is None or place[1] == self.begins:  # the first chunk with samples: those before it waited for more
            return False
        edges = (0, *self.boundaries, self.trip.output.size)
        return place[1] <= _AT_BOUNDARY * (edges[place[0]] - edges[place[0] - 1])


def streams_of(codec: Codec, trip: Trip, limits: Limits) -> list[Streamed]:
    """Decode a clip in chunks of each size, where that is asked for."""
    if codec.decode_stream is None or {"streaming", "seams", "finite", "words"} <= limits.skip:
        return []
    return [_tried(codec, trip, frames, limits) for frames in codec.chunk_frames]


def _tried(codec: Codec, trip: Trip, frames: int, limits: Limits) -> Streamed:
    try:
        return streamed(codec, trip, frames, limits)
    except Exception as error:  # the other checks are still to be told
        nothing = replace(trip, output=trip.output[:0], nonfinite=0, score=None)
        return Streamed(frames, nothing, (), raised("decode_stream", error), (), None, has_output=False)


def check_streams(codec: Codec, trip: Trip, streams: Sequence[Streamed], limits: Limits) -> Iterator[CheckResult]:
    """Judge what was streamed, by the checks that are not switched off."""
    if streams and "streaming" not in limits.skip:
        yield check_streaming(codec, trip, streams, limits)
    if streams and "seams" not in limits.skip:
        yield check_seams(codec, trip, streams, limits)
    if codec.encode_stream is not None and "stream_encoding" not in limits.skip:
        yield check_stream_encoding(codec, trip, limits)


def streamed(codec: Codec, trip: Trip, frames: int, limits: Limits) -> Streamed:
    """Decode a clip in chunks of so many frames and compare that with its output at once."""
    assert codec.decode_stream is not None
    value, boundaries = joined(codec.decode_stream(trip.encoded, frames))
    new = with_output(trip, value, "decode_stream")
    boundaries = _assumed(codec, new, frames) if boundaries is None else boundaries
    if new.nonfinite or trip.nonfinite:
        counts = f"{new.nonfinite} samples are not finite, {trip.nonfinite} at once"
        problem = counts if new.nonfinite != trip.nonfinite else None
        return Streamed(frames, new, boundaries, problem, (), None)
    audio = same_audio(codec, trip.output, new.output, limits)
    if audio.passed:
        return Streamed(frames, new, boundaries, None, (), None)
    if new.output.size != trip.output.size:
        problem = f"{new.output.size} samples, {trip.output.size} at once"
        return Streamed(frames, new, boundaries, problem, audio.findings, None)
    begins = _beginning(trip.output, new.output, limits.tol_db)
    return Streamed(frames, new, boundaries, f"differs by {amount(audio)}", audio.findings, begins)


def _assumed(codec: Codec, trip: Trip, frames: int) -> tuple[int, ...]:
    """Return the boundaries of a stream that came as one array: each frame has its share of the samples."""
    count = None if trip.codes is None else size_of(codec, trip.codes, "T")
    if not count:
        return ()
    places = np.arange(frames, count, frames) * trip.output.size // count
    return tuple(int(place) for place in places)


def _beginning(expected: Array, actual: Array, tol_db: float) -> int:
    rms = float(np.sqrt(np.mean(expected**2)))
    apart = np.abs(actual - expected)
    over = np.flatnonzero(apart > _BEGINS * (10 ** (tol_db / 20) - 1) * rms)
    return int(over[0]) if over.size else int(apart.argmax())


def check_streaming(codec: Codec, trip: Trip, streams: Sequence[Streamed], limits: Limits) -> CheckResult:
    """Hold that decoding in chunks equals decoding at once, for every size, and leaves nothing behind."""
    bad = [stream for stream in streams if stream.problem is not None]
    sizes = ", ".join(str(stream.frames) for stream in streams)
    if was_changed(codec, trip):
        return result("streaming", "decode_stream changes the codes that it is given; let it work on a copy")
    if not bad:
        left = _left_behind(codec, trip, limits)
        if left is not None:
            return left
        return result("streaming", None, f"chunks of {sizes} frames give what decoding at once gives")
    told: dict[str, list[str]] = {}
    for stream in bad:
        told.setdefault(_told(codec, stream), []).append(str(stream.frames))
    first = bad[0]
    return result(
        "streaming",
        "; ".join(f"chunks of {', '.join(frames)}: {said}" for said, frames in told.items()),
        detail=detail_of(
            chunk_frames=[stream.frames for stream in bad],
            begins_seconds=None if first.begins is None else first.begins / codec.sample_rate,
            starts_at_boundary=None if first.begins is None else first.begins_at_boundary(),
        ),
        findings=_causes(first),
    )


def _left_behind(codec: Codec, trip: Trip, limits: Limits) -> CheckResult | None:
    """Return that a stream leaves state to what comes after it, None where it does not: one that ends loud shows it."""
    assert codec.decode_stream is not None
    frames = max(codec.chunk_frames)
    if (codes := turned(codec, trip)) is not None:
        with suppress(Exception):  # no codes that encode made: a decoder may refuse them
            joined(codec.decode_stream(codes, frames))
    problem, findings = difference(codec, trip, decoded(codec, trip), limits)
    if problem is not None:
        said = f"decode after decode_stream: {problem}; state of the stream is used: reset it"
        return result("streaming", said, findings=findings)
    again = _tried(codec, trip, frames, limits)
    if again.problem is None:
        return None
    said = f"chunks of {frames} after another stream: {again.problem}; its state is used: begin each stream anew"
    return result("streaming", said, findings=again.findings)


def _causes(stream: Streamed) -> tuple[Finding, ...]:
    """Leave out that nothing explains a difference which begins at a boundary: that place is the explanation."""
    if not stream.begins_at_boundary():
        return stream.findings
    return tuple(finding for finding in stream.findings if finding.code != "unexplained")


def _told(codec: Codec, stream: Streamed) -> str:
    said = f"{stream.problem}"
    if stream.begins is None or stream.boundary is None:
        return said
    chunk, after = stream.boundary
    seconds = stream.begins / codec.sample_rate
    if stream.begins_at_boundary():
        return f"{said}, beginning at {seconds:.3f} s, which is where chunk {chunk} starts: is its state kept?"
    if not stream.begins:
        return f"{said}, from the first sample on"
    return f"{said}, beginning at {seconds:.3f} s, {after} samples into chunk {chunk}"


def check_seams(codec: Codec, trip: Trip, streams: Sequence[Streamed], limits: Limits) -> CheckResult:
    """Hold that a stream is as right within 2.5 ms of its chunk boundaries as it has to be on the whole."""
    told, worst, compared = [], 0.0, 0
    reach = max(1, round(_SEAM_SECONDS * codec.sample_rate))
    for stream in streams:
        size = trip.output.size
        if not stream.boundaries or stream.trip.output.size != size or not size:
            continue
        places = np.concatenate([np.arange(b - reach, b + reach) for b in stream.boundaries])
        places = np.unique(places[(places >= 0) & (places < size)])
        audio = same_audio(codec, trip.output[places], stream.trip.output[places], limits)
        compared += len(stream.boundaries)
        worst = max(worst, audio.deviation_db or 0.0)
        if not audio.passed:
            told.append(f"chunks of {stream.frames}: {amount(audio)} at the {len(stream.boundaries)} boundaries")
    if not compared:
        return unmeasured(
            "seams",
            "no stream has chunk boundaries (let decode_stream yield its chunks), or none is as long as at once",
        )
    fine = f"{decibel(worst)} dB at {compared} chunk boundaries"
    return result("seams", "; ".join(told) or None, fine, detail={"deviation_db": worst, "boundaries": compared})


def check_stream_encoding(codec: Codec, trip: Trip, limits: Limits) -> CheckResult:
    """Hold that encoding in chunks gives the codes of encoding at once."""
    assert codec.encode_stream is not None
    if trip.codes is None or not size_of(codec, trip.codes, "T"):
        return unmeasured("stream_encoding", "the codes cannot be seen: give codes= and codes_axes=")
    per_frame = frame_samples(codec, trip)
    if per_frame is None:
        return unmeasured("stream_encoding", "the length of a frame is not known: give frame_samples=")
    told: list[str] = []
    findings: tuple[Finding, ...] = ()
    for samples in (frames * per_frame for frames in codec.chunk_frames):
        try:
            encoded = codec.encode_stream(given(codec, trip.clip), samples)
            new = Trip(trip.clip, encoded, codes_of(codec, encoded), trip.output)
        except Exception as error:  # the other checks are still to be told
            told.append(f"chunks of {samples} samples: {raised('encode_stream', error)}")
            continue
        same = same_codes(codec, trip, new, limits)
        if same is None or not same.passed:
            told.append(f"chunks of {samples} samples: {_codes_told(trip, new, same)}")
            findings = findings or (() if same is None else same.findings)
    fine = "chunks give the codes of encoding at once"
    return result("stream_encoding", "; ".join(told) or None, fine, findings=findings)


def _codes_told(expected: Trip, actual: Trip, same: StageResult | None) -> str:
    if same is None or expected.codes is None or actual.codes is None:
        return "no codes"
    if actual.codes.shape != expected.codes.shape:
        return f"codes {shape_text(actual.codes.shape)}, {shape_text(expected.codes.shape)} at once"
    return f"{amount(same)} differ"
