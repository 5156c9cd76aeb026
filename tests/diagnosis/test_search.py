"""The cause of a difference: the three investigations that this began with, pairs of causes, and healthy stages."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity.check import check_stage
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.records import StageMeta, StageTensor

RNG = np.random.default_rng(7)


def smooth(channels, frames, rng=RNG):
    """Make something like features of speech: an envelope in time, a tilt over channels, neighbours alike."""
    envelope = np.abs(np.convolve(rng.standard_normal(frames), np.ones(9) / 9, "same"))
    rows = np.stack(
        [np.convolve(rng.standard_normal(frames), [0.3, 0.5, 1, 0.5, 0.3], "same") for _ in range(channels)]
    )
    return (rows * envelope + np.linspace(-2, -6, channels)[:, None])[None].astype(np.float32)


MEL = smooth(80, 200)
HIDDEN = smooth(96, 150)


def findings(expected, actual, others=(), **declared):
    sides = [StageTensor(StageMeta("x", **declared), np.asarray(side, np.float32)) for side in (expected, actual)]
    return check_stage(*sides, layered([], "x"), others=others).findings


def codes(expected, actual, **declared):
    return [finding.code for finding in findings(expected, actual, **declared)]


def test_a_mel_that_is_dark_because_the_last_projection_lost_its_bias():
    """An offset of a logarithmic stage, in dB, and where to look."""
    first = findings(MEL, MEL - 1.46 / 8.685889638, kind="log_spectrum", unit="ln", axes="BCT")[0]
    assert first.code == "offset"
    assert first.explains == pytest.approx(1.0, abs=1e-6)
    assert first.detail["offset_db"] == pytest.approx(-1.46, abs=1e-3)
    assert "-1.460 dB" in first.message
    assert "bias" in first.message


def test_an_encoder_with_random_weights_is_no_gain():
    """Its output is 200 times too small, and unrelated; a gain would keep the pattern."""
    (first,) = findings(HIDDEN, smooth(96, 150, np.random.default_rng(3)) / 200, axes="BCT")
    assert first.code == "uncorrelated"
    assert "46" in first.message
    assert "weights" in first.message


def test_a_decoder_whose_state_was_reset_after_the_first_chunk():
    """Equal up to a frame, wrong from there on."""
    actual = HIDDEN.copy()
    actual[..., 48:] = smooth(96, 150, np.random.default_rng(4))[..., 48:]
    (first,) = findings(HIDDEN, actual, axes="BCT")
    assert (first.code, first.detail["from"]) == ("diverges_from", 48)
    assert "state" in first.message


@pytest.mark.parametrize(
    ("gain", "constant"),
    [(1.5, "1.5"), (1 / np.sqrt(192), "1/sqrt(192)"), (32768.0, "32768"), (np.sqrt(2), "sqrt(2)"), (0.731, None)],
)
def test_familiar_constants_are_named_and_others_are_not(gain, constant):
    """The name is what tells an engineer where to look."""
    first = findings(HIDDEN, HIDDEN * gain, axes="BCT")[0]
    assert first.code == "gain"
    assert first.detail.get("constant") == constant


def test_the_unit_of_a_logarithm_is_named():
    """It is dB where ln is declared."""
    first = findings(MEL, MEL * 20 / np.log(10), kind="log_spectrum", unit="ln", axes="BCT")[0]
    assert first.code == "log_base"
    assert "dB" in first.message


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (HIDDEN.transpose(0, 2, 1) * 1.5, ["axes_permuted", "gain"]),
        (np.roll(HIDDEN, 5, -1) * 0.7, ["time_shift", "gain"]),
        (np.concatenate([HIDDEN[..., :2] * 0, HIDDEN[..., 2:] * 1.2], -1), ["gain", "edges"]),
    ],
    ids=["transposition and gain", "shift and gain", "gain and edges"],
)
def test_two_causes_together_are_both_named(actual, expected):
    """When together they explain the difference."""
    assert sorted(codes(HIDDEN, actual, axes=None if actual.shape != HIDDEN.shape else "BCT")[:2]) == sorted(expected)


def test_a_buffer_that_was_used_again_is_named():
    """The stage holds what another stage of the golden has."""
    other = StageTensor(StageMeta("ode/3"), smooth(96, 150, np.random.default_rng(5)))
    (first,) = findings(HIDDEN, other.array, others=[other])
    assert (first.code, first.detail["stage"]) == ("stale", "ode/3")


@pytest.mark.parametrize("seed", range(40))
def test_a_healthy_stage_has_no_finding(seed):
    """Sums in another order pass, and nothing is said of them."""
    rng = np.random.default_rng(seed)
    weights, inputs = rng.standard_normal((64, 64)).astype(np.float32), rng.standard_normal((64, 90)).astype(np.float32)
    order = rng.permutation(64)
    assert findings(weights @ inputs, weights[:, order] @ inputs[order]) == ()


def test_values_at_the_ends_of_their_range_are_compared_and_not_explained():
    """Their squares cannot be computed; that is no reason to stop."""
    assert findings(HIDDEN * np.float32(1e35), -HIDDEN * np.float32(1e35)) is not None
    expected = StageTensor(StageMeta("x"), HIDDEN.astype(np.float64) * 1e200)
    result = check_stage(expected, StageTensor(StageMeta("x"), -expected.array), layered([], "x"))
    assert not result.passed
