"""Time that runs at another speed: which ratio, and whether it is that of two sample rates."""

from __future__ import annotations

import numpy as np
import pytest

from tests.diagnosis.test_permutations import mel
from tests.diagnosis.test_search import findings

MEL = np.tile(mel(0), 2)[:, :300]
DECLARED = {"kind": "log_spectrum", "unit": "ln", "axes": "CT"}


def run(ratio):
    """Return the mel with time run that many times as fast."""
    frames = np.arange(MEL.shape[1])
    return np.stack([np.interp(frames * ratio, frames, row) for row in MEL]).astype(np.float32)


@pytest.mark.parametrize("ratio", [256 / 240, 1.07, 1.075, 1.1, 1.105])
def test_a_speed_near_the_ratio_of_two_rates_is_not_called_theirs(ratio):
    first = findings(MEL, run(ratio), **DECLARED)[0]
    assert first.code == "sample_rate"
    assert first.detail["ratio"] == pytest.approx(ratio, abs=0.002)
    assert "rates" not in first.detail
    assert "no two usual rates" in first.message


@pytest.mark.parametrize("rates", [[24_000, 22_050], [48_000, 44_100], [44_100, 48_000], [11_025, 12_000]])
def test_the_ratio_of_two_rates_is_called_theirs(rates):
    first = findings(MEL, run(rates[0] / rates[1]), **DECLARED)[0]
    assert first.code == "sample_rate"
    assert first.detail["rates"][0] / first.detail["rates"][1] == pytest.approx(rates[0] / rates[1])
