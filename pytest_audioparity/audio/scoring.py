"""`score`: the pipeline on one page. Align, measure, find what was lost, judge."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio import measures
from pytest_audioparity.audio.alignment import Alignment, align
from pytest_audioparity.audio.intelligibility import RATE, SEGMENT, Bands, bands_of, stoi
from pytest_audioparity.audio.jumps import pieces_of, settled
from pytest_audioparity.audio.likeness import Likeness, likeness
from pytest_audioparity.audio.records import Measure, Score
from pytest_audioparity.audio.resampling import resample
from pytest_audioparity.audio.signals import rate_of, signal_of, without_constant
from pytest_audioparity.audio.statistics import Looks, looks_of
from pytest_audioparity.audio.timeline import Piece, beside, common, placed
from pytest_audioparity.audio.verdict import GARBLED_ESTOI, SILENT_DB, Evidence, judge
from pytest_audioparity.audio.warps import Warp, rate_pair, search
from pytest_audioparity.audio.words import Words, dropouts, invented, judge_words
from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    from pytest_audioparity.audio.words import Span

    Array = np.ndarray[Any, Any]
    Pair = tuple[Array, Array]

# A warp is looked for where words seem lost, or the lengths differ by this much and ESTOI is not above this; it is
# believed where ESTOI gains this much by it.
_DURATION, _DOUBTFUL_ESTOI, _GAIN = 0.01, 0.80, 0.1
_CLOSE_TO_UNITY = 0.004
# Every jump in time is a number more: a warp, which has one for all, goes first where it explains nearly as much.
_SIMPLER = 0.05
# The ends of what is lost, which hold some of what is not: their median error is half of it.
_END_SECONDS = 0.1


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
    with np.errstate(all="ignore"):  # what is not finite then is not measured
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
    upright = without_constant(reference, rate), estimate - estimate.mean()
    left, right = (resample(side, sample_rate=rate, new_rate=RATE) for side in upright)
    narrow = left, right
    alignment = align((reference, estimate), narrow, rate)
    whole = (Piece(0, reference.size, alignment.lag_samples),)
    pending = measures.begin_pesq(*common(reference, estimate, whole), rate, wanted=pesq)
    reading = _explained((reference, estimate), narrow, _read(narrow, whole, rate), alignment.method, rate)
    sides = common(reference, estimate, reading.pieces)
    if len(reading.pieces) > 1:
        pending = measures.begin_pesq(*sides, rate, wanted=pesq)
    bands = reading.bands
    if reading.warp is None and alignment.method != "none" and sides[0].size:
        levels |= measures.loudness(*sides)
    understood = (None, None) if reading.estoi is None else (stoi(bands), reading.estoi)
    numbers = {
        **levels,
        **measures.intelligibility(bands, *understood),
        **measures.differences(*sides, rate),
        **measures.pitch(*common(*narrow, _narrowed(reading.pieces, rate, narrow[0].size))),
        **measures.end_pesq(pending, rate),
    }
    evidence = _evidence(narrow, numbers, alignment, reading, rate)
    verdict, findings = judge(evidence)
    return _record(reference, estimate, rate, alignment, (reading, evidence), (verdict, findings, numbers))


def _record(reference: Array, estimate: Array, rate: int, alignment: Alignment, read: Any, judged: Any) -> Score:
    verdict, findings, numbers = judged
    reading, evidence = read
    first, last = reading.pieces[0].lag, reading.pieces[-1].lag
    late = estimate.size - last - reference.size
    return Score(
        verdict,
        findings,
        numbers,
        rate,
        lag_samples=None if alignment.method == "none" and reading.explained_by is None else first,
        aligned_by=reading.explained_by or alignment.method,
        uncovered_seconds=(max(0, -first) / rate, max(0, -late) / rate),
        surplus_seconds=(max(0, first) / rate, max(0, late) / rate),
        garbled_seconds=evidence.lost,
        invented_seconds=evidence.invented,
        estoi_over_time=() if reading.words is None else reading.words.over_time,
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """How the estimate is read against the reference, and what is understood so.

    Attributes
    ----------
    pieces : at the sample rate of both sides
    bands : of both sides at 10 kHz, as the pieces place them
    estoi : of the bands; None where there is too little speech
    words : None where there is too little speech; under the warp where there is one
    warp : what explains a difference of tempo, speed or pitch
    """

    pieces: tuple[Piece, ...]
    bands: Bands
    estoi: float | None
    words: Words | None
    warp: Warp | None = None

    @property
    def explained_by(self) -> str | None:
        """What a lag alone does not explain: "warp" or "jumps"."""
        if self.warp is not None:
            return "warp"
        return "jumps" if len(self.pieces) > 1 else None


def _read(narrow: Pair, pieces: tuple[Piece, ...], rate: int) -> _Reading:
    """Read the estimate as the pieces say."""
    reference, estimate = narrow
    bands = bands_of(reference, placed(estimate, _narrowed(pieces, rate, reference.size), reference.size))
    words = judge_words(bands) if bands.starts.size >= SEGMENT else None
    return _Reading(pieces, bands, None if words is None else words.estoi, words)


def _narrowed(pieces: tuple[Piece, ...], rate: int, size: int) -> tuple[Piece, ...]:
    """Return the pieces at 10 kHz; the last one ends with the reference, however it was rounded."""
    result = [piece.at(rate, RATE) for piece in pieces]
    return (*result[:-1], replace(result[-1], end=size))


def _explained(sides: Pair, narrow: Pair, reading: _Reading, method: str, rate: int) -> _Reading:
    """Where much is not understood, look for another rate, tempo or pitch, and for jumps in time."""
    words = reading.words
    if words is None or not (words.lost or words.estoi < _DOUBTFUL_ESTOI):
        return reading
    ratio = sides[1].size / sides[0].size
    # What lines up is not warped, unless it does so in a vowel alone.
    lines_up = method == "waveform" and words.estoi >= GARBLED_ESTOI
    warped = reading if lines_up else _warped(narrow, reading, ratio)
    jumping = _jumping(sides, narrow, reading, rate)
    if jumping is None or jumping.words is None or warped.words is None:
        return warped
    gain = 0.0 if warped.warp is None else _SIMPLER
    return jumping if jumping.words.estoi > warped.words.estoi + gain else warped


def _jumping(sides: Pair, narrow: Pair, reading: _Reading, rate: int) -> _Reading | None:
    found = pieces_of(narrow, round(reading.pieces[0].lag * RATE / rate))
    if len(found) == 1:
        return None
    pieces = [piece.at(RATE, rate) for piece in found]
    pieces[-1] = replace(pieces[-1], end=sides[0].size)
    return _read(narrow, tuple(settled(sides, narrow, pieces, rate)), rate)


def _warped(narrow: Pair, reading: _Reading, ratio: float) -> _Reading:
    """Look for another rate, tempo or pitch where that may be what is wrong."""
    words = reading.words
    assert words is not None
    doubtful = words.estoi < _DOUBTFUL_ESTOI and abs(ratio - 1) > _DURATION
    if not (words.lost or words.estoi < GARBLED_ESTOI or doubtful):
        return reading
    warp, found = search(*narrow)
    if found < max(GARBLED_ESTOI, words.estoi + _GAIN) or _is_unity(warp):
        return reading
    again = judge_words(warp.bands(*narrow))
    return replace(reading, warp=warp, words=again) if again.estoi >= GARBLED_ESTOI else reading


def _is_unity(warp: Warp) -> bool:
    return math.isclose(warp.tempo, 1, abs_tol=_CLOSE_TO_UNITY) and math.isclose(warp.pitch, 1, abs_tol=_CLOSE_TO_UNITY)


def _evidence(
    narrow: Pair, numbers: dict[str, Measure], alignment: Alignment, reading: _Reading, rate: int
) -> Evidence:
    value = {name: measure.value for name, measure in numbers.items()}
    warp, pieces = reading.warp, reading.pieces
    evidence = Evidence(
        level_db=value["level_db"],
        dc_offset=value["dc_offset"],
        clipped_share=value["clipped_share"],
        si_sdr=value["si_sdr"],
        log_spectral_distance=None if warp else value["log_spectral_distance"],
        lag_seconds=None if alignment.method == "none" else pieces[0].lag / rate,
        jumps=tuple((one.end / rate, (two.lag - one.lag) / rate) for one, two in itertools.pairwise(pieces)),
        warp=warp,
        rates=None if warp is None else rate_pair(warp, rate),
    )
    if reading.words is None:
        return evidence
    narrowed = _narrowed(pieces, rate, narrow[0].size)
    return _added(_lost(evidence, narrow, narrowed, reading, reading.words), narrow, narrowed, reading.words)


def _lost(evidence: Evidence, narrow: Pair, pieces: tuple[Piece, ...], reading: _Reading, words: Words) -> Evidence:
    """Note which words were lost, and what is heard in their place."""
    reference, estimate = narrow
    warp, whole = reading.warp, words.estoi < GARBLED_ESTOI
    replaced: Likeness | None = None
    looks: Looks | None = None
    if whole or words.lost:
        on_time = placed(estimate, pieces, reference.size)
        said, heard = ((side if whole or warp else at_spans(side, inner(words.lost))) for side in (reference, on_time))
        if warp and not whole and warp.leads_beyond(estimate.size / RATE, words.lost):
            heard = np.zeros_like(heard)
        replaced, looks = likeness(reference, said, heard), looks_of(reference, heard)
    return replace(
        evidence,
        estoi=words.estoi,
        lost=words.lost,
        dropouts=() if warp or whole else dropouts(reading.bands, words.gain),
        replaced=replaced,
        looks=looks,
    )


def _added(evidence: Evidence, narrow: Pair, pieces: tuple[Piece, ...], words: Words) -> Evidence:
    """Note what is heard where the reference is silent; not where time is warped or nothing understood."""
    if evidence.warp is not None or words.estoi < GARBLED_ESTOI:
        return evidence
    both = beside(*narrow, pieces)
    found = invented(both.reference, both.estimate, words)
    sides = both.reference, both.estimate
    added = likeness(narrow[0], *(at_spans(side, found) for side in sides)) if found else None
    return replace(evidence, invented=tuple(both.on_reference(span, RATE) for span in found), added=added)


def inner(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Leave out the ends of spans, where what is still whole goes over into what is not."""
    return tuple(
        (start + _END_SECONDS, end - _END_SECONDS) if end - start > 4 * _END_SECONDS else (start, end)
        for start, end in spans
    )


def at_spans(signal: Array, spans: tuple[Span, ...]) -> Array:
    """Return what stands at some spans of seconds, one after another."""
    return np.concatenate([signal[round(start * RATE) : round(end * RATE)] for start, end in spans] or [signal[:0]])
