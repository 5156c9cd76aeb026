"""Log-mels that stop at a floor: a quieter input, another unit, another norm of the filters, a bias before a ReLU."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from pytest_audioparity import compare
from tests.diagnosis.fronts import CLIPS, FLOOR, filters, log_mel, spoken

DECLARED = {"axes": "CT", "kind": "log_spectrum", "unit": "ln_power"}


def _found(expected, actual, **declared):
    return compare(expected, actual, **(declared or DECLARED)).findings


def _at_floor(side):
    return float((side == side.min()).mean())


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("gain", [0.5, 0.708, 1.19, 32768.0])
def test_a_gain_of_the_input_is_an_offset_of_its_log_mel(name, gain):
    """Also where a tenth and more of one side is at the floor, and none of the other is."""
    samples = spoken(name)
    expected, actual = log_mel(samples), log_mel(gain * samples)
    first = _found(expected, actual)[0]
    assert first.code == "offset"
    assert first.detail["offset_db"] == pytest.approx(20 * np.log10(gain), abs=1e-3)
    assert first.explains > 0.999


@pytest.mark.parametrize("name", CLIPS)
def test_the_clips_have_a_floor(name):
    assert 0.1 < _at_floor(log_mel(spoken(name))) < 0.5


@pytest.mark.parametrize("name", CLIPS)
def test_magnitudes_for_powers_are_another_unit_above_the_floor(name):
    samples = spoken(name)
    first = _found(log_mel(samples), log_mel(samples, power=1))[0]
    assert (first.code, first.detail["slope"]) == ("log_base", 0.5)


@pytest.mark.parametrize("name", CLIPS)
def test_another_norm_of_the_filters_is_an_offset_of_each_bin(name):
    samples = spoken(name)
    expected, actual = log_mel(samples), log_mel(samples, norm=None)
    first = _found(expected, actual)[0]
    assert (first.code, first.detail["axis"]) == ("channel_offset", "C")
    ratios = np.log(filters(norm=None).sum(axis=1) / filters().sum(axis=1))
    told = np.count_nonzero((expected > expected.min()) & (actual > actual.min()), axis=1) >= 4
    np.testing.assert_allclose(np.array(first.detail["offsets"])[told], ratios[told], atol=1e-3)


@pytest.mark.parametrize("name", CLIPS)
def test_pre_emphasis_is_an_offset_of_each_bin(name):
    samples = spoken(name)
    first = _found(log_mel(samples), log_mel(lfilter([1, -0.97], [1], samples)))[0]
    assert (first.code, first.detail["axis"]) == ("channel_offset", "C")
    assert first.explains > 0.99


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("floor", [1e-10, 1e-7, 1e-3])
def test_a_floor_alone_is_a_floor(name, floor):
    samples = spoken(name)
    for expected, actual in ((FLOOR, floor), (floor, FLOOR)):
        assert _found(log_mel(samples, floor=expected), log_mel(samples, floor=actual))[0].code == "floor"


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_bias_that_is_missing_before_a_relu_is_an_offset_for_each_channel(scale):
    rng = np.random.default_rng(0)
    hidden, bias = rng.standard_normal((64, 300)), scale * rng.standard_normal((64, 1))
    expected, actual = (np.maximum(side, 0).astype(np.float32) for side in (hidden + bias, hidden))
    first = _found(expected, actual, axes="CT")[0]
    assert (first.code, first.detail["axis"]) == ("channel_offset", "C")
    told = ((expected > 0) & (actual > 0)).sum(axis=1) >= 4
    np.testing.assert_allclose(np.array(first.detail["offsets"])[told], -bias[told, 0], atol=1e-3)


def test_a_relu_that_is_missing_is_no_offset_though_one_side_has_a_floor():
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((64, 300))
    noisy = hidden + 1e-3 * rng.standard_normal(hidden.shape)
    first = _found(np.maximum(hidden, 0).astype(np.float32), noisy.astype(np.float32), axes="CT")[0]
    assert (first.code, first.detail["function"]) == ("pointwise", "relu")
