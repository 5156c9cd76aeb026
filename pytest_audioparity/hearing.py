"""What a waveform sounds like, as part of its verdict: limits of its scores, and words that a loose tolerance loses.

A tolerance in dB says nothing about words: in ten seconds of speech one can be gone at 15 dB of signal to error. So a
waveform that passes all else is listened to where that may be so. One that fails is listened to when its failure
stands, to say what it is worth.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_audioparity.comparison.tolerances import SCORES, scores_asked
from pytest_audioparity.errors import StageError
from pytest_audioparity.records import FAIL, LOWEST_RATE, NOT_MEASURED, PASS
from pytest_audioparity.results import Criterion

if TYPE_CHECKING:
    import numpy as np

    from pytest_audioparity.audio.channels import Heard, Pairs
    from pytest_audioparity.comparison.structure import Pair
    from pytest_audioparity.records import StageMeta, Tolerance
    from pytest_audioparity.results import StageResult

# The criterion that words are kept. Its number is how many channels lost theirs.
WORDS = "words"
# What is louder, as a filter that is not stable becomes, cannot be squared and summed in float64 (1.8e308).
_LOUDEST = 1e100
_NO_RATE = "scores need the sample rate; declare sample_rate= in Hz"
_NOT_SPEECH = "if it need not be speech: words='any'"


def judged_by_ear(result: StageResult, both: Pair) -> StageResult:
    """Hold a waveform that passes by all else against the limits of its scores, and listen whether its words are kept.

    Parameters
    ----------
    result : of the two sides by numbers
    both : the two sides

    Returns
    -------
    The result with criteria of sound, `not_measured` where a score that was asked for cannot be measured; any other
    result as it is
    """
    if result.verdict != PASS or result.meta.kind != "waveform" or not both.expected.size:
        return result
    limits = scores_asked(result.tolerance)
    if not limits and not _may_lose_words(result):
        return result
    try:
        heard = _heard(both, result, every=bool(limits))
    except StageError as error:
        return _unmeasured(result, next(iter(limits), None), str(error))
    return result if heard is None else _judged(replace(result, audio=heard))


def heard(result: StageResult, both: Pair) -> StageResult:
    """Return a failing waveform with what it sounds like, if both sides are audio of one rate; any other as it is.

    Parameters
    ----------
    result : of the two sides
    both : the two sides, which may differ in length
    """
    is_done = result.audio is not None or result.verdict != FAIL
    if is_done or result.meta.kind != "waveform" or both.conflict is not None:
        return result
    # Without numbers there is nothing that tells which channels differ enough.
    every = not result.criteria or bool(scores_asked(result.tolerance))
    try:
        audio = _heard(both, result, every=every, some=True)
    except StageError:  # it is no audio that can be listened to, which nobody asked for
        return result
    result = replace(result, audio=audio)
    # Without a criterion it fails by what is no number, such as its shape or NaN, whatever it sounds like.
    return _judged(result) if result.criteria else result


def must_keep_words(meta: StageMeta, tolerance: Tolerance) -> bool:
    """Whether a stage is a waveform of a known rate whose words count."""
    return meta.kind == "waveform" and meta.sample_rate is not None and tolerance.words == "kept"


def objection(subject: str, audio: Heard, *, against: str = "the golden") -> str | None:
    """Say in one line why audio that has lost its words should not become a golden, or return None.

    Parameters
    ----------
    subject : what the audio is, as in ``stage 'waveform'``
    audio : what it was heard to be
    against : what it was compared with
    """
    if not audio.lost:
        return None
    from pytest_audioparity.audio.channels import verdict_lines

    return f"{subject}: against {against} it is {verdict_lines(audio)[0]}"


def unjudged(result: StageResult) -> list[str]:
    """Return the criteria of sound that a failing stage was not held against, since it failed by others before."""
    if result.verdict != FAIL or result.meta.kind != "waveform":
        return []
    judged = {criterion.name for criterion in result.criteria}
    asked = [SCORES[keyword] for keyword in scores_asked(result.tolerance)]
    words = [WORDS] if must_keep_words(result.meta, result.tolerance) and result.audio is None else []
    return [name for name in (*asked, *words) if name not in judged]


def _may_lose_words(result: StageResult) -> bool:
    """Whether the words of a stage count, and its deviation as a whole allows that some are gone."""
    numbers, rate = result.comparison, result.meta.sample_rate
    if numbers is None or numbers.snr_db is None or result.tolerance.words != "kept":
        return False
    from pytest_audioparity.comparison.windows import WINDOW_SECONDS, may_differ

    # The lower the rate, the longer the clip, and the less of it a word is. Shorter than one at any rate, it has none.
    if rate is None and numbers.size < WINDOW_SECONDS * LOWEST_RATE:
        return False
    return may_differ(numbers.snr_db, numbers.size, LOWEST_RATE if rate is None else rate)


def _heard(both: Pair, result: StageResult, *, every: bool, some: bool = False) -> Heard | None:
    """Score the channels in which words may be gone, or every one; None for none.

    Parameters
    ----------
    both, result : the two sides and what is known of them
    every : whether channels that differ too little are scored too
    some : whether one is scored in any case

    Raises
    ------
    StageError : they are no audio, or of an unknown rate
    """
    rate = result.meta.sample_rate
    if rate is None:
        raise StageError(_NO_RATE)
    from pytest_audioparity.audio.channels import hear, paired

    pairs = paired(both.expected, both.actual, result.meta.axes)
    if any(_LOUDEST < _loudest(side) < math.inf for sides in pairs.values() for side in sides if side.size):
        raise StageError(f"stage {result.meta.name!r}: values beyond {_LOUDEST:g} are no audio")
    chosen = pairs if every else _doubtful(pairs, result, rate)
    if not chosen and some:
        chosen = dict([next(iter(pairs.items()))])
    pesq = any(SCORES[keyword].startswith("pesq") for keyword in scores_asked(result.tolerance))
    return hear(chosen, sample_rate=rate, channels=len(pairs), pesq=pesq) if chosen else None


def _loudest(side: np.ndarray[Any, Any]) -> float:
    # NaN and infinity are told where they are found.
    return max(float(side.max()), -float(side.min()))


def _doubtful(pairs: Pairs, result: StageResult, rate: float) -> Pairs:
    """Return the channels in which the error comes nearer to the signal, somewhere, than where no word can be lost."""
    from pytest_audioparity.audio.verdict import KEPT_SI_SDR_DB
    from pytest_audioparity.comparison.windows import lowest_snr_db

    assert result.comparison is not None
    side = result.comparison.expected
    power = (side.mean or 0.0) ** 2 + (side.std or 0.0) ** 2
    return {
        label: sides
        for label, sides in pairs.items()
        if lowest_snr_db(*sides, sample_rate=rate, mean_power=power) < KEPT_SI_SDR_DB
    }


def _judged(result: StageResult) -> StageResult:
    """Add the criteria of sound to a stage that was listened to, and decide it anew."""
    audio = result.audio
    assert audio is not None
    criteria, problem = list(result.criteria), None
    if result.tolerance.words == "kept":
        criteria.append(Criterion(WORDS, audio.lost, 0, audio.lost == 0))
    for keyword, limit in scores_asked(result.tolerance).items():
        label, measure = audio.lowest(SCORES[keyword])
        if measure.value is None and problem is None:
            problem = f"{keyword}: {f'{label}: ' if label else ''}{measure.not_measured}"
        passed = measure.value is not None and measure.value >= limit
        criteria.append(Criterion(SCORES[keyword], measure.value, limit, passed, at_most=False))
    result = replace(result, criteria=tuple(criteria), reason=result.reason or problem)
    if result.verdict == FAIL or any(not one.passed and one.value is not None for one in criteria):
        return replace(result, verdict=FAIL)
    if problem is not None:
        return replace(result, verdict=NOT_MEASURED)
    why = _unknown_words(result, audio)
    return result if why is None else _unmeasured(result, None, why)


def _unknown_words(result: StageResult, audio: Heard) -> str | None:
    """Say why nobody knows whether a waveform that passes has its words, None where it is known or it has none."""
    from pytest_audioparity.comparison.windows import WINDOW_SECONDS

    numbers, rate = result.comparison, result.meta.sample_rate
    if result.tolerance.words != "kept" or audio.unjudged is None or numbers is None or rate is None:
        return None
    # What is silent as a whole, or shorter than a word, says nothing.
    if not (numbers.expected.std or numbers.expected.mean) or numbers.size < WINDOW_SECONDS * rate * audio.channels:
        return None
    label, found = audio.unjudged
    return f"{label}: {found.not_measured['estoi']}" if label else found.not_measured["estoi"]


def _unmeasured(result: StageResult, keyword: str | None, reason: str) -> StageResult:
    """Return a result that does not pass, since a score that was asked for cannot be had, or whether words are kept."""
    said = f"{WORDS}: the error is large enough to lose some; {reason}; {_NOT_SPEECH}"
    return replace(result, verdict=NOT_MEASURED, reason=said if keyword is None else f"{keyword}: {reason}")
