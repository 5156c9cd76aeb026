"""Causes in stages of which a part is looked at: what is far from it, or begins far from the largest difference."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare
from pytest_audioparity.diagnosis.problem import SAMPLE
from tests.faults import confusion, large

# What needs the whole stage: values from the other end, what holds up to a time, and what differs at both ends.
_FAR = (
    "axes_permuted",
    "channel_permutation",
    "channels",
    "diverges_from",
    "drift",
    "dropped_frames",
    "edges",
    "interleaved",
    "length",
    "missing_channels",
    "reshaped",
    "reversed",
    "sample_rate",
    "time_shift",
)


@pytest.mark.parametrize(
    "name", ["waveform", "waveform-undeclared", "spectrum", "mel", "relu", "relu-undeclared", "logits", "attention"]
)
def test_what_is_far_from_the_sample_is_named(name):
    position = [stage.meta.name for stage in large.stages()].index(f"large/{name}")
    assert large.stages()[position].array.size > SAMPLE
    cases = confusion.cases_of(position, confusion.Options(codes=_FAR, fast=True, mode="large"))
    wrong = [(case.name, case.first) for case in cases if not case.right]
    assert len(cases) >= 6
    assert len(wrong) <= 1, wrong


RNG = np.random.default_rng(0)
# Axes that are long enough for one of length 1 to be left of the batch, behind time.
LATE_BATCH = np.cumsum(RNG.standard_normal((311, 1897, 5), np.float32), axis=1)


def test_a_batch_of_which_one_is_looked_at_is_reversed():
    (finding,) = compare(LATE_BATCH, np.flip(LATE_BATCH, 2), axes="TCB").findings
    assert (finding.code, finding.detail["axis"]) == ("reversed", "B")


@pytest.mark.parametrize("start", [100, 3000, 5500])
def test_where_it_begins_is_told_of_any_place(start):
    """Where the largest difference is does not matter."""
    hidden = RNG.standard_normal((1, 6000, 256), np.float32)
    actual = hidden.copy()
    actual[:, start:] += np.float32(0.3) * RNG.standard_normal((1, 6000 - start, 256), np.float32)
    (finding,) = compare(hidden, actual, axes="BTC").findings
    assert (finding.code, finding.detail["from"]) == ("diverges_from", start)


def test_both_ends_are_looked_at():
    hidden = RNG.standard_normal((1, 64, 9000), np.float32)
    actual = hidden.copy()
    actual[..., :3] = actual[..., -2:] = 0
    (finding,) = compare(hidden, actual, axes="BCT").findings
    assert (finding.code, finding.detail["first"], finding.detail["last"]) == ("edges", 3, 2)
    assert "of 9000 along T" in finding.message


def test_what_is_measured_in_a_part_says_of_which():
    hidden = RNG.standard_normal((1, 64, 9000), np.float32)
    rising = hidden + np.linspace(0, 3, 9000, dtype=np.float32)
    (finding,) = compare(hidden, rising, axes="BCT").findings
    assert finding.code == "drift"
    assert "at T=0 to 1.365 at T=4095" in finding.message
    glitched = hidden.copy()
    glitched[0, 5, 8000] += 100
    (finding,) = compare(hidden, glitched, axes="BCT").findings
    assert finding.message.startswith("1 single element of 262144 that were looked at holds the difference")
    assert finding.detail["first"] == [0, 5, 8000]


@pytest.mark.parametrize(
    ("shape", "axes"), [((3_000_000, 2), None), ((3_000_000, 2), "CB"), ((2, 3_000_000), None), ((6_000_001,), None)]
)
def test_one_frame_less_of_millions_costs_no_table_of_all_pairs(shape, axes):
    """Channels, declared as such; what is not declared is time where nothing else is long."""
    expected = RNG.standard_normal(shape, np.float32)
    axis = int(np.argmax(shape))
    finding = compare(expected, expected.take(range(shape[axis] - 1), axis), axes=axes).findings[0]
    assert finding.code == ("missing_channels" if axes else "length")
    assert finding.detail["difference"] == -1


def test_a_long_signal_that_is_longer_at_its_start_is_told_by_both_ends():
    expected = RNG.standard_normal(2_500_000).astype(np.float32)
    for actual, where, shift in (
        (np.r_[np.zeros(7, np.float32), expected], "start", 7),
        (np.r_[expected, np.zeros(7, np.float32)], "end", 0),
        (np.insert(expected, 2_000_000, np.zeros(7, np.float32)), "unknown", None),
    ):
        finding = compare(expected, actual, kind="waveform", axes="T", sample_rate=16_000).findings[0]
        assert (finding.code, finding.detail["where"], finding.detail["shift"]) == ("length", where, shift)


def test_channels_are_exchanged_only_if_each_has_a_partner():
    """Of more channels than are assigned to each other at once."""
    hidden = RNG.standard_normal((1, 300, 2000), np.float32)
    order = RNG.permutation(2000)
    (finding,) = compare(hidden, hidden[..., order], axes="BTC").findings
    assert (finding.code, finding.detail["moved"]) == ("channel_permutation", int((order != np.arange(2000)).sum()))
    copied = hidden.copy()
    copied[..., 1000:] = hidden[..., :1000]
    assert [finding.code for finding in compare(hidden, copied, axes="BTC").findings] != ["channel_permutation"]


def _noisy(shape):
    """Return a signal, rounded actual values of it, and noise of its size."""
    signal, rounding, noise = (RNG.standard_normal(shape, np.float32) for _ in range(3))
    return signal, signal + np.float32(1e-3) * rounding, noise


def test_little_that_is_wrong_early_is_no_rounding_of_a_stage_that_goes_wrong_later():
    signal, actual, noise = _noisy((1, 20_000, 128))
    actual[:, 3000:3050] += 0.1 * noise[:, 3000:3050]
    actual[:, 15_000:] += 0.5 * noise[:, 15_000:]
    (finding,) = compare(signal, actual, axes="BTC").findings
    assert (finding.code, finding.detail["runs"]) == ("spikes", [[3000, 3049], [15_000, 19_999]])


@pytest.mark.parametrize("channel", [0, 5])
def test_one_channel_is_not_the_only_wrong_one_of_a_stage_that_goes_wrong_later(channel):
    signal, actual, noise = _noisy((1, 20_000, 128))
    actual[:, 3000:, channel] *= 1.5
    assert compare(signal, actual, axes="BTC").findings[0].code == "channels"
    actual[:, 15_000:] += 0.5 * noise[:, 15_000:]
    assert "channels" not in {finding.code for finding in compare(signal, actual, axes="BTC").findings}


def test_errors_of_few_frames_are_no_rhythm_of_a_stage_that_goes_wrong_later():
    signal, actual, noise = _noisy((1, 20_000, 128))
    actual[:, 100:15_000:200] += noise[:, 100:15_000:200]
    assert compare(signal, actual, axes="BTC").findings[0].code == "seams"
    actual[:, 15_000:] += noise[:, 15_000:]
    assert "seams" not in {finding.code for finding in compare(signal, actual, axes="BTC").findings}


def test_a_small_glitch_does_not_hold_the_difference_of_a_large_one():
    signal = RNG.standard_normal((1, 20_000, 128), np.float32)
    actual = signal.copy()
    actual[0, 100, 2], actual[0, 17_000, 3] = 20, 1000
    (finding,) = compare(signal, actual, axes="BTC").findings
    assert (finding.code, finding.detail["first"]) == ("spikes", [0, 17_000, 3])


def test_integers_that_are_samples_are_no_codes_all_of_which_are_wrong():
    """Rounding is no onset."""
    expected = (3000 * RNG.standard_normal(3_000_000)).astype(np.int16)
    actual = expected + RNG.integers(-1, 2, expected.size).astype(np.int16)
    actual[2_000_000:] += RNG.integers(-900, 900, 1_000_000).astype(np.int16)
    (finding,) = compare(expected, actual, kind="waveform", axes="T", sample_rate=16_000).findings
    assert (finding.code, finding.detail["from"]) == ("diverges_from", 2_000_000)


def test_what_stands_still_does_not_run_backwards():
    """The other end of expected is as still as actual."""
    actual = np.broadcast_to(RNG.standard_normal((1, 1, 128), np.float32), (1, 6000, 128))
    expected = actual.copy()
    expected[:, 4000:] += RNG.standard_normal((1, 2000, 128), np.float32)
    assert "reversed" not in {finding.code for finding in compare(expected, actual, axes="BTC").findings}
