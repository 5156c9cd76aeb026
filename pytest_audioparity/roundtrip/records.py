"""What a round trip is made of, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_audioparity.checks import CheckResult, Checks
from pytest_audioparity.records import FAIL, NOT_MEASURED, PASS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from pytest_audioparity.audio.records import Score
    from pytest_audioparity.audio.spoken import WordsResult

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Codec:
    """What was said of a codec.

    Attributes
    ----------
    encode, decode : from audio to codes, from codes to audio
    sample_rate : Hz, of what goes in and of what comes out
    decode_stream : (codes, frames per chunk) to chunks of audio, or None
    encode_stream : (audio, samples per chunk) to codes, or None
    fresh : makes another instance, or None
    codes : from what encode returns to its integers, or None where that is what it returns
    codes_axes : the axes of the integers: B, C for codebooks, T
    codebooks, codebook_size : how many there are, and how many codes each has; None where that was not said
    frame_samples : samples per frame of codes; None where a whole number follows from an output
    delay_samples : by how much the output is late
    chunk_frames : frames per chunk that streaming is tried with
    axes : of the audio that encode takes: T, with B and C of size 1
    to : makes the audio what encode takes, from numpy's float32; None for that itself
    """

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    sample_rate: int
    decode_stream: Callable[[Any, int], Any] | None = None
    encode_stream: Callable[[Any, int], Any] | None = None
    fresh: Callable[[], Any] | None = None
    codes: Callable[[Any], Any] | None = None
    codes_axes: str | None = None
    codebooks: int | None = None
    codebook_size: int | None = None
    frame_samples: int | None = None
    delay_samples: int = 0
    chunk_frames: tuple[int, ...] = (1, 4, 7)
    axes: str = "T"
    to: Callable[[Any], Any] | None = None

    @property
    def declares_codes(self) -> bool:
        """Whether it was said what its codes are, so that they have to be some."""
        return any(said is not None for said in (self.codes, self.codes_axes, self.codebooks, self.codebook_size))


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One recording: float32, shape (time,), where it comes from if that has to be said, and what it says if known."""

    name: str
    samples: Array
    note: str | None = None
    transcript: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Trip:
    """One clip on its way.

    Attributes
    ----------
    clip : what went in
    encoded : what encode returned
    codes : its integers, or None where it is no array
    output : what decode returned, shape (time,), float64 of full scale 1; empty where it is not finite
    nonfinite : samples that were not
    score : of the output against the clip, the declared delay taken away; None where it was not scored
    words : what is recognised in both, where that was asked for
    """

    clip: Clip
    encoded: Any
    codes: Array | None
    output: Array
    nonfinite: int = 0
    score: Score | None = None
    words: WordsResult | None = None


@dataclass(frozen=True, slots=True)
class RoundtripResult(Checks):
    """The verdict on one codec.

    Attributes
    ----------
    name : what the test called it, or empty
    about : what went through it, in one line
    clips : the name of each clip and its score, None where the output could not be scored
    streams : the same of outputs that were streamed and are not what they should be
    """

    name: str = ""
    about: str = ""
    clips: tuple[tuple[str, Score | None], ...] = ()
    streams: tuple[tuple[str, Score | None], ...] = ()

    @property
    def audio_verdict(self) -> str:
        """The worst verdict on any clip or stream; not_measured is worse than all that keep the words."""
        from pytest_audioparity.audio.records import severity

        found = [NOT_MEASURED if score is None else score.verdict for _, score in (*self.clips, *self.streams)]
        return min(found, key=severity, default=NOT_MEASURED)


def result(name: str, problem: str | None, fine: str = "", **more: Any) -> CheckResult:
    """Return a check that failed for a problem, or passed."""
    return CheckResult(name, PASS if problem is None else FAIL, problem or fine, **more)


def unmeasured(name: str, reason: str) -> CheckResult:
    """Return a check that could not be made, which fails too."""
    return CheckResult(name, NOT_MEASURED, reason)


def detail_of(**numbers: Any) -> Mapping[str, Any]:
    """Return the numbers behind a check, those that exist."""
    return {name: number for name, number in numbers.items() if number is not None}
