"""Functions of each value, and what only looks like one: gains of values of one sign, and noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_audioparity import compare

RNG = np.random.default_rng(3)
NEGATIVE = -np.abs(RNG.standard_normal((40, 100))).astype(np.float32)
# As magnitudes of speech: a few are large.
PEAKED = (RNG.standard_normal((60, 200)) ** 6 / 100).astype(np.float32)


@pytest.mark.parametrize("gain", [0.01, 0.1, 10.0, 100.0])
@pytest.mark.parametrize("axes", [None, "CT"])
def test_a_leaky_slope_of_negative_values_alone_is_a_gain(gain, axes):
    found = compare(NEGATIVE, np.float32(gain) * NEGATIVE, **({} if axes is None else {"axes": axes})).findings[0]

    assert (found.code, found.detail["gain"]) == ("gain", pytest.approx(gain))


@pytest.mark.parametrize("size", [0.01, 0.1, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_noise_on_values_that_are_never_negative_is_no_activation(size, seed):
    noise = np.random.default_rng(seed).standard_normal(PEAKED.shape).astype(np.float32)
    found = compare(PEAKED, PEAKED + np.float32(size * PEAKED.std()) * noise, axes="CT").findings

    assert "pointwise" not in [finding.code for finding in found]


@pytest.mark.parametrize("function", [np.abs, lambda x: np.maximum(x, 0), np.tanh])
def test_a_function_that_is_missing_is_found_beneath_rounding(function):
    signal = RNG.standard_normal((40, 100))
    rounded = (signal + 1e-3 * RNG.standard_normal(signal.shape)).astype(np.float32)
    found = compare(function(signal).astype(np.float32), rounded, axes="CT").findings[0]

    assert (found.code, found.detail["side"]) == ("pointwise", "expected")


@pytest.mark.parametrize("seed", range(4))
def test_a_few_values_at_limits_that_are_rounded_are_clipped(seed):
    """Half precision rounds relative to the value, so at a limit by more than near zero, where most samples are."""
    rng = np.random.default_rng(seed)
    expected = rng.laplace(size=20_000).astype(np.float32)
    limit = np.quantile(np.abs(expected), 0.999)
    actual = (np.clip(expected, -limit, limit) * (1 + 2.5e-4 * rng.standard_normal(expected.shape))).astype(np.float32)
    finding = compare(expected, actual, axes="T").findings[0]
    assert finding.code == "clipped"
    assert [finding.detail["low"], finding.detail["high"]] == pytest.approx([-limit, limit], rel=1e-3)


@pytest.mark.parametrize("noise", [0.3, 0.4])
def test_a_curve_through_what_two_sides_only_have_in_common_is_no_function(noise):
    """As after features in the wrong order: a mean for each value removes most of the error, the rest has no cause."""
    common, ours, theirs = np.random.default_rng(0).standard_normal((3, 200, 80))
    found = compare(common + noise * ours, -np.exp(-common) + 0.7 * noise * theirs, axes="TC").findings

    assert [finding.code for finding in found] == ["unexplained"]


@pytest.mark.parametrize("scale", [1, 4])
def test_another_approximation_of_gelu_is_a_function_however_much_of_its_small_error_it_leaves(scale):
    x = scale * np.random.default_rng(0).standard_normal((96, 200))
    erf = np.vectorize(math.erf)(x / math.sqrt(2))
    tanh = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    found = compare(x * (1 + erf) / 2, x * (1 + tanh) / 2, axes="CT", tol_db=1e-4).findings

    assert found[0].code == "pointwise"


@pytest.mark.parametrize("limits", [(-1, 2.5), (-3, 0.5)])
def test_a_clamp_that_cuts_off_much_at_one_end_and_little_at_the_other_is_clipped_at_both(limits):
    values = np.random.default_rng(0).standard_normal((96, 200))
    (finding,) = compare(values, np.clip(values, *limits), axes="CT").findings

    assert (finding.code, finding.detail["low"], finding.detail["high"]) == ("clipped", *limits)


@pytest.mark.parametrize(("there", "here"), [(0.0, 0.01), (0.0, 0.2), (0.01, 0.1)])
def test_another_slope_below_zero_is_not_called_an_activation_that_is_missing(there, here):
    signal = RNG.standard_normal((40, 100)).astype(np.float32)
    sides = (np.where(signal > 0, signal, np.float32(slope) * signal) for slope in (there, here))
    found = compare(*sides, axes="CT").findings[0]
    assert found.code == "pointwise"
    assert "missing" not in found.message
    assert float(found.message.partition("(about ")[2].split()[0]) == pytest.approx(here, rel=0.1)


def test_an_activation_that_is_missing_is_called_so():
    signal = RNG.standard_normal((40, 100)).astype(np.float32)
    for slope in (0.0, 0.1):
        found = compare(np.where(signal > 0, signal, np.float32(slope) * signal), signal, axes="CT").findings[0]
        assert "of this stage is missing" in found.message
