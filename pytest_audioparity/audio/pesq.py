"""PESQ (ITU-T P.862, P.862.2) by the package `pesq`, in a process of its own.

Its C code has tables of 50 utterances that it overruns on long clips: a segmentation fault, or a wrong score. Clips go
to it in chunks of at most 15 s, and should it crash all the same, the score is missing and nothing else. One process
serves all clips of this one.
"""

from __future__ import annotations

import importlib.util
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.audio.pesq_process import ANSWER, REQUEST
from pytest_audioparity.audio.worker import CrashedError, Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

WIDE_RATE, NARROW_RATE = 16_000, 8_000
# Its table holds 50 utterances, which cannot fit into 15 s; measured, the mean of chunks is that of the whole.
CHUNK_SECONDS = 15.0
# Below a quarter of a second the C code refuses.
SHORTEST_SECONDS = 0.25
# 15 s take 0.2 s on an idle core.
_PATIENCE_SECONDS = 120.0
_NO_UTTERANCES = -7.0
# What may go well the next time: the process was killed, or the program was ending.
_CRASHED, _INTERRUPTED = ("PESQ's C code ended its process", "PESQ did not answer"), "PESQ was interrupted"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A score from 1.04 to 4.64 (wide band) or 4.55 (narrow band), or the reason why there is none."""

    score: float | None
    reason: str | None = None


def problem(seconds: float) -> str | None:
    """Say why PESQ cannot be asked at all, or return None."""
    if importlib.util.find_spec("pesq") is None:
        return "the package pesq is not installed: pip install 'pytest-audioparity[pesq]'"
    if seconds < SHORTEST_SECONDS:
        return f"{seconds:.2f} s is too short: PESQ needs {SHORTEST_SECONDS} s"
    return None


def is_accident(reason: str) -> bool:
    """Whether a score is missing for a reason that says nothing about the audio."""
    return reason.startswith((*_CRASHED, _INTERRUPTED))


def begin(reference: Array, estimate: Array, rate: int, *, wide: bool) -> Callable[[], Outcome]:
    """Start scoring in the other process; what is returned waits for the result.

    Parameters
    ----------
    reference, estimate : shape (time,), float64, finite, equally long, at least 0.25 s; `problem` is None
    rate : 8000 or 16 000, wide band 16 000 only
    """
    pieces = max(1, int(np.ceil(reference.size / (CHUNK_SECONDS * rate))))
    peak = max(float(np.max(np.abs(side))) for side in (reference, estimate))
    if not np.any(reference) or not np.any(estimate):
        return lambda: Outcome(None, "one side is silent")
    chunks = list(
        zip(*(np.array_split((side / peak).astype("<f4"), pieces) for side in (reference, estimate)), strict=True)
    )
    outcome: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcome.append(_scored(chunks, rate, wide)), daemon=True)
    thread.start()

    def wait() -> Outcome:
        thread.join()
        return outcome[0] if outcome else Outcome(None, _INTERRUPTED)

    return wait


def _scored(chunks: list[tuple[Array, Array]], rate: int, wide: bool) -> Outcome:
    scores = []
    for reference, estimate in chunks:
        if not reference.any() or not estimate.any():
            continue
        try:
            head = REQUEST.pack(rate, int(wide), reference.size, estimate.size)
            question = head + reference.tobytes() + estimate.tobytes()
            status, score = ANSWER.unpack(_WORKER.ask(question, patience_seconds=_PATIENCE_SECONDS))
        except CrashedError as error:
            return Outcome(None, str(error))
        if status == 0:
            scores.append(score)
        elif status != _NO_UTTERANCES:
            return Outcome(None, f"PESQ's error {status:.0f}")
    return Outcome(float(np.mean(scores))) if scores else Outcome(None, "PESQ finds no speech in it")


_WORKER = Worker("pytest_audioparity.audio.pesq_process", "PESQ")
