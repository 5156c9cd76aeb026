"""What a check of a sampler returns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_audioparity.records import PASS

if TYPE_CHECKING:
    from pytest_audioparity.keywords import Verdict
    from pytest_audioparity.records import Finding


@dataclass(frozen=True, slots=True)
class FaultPower:
    """How many draws show a fault in 95 of 100 runs; infinite where it changes nothing for these logits."""

    fault: str
    draws: float


@dataclass(frozen=True, slots=True)
class SamplerResult:
    """The verdict on one sampler.

    Attributes
    ----------
    verdict : "pass", "fail", or "not_measured" when the draws are too few to show any fault of the settings
    expected : the settings in words, with the number of tokens that they leave
    draws : number of draws that were judged
    p_value : upper bound of the chance that a right sampler gives draws as strange as these; 0.0 if it cannot
    false_alarm : the draws fail when `p_value` is at most this
    check : the check that failed ("support" for impossible draws), None if none did
    impossible : tokens drawn that have probability zero, the most frequent first
    impossible_draws : number of draws of such tokens
    finding : what the draws look like, for draws that fail; `code` names the causes, joined by "+"
    power : the faults that were considered, with the number of draws that each needs
    """

    verdict: Verdict
    expected: str
    draws: int
    p_value: float
    false_alarm: float
    check: str | None = None
    impossible: tuple[int, ...] = ()
    impossible_draws: int = 0
    finding: Finding | None = None
    power: tuple[FaultPower, ...] = ()

    def __bool__(self) -> bool:
        """Be true only when passed, so that ``assert check_sampler(...)`` means what it says."""
        return self.passed

    @property
    def passed(self) -> bool:
        """Whether the verdict is PASS."""
        return self.verdict == PASS

    @property
    def cannot_exclude(self) -> tuple[str, ...]:
        """The faults that so few draws of these logits would not have shown, each with what would show it."""
        hidden = (power for power in self.power if power.draws > self.draws)
        return tuple(
            f"{power.fault}: changes nothing here, give other logits"
            if math.isinf(power.draws)
            else f"{power.fault}: needs {power.draws:.2g} draws"
            for power in hidden
        )
