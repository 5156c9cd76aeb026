"""What the page shows of a run, gathered before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.runs import RunRecord


@dataclass(frozen=True, slots=True)
class Shown:
    """One test.

    Attributes
    ----------
    account : what the run's record says of it
    result : its result as a JSON document, where it failed and that was kept; None otherwise
    report : the same as text
    expected, obtained : its golden and what it obtained; None where there is none to be read
    commands : what to do about it
    problem : why nothing more can be shown, where that is so
    """

    account: Mapping[str, Any]
    result: Mapping[str, Any] | None = None
    report: str = ""
    expected: Golden | None = None
    obtained: Golden | None = None
    commands: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def test(self) -> str:
        """Its node id."""
        return str(self.account["test"])

    @property
    def verdict(self) -> str:
        """Which of pass, fail, not_measured; what did not run to its end has failed."""
        if self.account.get("outcome") == "failed":
            return "not_measured" if self.account.get("verdict") == "not_measured" else "fail"
        return str(self.account.get("verdict") or self.account.get("outcome") or "pass")


@dataclass(frozen=True, slots=True)
class Gallery:
    """A run and its tests, those that fail first."""

    title: str
    record: RunRecord
    tests: tuple[Shown, ...] = field(default_factory=tuple)
