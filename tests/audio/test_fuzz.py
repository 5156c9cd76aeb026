"""Whatever is given, a score comes back or a StageError, without a warning; and no number that is not one."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import StageError, score
from pytest_audioparity.audio.records import VERDICTS

RATES = (4000, 8000, 12_345, 16_000, 22_050, 44_100, 48_000, 96_000)
KINDS = {
    "zeros": lambda speech, _: speech * 0,
    "constant": lambda speech, _: speech * 0 + 0.3,
    "noise": lambda speech, random: random.standard_normal(speech.size),
    "speech": lambda speech, _: speech,
    "tiny": lambda speech, _: speech * 1e-30,
    "huge": lambda speech, _: speech * 1e30,
    "click": lambda speech, _: np.eye(1, speech.size, speech.size // 2)[0],
    "NaN": lambda speech, _: speech * np.nan,
    "tone": lambda speech, _: np.sin(np.arange(speech.size) * 0.05),
    "int16": lambda speech, _: (speech * 32767).astype(np.int16),
    "float16": lambda speech, _: speech.astype(np.float16),
}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_crashes_the_scorer(kind, speech, random):
    names = list(KINDS)
    for turn in range(40):
        n, m = (int(10 ** random.uniform(0, 4.6)) for _ in range(2))
        other = names[turn % len(names)]
        left, right = (np.resize(speech, size) for size in (n, n if turn % 2 else m))
        sides = KINDS[other](left, random), KINDS[kind](right, random)
        try:
            result = score(*sides, sample_rate=int(random.choice(RATES)), pesq=turn % 8 == 0)
        except StageError:
            assert other == "NaN"
            continue
        assert result.verdict in (*VERDICTS, "not_measured")
        for measure in result.measures.values():
            assert (measure.value is None) == (measure.not_measured is not None)
            assert measure.value is None or not np.isnan(measure.value)
