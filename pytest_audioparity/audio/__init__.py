"""Whether decoded audio is still speech, and how good it is; `docs/audio.md` explains every number."""

from __future__ import annotations

from pytest_audioparity.audio.records import Measure, Score
from pytest_audioparity.audio.scoring import score

__all__ = ["Measure", "Score", "score"]
