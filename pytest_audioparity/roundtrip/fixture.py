"""The codec round trip as a test sees it: the fixture `roundtrip`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.channels import Heard
from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.hearing import objection
from pytest_audioparity.records import StageMeta, StageTensor
from pytest_audioparity.roundtrip.declaration import codec_of
from pytest_audioparity.roundtrip.judge import judged
from pytest_audioparity.roundtrip.records import Codec
from pytest_audioparity.roundtrip.scores import stored_scores
from pytest_audioparity.roundtrip.speech import clips_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_audioparity.audio.recognition import Recogniser
    from pytest_audioparity.keywords import AudioAxes
    from pytest_audioparity.recording import Recording
    from pytest_audioparity.roundtrip.limits import Limits
    from pytest_audioparity.roundtrip.records import RoundtripResult, Trip

# A score may be as much better as it likes, which no other tolerance means.
_NO_OTHER_LIMIT = dict.fromkeys(("tol_db", "tol_peak_db", "min_snr_db", "atol", "rtol"))


class Roundtrip:
    """Sends speech through a codec; the test fails at its end if any check does.

    Tests get one from the fixture `roundtrip` and do not make it themselves.
    """

    def __init__(
        self,
        recording: Recording,
        limits: Limits,
        *,
        recogniser: Callable[[], Recogniser],
        cache: Path | None,
        progress: Callable[[str], None],
    ) -> None:
        self._recording = recording
        self._limits = limits
        self._recogniser = recogniser
        self._cache = cache
        self._progress = progress
        recording.trips.expect()

    def __call__(
        self,
        *,
        encode: Callable[[Any], Any],
        decode: Callable[[Any], Any],
        sample_rate: float,
        decode_stream: Callable[[Any, int], Any] | None = None,
        encode_stream: Callable[[Any, int], Any] | None = None,
        fresh: Callable[[], Any] | None = None,
        codes: Callable[[Any], Any] | None = None,
        codes_axes: str | None = None,
        codebooks: int | None = None,
        codebook_size: int | None = None,
        frame_samples: int | None = None,
        delay_samples: int = 0,
        chunk_frames: Iterable[int] = (1, 4, 7),
        axes: AudioAxes = "T",
        to: Callable[[Any], Any] | None = None,
        clips: Any = None,
        transcripts: Mapping[str, str] | None = None,
        name: str = "",
    ) -> RoundtripResult:
        """Send clips through a codec and judge what comes back, by every check that the mark does not switch off.

        Parameters
        ----------
        encode : from audio, float32 of shape (time,), to codes: an integer array of any runtime, bytes, or any object
        decode : from what encode returned to audio of one channel: float of full scale 1, int16 or int32, any runtime
        sample_rate : Hz, of both
        decode_stream : (codes, frames) to the audio in chunks of so many frames: an iterable of arrays, or one array.
            Each call is a new stream
        encode_stream : (audio, samples) to the codes, from chunks of so many samples
        fresh : makes another instance: an object with calls of the same names, or a pair (encode, decode)
        codes : from what encode returns to its integers, where it is an object of its own
        codes_axes : axes of the integers: B, C for codebooks, T; without it T, CT and BCT by the number of axes
        codebooks, codebook_size : how many there are, and how many codes each has
        frame_samples : samples per frame of codes, where outputs are no whole number of frames
        delay_samples : by how much the output is late; it is taken away before anything is scored
        chunk_frames : frames per chunk that streaming is tried with
        axes : of the audio that encode takes: T, or with B and C of size 1, as in "BCT"
        to : makes the audio what encode takes, such as torch.from_numpy or mx.array
        clips : an array or a path, a list of them, or a mapping from names to them; without it a few of speech that
            come with the package, at the codec's rate
        transcripts : what clips say, by their names, for `max_wer` and `max_wer_rise`; without one, what is recognised
            in the clip stands in for it
        name : what reports call it, where one test makes several

        Returns
        -------
        RoundtripResult; nothing is raised for what fails before the test has ended

        Raises
        ------
        StageError : something that cannot be, such as a clip of two channels, or an output that is no audio
        """
        __tracebackhide__ = True
        said = {key: value for key, value in locals().items() if key in Codec.__slots__}
        try:
            self._recording.trips.begin(name)
            codec = codec_of(said)
            taken = clips_of(clips, codec.sample_rate, transcripts)
            recogniser = self._recogniser() if self._limits.listens else None
            found, trips = judged(
                codec, taken, self._limits, name, recogniser=recogniser, cache=self._cache, progress=self._progress
            )
        except AudioparityError as error:
            self._recording.doubts.misused(str(error))
            raise
        self._recording.trips.take(found)
        self._keep_scores(trips, name)
        self._object_to_garble(found)
        return found

    def _keep_scores(self, trips: Sequence[Trip], name: str) -> None:
        """Compare with the golden, and store there, the scores that are limited relative to it."""
        reference = self._recording.reference
        for clip, score, value, drop in stored_scores(trips, self._limits):
            stage = StageMeta("/".join(filter(None, (name, clip, score))))
            # A golden holds no infinity: what is equal to the last bit has lost nothing of what the golden has.
            held = reference.expected(stage) if value == math.inf else StageTensor(stage, np.array(value))
            if value is not None and held is not None:
                self._recording.take(held, {**_NO_OTHER_LIMIT, "max_drop": drop})

    def _object_to_garble(self, found: RoundtripResult) -> None:
        """Keep scores of audio that lost its words from becoming the golden, where the test does not check words."""
        for clip, score in found.clips:
            audio = None if score is None else Heard({"": score}, 1)
            if audio is not None and (reason := objection(f"clip {clip!r}", audio, against="the clip")) is not None:
                self._recording.doubts.refuse(reason)
