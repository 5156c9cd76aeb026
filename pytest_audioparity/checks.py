"""Named checks that are judged together: of a codec's round trip, or of its output."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_audioparity.records import FAIL, NOT_MEASURED, PASS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.keywords import Verdict
    from pytest_audioparity.records import Finding


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One named check of a round trip or of a codec's output.

    Attributes
    ----------
    name : of the check, or the keyword of the threshold that it holds
    verdict : `pass`, `fail` or `not_measured`, which does not pass
    message : what was found, in one sentence
    detail : the numbers
    findings : named causes
    """

    name: str
    verdict: Verdict
    message: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the verdict is PASS."""
        return self.verdict == PASS


@dataclass(frozen=True, slots=True)
class Checks:
    """Checks that were judged together, all of them before anything failed.

    Attributes
    ----------
    checks : those that were made, in the order of a report
    """

    checks: tuple[CheckResult, ...] = ()

    def __bool__(self) -> bool:
        """Be true only when passed, so that ``assert check_output(...)`` means what it says."""
        return self.passed

    @property
    def passed(self) -> bool:
        """Whether there was a check, and all passed."""
        return bool(self.checks) and not self.failed

    @property
    def verdict(self) -> Verdict:
        """`pass`, `fail`, or `not_measured` when nothing failed but something could not be measured."""
        if self.passed:
            return PASS
        return FAIL if not self.checks or any(check.verdict == FAIL for check in self.checks) else NOT_MEASURED

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    def __str__(self) -> str:
        """Say what did not pass, a line each."""
        lines = [f"{check.name}: {check.message}" for check in self.failed]
        return "\n".join(lines) or f"{len(self.checks)} checks pass"
