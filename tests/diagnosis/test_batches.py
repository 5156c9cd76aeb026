"""Batches and pairs of channels: numbers of their own in each item, one of two that is wrong, lengths, mixtures."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare
from tests.diagnosis.fronts import CLIPS, log_mel, spoken

RNG = np.random.default_rng(0)
FRAMES = 150
ITEMS, WIDTH = 3, 64


def _mels():
    """Return three items: a stretch of each clip, and a later one of the first, each at a level of its own."""
    taken = ((CLIPS[0], 2), (CLIPS[1], 2), (CLIPS[0], 4))
    mels = np.stack([log_mel(spoken(name, until))[:, -FRAMES:] for name, until in taken])
    return mels + np.array([0.0, 0.7, -0.3])[:, None, None]


def _hidden(mels):
    rows = np.random.default_rng(1).standard_normal((WIDTH, mels.shape[1])) / 9
    return rows @ ((mels - mels.mean()) / mels.std()) + np.random.default_rng(2).standard_normal((WIDTH, 1))


def _norm(side, axis):
    return (side - side.mean(axis, keepdims=True)) / side.std(axis, keepdims=True)


def _found(expected, actual, axes="BCT", **declared):
    sides = (np.ascontiguousarray(side, np.float32) for side in (expected, actual))
    return compare(*sides, **({} if axes is None else {"axes": axes}), **declared).findings


def _codes(found):
    return {finding.code for finding in found}


@pytest.mark.parametrize("axes", ["BCT", "BTC"])
def test_a_norm_of_each_item_has_numbers_for_each_channel_of_each(axes):
    mels = _mels()
    hidden = _hidden(mels)
    turn = (0, 1, 2) if axes == "BCT" else (0, 2, 1)
    for expected, actual in ((hidden, _norm(hidden, 2)), (_norm(hidden, 2), hidden)):
        found = _found(expected.transpose(turn), actual.transpose(turn), axes)
        assert _codes(found) == {"channel_gain", "channel_offset"}
        assert {(finding.detail["axis"], finding.detail["each"]) for finding in found} == {("C", "B")}
        assert sum(finding.explains for finding in found) > 0.999
        assert "each index of B and" in found[0].message or "and B" in found[0].message


def test_means_of_each_item_are_offsets_of_each_channel():
    mels = _mels()
    declared = {"kind": "log_spectrum", "unit": "ln_power"}
    (found,) = _found(mels, mels - mels.mean(2, keepdims=True), **declared)
    assert (found.code, found.detail["axis"], found.detail["each"]) == ("channel_offset", "C", "B")
    (found,) = _found(mels, mels - mels.mean(1, keepdims=True), **declared)
    assert (found.code, found.detail["axis"], found.detail["each"]) == ("channel_offset", "T", "B")
    assert len(_found(mels, mels - mels.mean((1, 2), keepdims=True), **declared)[0].detail["offsets"]) == ITEMS


def test_a_layer_norm_of_a_batch_that_is_missing_is_no_drift():
    hidden = _hidden(_mels()) * np.linspace(0.2, 3, FRAMES)
    found = _found(hidden, _norm(hidden, 1))
    assert _codes(found) == {"channel_gain", "channel_offset"}
    assert found[0].detail["axis"] == "T"


def test_what_is_added_to_each_item_is_named_and_the_embedding_of_the_first_in_all_is_where_it_is():
    hidden, speakers = _hidden(_mels()), RNG.standard_normal((ITEMS, WIDTH, 1))
    (found,) = _found(hidden + speakers, hidden)
    assert (found.code, found.detail["axis"], found.detail["each"]) == ("channel_offset", "C", "B")
    (found,) = _found(hidden + speakers, hidden + speakers[:1])
    assert (found.code, found.detail["axis"], found.detail["indices"]) == ("channels", "B", [1, 2])


@pytest.mark.parametrize("value", [0.0, -1e4])
def test_padding_that_is_masked_on_one_side_alone_has_the_lengths_of_the_items(value):
    hidden, ends = _hidden(_mels()), [FRAMES, 110, 62]
    masked = np.where(np.arange(FRAMES) < np.array(ends)[:, None, None], hidden, value)
    for expected, actual, side in ((hidden, masked, "actual"), (masked, hidden, "expected")):
        (found,) = _found(expected, actual)
        assert (found.code, found.detail["ends"], found.detail["side"]) == ("edges", ends, side)
    same = np.where(np.arange(FRAMES) < 110, hidden, value)
    assert _found(hidden, same)[0].code != "edges", "all from one time on says nothing of lengths"


def test_codes_that_are_masked_behind_the_ends_of_items_are_too():
    codes, ends = RNG.integers(0, 1024, (3, 8, 100)), [100, 70, 50]
    for value in (0, 1024):
        masked = np.where(np.arange(100) < np.array(ends)[:, None, None], codes, value)
        (found,) = compare(codes, masked, kind="codes", axes="BCT").findings
        assert (found.code, found.detail["ends"]) == ("edges", ends)


def _padded(items, in_front):
    most = max(item.shape[-1] for item in items)
    missing = [most - item.shape[-1] for item in items]
    return np.stack(
        [
            np.pad(item, ((0, 0), (count, 0) if in_front else (0, count)))
            for item, count in zip(items, missing, strict=True)
        ]
    )


def test_padding_in_front_for_padding_behind_is_a_shift_of_each_item():
    items = [item[:, :end] for item, end in zip(_hidden(_mels()), (FRAMES, 110, 80), strict=True)]
    behind, in_front = _padded(items, in_front=False), _padded(items, in_front=True)
    (found,) = _found(behind, in_front)
    assert (found.code, found.detail["axis"], found.detail["shifts"]) == ("time_shift", "T", [0, 40, 70])
    (found,) = _found(in_front, behind)
    assert (found.code, found.detail["shifts"]) == ("time_shift", [0, -40, -70])
    (found,) = _found(in_front, in_front * (np.arange(FRAMES) > 75))
    assert found.code != "time_shift"


def test_items_that_are_turned_within_their_lengths_are_reversed():
    items = [item[:, :end] for item, end in zip(_hidden(_mels()), (FRAMES, 110, 80), strict=True)]
    turned = _padded([item[:, ::-1] for item in items], in_front=False)
    (found,) = _found(_padded(items, in_front=False), turned)
    assert (found.code, found.detail["axis"], found.detail["each"]) == ("reversed", "T", "B")


def test_one_of_two_items_or_channels_that_is_wrong_is_where_it_is():
    pair = _hidden(_mels())[:2]
    other = pair[[0, 0]]
    for axes in ("BCT", None):
        (found,) = _found(pair, other, axes)
        assert (found.code, found.detail["indices"]) == ("channels", [1])
    noisy = np.stack([pair[0], RNG.standard_normal(pair[0].shape)])
    (found,) = _found(pair, noisy)
    assert (found.code, found.detail["axis"], found.detail["indices"]) == ("channels", "B", [1])


def _stereo():
    left, right = (spoken(name, 2) for name in CLIPS[:2])
    size = min(left.size, right.size)
    return np.stack([left[:size], 0.5 * right[:size] + 0.2 * left[:size]])


@pytest.mark.parametrize("weights", [[[0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.5, -0.5]], [[0.8, 0.6], [-0.6, 0.8]]])
def test_two_channels_that_are_mixed_are_told_with_the_weights(weights):
    stereo = _stereo()
    (found,) = _found(stereo, np.array(weights) @ stereo, "CT", kind="waveform", sample_rate=16_000)
    assert (found.code, found.detail["axis"]) == ("filtered", "C")
    np.testing.assert_allclose(found.detail["weights"], weights, atol=1e-5)


def test_one_wrong_channel_of_two_is_no_mixture():
    stereo = _stereo()
    declared = {"kind": "waveform", "sample_rate": 16_000}
    for wrong in (stereo[[0, 0]], stereo * [[1], [0]], stereo * [[1], [-1]]):
        (found,) = _found(stereo, wrong, "CT", **declared)
        assert (found.code, found.detail["indices"]) == ("channels", [1])
    assert _found(stereo, stereo[::-1], "CT", **declared)[0].code == "channel_permutation"
    noise = RNG.standard_normal(stereo.shape)
    assert _found(stereo, noise, "CT", **declared)[0].code == "uncorrelated"


def test_a_few_vectors_in_another_order_of_channels_are_permuted():
    vectors = RNG.standard_normal((2, 192))
    (found,) = _found(vectors, np.roll(vectors, 96, 1), "BC")
    assert (found.code, found.detail["axis"], found.detail["blocks"]) == ("channel_permutation", "C", [1, 0])
    (found,) = _found(vectors, vectors[:, RNG.permutation(192)], "BC")
    assert (found.code, found.detail["axis"]) == ("channel_permutation", "C")
    assert _found(vectors, RNG.standard_normal((2, 192)), "BC")[0].code == "uncorrelated"


def test_heads_of_any_number_that_are_merged_without_their_axis_are_named():
    heads = RNG.standard_normal((2, 3, 57, 24))
    merged = heads.swapaxes(1, 2).reshape(2, 57, 72)
    (found,) = _found(merged, heads.reshape(2, 57, 72), "BTC")
    assert (found.code, found.detail["heads"]) == ("reshaped", 3)
