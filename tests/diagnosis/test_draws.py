"""Codes that are drawn from the same logits in another way: that is said, with the settings that they look like."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity.check import check_stage
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.records import StageMeta, StageTensor

FRAMES, BOOKS, TOKENS = 120, 16, 128
RANDOM = np.random.default_rng(5)
LOGITS = (2.0 * RANDOM.standard_normal((FRAMES, BOOKS, TOKENS))).astype(np.float32)
UNIFORMS = RANDOM.random((FRAMES, BOOKS))


def draw(*, temperature=0.9, top_k=50, logits=LOGITS, uniforms=UNIFORMS):
    """Invert the distribution function, as an independent few lines."""
    order = np.argsort(-logits, axis=-1)
    descending = np.take_along_axis(logits, order, -1).astype(float)[..., :top_k] / temperature
    passed = np.cumsum(np.exp(descending - descending[..., :1]), axis=-1)
    ranks = np.sum(passed <= uniforms[..., None] * passed[..., -1:], axis=-1)
    return np.take_along_axis(order, ranks[..., None], -1)[..., 0].astype(np.int32)


EXPECTED = draw()


def first(actual, *, expected=EXPECTED, axes=(None, None), logits=LOGITS):
    sides = [StageTensor(StageMeta("x", kind="codes", axes=axes[0]), side) for side in (expected, actual)]
    other = StageTensor(StageMeta("scores", kind="logits", axes=axes[1]), logits)
    return check_stage(*sides, layered([], "x"), others=[other]).findings[0]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"temperature": 0.7}, "actual like temperature 0.6"),
        ({"temperature": 1.2}, "actual like temperature 1."),
        ({"top_k": None}, "actual like temperature 0."),
        ({"top_k": 20}, "over the 20 most likely tokens"),
    ],
)
def test_another_setting_of_the_sampler_is_named(fault, told):
    """The logits are those of the golden, and the codes are draws from them with another temperature or cut."""
    found = first(draw(**fault))
    assert found.code == "sampler"
    assert found.detail["cause"] == "settings"
    assert "'scores'" in found.message
    assert "expected looks like temperature 0." in found.message
    assert "over the 50 most likely tokens, actual" in found.message
    assert told in found.message
    # three deviations, of some 2 % each
    for value, wanted in zip(found.detail["temperature"], (0.9, fault.get("temperature", 0.9)), strict=True):
        assert value == pytest.approx(wanted, rel=0.1)


def test_other_random_numbers_are_told_from_other_settings():
    """Both sides are draws with the same settings that agree by chance alone."""
    found = first(draw(uniforms=np.random.default_rng(8).random(UNIFORMS.shape)))
    assert found.code == "sampler"
    assert found.detail["cause"] == "random_numbers"


def test_masked_tokens_are_no_obstacle():
    """Logits of -inf have the share 0."""
    masked = np.where(np.arange(TOKENS) < 20, -np.inf, LOGITS).astype(np.float32)
    found = first(draw(temperature=0.7, logits=masked), expected=draw(logits=masked), logits=masked)
    assert found.code == "sampler"
    assert found.detail["temperature"][1] == pytest.approx(0.7, rel=0.1)


def test_axes_that_are_declared_in_another_order_are_followed():
    """Codes of shape (codebook, frame) belong to logits of shape (frame, codebook, token)."""
    found = first(draw(temperature=0.6).T, expected=EXPECTED.T, axes=("CT", "TCV"))
    assert found.code == "sampler"
    assert found.detail["temperature"][1] == pytest.approx(0.6, rel=0.1)


def _one_late(codes):
    return np.roll(codes, 1, axis=0)


def _one_in_ten_is_random(codes):
    generator = np.random.default_rng(1)
    wrong = generator.random(codes.shape) < 0.1
    return np.where(wrong, generator.integers(TOKENS, size=codes.shape), codes).astype(np.int32)


@pytest.mark.parametrize(
    "actual",
    [
        pytest.param(_one_late(EXPECTED), id="shifted"),
        pytest.param((EXPECTED + 1) % TOKENS, id="other-ids"),
        pytest.param(_one_in_ten_is_random(EXPECTED), id="some-random"),
        pytest.param(np.random.default_rng(2).integers(TOKENS, size=EXPECTED.shape).astype(np.int32), id="random"),
        pytest.param(draw(logits=RANDOM.permutation(LOGITS)), id="other-logits"),
        pytest.param(np.where(np.arange(FRAMES)[:, None] < 110, EXPECTED, 3).astype(np.int32), id="stuck-at-the-end"),
        pytest.param(np.argmax(LOGITS, axis=-1).astype(np.int32), id="greedy"),
    ],
)
def test_codes_that_are_no_draws_from_these_logits_are_not_called_so(actual):
    """Nothing is said of a sampler without a test of fit that both sides pass."""
    assert first(actual).code != "sampler"


def test_logits_that_the_golden_s_codes_were_not_drawn_from_explain_nothing():
    """The reference's own codes have to fit first."""
    assert first(draw(temperature=0.7), logits=LOGITS[::-1]).code != "sampler"


def test_without_logits_nothing_is_said_of_a_sampler():
    """There is no evidence then."""
    sides = [StageTensor(StageMeta("x", kind="codes"), side) for side in (EXPECTED, draw(temperature=0.7))]
    assert "sampler" not in [found.code for found in check_stage(*sides, layered([], "x")).findings]
