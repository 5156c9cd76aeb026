"""Whether the estimate says the same faster or slower, or higher or lower: a wrong sample rate, another tempo or pitch.

Time-warped speech defeats every number that compares frame with frame. Three families with one parameter each are
tried: tempo (the pitch stays), speed (both change, as with a wrong sample rate) and pitch (the tempo stays). Nothing
warps locally, so that frames out of order are never explained away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.envelopes import above_floor
from pytest_audioparity.audio.intelligibility import (
    HOP,
    RANGE_DB,
    RATE,
    SEGMENT,
    Bands,
    active,
    bands_at,
    estoi_between,
    in_bands,
    normal_segments,
    power_at,
)
from pytest_audioparity.audio.signals import fast_length
from pytest_audioparity.audio.verdict import GARBLED_ESTOI

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# Sample rates that speech models have. A factor between two of them names both.
RATES = (24_000, 22_050, 48_000, 44_100, 16_000, 32_000, 8_000, 11_025, 12_000)
_LARGEST_FACTOR = 2.0
# Tempo and speed are searched within ±12 %, and about what the estimate takes of the time of the reference, which says
# nearly what they are where neither is cut. Pitch within an octave.
_LARGEST_CHANGE, _ABOUT = 0.12, 0.05
_LARGEST_PITCH = 2.0
# One step of the coarse search moves the end of a clip by this much; ESTOI forgives about 20 ms.
_COARSE_SECONDS, _LARGEST_STEP = 0.06, 0.01
_PITCH_STEP = 2 ** (1 / 24)
# Of a long clip the beginning is searched; what is found there is made finer on twice as much, again and again.
_EXCERPT_SECONDS = 12.0
# Where nothing is found there, all tempos are tried on less.
_WIDE_SECONDS = 4.0
_CANDIDATES = 3
# The fine search moves by a hop of 12.8 ms at first and 3.2 ms in the end, and looks at every fourth segment.
_FINEST = HOP // 4
_SPARSE = 4
# How far a speed may be from the ratio of two rates that is tried for it, and how much less may be understood at that.
_NEAR_RATES, _AS_MUCH = 0.01, 0.01
# Frames whose spectra are held for the next pitch: 2 kB each.
_LARGEST_HELD = 4096
# Levels of what says the same correlate by 0.6 and more once they are warped right; other words reach 0.45.
_LINES_UP = 0.45
# Of 76 other rates, tempos and pitches, ESTOI was 0.55 and more where the climb began, and rose by 0.09 at most; of
# garbled clips it is 0.16 in the middle, and a climb, which takes most of the time of such a clip, is in vain.
_WORTH_A_CLIMB = 0.3
_NAMED = {a / b for a in RATES for b in RATES if a != b and 1 / _LARGEST_FACTOR <= a / b <= _LARGEST_FACTOR}


@dataclass(frozen=True, slots=True)
class Warp:
    """How the estimate is to be read.

    Attributes
    ----------
    tempo : seconds of the estimate per second of the reference
    pitch : factor on all frequencies
    start : place in the estimate where the reference begins, samples at 10 kHz
    """

    tempo: float = 1.0
    pitch: float = 1.0
    start: int = 0

    @property
    def family(self) -> str:
        """Return "none", "tempo", "pitch" or "speed"."""
        if self.tempo == 1.0:
            return "none" if self.pitch == 1.0 else "pitch"
        return "tempo" if self.pitch == 1.0 else "speed"

    def bands(self, reference: Array, estimate: Array) -> Bands:
        """Return bands of the frames in which the reference speaks, and of where the estimate says the same."""
        starts = np.flatnonzero(active(reference)) * HOP
        places = np.round(starts * self.tempo).astype(int) + self.start
        return Bands(bands_at(reference, starts), bands_at(estimate, places, self.pitch), starts)

    def leads_beyond(self, seconds: float, spans: tuple[tuple[float, float], ...]) -> bool:
        """Whether most of some spans of seconds of the reference is behind the end of the estimate, which was cut."""
        sought = [tuple(second * self.tempo + self.start / RATE for second in span) for span in spans]
        behind = sum(max(0.0, stop - max(start, seconds)) for start, stop in sought)
        return behind > sum(stop - start for start, stop in sought) / 2


def rate_pair(warp: Warp, sample_rate: int) -> tuple[int, int] | None:
    """Return the true rate and the one it was played at, where a change of speed is the ratio of two, else None."""
    if warp.family != "speed":
        return None
    pairs = [
        (true, played)
        for true in RATES
        for played in RATES
        if true != played and math.isclose(true / played, warp.tempo, rel_tol=2e-3)
    ]
    # What was scored was played at the rate that was declared, be that in the table or not.
    return min(pairs, key=lambda pair: (pair[1] != sample_rate, pair[0] != sample_rate), default=None)


def search(reference: Array, estimate: Array) -> tuple[Warp, float]:
    """Find the warp under which most is understood, and ESTOI there (0 where nothing lines up).

    Parameters
    ----------
    reference, estimate : shape (time,), 10 kHz; the reference at least 30 frames of speech
    """
    if estimate.size <= SEGMENT * HOP:  # less than a segment lines up with anything
        return Warp(), 0.0
    (first, last), (begins, ends) = _spoken(reference), _spoken(estimate)
    ratios = estimate.size / reference.size, (ends - begins) / (last - first)
    estimate = estimate[:ends]  # what was put behind it to have a length lines up with nothing
    near = min(_EXCERPT_SECONDS, reference.size / RATE)
    warp, understood, end = _found(reference, estimate, near, _tempos(near, ratios))
    # What is slower may have been cut to the length of the reference, so that lengths say nothing. Half of the
    # reference is in it all the same.
    far = min(_WIDE_SECONDS, (last - first) / RATE / 2)
    if understood < GARBLED_ESTOI and far * RATE >= SEGMENT * HOP:
        wide = _found(reference, estimate, far, _all_tempos(far))
        warp, understood, end = max((warp, understood, end), wide, key=lambda found: found[1])
    while end < reference.size and understood:
        end = min(2 * end, reference.size)
        warp, understood = _climbed(_Objective(reference[:end], estimate), warp)
    return warp, understood


def _found(reference: Array, estimate: Array, seconds: float, tempos: set[float]) -> tuple[Warp, float, int]:
    """Search some seconds of speech; return the warp, ESTOI there and the samples of the reference that were used."""
    end = int(np.flatnonzero(active(reference))[0]) * HOP + round(seconds * RATE)
    excerpt = reference[:end], estimate[: round(_LARGEST_FACTOR * end)]
    if np.count_nonzero(active(excerpt[0])) < SEGMENT:
        return Warp(), 0.0, end
    candidates = [c for family in ("tempo", "speed", "pitch") for c in _coarse(*excerpt, _factors(family, tempos))]
    candidates = sorted(candidates, reverse=True, key=lambda c: c[0])[:_CANDIDATES]
    objective = _Objective(*excerpt)
    promising = [warp for correlation, warp in candidates if correlation >= _LINES_UP]
    found = [_climbed(objective, warp) for warp in promising if objective(warp) >= _WORTH_A_CLIMB]
    if not found:
        return Warp(), 0.0, end
    best, _ = max(found, key=lambda pair: pair[1])
    free, named = _climbed(objective, best, is_free=True), _climbed(objective, _of_rates(best, objective.seconds))
    return (*(named if named[1] >= free[1] - _AS_MUCH else free), end)


def _of_rates(warp: Warp, seconds: float) -> Warp:
    """Return the warp by the ratio of two rates next to a speed, or the warp itself where none is near."""
    nearest = min(_NAMED, key=lambda ratio: abs(ratio / warp.tempo - 1))
    is_near = warp.family == "speed" and abs(nearest / warp.tempo - 1) < _NEAR_RATES
    return _moved(warp, nearest / warp.tempo, 0, seconds) if is_near else warp


class _Objective:
    """ESTOI as a function of the warp; the reference's side is computed once."""

    def __init__(self, reference: Array, estimate: Array) -> None:
        self.seconds = reference.size / RATE
        self._estimate = estimate
        self._starts = np.flatnonzero(active(reference)) * HOP
        self._reference = list(normal_segments(bands_at(reference, self._starts), _SPARSE))
        self._known: dict[Warp, float] = {}
        self._held: tuple[int, Array] | None = None

    def __call__(self, warp: Warp) -> float:
        if warp not in self._known:
            segments = estoi_between(self._reference, normal_segments(self._bands(warp), _SPARSE))
            self._known[warp] = float(segments.mean()) if segments.size else 0.0
        return self._known[warp]

    def _bands(self, warp: Warp) -> Array:
        places = np.round(self._starts * warp.tempo).astype(int) + warp.start
        if warp.family != "pitch" or places.size > _LARGEST_HELD:
            return bands_at(self._estimate, places, warp.pitch)
        if self._held is None or self._held[0] != warp.start:  # of one place, several pitches are tried
            self._held = warp.start, power_at(self._estimate, places)
        return in_bands(self._held[1], warp.pitch)


def _tempos(seconds: float, ratios: tuple[float, ...]) -> set[float]:
    """Return the tempos that are tried: those near 1, and those near ratios of lengths that are not."""
    step = _tempo_step(seconds)
    tempos = {1 + k * step for k in _steps(_LARGEST_CHANGE, step) if k}
    for ratio in ratios:
        if 1 / _LARGEST_FACTOR <= ratio <= _LARGEST_FACTOR and abs(ratio - 1) > _LARGEST_CHANGE - _ABOUT:
            tempos |= {ratio * (1 + k * step) for k in _steps(_ABOUT, step)}
    return tempos


def _all_tempos(seconds: float) -> set[float]:
    """Return tempos from the slowest to the fastest."""
    step = _COARSE_SECONDS / seconds
    reach = math.log(_LARGEST_FACTOR)
    return {math.exp(k * step) for k in _steps(reach, step)}


def _steps(reach: float, step: float) -> range:
    count = int(reach / step)
    return range(-count, count + 1)


def _spoken(samples: Array) -> tuple[int, int]:
    """Return where speech begins and ends: what is within 40 dB of the loudest, in the bands, so that DC is silent."""
    energies = np.sum(bands_at(samples, np.arange(0, samples.size, HOP)) ** 2, axis=0)
    first, last = np.flatnonzero(energies > energies.max() * 10 ** (-RANGE_DB / 10))[[0, -1]].tolist()
    return first * HOP, (last + 2) * HOP  # a frame is two hops long


def _factors(family: str, tempos: set[float]) -> set[tuple[float, float]]:
    """Return the pairs of tempo and pitch of a family."""
    if family == "pitch":
        steps = round(math.log(_LARGEST_PITCH) / math.log(_PITCH_STEP))
        return {(1.0, _PITCH_STEP**k) for k in range(-steps, steps + 1) if k}
    if family == "speed":
        return {(tempo, 1 / tempo) for tempo in tempos | _NAMED}
    return {(tempo, 1.0) for tempo in tempos}


def _tempo_step(seconds: float) -> float:
    return min(_LARGEST_STEP, _COARSE_SECONDS / seconds)


def _coarse(reference: Array, estimate: Array, factors: set[tuple[float, float]]) -> list[tuple[float, Warp]]:
    """Correlate levels for every tempo and pitch, at every lag; return the best two with their correlations."""
    left = _centred(bands_at(reference, np.arange(0, reference.size, HOP)))
    size = fast_length(left.shape[1] + round(_LARGEST_FACTOR * estimate.size / HOP) + 1)
    turned = np.conj(np.fft.rfft(left, size))
    power = power_at(estimate, np.arange(0, estimate.size, HOP // 2))
    found = []
    for tempo, pitch in factors:
        places = np.round(np.arange(0, estimate.size - HOP, HOP * tempo) / (HOP // 2)).astype(int)
        right = _centred(in_bands(power[places], pitch))
        product = np.fft.irfft(np.sum(np.fft.rfft(right, size) * turned, axis=0), size)
        lag = int(np.argmax(product))
        energy = math.sqrt(float(np.sum(left**2) * np.sum(right**2)))
        correlation = float(product[lag]) / energy if energy else 0.0
        lag = lag if lag < size - left.shape[1] else lag - size
        found.append((correlation, Warp(tempo, pitch, round(lag * HOP * tempo))))
    return sorted(found, reverse=True, key=lambda c: c[0])[:2]


def _centred(bands: Array) -> Array:
    levels = above_floor(bands)
    return np.asarray(levels - levels.mean(axis=1, keepdims=True))


def _climbed(objective: _Objective, warp: Warp, *, is_free: bool = False) -> tuple[Warp, float]:
    """Climb from a coarse warp: the place and the factor in turn, in steps that halve. A ratio of rates stays.

    Parameters
    ----------
    is_free : whether a ratio of rates may be left, since the speed may be one beside it
    """
    best = warp
    step = _tempo_step(objective.seconds) / 2
    shift = HOP
    while shift >= _FINEST:
        moves = [(1.0, -shift), (1.0, shift)]
        if is_free or not (warp.family == "speed" and warp.tempo in _NAMED):
            moves += [(1 - step, 0), (1 + step, 0)]
        tried = max((_moved(best, *move, objective.seconds) for move in moves), key=objective)
        if objective(tried) > objective(best):
            best = tried
        else:
            step, shift = step / 2, shift // 2
    return best, objective(best)


def _moved(warp: Warp, factor: float, move: int, seconds: float) -> Warp:
    """Change a warp's factor about the middle of the clip, and its place."""
    if warp.family == "pitch":
        return Warp(1.0, warp.pitch * factor, warp.start + move)
    tempo = warp.tempo * factor
    start = warp.start + move + round(seconds * RATE / 2 * (warp.tempo - tempo))
    return Warp(tempo, 1 / tempo if warp.family == "speed" else 1.0, start)
