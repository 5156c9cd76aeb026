"""Every cause of the vocabulary as a generator: what a port does wrong, at several strengths, on any stage.

`faults_of` makes single faults, `compounds_of` two at a time. Each has the true code and the true parameters, so that
tests can ask of a tolerance whether it notices, and of the diagnosis whether it is right. A new cause is a function in
the module of its family and one line in `table.SOURCES`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.faults.pointwise import rounded
from pytest_audioparity.faults.subject import Array, Change, Subject, subject_of, wide
from pytest_audioparity.faults.table import SOURCES, VOCABULARY
from pytest_audioparity.records import StageTensor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

__all__ = ["COMPOUNDS", "VOCABULARY", "Compound", "Fault", "compounds_of", "faults_of"]

# A change whose largest element is below this, relative to the rms, is none: it is the size of float32 rounding.
_LEAST = 1e-6
# Rounding is put on top only of faults this much larger, or it would be the fault.
_FAULT_OVER_ROUNDING = 30.0
# float32 sums in another order leave 1e-7 to 1e-6, float16 arithmetic about half a unit in its 11th bit.
_FP32_EXPONENTS = (-7.0, -6.0)
_FP16 = 2.5e-4

# Two things that go wrong together: a layout and a scale, a trim and a level, a real fault in half precision.
COMPOUNDS = (
    ("axes_permuted", "gain"),
    ("axes_permuted", "channel_permutation"),
    ("length", "gain"),
    ("time_shift", "gain"),
    ("time_shift", "sign_flip"),
    ("channel_permutation", "gain"),
    ("offset", "channels"),
    ("offset", "spikes"),
    ("offset", "floor"),
    ("log_base", "floor"),
    ("gain", "edges"),
    ("gain", "diverges_from"),
    ("gain", "clipped"),
    ("gain", "quantised"),
    ("gain", "rounding"),
    ("channel_gain", "channel_offset"),
    ("edges", "spikes"),
    ("dtype", "gain"),
    ("delay_pattern", "offset"),
    ("channel_permutation", "diverges_from"),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One faulty stage and the truth about it.

    Attributes
    ----------
    code : the finding that a perfect diagnosis names first
    name : what happened
    stage : the faulty actual stage; None where there is none. An extra stage has a name of its own
    also : further codes that are as true
    detail : the true parameters; `rounding` is the relative noise put on top, if any
    """

    code: str
    name: str
    stage: StageTensor | None
    also: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Compound:
    """A stage with two faults, the second on top of the first; see `Fault`."""

    codes: tuple[str, str]
    name: str
    stage: StageTensor
    detail: Mapping[str, Any] = field(default_factory=dict)


def faults_of(
    stage: StageTensor,
    *,
    rng: np.random.Generator,
    codes: Collection[str] | None = None,
    others: Sequence[StageTensor] = (),
    rounding: bool = True,
) -> Iterator[Fault]:
    """Yield the faults that can befall a stage, each of which changes it.

    Parameters
    ----------
    stage : a healthy stage without NaN and infinities; it is not modified
    rng : decides all that is random. Faults of one code do not depend on which others were asked for
    codes : which causes, of `VOCABULARY`; None for all
    others : further stages of the run, for buffers that hold another stage's values
    rounding : whether about two in three faults of float stages get rounding on top, as real ports have it

    Yields
    ------
    Fault : with a stage of the same dtype (but for `dtype`)
    """
    if codes is not None and (unknown := set(codes) - set(VOCABULARY)):
        raise ValueError(f"no fault is called {sorted(unknown)}; there are: {', '.join(VOCABULARY)}")
    seed = int(rng.integers(1 << 62))
    subject = subject_of(stage, others)
    for source in SOURCES:
        if (codes is not None and source.code not in codes) or not source.applies_to(subject):
            continue
        own = np.random.default_rng([seed, zlib.crc32(f"{source.code} {source.values}".encode())])
        # A clamp of what has no tail, a GELU of large values: what overflows or does not exist is left out below.
        with np.errstate(all="ignore"):
            for change in source.generate(subject, own):
                if (fault := _fault(source.code, change, subject, own if rounding else None)) is not None:
                    yield fault


def compounds_of(
    stage: StageTensor, *, rng: np.random.Generator, codes: Collection[tuple[str, str]] | None = None
) -> Iterator[Compound]:
    """Yield pairs of faults of `COMPOUNDS`, or of `codes`, one or more of each that can befall a stage.

    Parameters
    ----------
    stage, rng : as for `faults_of`
    codes : pairs of codes, in the order in which they happen
    """
    for first, second in COMPOUNDS if codes is None else codes:
        begun = [fault for fault in faults_of(stage, rng=rng, codes=[first]) if fault.stage is not None]
        for index in rng.permutation(len(begun))[:2]:
            fault = begun[int(index)]
            assert fault.stage is not None
            if not _is_finite(fault.stage.array):
                continue
            ended = [more for more in faults_of(fault.stage, rng=rng, codes=[second]) if more.stage is not None]
            if ended:
                more = ended[int(rng.integers(len(ended)))]
                assert more.stage is not None
                detail = {first: fault.detail, second: more.detail}
                yield Compound((first, second), f"{fault.name}; then {more.name}", more.stage, detail)


def _fault(code: str, change: Change, subject: Subject, rng: np.random.Generator | None) -> Fault | None:
    """Bring a change back to the stage's dtype, maybe with rounding on top; None if nothing is left of it."""
    stage, array, detail = subject.stage, change.array, dict(change.detail)
    if change.absent:
        return Fault(code, change.name, None, change.also, detail)
    if rng is not None and subject.is_float and not change.exact:
        array, level = _with_rounding(array, subject, rng)
        detail |= {"rounding": level} if level else {}
    if code != "dtype":
        array = array.astype(stage.array.dtype)
    if code != "nonfinite" and not _is_finite(array):
        return None
    meta = change.meta or stage.meta
    if code != "extra_stage" and not _differs(stage.array, array):
        return None
    return Fault(code, change.name, StageTensor(meta, np.ascontiguousarray(array)), change.also, detail)


def _with_rounding(array: Array, subject: Subject, rng: np.random.Generator) -> tuple[Array, float | None]:
    """Put rounding on top: none for a third of the faults, that of float16 arithmetic for a sixth."""
    choice = rng.random()
    if choice < 1 / 3:
        return array, None
    level = _FP16 if choice > 5 / 6 else float(10 ** rng.uniform(*_FP32_EXPONENTS))
    if array.shape == subject.x.shape:
        size = float(np.sqrt(np.mean(np.square(array - subject.x)))) / (subject.rms or 1.0)
        if size < _FAULT_OVER_ROUNDING * level:
            level = float(10 ** _FP32_EXPONENTS[0])
    return rounded(array, level, rng), level


def _is_finite(array: Array) -> bool:
    return array.dtype.kind in "iub" or bool(np.isfinite(wide(array)).all())


def _differs(expected: Array, actual: Array) -> bool:
    """Whether more than float32 rounding changed."""
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        return True
    if expected.dtype.kind in "iub":
        return not np.array_equal(expected, actual)
    if not _is_finite(actual):
        return True
    wide_e, wide_a = wide(expected), wide(actual)
    rms = float(np.sqrt(np.mean(np.abs(wide_e) ** 2)))
    return bool(np.abs(wide_a - wide_e).max() > _LEAST * rms)
