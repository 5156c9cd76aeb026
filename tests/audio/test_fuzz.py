"""Whatever is given, a score comes back or a StageError, without a warning; and no number that is not one."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import StageError, score
from pytest_audioparity.audio.records import VERDICTS

RATES = (4000, 8000, 12_345, 16_000, 22_050, 44_100, 48_000, 96_000)
KINDS = {
    "zeros": lambda n, speech, random: np.zeros(n),
    "constant": lambda n, speech, random: np.full(n, 0.3),
    "noise": lambda n, speech, random: random.standard_normal(n),
    "speech": lambda n, speech, random: np.resize(speech, n),
    "tiny": lambda n, speech, random: np.resize(speech, n) * 1e-30,
    "huge": lambda n, speech, random: np.resize(speech, n) * 1e30,
    "click": lambda n, speech, random: np.eye(1, n, n // 2)[0],
    "NaN": lambda n, speech, random: np.full(n, np.nan),
    "tone": lambda n, speech, random: np.sin(np.arange(n) * 0.05),
    "int16": lambda n, speech, random: (np.resize(speech, n) * 32767).astype(np.int16),
    "float16": lambda n, speech, random: np.resize(speech, n).astype(np.float16),
}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_crashes_the_scorer(kind, speech, random):
    names = list(KINDS)
    for turn in range(40):
        n, m = (int(10 ** random.uniform(0, 4.6)) for _ in range(2))
        other = names[turn % len(names)]
        sides = (KINDS[other](n, speech, random), KINDS[kind](n if turn % 2 else m, speech, random))
        try:
            result = score(*sides, sample_rate=int(random.choice(RATES)), pesq=turn % 8 == 0)
        except StageError:
            assert other == "NaN"
            continue
        assert result.verdict in (*VERDICTS, "not_measured")
        for measure in result.measures.values():
            assert (measure.value is None) == (measure.not_measured is not None)
            assert measure.value is None or not np.isnan(measure.value)
