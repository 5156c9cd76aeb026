"""Whatever is given, a score comes back or a StageError, without a warning; and no number that is not one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.audio.fuzz import FATES, KINDS, RATES, check


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_crashes_the_scorer(kind, speech, random):
    names = list(KINDS)
    for turn in range(30):
        n, m = (int(10 ** random.uniform(0, 4.6)) for _ in range(2))
        other = names[(turn * 7) % len(names)]
        left, right = (np.resize(speech, size) for size in (n, n if turn % 2 else m))
        sides = KINDS[other](left, random), KINDS[kind](right, random)
        result = check(*sides, int(random.choice(RATES)), pesq=turn % 8 == 0)
        assert result is not None or other in ("NaN", "one Inf")


@pytest.mark.parametrize("fate", FATES)
def test_no_fate_of_the_estimate_crashes_the_scorer(fate, speech, random):
    """Lengths from a sample to a few seconds, and speech that begins, ends or jumps anywhere."""
    for turn in range(12):
        size = int(10 ** random.uniform(0, 4.8))
        start = int(random.integers(0, speech.size))
        left = np.resize(np.roll(speech, start), size)
        kind = "int16" if turn % 3 else "float16"
        rate = int(random.choice(RATES))
        assert check(left, KINDS[kind](FATES[fate](left, random), random), rate, pesq=False) is not None


def test_an_estimate_without_samples_is_silent(speech):
    result = check(speech, speech[:0], 16_000, pesq=True)
    assert result.verdict == "silent"
