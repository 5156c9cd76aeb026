"""The channels of a stage, and which of them speaks for it."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity.audio.channels import hear, paired, verdict_lines
from pytest_audioparity.errors import StageError

RATE = 16_000


@pytest.mark.parametrize(
    ("shape", "axes", "labels"),
    [
        ((9,), None, [""]),
        ((1, 1, 9), None, [""]),
        ((1, 9), "CT", [""]),
        ((9, 2), "TC", ["C=0", "C=1"]),
        ((2, 1, 9), "BCT", ["B=0", "B=1"]),
        ((2, 9, 2), "BTC", ["B=0 C=0", "B=0 C=1", "B=1 C=0", "B=1 C=1"]),
    ],
)
def test_channels_are_parted_along_time(shape, axes, labels):
    """Every axis but T names a channel; axes of length 1 do not."""
    array = np.arange(np.prod(shape)).reshape(shape)
    pairs = paired(array, array, axes)
    assert list(pairs) == labels
    rows = np.moveaxis(array, (axes or "..T"[-array.ndim :]).index("T"), -1).reshape(-1, 9)
    assert all(np.array_equal(side, row) for pair, row in zip(pairs.values(), rows, strict=True) for side in pair)


@pytest.mark.parametrize(
    ("expected", "actual", "axes", "said"),
    [
        (np.ones((2, 9)), np.ones((2, 9)), None, "its shape 2x9 has several channels; declare axes= with T"),
        (np.ones((2, 9)), np.ones((2, 9)), "BC", "several channels"),
        (np.ones((2, 9)), np.ones((3, 9)), "CT", "actual has 3 channels, expected 2"),
        (np.ones(9, complex), np.ones(9), None, "complex"),
    ],
)
def test_what_is_no_audio_is_refused(expected, actual, axes, said):
    """Which axis is time is never guessed."""
    with pytest.raises(StageError, match=said):
        paired(expected, actual, axes)


def test_lengths_may_differ():
    """What one side has more is the scorer's to find."""
    assert [side.size for side in paired(np.ones((1, 9)), np.ones((1, 7)), "CT")[""]] == [9, 7]
    assert [side.size for side in paired(np.ones((1, 9)), np.ones(7), "CT")[""]] == [9, 7]


def test_the_worst_channel_speaks_for_the_stage(speech):
    """Words that are lost come first, what cannot be judged next; the lowest number is that of any channel."""
    noise = np.random.default_rng(0).standard_normal(speech.size) * 0.1
    pairs = {"a": (speech, speech), "b": (speech, speech + noise * 0.1), "c": (speech, noise)}
    heard = hear(pairs, sample_rate=RATE, channels=3, pesq=False)
    label, result = heard.worst
    assert (label, result.verdict, heard.lost) == ("c", "garbled", 1)
    assert heard.lowest("estoi") == ("c", result.measures["estoi"])
    assert verdict_lines(heard)[0].startswith("c: garbled: words are lost: ESTOI ")
    short = {"a": (speech, speech), "b": (np.zeros(3000), speech[:3000])}
    heard = hear(short, sample_rate=RATE, channels=2, pesq=False)
    assert (heard.worst[0], heard.worst[1].verdict, heard.lost) == ("b", "not_measured", 0)
    assert heard.lowest("stoi")[0] == "b"
    assert verdict_lines(heard) == [
        f"b: words cannot be judged, ESTOI not measured: {heard.worst[1].not_measured['estoi']}"
    ]
