"""Another length along an axis that nobody declared: time, if that is where neighbours are alike."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare

RNG = np.random.default_rng(9)
# Frames first, as hidden states have them: slow along time, with channels of their own.
HIDDEN = np.stack([np.convolve(RNG.standard_normal(208), np.ones(9) / 3, "valid") for _ in range(64)], axis=1)[None]


@pytest.mark.parametrize("frames", [-1, -20, 1, 40])
@pytest.mark.parametrize("batch", [True, False])
def test_frames_that_come_first_are_frames(frames, batch):
    hidden = (HIDDEN if batch else HIDDEN[0]).astype(np.float32)
    time = hidden.ndim - 2
    actual = np.take(hidden, range(200 + frames), time, mode="clip")
    found = compare(hidden, actual).findings[0]

    assert (found.code, found.detail["difference"], found.detail["where"]) == ("length", frames, "end")


@pytest.mark.parametrize("channels", [-1, -8, 3])
def test_channels_that_come_first_are_channels(channels):
    hidden = np.swapaxes(HIDDEN, 1, 2).astype(np.float32)
    actual = np.take(hidden, range(64 + channels), 1, mode="clip")

    assert compare(hidden, actual).findings[0].code == "missing_channels"
