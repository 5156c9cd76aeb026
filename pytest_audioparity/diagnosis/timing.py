"""The right values at other times: shifted, stretched by another sample rate, frames repeated or dropped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import Explanation
from pytest_audioparity.diagnosis.problem import Problem, likeness, rows_of, squared, unit_of
from pytest_audioparity.diagnosis.stretches import stretched

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Array = np.ndarray[Any, Any]

# Values that have to agree before a new lag is believed, fewer in a short stage, and how much more than the distance
# that counts as none they have to vary: silence agrees with all silence.
_RUN_VALUES, _FEWEST_VALUES = 64, 16
_VARIED = 8.0
# What half precision leaves of a value, four times over: it is rounded relative to itself.
_RELATIVE = 2e-3
# Lags on either side of the peak of a cross-correlation that are compared with it.
_AROUND = 8
# Chunks of a tenth of a second are this many in a minute and more; each costs a search of its surroundings.
_MOST_PIECES = 1024
# How far frames may jump, in values on either side, and in frames where those have many; after how many reaches of
# silence it is given up; and up to how many frames away each is tried for the beginning of a run.
_REACH, _REACH_FRAMES, _SILENCE, _CLOSE = 4096, 96, 4, 24
_START, _START_OF_PIECE = 0.03, 0.3
# What frames that have moved hold of the squared error.
_MOVED = 0.05
# Indices of an axis without a name that may be frames.
_LONG = 48
# Frames that a piece has on average, and codebooks that make a frame of codes like no other.
_FOLLOWING, _CODEBOOKS = 2, 3


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of frames of actual, [start, stop), that are those of expected `lag` frames earlier."""

    start: int
    stop: int
    lag: int


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield time_shift, repeated_frames, dropped_frames and sample_rate along every axis that may be time."""
    for axis in problem.time_axes:
        e, a = (rows_of(side, axis) for side in (problem.expected, problem.actual))
        lag = best_lag(e, a)
        if lag:
            yield _shifted(problem, e, a, lag, axis)
        yield from _jumps(problem, e, a, axis)
        if not problem.is_codes:
            yield from stretched(problem, e, a, axis)
    # Where none is smooth, as behind a transposed convolution, any axis without a name may be time.
    for axis in set(range(problem.expected.ndim)) - set(problem.time_axes):
        if problem.labels[axis].startswith("axis") and problem.expected.shape[axis] >= _LONG and not problem.is_codes:
            e, a = (rows_of(side, axis) for side in (problem.expected, problem.actual))
            if lag := best_lag(e, a):
                yield _shifted(problem, e, a, lag, axis)


def best_lag(e: Array, a: Array) -> int:
    """Return how many frames actual comes later: the peak of the cross-correlation over all columns.

    Each lag has a frame less in common than the one before, which moves the peak of what varies slowly: so of the lags
    around it the one counts at which the common frames are most alike.
    """
    size = 1 << (len(e) + len(a)).bit_length()
    columns = slice(None, None, max(1, e.shape[1] // 64))
    e, a = e[:, columns] - e[:, columns].mean(axis=0), a[:, columns] - a[:, columns].mean(axis=0)
    spectrum = (np.fft.rfft(a, size, axis=0) * np.conj(np.fft.rfft(e, size, axis=0))).sum(axis=1)
    correlation = np.abs(np.fft.irfft(spectrum, size))
    lags = np.arange(size)
    lags[size // 2 :] -= size
    # Short overlaps have little energy, so they cannot win by chance.
    allowed = (lags > -len(e) + 4) & (lags < len(a) - 4)
    peak = int(lags[np.where(allowed, correlation, -1).argmax()])
    around = (lag for lag in range(peak - _AROUND, peak + _AROUND + 1) if -len(e) + 4 < lag < len(a) - 4)
    return max(around, key=lambda lag: (likeness(*overlap(e, a, lag)), -abs(lag - peak)), default=peak)


def overlap(e: Array, a: Array, lag: int) -> tuple[Array, Array]:
    """Return the frames of both sides that meet when actual comes `lag` frames later."""
    start_e, start_a = max(0, -lag), max(0, lag)
    n = min(len(e) - start_e, len(a) - start_a)
    return e[start_e : start_e + n], a[start_a : start_a + n]


def _shifted(problem: Problem, e: Array, a: Array, lag: int, axis: int) -> Explanation:
    message, detail = spoken(problem, axis, lag)
    why = "check padding, trimming and the delay of filters and codecs"
    return Explanation("time_shift", f"{message}; {why}", 1, *overlap(e, a, lag), detail)


def spoken(problem: Problem, axis: int, shift: float) -> tuple[str, dict[str, Any]]:
    """Return the sentence of a shift in frames, and its numbers."""
    label = problem.labels[axis]
    whole = round(shift)
    # What is known of the part between two samples has two digits, as features are not made to be read there.
    number = round(abs(whole + float(f"{shift - whole:.2g}")), 6)
    word = f"{number:.10g} {unit_of(problem.meta, number)} {'later' if shift > 0 else 'earlier'}"
    rate = problem.meta.sample_rate if problem.meta.kind == "waveform" else problem.meta.frame_rate
    seconds = f" ({abs(shift) / rate * 1000:.4g} ms)" if rate else ""
    detail = {"axis": label, "shift": shift}
    if problem.meta.kind == "waveform":
        detail["shift_samples"] = shift
    return f"actual comes {word}{seconds} along {label}", detail


def _jumps(problem: Problem, e: Array, a: Array, axis: int) -> Iterator[Explanation]:
    pieces = follow(e, a, near=near(problem, e))
    # Frames that each come from elsewhere, as of an embedding whose rows come again and again, are none that follow.
    is_table = not problem.is_codes or e.shape[1] < _CODEBOOKS
    if is_table and sum(p.stop - p.start for p in pieces) < _FOLLOWING * len(pieces):
        return
    # A few frames that agree at an end by chance, or were moved in there, make a shift no jump; chunks are as short.
    short = min(max(4, _START * len(a)), _START_OF_PIECE * max((p.stop - p.start for p in pieces), default=0))
    while pieces and pieces[0].stop - pieces[0].start < short:
        pieces = pieces[1:]
    while pieces and pieces[-1].stop - pieces[-1].start < short:
        pieces = pieces[:-1]
    steps = [(after.start, after.lag - before.lag) for before, after in pairwise(pieces)]
    steps = [(problem.at(problem.labels[axis], start), step) for start, step in steps if step]
    moved = [piece for piece in pieces if piece.lag]
    error = sum(squared(e[p.start : p.stop], a[p.start : p.stop]) for p in moved)
    # Quiet frames that agree with others beside them are no jump; at the end, what came in may hold most of the error.
    if not steps or error < _MOVED * problem.error:
        return
    yield _lagging(problem, e, a, axis, pieces, steps)


def _lagging(
    problem: Problem, e: Array, a: Array, axis: int, pieces: Sequence[Piece], steps: list[tuple[int, int]]
) -> Explanation:
    label = problem.labels[axis]
    total = sum(step for _, step in steps)
    repeats = sum(step > 0 for _, step in steps) * 2 >= len(steps)
    code = "repeated_frames" if repeats else "dropped_frames"
    frames = abs(steps[0][1])
    spacing = {b[0] - a[0] for a, b in pairwise(steps)}
    places = f"at {label}={steps[0][0]}" if len(steps) == 1 else f"{len(steps)} times, first at {label}={steps[0][0]}"
    if len(steps) > 2 and max(spacing) - min(spacing) <= 1:
        places += f", every {max(spacing)} frames"
    count = f"{frames} frame{'s' if frames != 1 else ''}"
    what = f"{count} too many" if repeats else f"{count} missing"
    why = "overlap counted twice and frames emitted twice" if repeats else "a tail dropped per chunk and trimming"
    message = f"actual has {what} {places}, from there it is {abs(total)} off; check {why}"
    taken_e = np.concatenate([e[p.start - p.lag : p.stop - p.lag] for p in pieces])
    taken_a = np.concatenate([a[p.start : p.stop] for p in pieces])
    detail = {"axis": label, "at": [start for start, _ in steps], "frames": [step for _, step in steps]}
    return Explanation(code, message, 2 * len(steps), taken_e, taken_a, detail)


def near(problem: Problem, e: Array) -> float:
    """Return the distance (rms over a frame) within which two frames are one."""
    if problem.is_codes:
        return 1e-6
    # A tolerance is of the level; frames of a large mean are told apart by what varies.
    varied = math.sqrt(float(np.mean((e - e.mean(axis=0)) ** 2))) / (2 * _VARIED)
    return max(min(2 * problem.allowed, varied), 4 * problem.floor, 1e-9 * math.sqrt(float(np.mean(e * e))))


def follow(e: Array, a: Array, *, near: float) -> list[Piece]:
    """Follow actual through expected with a lag that may jump; return the pieces that agree.

    Parameters
    ----------
    e, a : frames in rows, of any two numbers of rows
    near : rms distance within which frames agree
    """
    values = min(_RUN_VALUES, max(_FEWEST_VALUES, a.size // _RUN_VALUES))
    run = max(1, -(-values // e.shape[1]))
    pieces: list[Piece] = []
    position, lag = 0, 0
    while position < len(a) and len(pieces) <= _MOST_PIECES:
        stop = position + _agreement(e, a, position, lag, near)
        if stop == position and pieces:
            break  # where they were found to agree they do not: nothing to follow
        if stop > position:
            _add(pieces, Piece(position, stop, lag))
        if stop >= len(a) or len(a) - stop < run:
            break
        found = _resume(e, a, stop, lag, run, near)
        if found is None:
            break
        position, lag = found
    return pieces if len(pieces) <= _MOST_PIECES else []


def _add(pieces: list[Piece], piece: Piece) -> None:
    if pieces and pieces[-1].lag == piece.lag and pieces[-1].stop == piece.start:
        piece = Piece(pieces.pop().start, piece.stop, piece.lag)
    pieces.append(piece)


def _agreement(e: Array, a: Array, position: int, lag: int, near: float) -> int:
    """Return for how many frames actual agrees with expected, from a position on."""
    done = 0
    while True:
        start = position + done
        rows_a = a[start : start + 4096]
        rows_e = e[max(start - lag, 0) : max(start - lag, 0) + len(rows_a)] if start >= lag else e[:0]
        n = min(len(rows_a), len(rows_e))
        if n == 0:
            return done
        agree = ((rows_a[:n] - rows_e[:n]) ** 2).mean(axis=1) <= _squared_distance(rows_e[:n], near)
        first = int(np.argmin(agree)) if not agree.all() else n
        done += first
        if first < n or n < 4096:
            return done


def _resume(e: Array, a: Array, stop: int, lag: int, run: int, near: float) -> tuple[int, int] | None:
    """Return where and with which lag the two sides agree again for a run of frames, the closest to here first."""
    reach = min(max(4 * run, _REACH_FRAMES, _REACH // e.shape[1]), len(a))
    for start in _starts(a[stop : stop + _SILENCE * reach], run, near, reach) + stop:
        wanted = a[start : start + run]
        first = max(0, start - lag - reach)
        window = e[first : start - lag + reach + run]
        if len(window) < run:
            continue
        places = _found(window, wanted, near)
        if places.size:
            lags = start - (first + places)
            lag = int(lags[np.abs(lags - lag).argmin()])
            return _begun(e, a, int(start), stop, lag, near), lag
    return None


def _starts(rows: Array, run: int, near: float, reach: int) -> Array:
    """Return where runs begin that may be found again: that vary, since silence agrees with all silence."""
    if len(rows) < run:
        return np.zeros(0, int)
    centred = rows - rows.mean()
    sums, squares = (np.concatenate([[0.0], np.cumsum((centred**k).mean(axis=1))]) for k in (1, 2))
    mean, square = ((side[run:] - side[:-run]) / run for side in (sums, squares))
    varied = np.flatnonzero(square - mean**2 > (_VARIED * near) ** 2)
    away = varied - varied[:1]
    # What was put in between is short, or long; then any part of what follows does.
    tried: Array = varied[(away <= _CLOSE) | ((away <= reach) & (varied % max(1, run // 2) == 0))]
    return tried


def _begun(e: Array, a: Array, start: int, stop: int, lag: int, near: float) -> int:
    """Return where a run that was found begins: silence in front of it, which belongs to any, is this run's too."""
    first = max(stop, lag)
    rows_e, rows_a = e[max(0, first - lag) : max(0, start - lag)], a[first:start]
    if len(rows_e) != len(rows_a) or not len(rows_a):
        return start
    differ = np.flatnonzero(((rows_a - rows_e) ** 2).mean(axis=1) > _squared_distance(rows_e, near))
    return first + int(differ[-1]) + 1 if differ.size else first


def _squared_distance(rows: Array, near: float) -> Array:
    """Return the mean square within which frames are those of another side."""
    within: Array = near**2 + _RELATIVE**2 * (rows**2).mean(axis=1)
    return within


def _found(window: Array, wanted: Array, near: float) -> Array:
    """Return where in a window a run of frames agrees, every frame of it."""
    places = np.arange(len(window) - len(wanted) + 1)
    for frame, within in zip(range(len(wanted)), _squared_distance(wanted, near), strict=True):
        if not places.size:
            break
        places = places[((window[places + frame] - wanted[frame]) ** 2).mean(axis=1) <= within]
    return places
