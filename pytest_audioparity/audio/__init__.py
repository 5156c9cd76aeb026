"""Whether decoded audio is still speech, and how good it is; `docs/audio.md` explains every number."""

from __future__ import annotations

from pytest_audioparity.audio.jobs import cached_score
from pytest_audioparity.audio.many import Item, score_many
from pytest_audioparity.audio.records import Measure, Score
from pytest_audioparity.audio.scoring import score

__all__ = ["Item", "Measure", "Score", "cached_score", "score", "score_many"]
