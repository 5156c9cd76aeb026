"""What is wrong with a result, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.report.attribution import settings_problem
from pytest_audioparity.report.criteria import AT_LEAST, SAY, UNIT, limit_text, value_text
from pytest_audioparity.report.numbers import decibel, percent, share_of
from pytest_audioparity.report.roundtrips import roundtrip_problem

if TYPE_CHECKING:
    from pytest_audioparity.results import Criterion, ParityResult, StageResult

_STRUCTURE = {
    "missing_stage": "is missing in actual",
    "extra_stage": "is not among the expected ones",
    "shape": "has another shape",
    "nonfinite": "has values that are not finite",
    "dtype": "has another dtype",
}


def headline(result: ParityResult) -> str:
    """Say in one line what is wrong, or that all is well."""
    if result.reason is not None:
        return result.reason
    if (wrong := roundtrip_problem(result)) is not None:
        return wrong
    name = result.first_divergence
    if name is None and (wrong := settings_problem(result)) is not None:
        return wrong
    first = next((stage for stage in result.stages if stage.name == name), None)
    if first is None and result.roundtrips:
        return "the round trip passes"
    if first is None:
        return share_of(len(result.stages), len(result.stages), "pass")
    return f"stage {name!r} {_what(first)}"


def _what(stage: StageResult) -> str:
    if stage.verdict == "not_measured":
        return f"cannot be measured: {stage.reason}"
    # What could not be measured comes after what was, and was too little.
    failed = min((c for c in stage.criteria if not c.passed), key=lambda c: c.value is None, default=None)
    found = next((f for f in stage.findings if f.code in _STRUCTURE), None)
    if found and (failed is None or found.code != "dtype"):
        return "; ".join(filter(None, (_STRUCTURE[found.code], found.detail.get("hint"))))
    if failed is not None and failed.name == "words":
        others = [c for c in stage.criteria if not c.passed and c is not failed]
        so_far = "has lost its words" if others else "passes its other limits, but its words are lost"
        return f"{so_far}{_verdict(stage)}"
    if failed is not None and failed.name == "drop":
        return f"has lost {failed.value or 0.0:.3g}, allowed {failed.limit:.6g}"
    if failed is not None and failed.name in AT_LEAST:
        unit = UNIT.get(failed.name, "")
        what = f"a {AT_LEAST[failed.name]} of {value_text(failed)}{unit}"
        return f"has {what}, at least {failed.limit:.6g}{unit} is asked for"
    if failed is not None:
        return f"is off by {_amount(failed)}, allowed {_limit(failed)}"
    return f"does not fit: {stage.reason}" if stage.reason else "fails"


def _amount(criterion: Criterion) -> str:
    if criterion.name == "match":
        return f"{percent(1 - (criterion.value or 0.0))} of its codes"
    amount = f"{decibel(criterion.value)}{UNIT.get(criterion.name, '')}"
    return amount if criterion.name == "deviation_db" else f"{amount} ({SAY[criterion.name]})"


def _limit(criterion: Criterion) -> str:
    if criterion.name == "match":
        return percent(1 - criterion.limit)
    return limit_text(criterion)


def _verdict(stage: StageResult) -> str:
    return "" if stage.audio is None else f" ({stage.audio.worst[1].verdict.replace('_', ' ')})"
