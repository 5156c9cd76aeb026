"""Whether an estimate says what its reference says, by the words that a recogniser hears in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_audioparity.audio.recognition import Recognition, default_recogniser, heard, text_of
from pytest_audioparity.audio.signals import rate_of
from pytest_audioparity.audio.transcripts import UNITS, Unit, WordErrors, normalised, require, word_errors
from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    from pytest_audioparity.audio.recognition import Recogniser

# A recogniser that gets every second word of the reference itself wrong cannot tell what the estimate made worse: words
# that are lost measure about 1.0 whatever the reference, so that no rise above 0.5 would be left to see.
UNDERSTOOD_WER = 0.5


@dataclass(frozen=True, slots=True)
class WordsResult:
    """What a recogniser hears in reference and estimate.

    Attributes
    ----------
    truth : "transcript", or "reference": what was recognised in the reference stands in for it
    reference, estimate : what was heard in either, None where it was not measured
    errors : of the estimate against the truth; None where it was not measured
    reference_errors : of what was heard in the reference against the transcript; without one, None
    not_measured : why there is no `wer`, else None
    rise_not_measured : why there is no `wer_rise`, else None
    """

    truth: str
    reference: Recognition | None
    estimate: Recognition | None
    errors: WordErrors | None = None
    reference_errors: WordErrors | None = None
    not_measured: str | None = None
    rise_not_measured: str | None = None

    @property
    def wer(self) -> float | None:
        """Word errors of the estimate per word of the truth, 0 and more; None where it was not measured."""
        return None if self.errors is None else self.errors.rate

    @property
    def reference_wer(self) -> float | None:
        """The same of the reference: what the recogniser gets wrong by itself. 0 by definition without a transcript."""
        if self.errors is None:
            return None
        return 0.0 if self.reference_errors is None else self.reference_errors.rate

    @property
    def wer_rise(self) -> float | None:
        """Errors that the estimate has beyond the reference's own, per word; below 0 where it is understood better."""
        wer, own = self.wer, self.reference_wer
        return None if self.rise_not_measured is not None or wer is None or own is None else wer - own

    @property
    def text(self) -> str:
        """The result in one line."""
        if self.errors is None:
            return f"not measured: {self.not_measured}"
        own = f", the reference {self.reference_wer:.2f}" if self.truth == "transcript" else ""
        aside = f" ({self.rise_not_measured})" if self.rise_not_measured else ""
        return f"{self.wer:.2f} of the {self.truth}{own}: {self.errors.text}{aside}"


def compare_words(
    reference: Any,
    estimate: Any,
    *,
    sample_rate: float,
    transcript: str | None = None,
    recogniser: Recogniser | None = None,
    unit: Unit = "words",
) -> WordsResult:
    """Compare the words that are recognised in an estimate with the transcript, or with those of the reference.

    A recogniser makes errors of its own, on clean audio too: judge `wer_rise`, the estimate's errors less the
    reference's, unless you know how the recogniser does on your clips.

    Parameters
    ----------
    reference, estimate : one channel each, as `score` takes them; they need not be aligned or equally long
    sample_rate : of both, Hz
    transcript : what the reference says; None takes what is recognised in it
    recogniser : the project's own; None takes pocketsphinx, which knows English
    unit : "words", or "characters" for languages written without spaces

    Returns
    -------
    WordsResult; not measured where either side is too short, silent (80 dB under the reference) or not finite, or
    where the truth has no words

    Raises
    ------
    StageError : no audio, a transcript without words, a package is missing
    """
    rate = rate_of(sample_rate)
    require("jiwer")
    if unit not in UNITS:
        raise StageError(f"compare_words: unit={unit!r} is none of {', '.join(UNITS)}")
    if transcript is not None and not normalised(transcript, unit=unit):
        raise StageError(f"the transcript {transcript!r} has no words; leave it out to compare with the reference's")
    used = default_recogniser() if recogniser is None else recogniser
    truth = "reference" if transcript is None else "transcript"
    problem, expected = heard(reference, rate, "reference")
    if problem is None:
        problem, found = heard(estimate, rate, "estimate", beside=expected)
    if problem is not None:
        return WordsResult(truth, None, None, not_measured=problem)
    own, other = text_of(expected, rate, used), text_of(found, rate, used)
    return _judged(truth, transcript, own, other, unit)


def _judged(truth: str, transcript: str | None, own: Recognition, other: Recognition, unit: Unit) -> WordsResult:
    for side, name in ((own, "reference"), (other, "estimate")):
        if side.text is None:
            return WordsResult(truth, own, other, not_measured=f"{name}: {side.not_measured}")
    assert own.text is not None
    assert other.text is not None
    if transcript is None:
        errors = word_errors(own.text, other.text, unit=unit)
        if errors.rate is None:
            return WordsResult(truth, own, other, not_measured="no words are recognised in the reference")
        return WordsResult(truth, own, other, errors)
    errors, base = (word_errors(transcript, side, unit=unit) for side in (other.text, own.text))
    assert base.rate is not None
    blind = (
        f"no rise can be told: of the reference itself {base.rate:.0%} is recognised wrongly"
        if base.rate > UNDERSTOOD_WER
        else None
    )
    return WordsResult(truth, own, other, errors, base, rise_not_measured=blind)
