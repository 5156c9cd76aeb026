"""A result as the JSON document of schema 1: no NaN and no infinity, such numbers are null."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_audioparity.hearing import unjudged
from pytest_audioparity.report.attribution import told_of
from pytest_audioparity.report.jumps import second_jump

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_audioparity.audio.records import Score
    from pytest_audioparity.records import Finding, Side
    from pytest_audioparity.results import ParityResult, StageResult
    from pytest_audioparity.roundtrip.records import RoundtripResult

SCHEMA = 1
_OF_A_CLIP = ("name", "verdict", "scores", "garbled_seconds", "estoi_over_time")


def document(result: ParityResult) -> dict[str, Any]:
    """Return a result as a JSON-ready dictionary."""
    entries: dict[str, Any] = plain(
        {
            "schema": SCHEMA,
            "verdict": result.verdict,
            "first_divergence": result.first_divergence,
            "second_jump": jump_document(result),
            "reason": result.reason,
            "notes": dict(result.notes),
            "settings": [
                {"name": s.name, "expected": s.expected, "actual": s.actual, "verdict": s.verdict, "problem": s.problem}
                for s in result.settings
            ],
            "stages": [stage_document(stage) for stage in result.stages],
            **({"roundtrips": [_roundtrip(one) for one in result.roundtrips]} if result.roundtrips else {}),
        }
    )
    return entries


def stage_document(stage: StageResult) -> dict[str, Any]:
    """Return one stage as a dictionary; every number is there, null where it does not exist."""
    numbers, tolerance, meta = stage.comparison, stage.tolerance, stage.meta
    entry: dict[str, Any] = {
        "name": meta.name,
        "verdict": stage.verdict,
        "kind": meta.kind,
        "axes": meta.axes,
        "unit": meta.unit,
        "sample_rate": meta.sample_rate,
        "frame_rate": meta.frame_rate,
    }
    for key in (
        "deviation_db",
        "peak_db",
        "snr_db",
        "level_db",
        "bias",
        "correlation",
        "gain",
        "offset",
        "max_abs",
        "match",
    ):
        entry[key] = getattr(numbers, key, None)
    entry["tol_db"] = None if meta.kind == "codes" else tolerance.tol_db
    entry["tol_peak_db"] = None if meta.kind == "codes" else tolerance.tol_peak_db
    entry["smallest_tol_db"] = stage.smallest_tol_db
    entry["margin_db"] = stage.margin_db
    entry["failed"] = [c.name for c in stage.criteria if not c.passed]
    entry["expected"] = side_document(numbers.expected) if numbers else None
    entry["actual"] = side_document(numbers.actual) if numbers else None
    entry["worst"] = _worst(stage)
    entry["details"] = dict(numbers.details) if numbers else {}
    entry["reason"] = stage.reason
    entry["findings"] = _findings(stage.findings)
    entry["audio"] = _audio(stage)
    return entry | _own(stage)


def _findings(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    return [{"code": f.code, "explains": f.explains, "detail": dict(f.detail), "message": f.message} for f in findings]


def _audio(stage: StageResult) -> dict[str, Any] | None:
    """Return what a waveform sounds like, the worst channel of it, as `audioparity score` does; None if not known."""
    if stage.audio is None:
        return None
    from pytest_audioparity.audio.report import document as scores

    label, result = stage.audio.worst
    return {**scores(result), "channel": label or None, "channels": stage.audio.channels, "lost": stage.audio.lost}


def _own(stage: StageResult) -> dict[str, Any]:
    """Return what a step did on the golden's inputs; all null or empty where that was not measured."""
    own, result = stage.own, stage.own_result
    return {
        "own_verdict": None if result is None else result.verdict,
        "own_deviation_db": stage.own_db,
        "own_match": None if result is None or result.comparison is None else result.comparison.match,
        "own_findings": [] if result is None else _findings(result.findings),
        "own_note": None if own is None else own.note,
        "inherited_from": [] if own is None else list(own.inherited_from),
        "used_as_given": [] if own is None else list(own.as_given),
    }


def _roundtrip(trip: RoundtripResult) -> dict[str, Any]:
    """Return a round trip as a dictionary of the JSON document; infinities are left to the writer."""
    from pytest_audioparity.audio.report import document as scores

    def scored(items: tuple[tuple[str, Score | None], ...]) -> list[dict[str, Any]]:
        return [{"name": name, **({} if score is None else scores(score))} for name, score in items]

    return {
        "name": trip.name,
        "verdict": trip.verdict,
        "audio_verdict": trip.audio_verdict,
        "about": trip.about,
        "checks": [
            {
                "name": check.name,
                "verdict": check.verdict,
                "message": check.message,
                "detail": dict(check.detail),
                "findings": _findings(check.findings),
            }
            for check in trip.checks
        ],
        "clips": scored(trip.clips),
        "streams": scored(trip.streams),
    }


def compact(stage: StageResult) -> dict[str, Any]:
    """Return the numbers that decided a stage, for the record of a run: enough to judge it again with other limits."""
    numbers, tolerance = stage.comparison, stage.tolerance
    entry: dict[str, Any] = {"name": stage.name, "kind": stage.meta.kind, "verdict": stage.verdict}
    for key in ("deviation_db", "peak_db", "snr_db", "match", "excess"):
        value = getattr(numbers, key, None)
        entry[key] = value if value is None or math.isfinite(value) else None
    entry["own_deviation_db"] = plain(stage.own_db)
    for key in ("tol_db", "tol_peak_db", "peak_is_derived", "min_snr_db", "min_match", "atol", "max_drop"):
        entry[key] = getattr(tolerance, key)
    entry["failed"] = [c.name for c in stage.criteria if not c.passed]
    entry["not_judged"] = unjudged(stage)
    entry["audio"] = None if stage.audio is None else stage.audio.worst[1].verdict
    entry["reason"] = stage.reason
    entry["findings"] = [f.code for f in stage.findings]
    return entry


def jump_document(result: ParityResult) -> dict[str, Any] | None:
    """Return the second place to look as a dictionary, or None where there is none."""
    jump = second_jump(result)
    return None if jump is None else {key: plain(value) for key, value in asdict(jump).items()}


def first_finding(result: ParityResult) -> dict[str, Any] | None:
    """Return the best cause of the first divergence, for the record of a run, or None where there is none."""
    name = result.first_divergence
    first = next((stage for stage in result.stages if stage.name == name), None)
    found = () if first is None else told_of(first).findings
    if not found:
        return None
    return {"code": found[0].code, "explains": plain(found[0].explains), "message": found[0].message}


def compact_roundtrips(result: ParityResult) -> list[dict[str, Any]]:
    """Return the round trips that do not pass, for the record of a run: what was found, and the scores of every clip.

    Nothing else keeps them: a round trip has no tensors that could wait for review.
    """
    whole = [_roundtrip(trip) for trip in result.roundtrips if not trip.passed]
    for trip in whole:
        for check in trip["checks"]:
            del check["detail"]
        for clips in ("clips", "streams"):
            trip[clips] = [{key: clip[key] for key in _OF_A_CLIP if key in clip} for clip in trip[clips]]
    return [plain(trip) for trip in whole]


def passing_roundtrips(result: ParityResult) -> list[dict[str, Any]]:
    """Return a line of each round trip that passes, for the record of a run: its clips and their worst ESTOI."""
    return [
        {
            "name": trip.name,
            "clips": len(trip.clips),
            "audio_verdict": trip.audio_verdict,
            "estoi": min((s.estoi for _, s in trip.clips if s is not None and s.estoi is not None), default=None),
        }
        for trip in result.roundtrips
        if trip.passed
    ]


def plain(value: Any) -> Any:
    """Return a value with everything that JSON lacks replaced: infinities and NaN by null, tuples by lists."""
    if value is None or isinstance(value, (str, int)):  # most of a record of a run, of which there may be millions
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def side_document(side: Side) -> dict[str, Any] | None:
    """Return one side as a dictionary, or None when it is absent."""
    if not side.dtype:
        return None
    return {
        "shape": side.shape,
        "dtype": side.dtype,
        "min": side.min,
        "max": side.max,
        "mean": side.mean,
        "std": side.std,
        "nan": side.nan,
        "inf": side.inf,
    }


def _worst(stage: StageResult) -> dict[str, Any] | None:
    worst = stage.comparison.worst if stage.comparison else None
    if worst is None:
        return None
    return {
        "index": worst.index,
        "label": worst.label,
        "seconds": worst.seconds,
        "expected": worst.expected,
        "actual": worst.actual,
    }
