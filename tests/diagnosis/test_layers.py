"""Faults inside one layer, with activations of real speech: what it leaves has to be named, or nothing."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare
from tests.diagnosis.fronts import CLIPS, log_mel, spoken

RNG = np.random.default_rng(0)
WIDTH = 128
WEIGHTS = np.exp(0.4 * RNG.standard_normal((WIDTH, 1))) * RNG.standard_normal((WIDTH, 80)) / 9
BIAS = 0.5 * RNG.standard_normal((WIDTH, 1))
ALPHA = np.exp(0.5 * RNG.standard_normal((WIDTH, 1)))
FRAMES = 180


def _hidden(name=CLIPS[0], start=0):
    mel = log_mel(spoken(name, 2))[:, start : start + FRAMES]
    return WEIGHTS @ ((mel - mel.mean()) / mel.std()) + BIAS


def _found(expected, actual, axes="CT", **declared):
    sides = (np.ascontiguousarray(side, np.float32) for side in (expected, actual))
    return compare(*sides, **({} if axes is None else {"axes": axes}), **declared).findings


def _snake(x, alpha, beta=None):
    return x + np.sin(alpha * x) ** 2 / (alpha if beta is None else beta)


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("axes", ["CT", "TC", None])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: _snake(x, np.exp(ALPHA)),
        lambda x: _snake(x, np.log(ALPHA)),
        lambda x: _snake(x, ALPHA, 1),
        lambda x: _snake(x, np.ones_like(ALPHA)),
        lambda x: x,
    ],
    ids=["exp twice", "no exp", "no 1/alpha", "alpha of 1", "missing"],
)
def test_snake_with_other_numbers_per_channel_is_a_function_at_each(name, axes, wrong):
    x = _hidden(name)
    sides = [_snake(x, ALPHA), wrong(x)]
    first = _found(*(side.T if axes == "TC" else side for side in sides), axes)[0]
    assert first.code == "pointwise"
    assert first.explains > 0.95
    assert "Snake" in first.message


def test_lines_per_channel_are_no_function_that_bends():
    x = _hidden()
    assert _found(x, ALPHA * x)[0].code == "channel_gain"
    assert _found(x, ALPHA * x + BIAS)[0].code == "channel_gain"
    assert _found(x.astype(np.float16), (ALPHA * x + BIAS).astype(np.float16))[0].code == "channel_gain"


def test_an_embedding_of_other_rows_is_no_function():
    table, tokens = RNG.standard_normal((WIDTH, 20)), RNG.integers(0, 19, 400)
    assert _found(table[:, tokens], table[:, tokens + 1])[0].code == "uncorrelated"


def _logits():
    x = _hidden()
    return (x[:64].T @ x[64:] / 8).reshape(1, FRAMES, FRAMES) * np.array([0.3, 0.6])[:, None, None]


def _softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("factor", [8.0, 0.125, 1.25])
def test_another_scale_before_a_softmax(factor):
    first = _found(_softmax(_logits()), _softmax(factor * _logits()), None)[0]
    assert (first.code, first.detail["function"]) == ("pointwise", "softmax")
    assert first.detail["factor"] == pytest.approx(factor, rel=1e-3)


MASKS = {
    "causal": np.tri(FRAMES) > 0,
    "padding": np.tile(np.arange(FRAMES) < 120, (FRAMES, 1)),
    "window": np.abs(np.subtract.outer(np.arange(FRAMES), np.arange(FRAMES))) < 32,
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("is_missing", [True, False])
def test_a_mask_before_a_softmax(mask, is_missing):
    logits = _logits()
    sides = [_softmax(np.where(MASKS[mask], logits, -np.inf)), _softmax(logits)]
    first = _found(*(sides if is_missing else sides[::-1]), None)[0]
    assert (first.code, first.detail["side"]) == ("channel_gain", "expected" if is_missing else "actual")
    assert "mask" in first.message


@pytest.mark.parametrize("axes", ["HTD", "BHTD", None])
@pytest.mark.parametrize("heads", [4, 16])
def test_heads_that_are_cut_in_the_other_order_are_told(axes, heads):
    """Of channels that hold the width first: between heads and widths stands the time."""
    x = _hidden().T
    here = x.reshape(FRAMES, heads, -1).transpose(1, 0, 2)
    there = x.reshape(FRAMES, -1, heads).transpose(2, 0, 1)
    for sides in ((here, there), (there, here)):
        first = _found(*(side[None] if axes == "BHTD" else side for side in sides), axes)[0]
        assert first.code == "reshaped"
        assert first.detail["axes"] == (["H", "D"] if axes else ["axis 0", "axis 2"])
        assert "heads" in first.message


@pytest.mark.parametrize("by", [1, -1, 5])
def test_channels_that_went_around_are_told_by_how_many(by):
    first = _found(_hidden(), np.roll(_hidden(), by, axis=0))[0]
    assert first.code == "channel_permutation"
    assert f"stand {abs(by)} {'before' if by > 0 else 'further on'}, around the end" in first.message


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_that_is_left_on(rate):
    x = _hidden()
    first = _found(x, np.where(RNG.random(x.shape) < rate, 0, x / (1 - rate)))[0]
    assert (first.code, first.detail["gain"]) == ("gain", pytest.approx(1 / (1 - rate), rel=1e-5))
    assert first.detail["share"] == pytest.approx(rate, abs=0.01)
    assert "dropout" in first.message


def _turned(x, *, pairs="halves", base=1e4, offset=0, scale=1.0):
    """Return a rotary embedding of heads of 64 of (C, T)."""
    frames = x.shape[1]
    heads = x.reshape(-1, 64, frames)
    angles = base ** (-np.arange(0, 64, 2) / 64)[:, None] * (np.arange(frames) + offset) * scale
    some, others = (slice(0, 32), slice(32, 64)) if pairs == "halves" else (slice(0, 64, 2), slice(1, 64, 2))
    turned = np.empty_like(heads)
    turned[:, some] = heads[:, some] * np.cos(angles) - heads[:, others] * np.sin(angles)
    turned[:, others] = heads[:, some] * np.sin(angles) + heads[:, others] * np.cos(angles)
    return turned.reshape(x.shape)


@pytest.mark.parametrize("axes", ["CT", "TC", None])
@pytest.mark.parametrize("base", [1e4, 5e5])
def test_rotary_embedding_of_neighbours_for_halves(axes, base):
    sides = [_turned(_hidden(), pairs=pairs, base=base) for pairs in ("halves", "neighbours")]
    first = _found(*(side.T if axes == "TC" else side for side in sides), axes)[0]
    assert (first.code, first.detail["width"], first.detail["base"]) == ("interleaved", 64, base)


@pytest.mark.parametrize("axes", ["CT", "TC", None])
@pytest.mark.parametrize("pairs", ["halves", "neighbours"])
@pytest.mark.parametrize("wrong", [{"base": 5e5}, {"base": 10100.0}, {"scale": 0.25}, {"scale": 0.0}, {"scale": -1.0}])
def test_rotary_positions_that_run_otherwise(axes, pairs, wrong):
    sides = [_turned(_hidden(), pairs=pairs), _turned(_hidden(), pairs=pairs, **wrong)]
    first = _found(*(side.T if axes == "TC" else side for side in sides), axes)[0]
    assert first.code == "drift"
    assert first.explains > 0.99
    assert "rotary" in first.message


@pytest.mark.parametrize("base", [1e4, 5e5])
@pytest.mark.parametrize("pairs", ["halves", "neighbours"])
@pytest.mark.parametrize("offset", [1, 2, -1, 4, 16, -100, 2048])
def test_rotary_positions_that_begin_elsewhere(offset, pairs, base):
    """The first pairs turn around several times in as many positions."""
    sides = (_turned(_hidden(), pairs=pairs, base=base, offset=start) for start in (0, offset))
    first = _found(*sides)[0]
    assert (first.code, first.detail["shift"]) == ("time_shift", offset)
    assert f"that are {offset:+d} off" in first.message


def test_rotary_positions_of_an_unusual_base_have_no_number():
    sides = (_turned(_hidden(), base=33_333.0, offset=start) for start in (0, 16))
    first = _found(*sides)[0]
    assert (first.code, "shift" in first.detail) == ("time_shift", False)
    assert "no usual base" in first.message


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("axes", ["CT", "BTC", None])
def test_a_pixel_shuffle_of_phases_for_channels(factor, axes):
    x = _hidden().reshape(WIDTH, FRAMES)
    fine = x.reshape(-1, factor, FRAMES).transpose(0, 2, 1).reshape(WIDTH // factor, -1)
    other = x.reshape(factor, -1, FRAMES).transpose(1, 2, 0).reshape(WIDTH // factor, -1)
    for sides in ((fine, other), (other, fine)):
        first = _found(*(side.T[None] if axes == "BTC" else side for side in sides), axes)[0]
        assert (first.code, first.detail["factor"]) == ("reshaped", factor)


def test_half_of_a_layer_is_a_place_and_what_is_wrong_there_is_said():
    x = np.tanh(_hidden())
    found = _found(x, np.concatenate([x[:64], x[64:, ::-1]]))
    assert [finding.code for finding in found] == ["channels", "reversed"]
    assert "64 to 127" in found[0].message


def test_frames_repeated_as_a_whole_for_each_one_repeated():
    x = _hidden()
    assert _found(x.repeat(4, axis=1), np.tile(x, (1, 4)))[0].code == "interleaved"


def _bfloat16(x):
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x8000) & np.uint32(0xFFFF0000)).view(np.float32)


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("half", [_bfloat16, lambda x: x.astype(np.float16).astype(np.float32)])
def test_a_layer_in_half_precision(name, half):
    x, weights = _hidden(name), RNG.standard_normal((WIDTH, WIDTH)) / 11
    found = _found(weights @ x, half(half(weights) @ half(x)), tol_db=1e-4)
    assert found[0].code == "quantised"
    assert "float16" in found[0].message


@pytest.mark.parametrize("name", CLIPS)
def test_a_branch_that_is_missing_is_no_table_of_gains(name):
    """Lines per channel remove most of what another branch of speech adds, since all of it is loud or quiet at once."""
    x = _hidden(name)
    mix = np.random.default_rng(1).standard_normal((WIDTH, WIDTH)) / 11
    branch = np.maximum(mix @ x, 0) + 0.2 * np.random.default_rng(2).standard_normal(x.shape)
    for actual in (branch, x + 2 * branch):
        assert _found(x + branch, actual)[0].code == "unexplained"


def test_another_eps_of_a_layer_norm_is_a_gain_of_each_frame_whatever_its_affine():
    x = 0.05 * _hidden()
    centred = x - x.mean(axis=0)
    sides = [ALPHA * centred / np.sqrt(x.var(axis=0) + eps) + 0.3 * BIAS for eps in (1e-5, 1e-3)]
    first = _found(*sides)[0]
    assert (first.code, first.detail["axis"]) == ("channel_gain", "T")
