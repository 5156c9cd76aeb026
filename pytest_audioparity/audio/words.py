"""Where words were lost, and where there is speech that the reference does not have.

A segment of low ESTOI is not a lost word yet: steady noise hides the weak parts of every sentence. So ESTOI is compared
with what it would be if the estimate were the reference in as much steady noise as the estimate has.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.intelligibility import (
    BANDS,
    FRAME,
    HOP,
    RATE,
    SEGMENT,
    Bands,
    bands_at,
    estoi_between,
    normal_segments,
)
from pytest_audioparity.audio.signals import runs_of

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]
    Span = tuple[float, float]

# Measured on 20 clips of 7 voices in English, French and Spanish (`python -m tests.audio.verdicts`): where half a
# second is lost, ESTOI averaged over 8 segments falls below 0.30 and 0.71 or more under what the noise explains; noise
# at 10 dB, babble, reverberation and codecs that keep the words stay within 0.24 of it wherever ESTOI is below 0.33.
LOST_BELOW = 0.33
LOST_UNDER_NOISE = 0.45
# A codec of few bits is poor everywhere: what is lost stands out against the better parts (their 80th percentile).
_LOST_SHARE, _BETTER_PART = 0.55, 80
# A word of 0.3 s does not fill a segment, so ESTOI keeps what is beside it. But it falls this far under what the noise
# explains and under the clip's median too: by 0.5 and more in 19 of 20 such words (of five languages), and by 0.44 in
# the worst of 22 kinds of codecs, noises and rooms that keep them (babble; the next has 0.35).
LOST_BESIDE = 0.5
_AVERAGED = 8
# Part of a segment belongs to what surrounds what is lost: with this margin the ends are told with a median error of
# 0.05 s, outwards (232 spans of 0.5 and 0.8 s of five languages, lost in four ways).
_MARGIN_SECONDS = 0.05
# What is lost for half a second is seen for 0.19 s and more (0.09 s, and the margins); dips that are shorter come with
# babble.
_SHORTEST_SECONDS, _JOINED_SECONDS = 0.15, 0.25
# What happens in the pauses of a noisy reference loses no word: half of the frames must speak.
_SPOKEN_SHARE = 0.5

# A pause of the reference: 28 dB under its speech. Sound there: within 20 dB of the estimate's speech, 8 dB above its
# steady noise, for 0.13 s in all with gaps of at most 150 ms (the closure of a plosive is no end), and rising by 6 dB:
# the tail of a reverberation only falls. Measured on 64 clips of 20 voices: speech put into a pause has 0.15 s and
# more, codecs, noise, pitch and reverberation that keep the words 0.10 s and less.
_PAUSE_DB, _SOUND_DB, _ABOVE_NOISE_DB, _RISE_DB = 28.0, 20.0, 8.0, 6.0
_SOUND_SECONDS, _GAP_SECONDS = 0.13, 0.15
_SPEECH_RANGE_DB = 25.0
# Half of a second in which it falls by less than those 6 dB would be that of a reverberation of 2.5 s and more.
_LASTING_SECONDS = 0.5
# Half of the power of a sound is the reference's where they correlate like this: breath that a compressor raised has
# 0.90 and more, speech put into a pause 0.41 and less.
_OWN = 0.71
_SMOOTHED = 3
# A dropout: within 25 dB of the loudest frame the estimate is 40 dB under what it should be, for three frames, which a
# hole of 65 ms and more has. No codec, noise or reverberation of `tests/audio/kinds.py` leaves one.
_LOUD_DB, _GONE_DB, _GONE_FRAMES = 25.0, 40.0, 3
# A part that fades: 0.3 s of speech, at most 20 dB under the rest of it, are 15 dB under what they should be. Of 45
# codecs, vocoders, noises, filters and compressors, a telephone's band took the most: 10.7 dB of a deep vowel.
_FADED_FRAMES, _FADED_DB, _SPEECH_DB = 24, 15.0, 20.0
# What is this far under the estimate's better parts (the 80th percentile) is lost, and tells nothing of the gain.
_UNHEARD_DB = 25.0


@dataclass(frozen=True, slots=True)
class Words:
    """What became of the words.

    Attributes
    ----------
    estoi : mean of the segments
    lost : seconds of the reference where words were lost
    noise : power of the steady noise per third-octave band, in the units of the reference's bands
    gain : power of the estimate over the reference's, of loud frames; 0 where the estimate is silent there
    over_time : seconds of the reference, and ESTOI averaged around them: what decides where words were lost
    """

    estoi: float
    lost: tuple[Span, ...]
    noise: Array
    gain: float
    over_time: tuple[Span, ...] = ()


def judge_words(bands: Bands) -> Words:
    """Say how much is understood and where words were lost; the bands have 30 frames at least."""
    reference = list(normal_segments(bands.reference))
    segments = estoi_between(reference, normal_segments(bands.estimate))
    gain, noise = steady_noise(bands)
    # ESTOI knows no level: it understands all of a word that nobody hears.
    gone = gone_frames(bands, gain)
    heard = estoi_between(reference, normal_segments(np.where(gone, 0.0, bands.estimate))) if gone.any() else segments
    expected = estoi_between(reference, normal_segments(in_noise(bands.reference, noise)))
    width = min(_AVERAGED, segments.size)
    window = np.ones(width) / width
    found, hoped = (np.convolve(values, window, "valid") for values in (heard, expected))
    limit = min(LOST_BELOW, _LOST_SHARE * float(np.percentile(segments, _BETTER_PART)))
    spoken = np.convolve(speaking(bands.reference), np.ones(SEGMENT + width - 1) / (SEGMENT + width - 1), "valid")
    usual = np.minimum(hoped, np.median(segments))
    hidden = (found < max(limit, 0.0)) & (hoped - found > LOST_UNDER_NOISE) | (usual - found > LOST_BESIDE)
    lost = np.flatnonzero(hidden & (spoken > _SPOKEN_SHARE))
    middles = (bands.starts[(width + SEGMENT) // 2 - 1 :][: found.size] + FRAME / 2) / RATE
    spans = _spans(middles[lost], float(middles[0]), float(middles[-1]))
    return Words(float(segments.mean()), spans, noise, gain, _over_time(middles, found))


def _over_time(middles: Array, values: Array) -> tuple[Span, ...]:
    """Return one value of as many as were averaged: the smallest, so that none that was lost is left out."""
    starts = np.arange(0, values.size, _AVERAGED)
    lowest = np.minimum.reduceat(values, starts)
    pairs = zip(middles[starts].tolist(), lowest.tolist(), strict=True)
    return tuple((round(at, 3), round(value, 3)) for at, value in pairs)


def speaking(reference: Array) -> Array:
    """Return in which frames the reference is no more than 28 dB under its speech; bands of shape (15, frames)."""
    power = np.sum(reference**2, axis=0)
    return np.asarray(power > _speech_power(power) * 10 ** (-_PAUSE_DB / 10))


def _speech_power(power: Array) -> float:
    """Return the mean power of the frames that are within 25 dB of the loudest."""
    return float(power[power >= power.max() * 10 ** (-_SPEECH_RANGE_DB / 10)].mean())


def steady_noise(bands: Bands) -> tuple[float, Array]:
    """Return the gain of power, and the power per band of noise that is there at all times."""
    reference, estimate = bands.reference**2, bands.estimate**2
    total = reference.sum(axis=0)
    gains = estimate.sum(axis=0) / total
    heard = gains > np.percentile(gains[speaking(bands.reference)], _BETTER_PART) * 10 ** (-_UNHEARD_DB / 10)
    if not heard.any():
        return 0.0, np.zeros(BANDS)
    gain = float(np.median(gains[heard & (total >= np.median(total[heard]))]))
    # Of signal and noise the powers add but for a product that is as often negative as positive: the median is the
    # noise's.
    return gain, np.maximum(0.0, np.median(estimate / gain - reference, axis=1))


def dropouts(bands: Bands, gain: float) -> tuple[Span, ...]:
    """Return the seconds of the reference in which it is loud and the estimate is as good as silent, or has faded."""
    if not gain:
        return ()
    expected = np.sum(bands.reference**2, axis=0)
    loud = expected > expected.max() * 10 ** (-_LOUD_DB / 10)
    flags = (loud & gone_frames(bands, gain)) | _faded(bands, gain)
    # Frames beside each other in the clip: those that do not speak are not among them.
    beside = np.concatenate([[True], np.diff(bands.starts) == HOP])
    spans = []
    for start, end in zip(*(edges.tolist() for edges in runs_of(flags)), strict=True):
        cuts = [start, *(at for at in range(start + 1, end) if not beside[at]), end]
        spans += [
            (bands.starts[one] / RATE, (bands.starts[two - 1] + FRAME) / RATE)
            for one, two in itertools.pairwise(cuts)
            if two - one >= _GONE_FRAMES
        ]
    return tuple((float(start), float(end)) for start, end in spans)


def gone_frames(bands: Bands, gain: float) -> Array:
    """Return in which frames the estimate is as good as silent; none where it is so everywhere."""
    expected, found = (np.sum(side**2, axis=0) for side in (bands.reference, bands.estimate))
    return np.asarray(found < gain * expected * 10 ** (-_GONE_DB / 10))


def _faded(bands: Bands, gain: float) -> Array:
    """Return which frames are much softer than they should be, in speech that is so as a whole."""
    expected, found = (np.sum(side**2, axis=0) for side in (bands.reference, bands.estimate))
    window = np.ones(_FADED_FRAMES) / _FADED_FRAMES
    should, have = (np.convolve(power, window, "valid") for power in (gain * expected, found))
    part = 10 ** (-_FADED_DB / 10)
    soft = (should > gain * _speech_power(expected) * 10 ** (-_SPEECH_DB / 10)) & (have < should * part)
    return np.asarray((np.convolve(soft, np.ones(_FADED_FRAMES)) > 0.5) & (found < gain * expected * part))


def in_noise(reference: Array, noise: Array) -> Array:
    """Return what the reference's bands may be in steady noise of that power: with fluctuations of a fixed seed."""
    random = np.random.default_rng(0)
    # Half the degrees of freedom of the power in a third octave: its bandwidth over that of the window, 60 Hz.
    freedom = np.maximum(1.0, 0.23 * 150 * 2 ** (np.arange(BANDS) / 3) / 60)[:, None]
    power = noise[:, None] * random.gamma(freedom, 1 / freedom, reference.shape)
    product = 2 * np.sqrt(reference**2 * power / freedom) * random.uniform(-1, 1, reference.shape)
    return np.asarray(np.sqrt(np.maximum(reference**2 + power + product, 0.0)))


def invented(reference: Array, estimate: Array, words: Words) -> tuple[Span, ...]:
    """Return the seconds in which the estimate sounds and the reference pauses.

    Parameters
    ----------
    reference, estimate : shape (time,), 10 kHz, side by side; zero where one of them is over
    words : the judgement of what stands between
    """
    if not words.gain:
        return ()
    expected, found = (_levels(side) for side in (reference, estimate))
    if not expected.size:
        return ()
    speech = 10 * np.log10(_speech_power(10 ** (expected / 10)))
    gain_db = 10 * np.log10(words.gain)
    noise_db = 10 * np.log10(max(float(words.noise.sum()), 1e-300))
    floor = noise_db + gain_db + _ABOVE_NOISE_DB
    sounding = found > max(speech + gain_db - _SOUND_DB, floor)
    heard = sounding & (expected < speech - _PAUSE_DB)
    spans = []
    for start, end in _runs(heard, round(_GAP_SECONDS * RATE / HOP)):
        before = max(0, start - _SMOOTHED)
        rise = found[before:end] - np.minimum.accumulate(found[before:end])
        begins = rise.max() >= _RISE_DB or _lasts(found[start:end])
        if heard[start:end].sum() * HOP < _SOUND_SECONDS * RATE or not begins:
            continue
        place = slice(start * HOP, end * HOP + FRAME - HOP)
        if not _is_louder(reference[place], estimate[place]):
            spans.append((place.start / RATE, place.stop / RATE))
    return tuple(spans)


def _lasts(levels: Array) -> bool:
    """Whether a sound that began in speech does not fall as the tail of a reverberation does."""
    first, second = np.array_split(levels, 2)
    return bool(levels.size * HOP >= _LASTING_SECONDS * RATE and second.max() > first.max() - _RISE_DB)


def _is_louder(reference: Array, estimate: Array) -> bool:
    """Whether most of a sound is what the reference has there, only louder."""
    left, right = (side - side.mean() for side in (reference, estimate))
    return abs(float(left @ right)) >= _OWN * float(np.linalg.norm(left) * np.linalg.norm(right)) > 0


def _levels(signal: Array) -> Array:
    """Return levels in dB per hop, averaged over three frames, of the bands that speech has: a hum is below them."""
    if signal.size < FRAME:
        return np.empty(0)
    power = np.sum(bands_at(signal, np.arange(0, signal.size - FRAME + 1, HOP)) ** 2, axis=0)
    power = np.convolve(power, np.ones(_SMOOTHED) / _SMOOTHED, "same")
    with np.errstate(divide="ignore"):
        return np.asarray(np.maximum(10 * np.log10(power), -400.0))


def _runs(flags: Array, gap: int) -> list[tuple[int, int]]:
    """Return where flags hold, as half-open ranges, those joined that stand at most `gap` apart."""
    runs: list[tuple[int, int]] = []
    for start, end in zip(*(edges.tolist() for edges in runs_of(flags)), strict=True):
        if runs and start - runs[-1][1] <= gap:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs


def _spans(middles: Array, first: float, last: float) -> tuple[Span, ...]:
    spans: list[Span] = []
    for middle in middles.tolist():
        start, end = max(0.0, middle - _MARGIN_SECONDS), middle + _MARGIN_SECONDS
        if spans and start - spans[-1][1] <= _JOINED_SECONDS:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return tuple(span for span in spans if _seen_for(span, first, last) >= _SHORTEST_SECONDS)


def _seen_for(span: Span, first: float, last: float) -> float:
    """Return how many seconds what is lost would be seen for if speech went on: at its ends, there is half of a dip."""
    start, end = span
    before = end - _MARGIN_SECONDS - first if start <= first - _MARGIN_SECONDS else 0.0
    after = last - start - _MARGIN_SECONDS if end >= last + _MARGIN_SECONDS else 0.0
    return end - start + before + after
