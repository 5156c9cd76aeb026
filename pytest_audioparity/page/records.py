"""What the page shows of a run, gathered before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_audioparity.records import FAIL, NOT_MEASURED, PASS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.runs import RunRecord

# What became of a test, in the order of the page, and the word for it.
STATES = {
    FAIL: "failed",
    NOT_MEASURED: "not measured",
    "planned": "planned",
    "created": "created",
    "updated": "updated",
    "skipped": "skipped",
    PASS: "passed",
}
BAD = (FAIL, NOT_MEASURED)


@dataclass(frozen=True, slots=True)
class Shown:
    """One test.

    Attributes
    ----------
    account : what the run's record says of it
    result : its result as a JSON document, where it failed and that was kept; None otherwise
    report : the same as text
    expected, obtained : its golden and what it obtained; None where there is none to be read
    compared : fingerprints of the golden's stages that it was compared with, None where the golden had none
    commands : what to do about it
    problem : why nothing more can be shown, where that is so
    """

    account: Mapping[str, Any]
    result: Mapping[str, Any] | None = None
    report: str = ""
    expected: Golden | None = None
    obtained: Golden | None = None
    compared: Mapping[str, str | None] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def test(self) -> str:
        """Its node id."""
        return str(self.account["test"])

    @property
    def state(self) -> str:
        """What became of it, one of STATES; what the record does not say counts as failed."""
        verdict, outcome = str(self.account.get("verdict")), str(self.account.get("outcome"))
        if outcome == "failed":
            return NOT_MEASURED if verdict == NOT_MEASURED else FAIL
        if outcome in STATES:
            return outcome
        return PASS if verdict == PASS and outcome == "passed" else FAIL


@dataclass(frozen=True, slots=True)
class Gallery:
    """A run and its tests.

    Attributes
    ----------
    title, record : of the run
    tests : what the record says of each, those that fail first
    opened : returns one of them with all else that is known of it. Its tensors are open as long as that is there: those
        of all tests may be larger than the memory
    problems : what could not be read
    """

    title: str
    record: RunRecord
    tests: tuple[Shown, ...]
    opened: Callable[[Shown], Shown]
    problems: tuple[str, ...] = ()
