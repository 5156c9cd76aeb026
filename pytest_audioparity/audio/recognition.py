"""Recognisers: a function from audio to text, and the default one, pocketsphinx in a process of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pytest_audioparity.audio.levels import level_db
from pytest_audioparity.audio.measures import version_of
from pytest_audioparity.audio.recognition_process import RATE
from pytest_audioparity.audio.resampling import by_soxr
from pytest_audioparity.audio.signals import rate_of, signal_of
from pytest_audioparity.audio.transcripts import require
from pytest_audioparity.audio.verdict import SILENT_DB
from pytest_audioparity.audio.worker import CrashedError, Worker
from pytest_audioparity.errors import AudioparityError, StageError

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# Below, there is no word: pocketsphinx's shortest ("a", three frames per phone of three states) needs 0.09 s with the
# frames around it.
SHORTEST_SECONDS = 0.1
# pocketsphinx takes integers; the peak is put there, 6 dB under full scale, so that quiet audio keeps its bits.
_PEAK = 0.5 * 2**15
# Loading takes 0.4 s, a clip 0.3 of its length, on an idle core.
_PATIENCE_SECONDS, _PATIENCE_PER_SECOND = 60.0, 10.0


class Recogniser(Protocol):
    """What a project's fixture `recogniser` returns: it is called with audio and returns the words as text."""

    def __call__(self, samples: Array, sample_rate: int, /) -> str:
        """Recognise one clip.

        Parameters
        ----------
        samples : shape (time,), float32, full scale 1, at least 0.1 s, neither silent nor with NaN or infinity
        sample_rate : Hz; as given by the user, nothing was resampled

        Raises
        ------
        NotRecognisedError : it cannot be said what is heard; the message is the reason
        """


class NotRecognisedError(AudioparityError):
    """A recogniser cannot say what it hears. Raised by a recogniser, reported as not measured with this reason."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was heard in one clip: `text`, or the reason why there is none in `not_measured`; and what heard it."""

    text: str | None
    implementation: str
    not_measured: str | None = None


class PocketSphinx:
    """English by pocketsphinx and the model in its package, at 16 kHz, in a process that this object owns.

    Other rates are resampled by soxr (VHQ), the mean is taken away and the peak is put 6 dB under full scale. Rates
    below 16 kHz have not the band that the model was trained on, and are not measured.

    Raises
    ------
    StageError : the package pocketsphinx is not installed
    """

    def __init__(self) -> None:
        require("pocketsphinx")
        self._worker = Worker("pytest_audioparity.audio.recognition_process", "pocketsphinx")
        self._known: dict[tuple[int, str], str] = {}

    def __call__(self, samples: Array, sample_rate: int, /) -> str:
        """Return the words of one clip; `Recogniser` says what it takes."""
        from xxhash import xxh3_128_hexdigest

        # A reference stands beside many estimates, and is heard once.
        key = sample_rate, xxh3_128_hexdigest(samples.tobytes())
        if key not in self._known:
            self._known[key] = str(self.ask(samples, sample_rate, {})["text"])
        return self._known[key]

    def ask(self, samples: Array, sample_rate: int, question: dict[str, Any]) -> dict[str, Any]:
        """Put a question of `recognition_process` about one clip, and return its answer."""
        if sample_rate < RATE:
            raise NotRecognisedError(f"{sample_rate} Hz is too low: pocketsphinx needs {RATE} Hz")
        narrow = by_soxr(samples.astype(np.float64), sample_rate, RATE)
        narrow = narrow - narrow.mean()
        integers = np.rint(narrow * (_PEAK / np.max(np.abs(narrow)))).astype("<i2")
        patience = _PATIENCE_SECONDS + _PATIENCE_PER_SECOND * integers.size / RATE
        message = json.dumps(question).encode() + b"\n" + integers.tobytes()
        try:
            answer: dict[str, Any] = json.loads(self._worker.ask(message, patience_seconds=patience))
        except CrashedError as error:
            raise NotRecognisedError(str(error)) from None
        if "error" in answer:
            raise NotRecognisedError(f"pocketsphinx: {answer['error']}")
        return answer

    def implementation(self, sample_rate: int) -> str:
        """Say what recognises, with versions, and what is done to the audio first."""
        resampled = f", from {sample_rate} to {RATE} Hz by {version_of('soxr')} VHQ" if sample_rate != RATE else ""
        return f"{version_of('pocketsphinx')} en-us, without DC, peak at -6 dB{resampled}"

    def close(self) -> None:
        """End the process; the next call starts another."""
        self._worker.close()


_DEFAULT: list[PocketSphinx] = []


def default_recogniser() -> PocketSphinx:
    """Return the one that is used where none is given, the same for all callers.

    Raises
    ------
    StageError : the package pocketsphinx is not installed
    """
    if not _DEFAULT:
        _DEFAULT.append(PocketSphinx())
    return _DEFAULT[0]


def recognise(samples: Any, *, sample_rate: float, recogniser: Recogniser | None = None) -> Recognition:
    """Say which words are heard in one clip.

    Parameters
    ----------
    samples : one channel as `score` takes it
    sample_rate : Hz
    recogniser : the project's own; None takes pocketsphinx

    Returns
    -------
    Recognition; not measured where there is nothing to hear, or the recogniser cannot say

    Raises
    ------
    StageError : no audio, or the recogniser is not installed or returns no text
    """
    rate = rate_of(sample_rate)
    used = default_recogniser() if recogniser is None else recogniser
    problem, audible = heard(samples, rate, "samples")
    if problem is not None:
        return Recognition(None, implementation_of(used, rate), problem)
    return text_of(audible, rate, used)


def text_of(samples: Array, rate: int, recogniser: Recogniser) -> Recognition:
    """Recognise audio that `heard` has no objection to."""
    name = implementation_of(recogniser, rate)
    try:
        text = recogniser(samples.astype(np.float32), rate)
    except NotRecognisedError as error:
        return Recognition(None, name, str(error))
    if not isinstance(text, str):
        raise StageError(f"the recogniser {name} returned {type(text).__name__}, not text")
    return Recognition(text, name)


def implementation_of(recogniser: Recogniser, rate: int) -> str:
    """Name a recogniser: what its `implementation(sample_rate)` says, else where it is defined."""
    told = getattr(recogniser, "implementation", None)
    if callable(told):
        return str(told(rate))
    named = recogniser if hasattr(recogniser, "__qualname__") else type(recogniser)
    return f"{named.__module__}.{named.__qualname__}"


def heard(value: Any, rate: int, name: str, *, beside: Array | None = None) -> tuple[str | None, Array]:
    """Say why nothing can be heard in audio, or None, and return its samples.

    Parameters
    ----------
    name : of the side, for the message
    beside : samples of the reference; audio that is 80 dB under it is silent

    Raises
    ------
    StageError : no audio, or several channels
    """
    signal = signal_of(value, name)
    samples = signal.samples
    if signal.nonfinite:
        return f"{signal.nonfinite} values of the {name} are not finite", samples
    if samples.size < SHORTEST_SECONDS * rate:
        return f"the {name} is too short: {samples.size / rate:.2f} s, {SHORTEST_SECONDS} s are needed", samples
    level = level_db(samples if beside is None else beside, samples)
    if level is None or level <= SILENT_DB:
        return f"the {name} is silent", samples
    return None, samples
