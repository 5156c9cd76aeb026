"""`score`: the pipeline on one page. Align, measure, find what was lost, judge."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio import measures
from pytest_audioparity.audio.alignment import Alignment, align, overlapping
from pytest_audioparity.audio.intelligibility import RATE, SEGMENT, bands_of, stoi
from pytest_audioparity.audio.likeness import Likeness, likeness
from pytest_audioparity.audio.records import Measure, Score
from pytest_audioparity.audio.resampling import resample
from pytest_audioparity.audio.signals import rate_of, signal_of
from pytest_audioparity.audio.statistics import Looks, looks_of
from pytest_audioparity.audio.verdict import GARBLED_ESTOI, SILENT_DB, Evidence, judge
from pytest_audioparity.audio.warps import Warp, rate_pair, search
from pytest_audioparity.audio.words import MARGIN_SECONDS, Words, invented, judge_words
from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    from pytest_audioparity.audio.words import Span

    Array = np.ndarray[Any, Any]

# A warp is looked for where words seem lost, or the lengths differ by this much and ESTOI is not above this; it is
# believed where ESTOI gains this much by it.
_DURATION, _DOUBTFUL_ESTOI, _GAIN = 0.01, 0.80, 0.1
_CLOSE_TO_UNITY = 0.004


def score(reference: Any, estimate: Any, *, sample_rate: float, pesq: bool = True) -> Score:
    """Score an estimate against its reference: is it still speech, and which words, how good, how loud?

    The estimate is aligned first; the lag is part of the result. Words are judged by ESTOI over time, against what the
    steady noise in the estimate explains; a wrong sample rate, another tempo or pitch is found before words are called
    lost. `docs/audio.md` has the rule, its thresholds and how often it is right.

    Parameters
    ----------
    reference, estimate : one channel each, shape (time,) (further axes of length 1 are allowed), anything array-like;
        floats have their full scale at 1, int16 and int32 at the largest integer
    sample_rate : of both, a whole number of Hz from 4000 to 768 000
    pesq : False leaves PESQ out, which takes more time than everything else; no verdict depends on it

    Returns
    -------
    Score; true only when the verdict is "ok". What cannot be measured is None, with the reason in `not_measured`

    Raises
    ------
    StageError : no audio, several channels, a reference that is empty or not finite, no usable sample rate

    Examples
    --------
    >>> import numpy as np
    >>> time = np.arange(16_000) / 16_000
    >>> tone = np.sin(2 * np.pi * 440 * time) * np.hanning(16_000)
    >>> result = score(tone, tone / 2, sample_rate=16_000)
    >>> result.verdict, round(result.level_db, 2)
    ('level_changed', -6.02)
    """
    rate = rate_of(sample_rate)
    expected, found = signal_of(reference, "reference"), signal_of(estimate, "estimate")
    if expected.nonfinite or not expected.samples.size:
        what = f"{expected.nonfinite} values that are not finite" if expected.nonfinite else "no samples"
        raise StageError(f"score: the reference has {what}")
    unusable = f"{found.nonfinite} values are not finite" if found.nonfinite else None
    if unusable is None and not found.samples.size:
        unusable = "it is empty"
    if unusable is not None:
        return _unusable(unusable, rate)
    return _scored(expected.samples, found.samples, rate, pesq=pesq)


def _unusable(reason: str, rate: int) -> Score:
    verdict, findings = judge(Evidence(unusable=reason))
    return Score(verdict, findings, measures.none(f"the estimate cannot be heard: {reason}"), rate)


def _scored(reference: Array, estimate: Array, rate: int, *, pesq: bool) -> Score:
    levels = measures.levels(reference, estimate)
    level_db = levels["level_db"].value
    quiet = level_db is None or level_db <= SILENT_DB
    if quiet:
        reason = "the reference is silent" if level_db is None else "the estimate is silent"
        verdict, findings = judge(Evidence(level_db=level_db))
        return Score(verdict, findings, {**measures.none(reason), **levels}, rate)
    narrow = [resample(side - side.mean(), sample_rate=rate, new_rate=RATE) for side in (reference, estimate)]
    alignment = align((reference, estimate), (narrow[0], narrow[1]), rate)
    sides = overlapping(reference, estimate, alignment.lag_samples)
    pending = measures.begin_pesq(*sides, rate, wanted=pesq)
    lag = round(alignment.lag_samples * RATE / rate)
    bands = bands_of(narrow[0], placed(narrow[1], lag, narrow[0].size))
    words = judge_words(bands) if bands.starts.size >= SEGMENT else None
    understood = (stoi(bands), words.estoi) if words is not None else (None, None)
    warp, words = _warped(narrow, words, alignment, estimate.size / reference.size)
    numbers = {
        **levels,
        **measures.intelligibility(bands, *understood),
        **measures.differences(*sides, rate),
        **measures.end_pesq(pending, rate),
    }
    evidence = _evidence(narrow, numbers, alignment, words, warp, rate, lag)
    verdict, findings = judge(evidence)
    return _record(reference, estimate, rate, alignment, evidence, (verdict, findings, numbers))


def _record(
    reference: Array, estimate: Array, rate: int, alignment: Alignment, evidence: Evidence, judged: Any
) -> Score:
    verdict, findings, numbers = judged
    lag = alignment.lag_samples
    late = estimate.size - lag - reference.size
    warped = evidence.warp is not None
    return Score(
        verdict,
        findings,
        numbers,
        rate,
        lag_samples=None if alignment.method == "none" and not warped else lag,
        aligned_by="warp" if warped else alignment.method,
        uncovered_seconds=(max(0, -lag) / rate, max(0, -late) / rate),
        surplus_seconds=(max(0, lag) / rate, max(0, late) / rate),
        garbled_seconds=evidence.lost,
        invented_seconds=evidence.invented,
    )


def placed(estimate: Array, lag: int, size: int) -> Array:
    """Return the estimate on the reference's time: `size` samples from `lag` on, silence where it has none."""
    result = np.zeros(size)
    start, end = max(0, -lag), min(size, estimate.size - lag)
    if end > start:
        result[start:end] = estimate[start + lag : end + lag]
    return result


def _warped(
    narrow: list[Array], words: Words | None, alignment: Alignment, ratio: float
) -> tuple[Warp | None, Words | None]:
    """Look for another rate, tempo or pitch where that may be what is wrong."""
    if words is None or alignment.method == "waveform":  # waveforms that line up are not warped
        return None, words
    doubtful = words.estoi < _DOUBTFUL_ESTOI and abs(ratio - 1) > _DURATION
    if not (words.lost or words.estoi < GARBLED_ESTOI or doubtful):
        return None, words
    warp, found = search(*narrow)
    if found < max(GARBLED_ESTOI, words.estoi + _GAIN) or _is_unity(warp):
        return None, words
    again = judge_words(warp.bands(*narrow))
    return (warp, again) if again.estoi >= GARBLED_ESTOI else (None, words)


def _is_unity(warp: Warp) -> bool:
    return math.isclose(warp.tempo, 1, abs_tol=_CLOSE_TO_UNITY) and math.isclose(warp.pitch, 1, abs_tol=_CLOSE_TO_UNITY)


def _evidence(
    narrow: list[Array],
    numbers: dict[str, Measure],
    alignment: Alignment,
    words: Words | None,
    warp: Warp | None,
    rate: int,
    lag: int,
) -> Evidence:
    reference, estimate = narrow
    value = {name: measure.value for name, measure in numbers.items()}
    evidence = Evidence(
        level_db=value["level_db"],
        dc_offset=value["dc_offset"],
        clipped_share=value["clipped_share"],
        si_sdr=value["si_sdr"],
        log_spectral_distance=None if warp else value["log_spectral_distance"],
        lag_seconds=None if alignment.method == "none" else alignment.lag_samples / rate,
        warp=warp,
        rates=None if warp is None else rate_pair(warp, rate),
    )
    if words is None:
        return evidence
    whole = words.estoi < GARBLED_ESTOI
    replaced: Likeness | None = None
    looks: Looks | None = None
    found: tuple[Span, ...] = ()
    if whole or words.lost:
        beside = placed(estimate, lag, reference.size)
        said, heard = ((side if whole or warp else at_spans(side, inner(words.lost))) for side in (reference, beside))
        replaced, looks = likeness(reference, said, heard), looks_of(reference, heard)
    added: Likeness | None = None
    if warp is None and not whole:
        before, after = max(0, lag), max(0, estimate.size - lag - reference.size)
        both = np.pad(reference, (before, after)), placed(estimate, lag - before, before + reference.size + after)
        found = invented(*both, words)
        added = likeness(reference, *(at_spans(side, found) for side in both)) if found else None
        found = tuple((start - before / RATE, end - before / RATE) for start, end in found)
    return replace(
        evidence, estoi=words.estoi, lost=words.lost, invented=found, replaced=replaced, added=added, looks=looks
    )


def inner(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Leave out the ends of spans, where what is still whole goes over into what is not."""
    return tuple(
        (start + MARGIN_SECONDS, end - MARGIN_SECONDS) if end - start > 4 * MARGIN_SECONDS else (start, end)
        for start, end in spans
    )


def at_spans(signal: Array, spans: tuple[Span, ...]) -> Array:
    """Return what stands at some spans of seconds, one after another."""
    return np.concatenate([signal[round(start * RATE) : round(end * RATE)] for start, end in spans] or [signal[:0]])
