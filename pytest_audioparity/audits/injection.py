"""The known faults put into a stage and judged with the tolerance of its test.

What is injected are the faults of `pytest_audioparity.faults`, without rounding on top. Only those count that matter: a
fault matters when, on the elements that it changes, it is larger than the preset of the declared precision, which is
what rounding is allowed. A cast to float16 does not matter to a stage of precision fp16, one wrong channel among many
does, and so does every wrong structure and every wrong code.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.check import check_stage
from pytest_audioparity.comparison.decibels import excess_db
from pytest_audioparity.comparison.structure import kind_of
from pytest_audioparity.comparison.tolerances import PRESET_DB
from pytest_audioparity.faults import VOCABULARY, Fault, faults_of
from pytest_audioparity.faults.subject import wide
from pytest_audioparity.records import DB_PER_UNIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_audioparity.records import StageTensor, Tolerance
    from pytest_audioparity.results import StageResult

    Array = np.ndarray[Any, Any]


# Rounding is what tolerances are there to allow.
_CODES = tuple(code for code in VOCABULARY if code != "rounding")


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault that matters, and what the stage's tolerance says of it."""

    fault: Fault
    result: StageResult

    @property
    def noticed(self) -> bool:
        """Whether the test would fail."""
        return not self.result.passed

    @property
    def smallest(self) -> float | None:
        """The smallest tolerance with which it would pass: `tol_db`, of codes the share that is wrong; None for any."""
        return smallest(self.result)


def smallest(result: StageResult) -> float | None:
    """Return the smallest `tol_db` with which a stage would pass, of codes the share that is wrong; None for none."""
    comparison = result.comparison
    if any(finding.code in ("shape", "dtype") for finding in result.findings) or result.reason:
        return None
    if comparison is not None and comparison.match is not None:
        return 1 - comparison.match
    return result.smallest_tol_db


def injected(
    stage: StageTensor,
    tolerance: Tolerance,
    *,
    others: Sequence[StageTensor] = (),
    seed: str = "",
    covers: Callable[[str], bool] = lambda _: True,
) -> Iterator[Injected]:
    """Yield every fault that matters to a stage, judged.

    Parameters
    ----------
    stage : healthy; it is not modified
    tolerance : of its test
    others : stages that it might be by mistake
    seed : decides what is random about the faults, together with the stage's name
    covers : whether its test compares a stage of some name; of those that `only=` leaves out none is extra
    """
    if tolerance.max_drop is not None:  # a score, which may be as much better as it likes
        return
    rng = np.random.default_rng(zlib.crc32(f"{seed} {stage.meta.name}".encode()))
    for fault in faults_of(stage, rng=rng, codes=_CODES, others=others, rounding=False):
        is_extra = fault.code == "extra_stage"
        if is_extra and fault.stage is not None and not covers(fault.stage.meta.name):
            continue
        if fault.stage is not None and not is_extra and not _matters(stage, fault.stage.array, tolerance):
            continue
        expected = None if is_extra else stage
        yield Injected(fault, check_stage(expected, fault.stage, tolerance, causes=False))


def _matters(stage: StageTensor, array: Array, tolerance: Tolerance) -> bool:
    kind = kind_of(stage.meta, stage.array)
    if array.shape != stage.array.shape or kind == "codes":
        return True
    expected, actual = (wide(side) for side in (stage.array, array))
    if not np.isfinite(actual).all():
        return True
    changed = expected != actual
    if not changed.any():
        return False
    differences = np.abs(actual - expected)[changed]
    worth = DB_PER_UNIT.get(stage.meta.unit or "")
    if kind == "log_spectrum" and worth is not None:
        severity = float(differences.mean()) * worth
    else:
        severity = excess_db(_rms(differences), min(_rms(expected), _rms(actual)))
    return severity > PRESET_DB[tolerance.precision]


def _rms(array: Array) -> float:
    return float(np.sqrt(np.mean(np.abs(array) ** 2)))
