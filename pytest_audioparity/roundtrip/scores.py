"""Thresholds on scores: what every clip has to keep, and what they may lose against the golden's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.checks import CheckResult
from pytest_audioparity.records import FAIL, PASS
from pytest_audioparity.roundtrip.output import of_clips
from pytest_audioparity.roundtrip.records import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_audioparity.roundtrip.limits import Limits
    from pytest_audioparity.roundtrip.records import Trip


def check_thresholds(trips: Sequence[Trip], limits: Limits) -> Iterator[CheckResult]:
    """Hold the scores of every clip to the thresholds that were set."""
    for prefix, thresholds in (("min", limits.least), ("max", limits.most)):
        for name, limit in thresholds.items():
            keyword = f"{prefix}_{name}"
            yield of_clips(keyword, [(trip.clip.name, _held(trip, name, limit, keyword)) for trip in trips])
    for name in limits.drop:  # what has a value is compared with the golden
        unknown = [(trip.clip.name, f) for trip in trips if (f := _unmeasured(trip, name, f"max_drop_{name}"))]
        if unknown:
            yield of_clips(f"max_drop_{name}", unknown)
    for keyword, most in (("max_wer", limits.max_wer), ("max_wer_rise", limits.max_wer_rise)):
        if most is not None:
            yield of_clips(keyword, [(trip.clip.name, _recognised(trip, keyword, most)) for trip in trips])


def _recognised(trip: Trip, keyword: str, limit: float) -> CheckResult:
    words = trip.words
    value = None if words is None else words.wer if keyword == "max_wer" else words.wer_rise
    if words is None or value is None:
        reason = "no words were recognised" if words is None else words.not_measured or words.rise_not_measured or ""
        return unmeasured(keyword, reason)
    what = "more word errors than in the clip" if keyword == "max_wer_rise" else "word errors"
    said = f"{value:.2f} {what}, at most {limit:.6g} is allowed: {words.text}"
    detail = {"wer": words.wer, "reference_wer": words.reference_wer, "limit": limit}
    return CheckResult(keyword, PASS if value <= limit else FAIL, said, detail)


def _unmeasured(trip: Trip, name: str, keyword: str) -> CheckResult | None:
    if trip.score is None:
        return unmeasured(keyword, "the output was not scored")
    measure = trip.score.measures[name]
    return None if measure.value is not None else unmeasured(keyword, f"{name} is not measured: {measure.not_measured}")


def _held(trip: Trip, name: str, limit: float, keyword: str) -> CheckResult:
    if (unknown := _unmeasured(trip, name, keyword)) is not None:
        return unknown
    assert trip.score is not None
    measure = trip.score.measures[name]
    assert measure.value is not None
    at_least = keyword.startswith("min")
    passed = measure.value >= limit if at_least else measure.value <= limit
    unit = "" if measure.unit == "1" else f" {measure.unit}"
    said = f"{measure.value:.3f}{unit}, at {'least' if at_least else 'most'} {limit:.6g} is asked for"
    return CheckResult(keyword, PASS if passed else FAIL, said, {name: measure.value, "limit": limit})


def stored_scores(trips: Sequence[Trip], limits: Limits) -> Iterator[tuple[str, str, float | None, float]]:
    """Return what a golden keeps: clip, name of the score, value (None where not measured), what it may lose."""
    for trip in trips:
        for name, drop in limits.drop.items():
            value = None if trip.score is None else trip.score.measures[name].value
            yield trip.clip.name, name, value, drop
