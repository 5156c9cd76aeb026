"""Anything that may be given to `score`: ``python -m tests.audio.fuzz --seconds 600`` from the repository's root.

The tests take a seeded sample of seconds; this takes minutes of audio, in the time that it takes.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import soundfile

from pytest_audioparity import StageError, score
from pytest_audioparity.audio.records import VERDICTS, Score
from tests.audio.verdicts import SPEECH

Array = np.ndarray[Any, Any]
RATES = (4000, 8000, 12_345, 16_000, 22_050, 44_100, 48_000, 96_000, 768_000)
KINDS = {
    "zeros": lambda speech, _: speech * 0,
    "constant": lambda speech, _: speech * 0 + 0.3,
    "noise": lambda speech, random: random.standard_normal(speech.size),
    "speech": lambda speech, _: speech,
    "tiny": lambda speech, _: speech * 1e-30,
    "huge": lambda speech, _: speech * 1e30,
    "click": lambda speech, _: np.eye(1, speech.size, speech.size // 2)[0],
    "NaN": lambda speech, _: speech * np.nan,
    "one Inf": lambda speech, _: np.where(np.arange(speech.size) == speech.size // 3, np.inf, speech),
    "tone": lambda speech, _: np.sin(np.arange(speech.size) * 0.05),
    "int16": lambda speech, _: (speech * 32767).astype(np.int16),
    "int32": lambda speech, _: (speech * 2e9).astype(np.int32),
    "float16": lambda speech, _: speech.astype(np.float16),
    "big-endian": lambda speech, _: speech.astype(">f4"),
    "every other sample": lambda speech, _: np.repeat(speech, 2)[::2],
    "a row": lambda speech, _: speech[None, :],
    "a column": lambda speech, _: speech[:, None].astype(np.float32),
    "bursts": lambda speech, random: (
        speech * np.repeat(random.random(speech.size // 999 + 1) > 0.7, 999)[: speech.size]
    ),
}
# What happened to the other side, where it is the same speech.
FATES = {
    "the same": lambda speech, _: speech,
    "a jump": lambda speech, random: np.concatenate(
        [speech[: speech.size // 2], np.zeros(int(random.integers(0, 9000))), speech[speech.size // 2 :]]
    ),
    "a piece missing": lambda speech, random: np.delete(
        speech, slice(speech.size // 3, speech.size // 3 + int(random.integers(0, 30_000)))
    ),
    "cut off": lambda speech, random: speech[: int(random.integers(0, speech.size + 1))],
    "begins late": lambda speech, random: speech[int(random.integers(0, speech.size + 1)) :],
    "said twice": lambda speech, _: np.tile(speech, 2),
    "backwards": lambda speech, _: speech[::-1],
    "out of order": lambda speech, random: np.concatenate(
        [
            part
            for _, part in sorted(((random.random(), part) for part in np.array_split(speech, 9)), key=lambda p: p[0])
        ]
    ),
}


def check(reference: Array, estimate: Array, sample_rate: int, *, pesq: bool) -> Score | None:
    """Score and look at what came; None where it was refused, which only a reference that is no audio is.

    Raises
    ------
    AssertionError : something came that should not
    """
    try:
        result = score(reference, estimate, sample_rate=sample_rate, pesq=pesq)
    except StageError:
        assert not (reference.size and np.isfinite(np.asarray(reference, dtype=np.float64)).all())
        return None
    assert result.verdict in (*VERDICTS, "not_measured")
    for measure in result.measures.values():
        assert (measure.value is None) == (measure.not_measured is not None)
        assert measure.value is None or not math.isnan(measure.value)
    for name in ("stoi", "estoi"):
        value = getattr(result, name)
        assert value is None or -1 - 1e-9 <= value <= 1 + 1e-9
    for spans in (result.garbled_seconds, result.invented_seconds):
        assert all(start < end for start, end in spans)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(result.garbled_seconds))
    return result


def main(arguments: Iterable[str] | None = None) -> None:
    """Try what takes long."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the longest clips")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(None if arguments is None else list(arguments))
    random = np.random.default_rng(given.seed)
    speech = soundfile.read(SPEECH / "librivox_sense_and_sensibility_0930.wav")[0]
    for turn in range(given.turns):
        kind, fate = (str(random.choice(list(table))) for table in (KINDS, FATES))
        rate = int(random.choice(RATES[:-1]))
        size = int(random.uniform(0.1, 1) * given.seconds * rate)
        left = np.resize(speech, size)
        result = check(left, KINDS[kind](FATES[fate](left, random), random), rate, pesq=False)
        print(turn, size, rate, fate, kind, None if result is None else result.verdict, flush=True)  # noqa: T201 - its job


if __name__ == "__main__":
    main()
