"""The frozen results of a test: the verdict on each stage with what it rests on, and on the whole.

The verdict is decided once, from the numbers in `records`; what is shown and what is kept is read from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_audioparity.records import FAIL, NOT_MEASURED, PASS

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_audioparity.audio.channels import Heard
    from pytest_audioparity.comparison.hyperparameters import SettingResult
    from pytest_audioparity.keywords import Verdict
    from pytest_audioparity.records import Comparison, Finding, StageMeta, Tolerance
    from pytest_audioparity.roundtrip.records import RoundtripResult


@dataclass(frozen=True, slots=True)
class Criterion:
    """One number against its limit. `at_most` tells the direction."""

    name: str
    value: float | None
    limit: float
    passed: bool
    at_most: bool = True


@dataclass(frozen=True, slots=True)
class Own:
    """What a step made of the golden's inputs, in place of those that it got: the part of a deviation that is its own.

    Attributes
    ----------
    result : that output, judged as the stage itself is; None where it could not be measured
    note : why it could not
    as_given : arguments that are no recorded stages, and so were what the test gave
    inherited_from : the inputs that differ from the golden's, those that fail if any does
    """

    result: StageResult | None = None
    note: str | None = None
    as_given: tuple[str, ...] = ()
    inherited_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StageResult:
    """The verdict on one stage and everything it rests on.

    Attributes
    ----------
    meta : name, kind, axes, unit and rates of the stage
    verdict : `pass`, `fail` or `not_measured`, which does not pass
    tolerance : what was allowed
    comparison : the numbers; None where a side is missing or the sides cannot be compared
    criteria : each number that decided, with its limit
    findings : named causes, the best explanation first; a healthy stage has none
    smallest_tol_db : the smallest `tol_db` with which it would have passed, None where none would
    reason : why it fails beside what the numbers say
    own : what a step made of the golden's inputs, where that was measured
    audio : what a waveform was heard to be, where it was listened to
    """

    meta: StageMeta
    verdict: Verdict
    tolerance: Tolerance
    comparison: Comparison | None = None
    criteria: tuple[Criterion, ...] = ()
    findings: tuple[Finding, ...] = ()
    smallest_tol_db: float | None = None
    reason: str | None = None
    own: Own | None = None
    audio: Heard | None = None

    def __bool__(self) -> bool:
        """Be true only when passed, so that ``assert compare(...)`` means what it says."""
        return self.passed

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.meta.name

    @property
    def passed(self) -> bool:
        """Whether the verdict is PASS."""
        return self.verdict == PASS

    @property
    def has_both_sides(self) -> bool:
        """Whether expected and actual were both there, comparable or not."""
        return self.comparison is not None and bool(self.comparison.expected.dtype and self.comparison.actual.dtype)

    @property
    def deviation_db(self) -> float | None:
        """How far actual is from expected in dB (symmetric; a gain error of ±x dB scores x dB)."""
        return None if self.comparison is None else self.comparison.deviation_db

    @property
    def own_result(self) -> StageResult | None:
        """What the step made of the golden's inputs, or None where that was not measured."""
        return None if self.own is None else self.own.result

    @property
    def own_db(self) -> float | None:
        """The part of the deviation that is the step's own, in dB."""
        return None if self.own_result is None else self.own_result.deviation_db

    @property
    def is_inherited(self) -> bool:
        """Whether the stage fails by what it inherited alone: with the golden's inputs its step passes."""
        return not self.passed and self.own_result is not None and self.own_result.passed

    @property
    def is_only_too_far(self) -> bool:
        """Whether a larger `tol_db` would let the stage pass: nothing but the criteria that follow from it failed."""
        over = {criterion.name for criterion in self.criteria if not criterion.passed}
        flawed = self.reason is not None or any(finding.explains is None for finding in self.findings)
        return bool(over) and over <= {"deviation_db", "peak_db"} and self.smallest_tol_db is not None and not flawed

    @property
    def margin_db(self) -> float | None:
        """How much of the tolerance is left, in dB; negative when it was exceeded."""
        if self.smallest_tol_db is None or self.tolerance.tol_db is None:
            return None
        return self.tolerance.tol_db - self.smallest_tol_db


@dataclass(frozen=True, slots=True)
class ParityResult:
    """The verdict on one test or one pair of files.

    Attributes
    ----------
    title : of the test, or of the pair of files; may be empty
    stages : the verdicts on stages, in data-flow order
    golden : the file that was compared with
    accept : the command that accepts the change; a port has none
    owner : of a port, the test that writes its golden
    reason : why it fails as a whole, beside what its stages say: no golden, nothing recorded
    review : the command that shows what was obtained
    notes : in pairs of label and text, what else a reader should know: which variant was used, where the golden came
        from if that is elsewhere
    settings : the verdicts on hyper-parameters
    roundtrips : the verdicts on what went through codecs
    """

    title: str
    stages: tuple[StageResult, ...]
    golden: Path | None = None
    accept: str | None = None
    owner: str | None = None
    reason: str | None = None
    review: str | None = None
    notes: tuple[tuple[str, str], ...] = ()
    settings: tuple[SettingResult, ...] = ()
    roundtrips: tuple[RoundtripResult, ...] = ()

    def __bool__(self) -> bool:
        """Be true only when passed, so that ``assert compare(...)`` means what it says."""
        return self.passed

    @property
    def passed(self) -> bool:
        """Whether every stage, setting and round trip passed, and there was at least one stage or round trip."""
        return self.reason is None and bool(self.stages or self.roundtrips) and self._verdicts == {PASS}

    @property
    def _verdicts(self) -> set[str]:
        return {
            *(stage.verdict for stage in self.stages),
            *(setting.verdict for setting in self.settings),
            *(trip.verdict for trip in self.roundtrips),
        }

    @property
    def verdict(self) -> Verdict:
        """`pass`, `fail`, or `not_measured` when nothing failed but something could not be measured."""
        if self.passed:
            return PASS
        judged = bool(self.stages or self.roundtrips)
        return NOT_MEASURED if self.reason is None and judged and FAIL not in self._verdicts else FAIL

    @property
    def first_divergence(self) -> str | None:
        """Name of the first stage, in data-flow order, that was compared and failed by what may be its own fault.

        A stage that only inherited comes second: it is named when all that fail are such. A stage that one side lacks
        says nothing about the numbers, so it comes third: when every stage that both sides have agrees.
        """
        if self.reason is not None:
            return None
        failing = [stage for stage in self.stages if not stage.passed]
        compared = [stage for stage in failing if stage.has_both_sides and stage.verdict == FAIL]
        own = [stage for stage in compared if not stage.is_inherited]
        first = (own or compared or failing)[:1]
        return first[0].name if first else None
