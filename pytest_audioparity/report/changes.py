"""What an update or an acceptance changes, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.records import NOT_MEASURED, shape_text
from pytest_audioparity.report.numbers import decibel, percent, score_text

if TYPE_CHECKING:
    from pytest_audioparity.results import StageResult

# Verdicts of audio that a list of changes need not mention.
_GOOD = (None, "ok", NOT_MEASURED)


def change(stage: StageResult) -> str:
    """Say in one phrase what an update changes in a stage: how far the new tensor is from the old, or what else."""
    code = next((f.code for f in stage.findings if f.code in ("missing_stage", "extra_stage")), None)
    if code == "missing_stage":
        return "removed"
    if code == "extra_stage":
        return "added"
    comparison = stage.comparison
    if comparison is not None and comparison.expected.shape != comparison.actual.shape:
        return f"{shape_text(comparison.expected.shape)} -> {shape_text(comparison.actual.shape)}"
    if (dtype := next((f for f in stage.findings if f.code == "dtype"), None)) is not None:
        return f"{dtype.detail['expected']} -> {dtype.detail['actual']}"
    if stage.reason is not None and (stage.verdict != NOT_MEASURED or stage.deviation_db is None):
        return stage.reason
    if comparison is not None and stage.tolerance.max_drop is not None:  # a score
        return f"{score_text(comparison.expected)} -> {score_text(comparison.actual)}"
    if comparison is not None and comparison.match is not None:
        return f"{percent(1 - comparison.match)} of the codes changed"
    if stage.deviation_db is not None:
        return f"old -> new {decibel(stage.deviation_db)} dB{_audio(stage)}"
    return "changed"


def _audio(stage: StageResult) -> str:
    """Say what the new audio is, against the old, where that is not good or could not be told."""
    if stage.audio is None and stage.meta.kind == "waveform" and stage.tolerance.words == "kept":
        return ", not listened to"
    verdict = None if stage.audio is None else stage.audio.worst[1].verdict
    return "" if verdict in _GOOD else f", audio {str(verdict).replace('_', ' ')}"
