"""A second place to look: where the deviation jumps over all that came before, and own parts are not known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_audioparity.records import FAIL
from pytest_audioparity.report.numbers import decibel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.results import ParityResult, StageResult

# A healthy layer passes an error on at about its size, and a few in a row seldom more than double it; an order of
# magnitude in one stage is beyond that. It is a reason to look, not a proof: a network may amplify.
_JUMP = 10.0
# Behind an error of nine times the signal anything may come, as a layer whose units all die of it.
_LOST_DB = 20.0
SECOND_JUMP = "far more than anything before it, so its own fault unless it amplifies"


@dataclass(frozen=True, slots=True)
class Jump:
    """A stage that is off by far more than anything before it: how far, and how far the worst before it."""

    stage: str
    before_db: float
    after_db: float

    @property
    def text(self) -> str:
        """From how much to how much."""
        return f"{decibel(self.before_db)} -> {decibel(self.after_db)} dB"


def second_jump(result: ParityResult) -> Jump | None:
    """Return the largest jump of the deviation behind the first divergence, or None where none is large enough.

    A stage whose own part was measured needs no guess. What comes behind a stage that fails without a deviation (codes,
    shapes, NaN) may have all of it from there.
    """
    jumps = [jump for jump in _jumps(result) if jump.after_db >= _JUMP * jump.before_db and jump.before_db < _LOST_DB]
    return max(jumps, key=_ratio, default=None)


def _jumps(result: ParityResult) -> Iterator[Jump]:
    before, is_behind, first = 0.0, False, result.first_divergence
    for stage in result.stages:
        if is_behind and _is_unexplained(stage) and (stage.deviation_db or 0.0) > before:
            yield Jump(stage.name, before, stage.deviation_db or 0.0)
        if stage.has_both_sides and not stage.passed and stage.deviation_db is None:
            return
        before = max(before, stage.deviation_db or 0.0)
        is_behind = is_behind or stage.name == first


def _is_unexplained(stage: StageResult) -> bool:
    return stage.verdict == FAIL and stage.has_both_sides and stage.own_result is None


def _ratio(jump: Jump) -> float:
    return math.inf if jump.before_db == 0 else jump.after_db / jump.before_db
