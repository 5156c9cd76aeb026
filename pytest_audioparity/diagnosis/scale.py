"""One straight line for all elements: gain, offset, both, another logarithm, another sign."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.constants import familiar
from pytest_audioparity.diagnosis.explanation import Explanation
from pytest_audioparity.diagnosis.problem import Problem, energy, product, squared
from pytest_audioparity.records import DB_PER_UNIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

# What a unit has to leave at most.
_BY_CHANCE = 0.1
# Factors closer than this to 1 or -1 are those.
_SIGN = 1e-3
_UNIT_NAMES = {
    "db": "dB",
    "ln": "ln of an amplitude",
    "ln_power": "ln of a power",
    "log10": "log10 of an amplitude",
    "log10_power": "log10 of a power",
}


def _log_pairs(unit: str | None) -> list[tuple[float, str]]:
    """Return the slopes that another unit of a logarithm leaves, the declared unit's own first, and what each means."""
    pairs: dict[float, str] = {}
    for expected in sorted(DB_PER_UNIT, key=lambda name: name != unit):
        for actual, per_unit in DB_PER_UNIT.items():
            slope = DB_PER_UNIT[expected] / per_unit
            if abs(slope - 1) > _SIGN:
                pairs.setdefault(round(slope, 9), f"{_UNIT_NAMES[actual]} where {_UNIT_NAMES[expected]} is expected")
    return list(pairs.items())


# Share of the elements that has to agree with a gain or an offset that does not hold for all.
_MOST = 0.6


def find(problem: Problem) -> Iterator[Explanation]:
    """Yield gain or sign_flip, offset, affine, and log_base for logarithmic values."""
    if problem.is_codes:
        return
    e, a = problem.expected, problem.actual
    yield _offset(problem, float(np.mean(a - e)))
    ee = energy(e.ravel())
    if ee == 0:
        return
    gain = product(e, a) / ee
    yield _gain(problem, gain)
    spread = float(np.var(e))
    if spread > 0:
        slope = float(np.mean((e - e.mean()) * (a - a.mean()))) / spread
        shift = float(a.mean() - slope * e.mean())
        yield _affine(problem, slope, shift)
        if problem.meta.kind == "log_spectrum":
            yield from _log_base(problem, gain, slope)


def robust(problem: Problem) -> Iterator[Explanation]:
    """Yield gain and offset as most elements have them, for a problem where a part is wrong in another way.

    Medians are not moved by the wrong part. They are given only where most elements agree with them.
    """
    e, a = problem.expected, problem.actual
    if problem.is_codes:
        return
    loud = np.abs(e) > np.median(np.abs(e))
    ratios = a[loud] / e[loud] if loud.any() else np.ones(1)
    for found in (_gain(problem, float(np.median(ratios))), _offset(problem, float(np.median(a - e)))):
        close = np.abs(found.actual - found.expected) <= max(problem.allowed, 4 * problem.floor)
        if float(close.mean()) >= _MOST:
            yield found


def _offset(problem: Problem, shift: float) -> Explanation:
    said = f"{shift:+.4g}"
    detail: dict[str, Any] = {"offset": shift}
    factor = DB_PER_UNIT.get(problem.meta.unit or "") if problem.meta.kind == "log_spectrum" else None
    if factor is not None:
        detail["offset_db"] = shift * factor
        said = f"{shift * factor:+.3f} dB"
    message = f"actual = expected {said}; check the bias of the last layer or projection, and reference levels"
    return Explanation("offset", message, 1, problem.expected + shift, problem.actual, detail)


def _gain(problem: Problem, gain: float) -> Explanation:
    e, a = problem.expected, problem.actual
    scaled = gain * e
    if abs(gain + 1) < _SIGN:
        message = "actual = -expected; check the sign convention, sin against cos, and the order of a subtraction"
        return Explanation("sign_flip", message, 0, -e, a, {"gain": gain})
    error = math.sqrt(squared(scaled, a) / max(e.size - 1, 1)) / max(math.sqrt(energy(e.ravel())), 1e-300)
    name = familiar(gain, error / max(abs(gain), 1e-300), e.shape) if gain else None
    level = f" ({20 * math.log10(abs(gain)):+.2f} dB)" if gain else ""
    message = f"actual = {gain:.6g} * expected{level}"
    detail: dict[str, Any] = {"gain": gain}
    if gain:
        detail["gain_db"] = 20 * math.log10(abs(gain))
    if name is not None:
        sign = "-" if gain < 0 else ""
        detail["constant"] = sign + name[0]
        message += f", which is {sign}{name[0]}" if name[0] != f"{abs(gain):.6g}" else ""
        message += f"; {name[1]}" if name[1] else ""
    else:
        message += "; check scales, normalisation and the loudness of the input"
    return Explanation("gain", message, 1, scaled, a, detail)


def _affine(problem: Problem, slope: float, shift: float) -> Explanation:
    name = familiar(slope, 1e-5, problem.expected.shape)
    said = f" ({name[0]})" if name is not None and name[0] != f"{slope:.6g}" else ""
    message = (
        f"actual = {slope:.6g}{said} * expected {shift:+.4g}; check mean and deviation of a normalisation, "
        f"or a logarithm with another base and reference"
    )
    detail: dict[str, Any] = {"gain": slope, "offset": shift}
    if name is not None:
        detail["constant"] = name[0]
    return Explanation("affine", message, 2, slope * problem.expected + shift, problem.actual, detail)


def _log_base(problem: Problem, gain: float, slope: float) -> Iterator[Explanation]:
    """Yield the exact slope of another logarithmic unit, alone and with the offset of another reference."""
    e, a = problem.expected, problem.actual
    pairs = _log_pairs(problem.meta.unit)
    for measured, shifted in ((gain, False), (slope, True)):
        if measured <= 0:
            continue
        exact, said = min(pairs, key=lambda pair: abs(math.log(measured / pair[0])))
        shift = float(np.mean(a - exact * e)) if shifted else 0.0
        tail = f" {shift:+.4g}" if shifted else ""
        message = f"actual = {exact:.6g} * expected{tail}: {said}; check the unit of the logarithm"
        detail = {"slope": exact, "offset": shift}
        # A slope out of a short list is less than a parameter.
        found = Explanation("log_base", message, 0.5 + shifted, exact * e + shift, a, detail)
        # Of so many slopes some are near by chance to what is none.
        if found.left <= _BY_CHANCE * problem.error:
            yield found
