"""Stages that may go by another name on each side: one is missing, one is extra, and their values or names agree."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_audioparity.check import check_stage
from pytest_audioparity.comparison.tolerances import nearest
from pytest_audioparity.errors import GoldenError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.records import StageTensor
    from pytest_audioparity.results import ParityResult, StageResult

# Extra stages for which a missing one is looked for, and missing ones that are read for each.
_MOST = 12


def with_namesakes(result: ParityResult, golden: Golden, obtained: Mapping[str, StageTensor]) -> ParityResult:
    """Return a result whose missing and extra stages say which of the others may be meant; nothing is paired.

    Parameters
    ----------
    result : of all stages
    golden : what was compared with
    obtained : the stages that failed, as they were recorded
    """
    missing = [stage.name for stage in result.stages if _code(stage) == "missing_stage" and stage.name in golden]
    extra = [stage for stage in result.stages if _code(stage) == "extra_stage" and stage.name in obtained]
    if not missing or not extra:
        return result
    pairs = dict(_pairs(missing, extra, golden, obtained))
    said: dict[str, tuple[str, str]] = {}
    for name, (held, is_equal) in pairs.items():
        values = ", which has the same values" if is_equal else ""
        said[name] = held, f"did you mean {held!r}{values}?"
        said[held] = name, f"{name!r} has its values" if is_equal else f"did you mean it by {name!r}?"
    stages = (_saying(stage, *said[stage.name]) if stage.name in said else stage for stage in result.stages)
    return replace(result, stages=tuple(stages))


def _pairs(
    missing: list[str], extra: list[StageResult], golden: Golden, obtained: Mapping[str, StageTensor]
) -> Iterator[tuple[str, tuple[str, bool]]]:
    """Yield each extra stage with the missing one that it may be, and whether their values agree; these come first."""
    left = []
    for stage in extra[:_MOST]:
        held = next((name for name in missing[:_MOST] if _agree(stage, golden, name, obtained)), None)
        if held is None:
            left.append(stage.name)
            continue
        missing = [name for name in missing if name != held]
        yield stage.name, (held, True)
    for name in left:
        near = nearest(name, missing)
        if near is not None:
            missing = [other for other in missing if other != near]
            yield name, (near, False)


def _agree(stage: StageResult, golden: Golden, held: str, obtained: Mapping[str, StageTensor]) -> bool:
    """Whether an extra stage would pass as a missing one. A constant tells nothing: many stages begin as zeros."""
    sides = stage.comparison
    if sides is None or sides.actual.min == sides.actual.max:
        return False
    with suppress(GoldenError):  # a golden that was altered has its own report
        return check_stage(golden.read(held), obtained[stage.name], stage.tolerance, causes=False).passed
    return False


def _code(stage: StageResult) -> str | None:
    return stage.findings[0].code if stage.findings and not stage.has_both_sides else None


def _saying(stage: StageResult, other: str, hint: str) -> StageResult:
    first, *rest = stage.findings
    if "meant" in first.detail:
        return stage
    said = replace(first, message=f"{first.message}; {hint}", detail={"meant": other, "hint": hint})
    return replace(stage, findings=(said, *rest))
