"""Since when it differs: from one time on, or more and more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import Explanation
from pytest_audioparity.diagnosis.margins import held_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.diagnosis.margins import Margin, Place
    from pytest_audioparity.diagnosis.problem import Problem

    Array = np.ndarray[Any, Any]


# Rounding leaves many values as they were, and so does what is wrong at times. How seldom it must leave so many in
# front, for them to mean something.
_CHANCE = 0.001
# What came before has to have this share of the signal, or of the indices where values say nothing of loudness, or be
# no fainter beside all of it (40 dB): a few frames hold little of a long stage, however loud they are.
_HEARD, _FAINT = 0.003, 1e-4
# Share of the codes that are wrong where they have diverged; hashed, unequal ones are this far apart, squared.
_DENSE, _UNEQUAL = 0.2, 2.0
# How many times larger what grows is at one time than at another, beside the signal there.
_VARIES = 4
# Stretches of so many values at least, and of so many the quietest and the loudest quarter: where the error of those is
# so much less beside their signal (6 dB), the level decides what is wrong, and not the time.
_VALUES, _STRETCHES, _QUIETER = 32, 12, 0.25


def diverges(problem: Problem, margin: Margin) -> Iterator[Explanation]:
    """Yield the time from which on all differs, where what came before was clean and no silence."""
    wrong = np.flatnonzero(margin.wrong)
    n = margin.wrong.size
    if wrong.size == 0 or not 0 < wrong[0] < n:
        return
    start = int(wrong[0])
    chosen = np.arange(n) >= start
    after = margin.signal[start:] > 0.01 * margin.signal[start:].mean()
    if margin.wrong[start:][after].mean() < 0.5 or not margin.holds(chosen):
        return
    kept = float((margin.error[start:][after] <= margin.error[:start].max()).mean())
    if not problem.is_codes and kept**start > _CHANCE:
        return
    if problem.is_codes and margin.error[start:].mean() < _DENSE * _UNEQUAL * margin.expected.shape[1]:
        return  # codes that are wrong here and there began nowhere
    if _is_silent(problem, margin, start):
        return
    place = held_by(problem, "diverges_from", "", {"from": margin.at(start)}, margin, chosen)
    if not place.is_filled and (_is_gradual(margin, start) or _ends_clean(margin, start)):
        return
    yield replace(place, message=_told(problem, margin, place))


def _told(problem: Problem, margin: Margin, place: Place) -> str:
    at, there = place.detail["from"], place.there()[1]
    rate = problem.meta.sample_rate if problem.meta.kind == "waveform" else problem.meta.frame_rate
    seconds = f" ({at / rate:.3f} s)" if rate and margin.label == "T" else ""
    upto = f"actual equals expected up to {margin.label}={at}{seconds} and"
    if not problem.is_codes and there.size and not np.ptp(there):
        return f"{upto} is {there.flat[0]:.6g} from there on; check lengths, masks, and buffers and chunks left empty"
    message = (
        f"{upto} differs from there on; check state that is reset or not carried over, caches, positions, and random "
        "numbers"
    )
    # The two halves of a frame mirror each other that is padded by reflection: a small shift leaves it as it is.
    is_mirrored = at == 1 and problem.meta.kind == "log_spectrum"
    return message + (", and where frames begin: padding by reflection hides that in the first" if is_mirrored else "")


def _is_silent(problem: Problem, margin: Margin, start: int) -> bool:
    """Whether what came before is next to nothing, which is right whatever is wrong with the rest."""
    # One value throughout, as the floor of a log-mel: silence agrees with all silence.
    if not problem.is_codes and float(np.ptp(margin.expected[:start])) == 0:
        return True
    before = margin.signal[:start]
    is_little = float(before.sum()) < _HEARD * float(margin.signal.sum())
    return (is_little and float(before.mean()) < _FAINT * float(margin.signal.mean())) or _grows_with_level(
        margin, start
    )


def _grows_with_level(margin: Margin, start: int) -> bool:
    """Whether what is quiet is right or nearly so later on too, beside what is loud, and the first part is quiet."""
    error, signal = margin.error[start:], margin.signal[start:]
    length = max(min(start, error.size // (5 * _STRETCHES)), -(-_VALUES // margin.expected.shape[1]))
    count = error.size // length
    if count < _STRETCHES:
        return False
    errors, signals = (side[: count * length].reshape(count, length).sum(axis=1) for side in (error, signal))
    order = np.argsort(signals)
    quiet, loud = order[: count // 4], order[-count // 4 :]
    if float(margin.signal[:start].mean()) > float(signals[loud[0]]) / length:
        return False
    relative = [float(errors[part].sum() / max(signals[part].sum(), 1e-300)) for part in (quiet, loud)]
    return relative[0] < _QUIETER * relative[1]


def _ends_clean(margin: Margin, start: int) -> bool:
    """Whether as much is right at the end as at the start, as where the ends are left out of a filter."""
    end = slice(-min(start, margin.wrong.size - start), None)
    is_loud = bool(margin.signal[end].mean() >= margin.signal[:start].mean())
    return is_loud and not margin.wrong[end].any()


def _is_gradual(margin: Margin, start: int) -> bool:
    """Whether the error starts far below what it is on average from there on, as it is or beside the signal."""
    error, signal = margin.error[start:], margin.signal[start:]
    soon = slice(0, max(1, error.size // 16))
    first, loud = float(error[soon].sum()), float(signal[soon].sum())
    if error.size < 32 or loud <= 0:
        return False
    beside = first / loud < 0.02 * float(error.sum()) / max(float(signal.sum()), 1e-300)
    return beside or float(error[soon].mean()) < 0.02 * float(error.mean())


def drift(problem: Problem, margin: Margin) -> Iterator[Explanation]:
    """Yield a difference that grows steadily from nearly nothing."""
    n = margin.error.size
    if n < 16:
        return
    parts = np.array_split(np.arange(n), min(16, n // 4))
    error = np.array([margin.error[part].sum() for part in parts])
    signal = np.array([margin.signal[part].sum() for part in parts])
    heard = signal > 1e-3 * signal.mean()
    if heard.sum() < 4:
        return
    middle = (np.arange(len(parts)) + 0.5)[heard]
    # Errors grow with the signal, or whatever it is; where they are as large beside it all the time, the signal grows.
    beside = error[heard] / signal[heard]
    if float(beside.max()) < _VARIES * float(beside.min()):
        return
    powers = [_growth(ratio, middle) for ratio in (beside, error[heard])]
    power = next((power for power in powers if power is not None), None)
    if power is None:
        return
    message = (
        f"the difference grows along {margin.label}, about as its power {power:.1f}, and is least at the start; check "
        f"positions, phases, and steps that are summed up (t += dt)"
    )
    detail = {"axis": margin.label, "power": power}
    yield Explanation("drift", message, 3, problem.expected, problem.actual, detail, 0.02 * problem.error)


def _growth(ratio: Array, place: Array) -> float | None:
    """Return the power of the place by which a ratio grows from nearly nothing, steadily; None if it does not."""
    if ratio.min() <= 0:
        ratio = ratio + 1e-12 * ratio.max()
    rank = np.corrcoef(np.argsort(np.argsort(ratio)), np.arange(ratio.size))[0, 1]
    power = float(np.polyfit(np.log(place), np.log(ratio), 1)[0]) / 2
    begun = int(np.argmax(ratio > 1e-3 * ratio.max()))
    # NaN, where a part has no error, is no growth.
    if rank < 0.9 or not power >= 0.5 or ratio[0] > 0.05 * ratio[-1] or ratio[begun] > 0.3 * ratio.max():
        return None
    return power
