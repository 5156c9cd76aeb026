"""The audio that comes out: finite, bounded, as loud, as long and as late as it should be, and still the same words."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio import gates
from pytest_audioparity.audio.records import CLIPPED, LOST, MISALIGNED
from pytest_audioparity.audio.timeline import Piece, common
from pytest_audioparity.audio.verdict import LAG_SECONDS
from pytest_audioparity.checks import CheckResult
from pytest_audioparity.records import FAIL, NOT_MEASURED
from pytest_audioparity.roundtrip.calls import raised, travelled
from pytest_audioparity.roundtrip.codes import frame_samples, size_of
from pytest_audioparity.roundtrip.records import result, unmeasured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_audioparity.records import Finding
    from pytest_audioparity.roundtrip.limits import Limits
    from pytest_audioparity.roundtrip.records import Clip, Codec, Trip
    from pytest_audioparity.roundtrip.streaming import Streamed

    Array = np.ndarray[Any, Any]

# The longest frame of codecs in use: 80 ms of Mimi, 72 ms of MP3 at 16 kHz. It counts where the codes do not tell.
_LONGEST_FRAME_SECONDS = 0.08
# What a filter makes of a signal at full scale: Opus and MP3 at their lowest rates stay within 2 dB above it.
_OVERSHOOT = 10 ** (2 / 20)
# What is said to be bounded by its construction (a tanh, a clamp) is tried 12 dB beyond full scale: a network that was
# trained on softer speech compresses what is louder, so that a missing tanh does not show at full scale.
_FAR_BEYOND = 4.0
# From one sample to the next: speech at full scale, at 8 kHz, and what codecs in use make of it stay below 0.82. An
# integer that wraps around jumps from one end of the range to the other, by nearly 2.
_WRAPPED_STEP, _STEEP_STEP = 1.5, 1.0


def compared(codec: Codec, trip: Trip) -> Array:
    """Return the output as it is compared: without the delay that was declared."""
    return trip.output[codec.delay_samples :]


def check_output_of(
    codec: Codec, trips: Sequence[Trip], streams: Sequence[Streamed], limits: Limits
) -> Iterator[CheckResult]:
    """Judge the outputs of all clips; of each check, the first clip that fails is told."""
    if "finite" not in limits.skip:
        yield _finite(trips, streams)
    whole = [trip for trip in trips if not trip.nonfinite]
    made: list[tuple[str, Callable[[Trip], CheckResult]]] = [
        ("dc", lambda trip: gates.dc(trip.clip.samples, _beside(codec, trip), limits.max_dc)),
        ("level", lambda trip: gates.level(trip.clip.samples, _beside(codec, trip), limits.max_level_db)),
        ("clipping", _clipping),
        ("length", lambda trip: _length(codec, trip)),
        ("delay", lambda trip: _delay(codec, trip)),
        ("polarity", lambda trip: _polarity(codec, trip)),
        ("rate", _rate),
    ]
    for name, make in made:
        if name not in limits.skip:
            yield of_clips(name, [(trip.clip.name, make(trip)) for trip in whole])


def check_bounds(codec: Codec, trips: Sequence[Trip], limits: Limits) -> Iterator[CheckResult]:
    """Hold that outputs are bounded, that of the first clip played louder too: soft speech does not try a bound."""
    if "bounded" in limits.skip:
        return
    # Of the clips themselves, what is not finite is told by the check `finite`.
    made = [(trip.clip.name, _bounded(trip, limits)) for trip in trips if not trip.nonfinite]
    loud = _louder(trips[0].clip, limits)
    try:
        made.append((loud.name, _bounded(travelled(codec, loud), limits)))
    except Exception as error:  # a codec may refuse what is so loud, and the other checks are still to be told
        made.append((loud.name, result("bounded", raised("the codec", error))))
    yield of_clips("bounded", made)


def _louder(clip: Clip, limits: Limits) -> Clip:
    """Return a clip at full scale, or where the codec is bounded whatever goes in, far beyond it."""
    level, name = (_FAR_BEYOND, "12 dB beyond full scale") if limits.max_peak is not None else (1.0, "full scale")
    peak = np.max(np.abs(clip.samples))
    return replace(clip, name=f"{clip.name} at {name}", samples=np.float32(level) * clip.samples / peak)


def _bounded(trip: Trip, limits: Limits) -> CheckResult:
    if trip.nonfinite:
        return result("bounded", f"{trip.nonfinite} samples are NaN or infinite")
    found = gates.bounded(trip.output, _scale_of(trip) if limits.max_peak is None else limits.max_peak)
    wrapped = _wrapped(trip) if found.passed else None
    return found if wrapped is None else result("bounded", wrapped)


def _wrapped(trip: Trip) -> str | None:
    """Say that integers wrap around, which no peak shows; None where they do not, or where the input jumps as far."""
    steps = np.abs(np.diff(trip.output))
    count = int(np.count_nonzero(steps > _WRAPPED_STEP))
    given = float(np.max(np.abs(np.diff(trip.clip.samples)), initial=0.0))
    if not count or given > _STEEP_STEP:
        return None
    said = f"{count} time{'s' * (count != 1)} the output jumps by up to {steps.max():.2f} from one sample to the next"
    return f"{said}, the input by {given:.2f} at most: do integers wrap around where they should saturate?"


def check_words(trips: Sequence[Trip], streams: Sequence[Streamed], limits: Limits) -> Iterator[CheckResult]:
    """Hold that what is said is still there, in what was decoded at once and in what was streamed."""
    if "words" in limits.skip:
        return
    check = of_clips("words", [(trip.clip.name, _words(trip)) for trip in trips])
    lost = [(stream, judged) for stream in streams if (judged := _words(stream.trip)).verdict == FAIL]
    if not check.passed or not lost:  # a stream is judged by what was decoded at once, which is wrong already
        yield check
        return
    stream, judged = lost[0]
    where = ""
    if stream.begins is not None:
        where = f"; the loss {'starts' if stream.begins_at_boundary() else 'does not start'} at a chunk boundary"
    detail = {**judged.detail, "starts_at_boundary": stream.begins_at_boundary()}
    message = f"chunks of {stream.frames}: {judged.message}{where}"
    yield CheckResult("words", FAIL, message, detail, judged.findings)


def of_clips(name: str, results: Sequence[tuple[str, CheckResult]]) -> CheckResult:
    """Return one check for all clips: what the first that fails says, and how many do."""
    if not results:
        return unmeasured(name, "no output is finite")
    bad = [(clip, one) for clip, one in results if not one.passed]
    clip, one = bad[0] if bad else results[0]
    also = "" if len(bad) < 2 else f" (and {len(bad) - 1} more clips)"
    verdict = FAIL if any(one.verdict == FAIL for _, one in bad) else one.verdict
    return CheckResult(name, verdict, f"{clip}: {one.message}{also}" if one.message else "", one.detail, one.findings)


def _finite(trips: Sequence[Trip], streams: Sequence[Streamed]) -> CheckResult:
    counts = [(trip.clip.name, trip.nonfinite) for trip in trips]
    counts += [(f"{s.trip.clip.name}, chunks of {s.frames}", s.trip.nonfinite) for s in streams]
    told = "; ".join(f"{name}: {bad} samples are NaN or infinite" for name, bad in counts if bad)
    return result("finite", told or None)


def _scale_of(trip: Trip) -> float:
    """Return full scale, and some overshoot for a clip that has it itself."""
    return gates.FULL_SCALE * max(1.0, _OVERSHOOT * float(np.max(np.abs(trip.clip.samples), initial=0.0)))


def _beside(codec: Codec, trip: Trip) -> Array:
    """Return what of the output stands beside the input: what a codec appends is silent."""
    output = compared(codec, trip)[: trip.clip.samples.size]
    return output if output.size else np.zeros(1)


def _clipping(trip: Trip) -> CheckResult:
    finding = finding_of(trip, CLIPPED)
    return result("clipping", None if finding is None else finding.message)


def finding_of(trip: Trip, code: str) -> Finding | None:
    """Return what a clip's score says under a code, None where it says nothing of that kind."""
    found = () if trip.score is None else trip.score.findings
    return next((finding for finding in found if finding.code == code), None)


def _length(codec: Codec, trip: Trip) -> CheckResult:
    more = trip.output.size - trip.clip.samples.size
    frames = None if trip.codes is None else size_of(codec, trip.codes, "T")
    about = trip.clip.samples.size / frames if frames else _LONGEST_FRAME_SECONDS * codec.sample_rate
    frame = frame_samples(codec, trip) or math.ceil(about)
    said = f"{trip.output.size} samples for an input of {trip.clip.samples.size}"
    said += f", {abs(more)} too {'few' if more < 0 else 'many'}: " if more else ": "
    samples = f"{frame} sample{'' if frame == 1 else 's'}"
    said += f"less than a frame of codes ({samples}) may be missing, a frame and the declared delay may be added"
    detail = {"samples": more, "frame_samples": frame}
    guessed = "" if codec.frame_samples else "; if a frame has more: frame_samples="
    problem = None if -frame < more <= codec.delay_samples + frame else f"{said}{guessed}"
    return result("length", problem, said, detail=detail)


def _delay(codec: Codec, trip: Trip) -> CheckResult:
    score = trip.score
    if score is None or score.lag_samples is None:
        return unmeasured("delay", "the output does not line up with the input anywhere")
    if score.aligned_by == "warp":
        return result("delay", None, "see rate")
    if score.aligned_by == "jumps" and (finding := finding_of(trip, MISALIGNED)) is not None:
        return result("delay", finding.message, detail=finding.detail)
    lag = score.lag_samples + codec.delay_samples
    detail = {"delay_samples": lag, "declared_samples": codec.delay_samples, "aligned_by": score.aligned_by}
    said = f"{lag} samples ({1000 * lag / codec.sample_rate:.1f} ms), {codec.delay_samples} declared"
    if abs(score.lag_samples) <= LAG_SECONDS * codec.sample_rate:
        return result("delay", None, said, detail=detail)
    return result("delay", f"{said}; if the codec is so: delay_samples={lag}", detail=detail)


def _polarity(codec: Codec, trip: Trip) -> CheckResult:
    score = trip.score
    if score is None or score.aligned_by != "waveform" or score.lag_samples is None:
        return result("polarity", None)  # a codec that does not keep the phase has none
    whole = (Piece(0, trip.clip.samples.size, score.lag_samples),)
    return gates.polarity(*common(trip.clip.samples.astype(np.float64), compared(codec, trip), whole))


def _rate(trip: Trip) -> CheckResult:
    score = trip.score
    if score is None or score.aligned_by != "warp":
        return result("rate", None)
    finding = score.findings[0]
    return result("rate", finding.message, detail=finding.detail)


def _words(trip: Trip) -> CheckResult:
    score = trip.score
    if score is None:
        return unmeasured("words", "the output was not scored")
    if score.verdict == NOT_MEASURED:
        reasons = score.not_measured
        return unmeasured("words", reasons.get("estoi", "they cannot be judged"))
    told = [finding for finding in score.findings if finding.code in LOST]
    if not told:
        return result("words", None, f"{score.verdict}")
    said = "; ".join(finding.message for finding in told)
    detail = {"verdict": score.verdict, "garbled_seconds": [list(span) for span in score.garbled_seconds]}
    return result("words", f"{score.verdict.replace('_', ' ')}: {said}", detail=detail, findings=score.findings)
