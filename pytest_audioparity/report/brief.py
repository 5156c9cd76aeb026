"""A test of a run in a few words, from what the record of the run says of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_audioparity.records import FAIL, NOT_MEASURED
from pytest_audioparity.report.jumps import Jump
from pytest_audioparity.report.numbers import decibel, percent, share_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Failure:
    """A parity test that failed.

    Attributes
    ----------
    test : node id
    account : what the record of the run says of it, None where it failed before it was judged
    message : the first line of what pytest says
    file : its file relative to the repository, None where it lies outside
    line : of its definition, counted from 1, None where that is not known
    """

    test: str
    account: Mapping[str, Any] | None
    message: str
    file: str | None = None
    line: int | None = None

    @property
    def is_by_stages(self) -> bool:
        """Whether it failed by its stages, and not by an exception that came before all were judged."""
        wrong = headline(self.account or {})
        return bool(wrong) and (wrong in self.message or not self.message)

    @property
    def said(self) -> str:
        """What is wrong in one line: with its stages, or what else ended it."""
        return headline(self.account or {}) if self.is_by_stages else self.message


def by_weight(failures: Iterable[Failure]) -> list[Failure]:
    """Sort failures: words that are lost first, then the largest deviations, then what has no number."""
    return sorted(failures, key=_weight)


def cause(failure: Failure) -> str:
    """Write why a test failed: what it raised, if it did, and the first cause of what its stages show, if they do."""
    account = failure.account or {}
    limit, stage = other_limit(account), first_stage(account)
    beside = f"stage {stage['name']!r} {limit}" if stage is not None and limit else ""
    found = "; ".join(text for text in (beside, finding(account)) if text)
    found = found or (headline(account) if stage is not None else "")
    said = "" if failure.is_by_stages and found else failure.said
    return "; before: ".join(text for text in (said, found) if text)


def _weight(failure: Failure) -> tuple[bool, bool, bool, float]:
    stage = first_stage(failure.account or {})
    off = 0.0 if stage is None else stage.get("deviation_db") or 0.0
    off = math.inf if stage is not None and is_infinite(stage) else off
    return not _is_lost(failure), not deviation(stage), failure.account is None, -off


def _is_lost(failure: Failure) -> bool:
    verdict = audio_verdict(failure.account or {})
    if verdict is None:
        return False
    from pytest_audioparity.audio.records import LOST

    return verdict in LOST


def first_stage(account: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the stage that diverged first, None where no stage did."""
    name = account.get("first_divergence")
    return next((stage for stage in account.get("stages") or () if stage["name"] == name), None)


def other_limit(account: Mapping[str, Any]) -> str:
    """Write by what the first divergence fails where its deviation is no more than it may be, else nothing."""
    stage = first_stage(account)
    if stage is None or {"deviation_db", "match"} & set(stage.get("failed") or ()):
        return ""
    if not stage.get("failed") and stage.get("findings"):  # another shape or dtype, which a finding tells
        return ""
    before, found, said = headline(account).partition(f"stage {stage['name']!r} ")
    return said if found and not before else ""


def is_infinite(stage: Mapping[str, Any]) -> bool:
    """Whether a deviation is null because it is infinite, which JSON lacks: it was measured, and is too much."""
    return stage.get("deviation_db") is None and "deviation_db" in (stage.get("failed") or ())


def decibels(stage: Mapping[str, Any]) -> str:
    """Write the deviation of a stage, empty where it has none in dB."""
    if is_infinite(stage):
        return "inf dB"
    return "" if stage.get("deviation_db") is None else f"{decibel(stage['deviation_db'])} dB"


def deviation(stage: Mapping[str, Any] | None) -> str:
    """Write how far a stage is off in all, empty where there is no number for it."""
    if stage is None:
        return ""
    differing = "" if stage.get("match") is None else f"{percent(1 - stage['match'])} of the codes"
    return decibels(stage) or differing


def own_deviation(stage: Mapping[str, Any] | None) -> str:
    """Write what part of a stage's deviation is its own, empty where that was not measured."""
    value = None if stage is None else stage.get("own_deviation_db")
    return "" if value is None else f"{decibel(value)} dB"


def allowed(stage: Mapping[str, Any] | None) -> str:
    """Write how far a stage may be off, empty where it is judged by something else than that."""
    if stage is None:
        return ""
    if stage.get("match") is not None:
        return f"{percent(1 - (stage.get('min_match') or 0.0))} of the codes"
    return "" if stage.get("tol_db") is None else f"{stage['tol_db']:.6g} dB"


def second_jump(account: Mapping[str, Any]) -> str:
    """Write which stage is off by far more than all before it, and from how much to how much, empty where none is."""
    jump = account.get("second_jump")
    if not jump:
        return ""
    before, after = (math.inf if jump[key] is None else jump[key] for key in ("before_db", "after_db"))
    return f"{jump['stage']}, {Jump(jump['stage'], before, after).text}"


def finding(account: Mapping[str, Any]) -> str:
    """Write the first cause of a failure with the share of the error that it explains, empty where none is known.

    Of a round trip it is the first check that does not pass.
    """
    found = account.get("finding")
    if found is not None:
        return f"{found['code']}{share_text(found['explains'])}: {found['message']}"
    return next((f"{check['name']}: {check['message']}" for check in _failed_checks(account)), "")


def finding_code(account: Mapping[str, Any]) -> str | None:
    """Return the name of the first cause of a failure; of a round trip the check that does not pass."""
    found = account.get("finding")
    return str(found["code"]) if found else next((check["name"] for check in _failed_checks(account)), None)


def headline(account: Mapping[str, Any]) -> str:
    """Say in one line what is wrong with the stages of a test, empty where nothing is."""
    return str(account.get("headline") or account.get("reason") or "")


def audio_verdict(account: Mapping[str, Any]) -> str | None:
    """Return the worst verdict on the audio of a test, None where nothing was listened to.

    What could not be judged is worse than what keeps its words (see `severity`): a clip that is fine says nothing of
    the clip beside it.
    """
    verdicts = [stage.get("audio") for stage in account.get("stages") or ()]
    trips = (*(account.get("roundtrips") or ()), *(account.get("passing_roundtrips") or ()))
    verdicts += [trip.get("audio_verdict") for trip in trips]
    heard = [verdict for verdict in verdicts if verdict]
    if not heard:
        return None
    # The package of the scorer is loaded where there is a score, and nowhere else.
    from pytest_audioparity.audio.records import severity

    return str(min(heard, key=severity))


def _failed_checks(account: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    trips = account.get("roundtrips") or ()
    return [check for trip in trips for check in trip["checks"] if check["verdict"] in (FAIL, NOT_MEASURED)]
