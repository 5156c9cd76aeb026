"""What a step adds to its input, and how often the input is in it: residuals, and the steps of a solver.

A solver's step is small beside its input, and what a layer adds is unlike it: the whole says little of either.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.diagnosis.explanation import COMPLETE, PARTIAL
from pytest_audioparity.diagnosis.problem import SAMPLE, energy, product, strides
from pytest_audioparity.records import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Array = np.ndarray[Any, Any]
    # Share of the error that is removed, name of the input, number, and whether it is the input's own.
    Found = tuple[float, str, float, bool]

# One number out of fewer elements than this is no evidence.
_LEAST = 16
# Of stages that nobody declared as inputs there are many: the one that is meant explains all but rounding.
SURELY = 0.98
# An input that is there less often than this is missing.
_NONE = 0.01


def explained_by_increment(
    findings: tuple[Finding, ...],
    expected: Array,
    actual: Array,
    inputs: Mapping[str, Array],
    *,
    least: float = PARTIAL,
) -> tuple[Finding, ...]:
    """Return findings of a step's output, or what explains more than they do: what the step adds to an input.

    Parameters
    ----------
    findings : of the output as it is
    expected, actual, inputs : as for `find`
    least : share of the error that has to be explained
    """
    known = max((finding.explains or 0.0 for finding in findings), default=0.0)
    if known >= COMPLETE or (found := find(expected, actual, inputs)) is None:
        return findings
    if (found.explains or 0.0) <= max(known, least):
        return findings
    return (*(finding for finding in findings if finding.code == "dtype"), found)


def find(expected: Array, actual: Array, inputs: Mapping[str, Array]) -> Finding | None:
    """Return a finding if actual adds to one of its inputs what expected adds, times a number, or lacks the input.

    Parameters
    ----------
    expected, actual : output of a step for the same inputs
    inputs : those inputs, by the names of their stages; of another shape or of integers they are left out

    Returns
    -------
    The finding, of the input for which that removes most of the error; None if it removes less than half for each, or
    leaves more than half of what actual adds, as between two directions that have nothing in common
    """
    if expected.shape != actual.shape or expected.size < _LEAST or not _is_real(expected, actual):
        return None
    like = {name: array for name, array in inputs.items() if array.shape == expected.shape and _is_real(array)}
    if not like:
        return None
    with np.errstate(all="ignore"):  # what is not finite explains nothing
        found = list(_numbers(_sampled(expected), _sampled(actual), like))
    if not found:
        return None
    share, name, gain, of_input = max(found)
    if of_input:
        said = f"without {name!r}" if abs(gain) < _NONE else f"with {gain:.6g} times {name!r} instead of once"
        message = f"actual is expected {said}; check that the residual is added, once, and its scale"
        return Finding("gain", message, explains=share, detail={"gain": gain, "input": name, "of": "input"})
    level = f" ({20 * math.log10(abs(gain)):+.2f} dB)" if gain else ""
    message = (
        f"what it adds to {name!r} is {gain:.6g} times what is expected{level}; check step sizes, times and guidance "
        "of a solver, and the scale of a residual"
    )
    return Finding("gain", message, explains=share, detail={"gain": gain, "input": name})


def _numbers(expected: Array, actual: Array, inputs: Mapping[str, Array]) -> Iterator[Found]:
    """Yield of each input the gain of what is added to it, if that explains half, and how often it is there, if all."""
    error = energy(actual - expected)
    for name, array in inputs.items():
        before = _sampled(array)
        gain, left = _line(expected - before, actual - before)
        share = 1 - left / error if error > 0 else math.nan
        if share >= PARTIAL and left <= PARTIAL * energy(actual - before):
            yield share, name, gain, False
        more, left = _line(before, actual - expected)
        share = 1 - left / error if error > 0 else math.nan
        if share >= SURELY:
            yield share, name, 1 + more, True


def _line(source: Array, target: Array) -> tuple[float, float]:
    """Return the best gain from one to the other, and the squared error that it leaves."""
    power = energy(source)
    gain = product(source, target) / power if power > 0 else math.nan
    return gain, energy(target - gain * source)


def _sampled(array: Array) -> Array:
    """Return evenly spread elements, as many as a diagnosis looks at and never a copy of all: enough for one number."""
    taken = tuple(slice(None, None, step) for step in strides(array.shape, SAMPLE))
    return np.asarray(array[taken], np.float64).reshape(-1)


def _is_real(*sides: Array) -> bool:
    """Whether values have distances: floats of some kind; bfloat16 and float8 are no numpy kinds of their own."""
    return all(side.dtype.kind in "fV" for side in sides)
