"""Logits and probabilities: a softmax too many, missing, of other logits or along another axis; masks; other heads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax

from pytest_audioparity import compare
from tests.diagnosis.fronts import CLIPS, log_mel, spoken

RNG = np.random.default_rng(0)
FRAMES = 60


def _logits(tokens, items):
    mels = np.stack([log_mel(spoken(name, 2))[:, :FRAMES].T for name in CLIPS[:items]])
    head = np.random.default_rng(tokens).standard_normal((mels.shape[2], tokens)) / 6
    hidden = (mels - mels.mean()) / mels.std()
    return hidden @ head, np.random.default_rng(1).standard_normal(tokens)


def _found(expected, actual, kind):
    sides = (np.ascontiguousarray(side, np.float32) for side in (expected, actual))
    return compare(*sides, kind=kind, axes="BTV").findings


@pytest.fixture(params=[(120, 1), (33, 2), (1025, 1)], ids=lambda of: f"{of[0]} tokens, {of[1]} items")
def logits(request):
    found, bias = _logits(*request.param)
    return found + bias


def test_a_softmax_on_one_side_alone_is_named_with_its_side(logits):
    shares = softmax(logits, -1)
    for expected, actual, kind, side in (
        (logits, shares, "logits", "actual"),
        (shares, logits, "probabilities", "expected"),
    ):
        (found,) = _found(expected, actual, kind)
        assert (found.code, found.detail["function"], found.detail["side"]) == ("pointwise", "softmax", side)
        assert found.detail["factor"] == pytest.approx(1, abs=1e-4)
        assert ("one too many" if side == "actual" else "missing") in found.message
    assert _found(logits, softmax(0.7 * logits, -1), "logits")[0].detail["factor"] == pytest.approx(0.7, abs=1e-4)


def test_a_logarithm_of_a_softmax_is_an_offset_of_each_frame_of_each_item(logits):
    (found,) = _found(logits, log_softmax(logits, -1), "logits")
    assert (found.code, found.detail["axis"]) == ("channel_offset", "T")
    assert ("each" in found.detail) == (len(logits) > 1)


def test_a_temperature_and_a_bias_before_a_softmax_are_named(logits):
    shares, bias = softmax(logits, -1), RNG.standard_normal(logits.shape[-1])
    (found,) = _found(shares, softmax(logits / 0.7, -1), "probabilities")
    assert (found.code, found.detail["function"]) == ("pointwise", "softmax")
    (found,) = _found(shares, softmax(logits + bias, -1), "probabilities")
    assert (found.code, found.detail["axis"], found.detail["function"]) == ("channel_gain", "V", "softmax")


def test_a_sigmoid_for_a_softmax_and_a_softmax_along_another_axis_are_named(logits):
    shares = softmax(logits, -1)
    (found,) = _found(shares, expit(logits), "probabilities")
    assert (found.code, found.detail["function"]) == ("pointwise", "sigmoid")
    found = _found(shares, softmax(logits, 1), "probabilities")[0]
    assert (found.code, found.detail["function"]) == ("pointwise", "softmax")
    assert {found.detail["axis"], found.detail["across"]} == {"V", "T"}


def test_probabilities_of_another_head_are_no_softmax_of_these(logits):
    other = RNG.standard_normal(logits.shape)
    for expected, actual, kind in (
        (softmax(logits, -1), softmax(other, -1), "probabilities"),
        (softmax(logits, -1), other, "probabilities"),
        (softmax(logits, -1), expit(other), "probabilities"),
    ):
        assert _found(expected, actual, kind)[0].code in ("uncorrelated", "unexplained")


@pytest.mark.parametrize("fill", [-1e9, -1e4])
def test_logits_below_the_largest_of_each_frame_that_are_masked_are_named(logits, fill):
    least = np.sort(logits, -1)[..., -10, None]
    found = _found(logits, np.where(logits < least, fill, logits), "logits")[0]
    assert (found.code, found.detail["value"]) == ("pointwise", fill)
    assert "mask" in found.message


def test_probabilities_that_are_cut_to_the_largest_are_named_with_and_without_their_sum(logits):
    shares = softmax(logits, -1)
    kept = np.where(shares < np.sort(shares, -1)[..., -10, None], 0, shares)
    assert _found(shares, kept, "probabilities")[0].detail["value"] == 0
    found = _found(shares, kept / kept.sum(-1, keepdims=True), "probabilities")[0]
    assert (found.code, found.detail["side"]) == ("channel_gain", "actual")


def test_suppressed_tokens_are_where_they_are_and_a_soft_cap_bends(logits):
    suppressed = logits.copy()
    suppressed[..., [3, 17]] = -1e9
    (found,) = _found(logits, suppressed, "logits")
    assert (found.code, found.detail["indices"]) == ("channels", [3, 17])
    (found,) = _found(logits, 5 * np.tanh(logits / 5), "logits")
    assert found.code == "pointwise"
    assert "axis" not in found.detail, "one function of all values says as much"


def test_an_unrelated_head_whose_logits_grow_is_no_drift():
    hidden = np.cumsum(RNG.standard_normal((1, FRAMES, 48)), 1) * 0.3
    bias = RNG.standard_normal(120)
    sides = [hidden @ RNG.standard_normal((48, 120)) / 4 + bias for _ in range(2)]
    assert _found(*sides, "logits")[0].code == "uncorrelated"
    (found,) = _found(sides[0], sides[0] - sides[0].max(-1, keepdims=True), "logits")
    assert (found.code, found.detail["axis"]) == ("channel_offset", "T")
