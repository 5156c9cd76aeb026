"""`--parity-calibrate N`: how far each stage is off by chance, and the smallest fault that its tolerance must notice.

`Calibration` follows one test through its repetitions and measures; `proposals` decides, from plain numbers, so that
those of a function's parameters and of repeated stages are put together first.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_audioparity.adapters.arrays import snapshot
from pytest_audioparity.audits.injection import injected, smallest
from pytest_audioparity.check import check_stage
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.records import StageTensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_audioparity.records import StageMeta, Tolerance
    from pytest_audioparity.results import StageResult

# Causes that are noise: what a sum in another order or the arithmetic of the declared precision leaves.
_NOISE = ("rounding", "quantised")


@dataclass(slots=True)
class _Stage:
    """One stage over the repetitions: its first tensor, and the largest distances to the golden and to the first."""

    first: StageTensor
    result: StageResult
    in_record: bool
    to_golden: list[StageResult] = field(default_factory=list)
    to_first: list[StageResult] = field(default_factory=list)


class Calibration:
    """The stages of one test over several repetitions. Holds the tensors of the first.

    Parameters
    ----------
    repetitions : how often the test is run

    Attributes
    ----------
    problem : why a repetition did not come to its end, if one did not
    """

    def __init__(self, repetitions: int) -> None:
        self._repetitions = repetitions
        self.problem: str | None = None
        self._begun = self._ended = 0
        self._stages: dict[str, _Stage] = {}

    @property
    def is_last(self) -> bool:
        """Whether no more repetitions are to come."""
        return self._begun >= self._repetitions or self.problem is not None

    @property
    def has_ended(self) -> bool:
        """Whether every repetition that began came to the end of the test function."""
        return self._begun == self._ended

    def begin(self) -> None:
        """Count a repetition."""
        self._begun += 1

    def end(self) -> None:
        """Count a repetition that came to its end."""
        self._ended += 1

    def observe(self, actual: StageTensor, result: StageResult, overrides: Mapping[str, Any]) -> None:
        """Take a stage as it is recorded, with its result against the golden and the tolerances given with it."""
        if result.tolerance.max_drop is not None:  # a score, whose noise is no deviation
            return
        known = self._stages.get(actual.meta.name)
        if known is None:
            first = StageTensor(actual.meta, snapshot(actual.array))
            known = self._stages[actual.meta.name] = _Stage(first, result, bool(overrides))
        else:
            # A port may declare less than its golden does.
            kind, unit = result.meta.kind, result.meta.unit
            first, again = (
                replace(side, meta=replace(side.meta, kind=kind, unit=unit)) for side in (known.first, actual)
            )
            known.to_first.append(check_stage(first, again, result.tolerance, causes=False))
        if result.has_both_sides:
            known.to_golden.append(result)

    def measured(
        self,
        expected: Callable[[StageMeta], StageTensor | None],
        *,
        test: str,
        progress: Callable[[str], None] = lambda _: None,
    ) -> list[dict[str, Any]]:
        """Return the numbers of each stage in plain types, see `proposals`.

        Parameters
        ----------
        expected : gives the golden's stage that something declares, None where it has none
        test : its id, which decides what is random of the faults
        progress : is told the stage with every fault
        """
        rows = []
        for stage in self._stages.values():
            golden = expected(stage.result.meta)
            healthy = StageTensor(stage.result.meta, (stage.first if golden is None else golden).array)
            faults, count = [], 0
            for one in injected(healthy, stage.result.tolerance, seed=test):
                progress(healthy.meta.name)
                count += 1
                if one.smallest is not None:
                    faults.append((one.smallest, f"{one.fault.code} ({one.fault.name})"))
            rows.append(self._row(stage, golden, sorted(faults), count))
        return rows

    def _row(
        self, stage: _Stage, golden: StageTensor | None, faults: list[tuple[float, str]], injected_count: int
    ) -> dict[str, Any]:
        tolerance = stage.result.tolerance
        is_codes = stage.result.comparison is not None and stage.result.comparison.match is not None
        measured = [*stage.to_golden, *stage.to_first]
        return {
            "stage": stage.result.meta.name,
            "measure": "mismatch" if is_codes else "tol_db",
            "repetitions": self._ended,
            "measurable": all(one.passed or smallest(one) is not None for one in measured),
            "failing": sorted({name for one in stage.to_golden for name in _failing(one)}),
            "injected": injected_count,
            "to_golden": _largest(stage.to_golden),
            "run_to_run": _largest(stage.to_first),
            "cause": None if golden is None else _cause(golden, stage.first, tolerance),
            "faults": faults,
            "now": 1 - tolerance.min_match if is_codes else tolerance.tol_db,
            "precision": tolerance.precision,
            "in_record": stage.in_record,
        }


def _largest(results: list[StageResult]) -> float | None:
    """Return the largest of the smallest tolerances that there are, None without any."""
    return max((value for result in results if (value := smallest(result)) is not None), default=None)


def _failing(result: StageResult) -> list[str]:
    """Return the criteria that fail and that no `tol_db` changes."""
    follow = ("deviation_db", "peak_db") if result.tolerance.peak_is_derived else ("deviation_db",)
    return [criterion.name for criterion in result.criteria if not criterion.passed and criterion.name not in follow]


def _cause(golden: StageTensor, first: StageTensor, tolerance: Tolerance) -> str | None:
    """Return the cause of a deviation that is more than the declared precision's rounding, None for noise."""
    strict = layered([{"precision": tolerance.precision, "dtype": tolerance.dtype}], golden.meta.name)
    result = check_stage(golden, first, strict)
    if result.passed or (result.findings and result.findings[0].code in _NOISE):
        return None
    return result.findings[0].code if result.findings else "unexplained"
