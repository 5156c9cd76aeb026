"""The cause of a difference: the three investigations that this began with, pairs of causes, and healthy stages."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare
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


def recurrent(x, rows, order):
    """Return the hidden states of an LSTM whose rows of gates, of inputs and state together, are in some order."""
    width = len(rows) // 4
    hidden = cell = np.zeros(width)
    states = []
    for frame in x:
        gate = dict(zip(order, np.split(rows @ [*frame, *hidden], 4), strict=True))
        opened = {name: 1 / (1 + np.exp(-gate[name])) for name in "ifo"}
        cell = opened["f"] * cell + opened["i"] * np.tanh(gate["g"])
        hidden = opened["o"] * np.tanh(cell)
        states.append(hidden)
    return np.stack(states)


def test_an_lstm_whose_gates_are_in_the_order_of_another_runtime():
    """Its output is unrelated too, and the report says that the weights may be right and their rows not."""
    rows = np.random.default_rng(5).standard_normal((4 * 64, 40 + 64)) * np.repeat([1, 2, 0.5, 1], 64)[:, None]
    x = HIDDEN[0, :40].T
    (first,) = findings(recurrent(x, rows, "ifgo"), recurrent(x, rows, "iofg"), axes="TC")
    assert first.code == "uncorrelated"
    assert "gates of an LSTM" in first.message


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


def _walk(*shape):
    """Return values that are smooth along their first axis, as features of speech along time."""
    steps = np.random.default_rng(9).standard_normal(shape)
    kernel = np.hanning(9) / np.hanning(9).sum()
    return np.apply_along_axis(np.convolve, 0, steps, kernel, "same")


@pytest.mark.parametrize(
    ("shape", "axes", "part", "code", "key", "value"),
    [
        ((480_000,), "T", np.s_[400_000:], "diverges_from", "from", 400_000),
        ((480_000,), "T", np.s_[400_001:400_002], "spikes", "first", [400_001]),
        ((1500, 512), "TC", np.s_[1300:], "diverges_from", "from", 1300),
        ((1500, 512), "TC", np.s_[1400:1401, 480:481], "spikes", "first", [1400, 480]),
        ((1500, 512), "TC", np.s_[1496:], "edges", "last", 4),
        ((1500, 512), "TC", np.s_[:, 470:472], "channels", "indices", [470, 471]),
    ],
)
def test_places_in_a_stage_of_which_a_part_is_looked_at_are_those_of_the_whole(shape, axes, part, code, key, value):
    """Of more than 262 144 elements a part is looked at, with the difference in it; places are those in the whole."""
    expected = _walk(*shape)
    actual = expected.copy()
    actual[part] += 0.5 * np.random.default_rng(1).standard_normal(actual[part].shape) + 0.1
    kind = "waveform" if axes == "T" else "tensor"
    finding = compare(expected, actual, kind=kind, axes=axes).findings[0]
    assert (finding.code, finding.detail[key]) == (code, value), finding


def test_whatever_two_arrays_are_like_the_diagnosis_comes_to_an_end():
    """Codes and floats of small odd shapes, moved about and changed: every failure is described, none raises."""
    rng = np.random.default_rng(3)
    for _ in range(150):
        shape = tuple(int(n) for n in rng.choice([1, 2, 3, 5, 8, 33], size=int(rng.integers(1, 5))))
        expected = rng.integers(0, 9, shape) if rng.random() < 0.5 else rng.standard_normal(shape)
        moved = rng.permutation(expected.ravel()) if rng.random() < 0.3 else np.roll(expected.ravel(), 1)
        turned = expected.reshape(shape[::-1]).T.ravel()
        actual = (moved if rng.random() < 0.5 else turned).reshape(shape) + int(rng.integers(0, 2))
        result = compare(expected, actual)
        assert result.passed or result.findings, (shape, expected.dtype)


def of_codes(expected, actual):
    sides = [StageTensor(StageMeta("x", kind="codes", axes="CT"), side) for side in (expected, actual)]
    return check_stage(*sides, layered([], "x")).findings[0]


def test_codes_that_end_early_and_agree_until_then_ask_for_the_end_token():
    """A common prefix of codes points to the test that ends generation, not to padding."""
    expected = np.random.default_rng(3).integers(1024, size=(8, 120))
    found = of_codes(expected, expected[:, :23])
    assert found.code == "length"
    assert "97 frames shorter along T, at the end; up to there all codes are equal; check when" in found.message
    changed = expected[:, :23].copy()
    changed[0, 0] += 1
    assert "all codes" not in of_codes(expected, changed).message
    assert "actual is 1 frame shorter along T" in of_codes(expected, expected[:, :-1]).message


def test_unrelated_codes_may_have_been_fed_back():
    """After the first code that differs, those of a model that reads its own output are unrelated."""
    expected, actual = np.random.default_rng(3).integers(1024, size=(2, 8, 120))
    found = of_codes(expected, actual)
    assert found.code == "uncorrelated"
    assert found.message.endswith("codes that are fed back are unrelated behind the first that differs")


def test_causes_on_top_of_each_other_share_one_error():
    """Also where the first is undone on the other side, in whose units the rest is measured."""
    expected = np.random.default_rng(942).standard_normal(90).cumsum() / 3
    shares = [finding.explains for finding in compare(expected, np.flip(np.exp(expected / 2))).findings]
    assert len(shares) == 3
    assert sum(shares) <= 1 + 1e-9
