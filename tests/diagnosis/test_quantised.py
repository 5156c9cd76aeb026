"""Grids that only the values themselves tell: PCM, calibrated scales. A grid is to blame for no more than a step."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare
from tests.faults.features import clip

SPEECH = clip("austen")[0][:40000].astype(np.float64)
HIDDEN = np.random.default_rng(0).standard_normal((120, 256))


@pytest.mark.parametrize(
    ("levels", "step"),
    [
        pytest.param(lambda x: np.round(x * 127) / 127, 1 / 127, id="8-bit PCM"),
        pytest.param(lambda x: np.round(x * 128) / 128, 1 / 128, id="8-bit PCM of another convention"),
        pytest.param(lambda x: np.round(x * 2**11) / 2**11, 2**-11, id="fixed point"),
        pytest.param(lambda x: np.round(x / 0.0043) * 0.0043, 0.0043, id="calibrated scale"),
        pytest.param(lambda x: np.float32(np.round(x / 0.0043)) * np.float32(0.0043), 0.0043, id="in float32"),
    ],
)
def test_a_step_that_no_bit_width_tells_is_found(levels, step):
    """The step is stated, whatever it was made from."""
    finding = compare(SPEECH, levels(SPEECH), kind="waveform", sample_rate=16000.0, dtype="any", tol_db=1e-3).findings[
        0
    ]
    assert finding.code == "quantised"
    assert finding.detail["step"] == pytest.approx(step, rel=1e-5)
    assert finding.explains > 0.99


def test_what_a_calibrated_scale_cuts_off_is_named_beside_the_grid():
    """As static quantisation does: a scale for nearly all values, and the rest clamped."""
    limit = np.quantile(np.abs(HIDDEN), 0.99)
    step = limit / 127
    codes = [one.code for one in compare(HIDDEN, np.clip(np.round(HIDDEN / step), -128, 127) * step).findings]
    assert codes[0] == "clipped"
    assert codes[0:2] in (["clipped"], ["clipped", "quantised"])


def test_a_grid_is_not_to_blame_for_more_than_a_step():
    """Samples that were clamped to 16 bits lie on a grid too; what is wrong is the clamp."""
    loud = SPEECH / np.abs(SPEECH).max() * 1.2
    clamped = np.clip(np.round(loud * 32767), -32768, 32767) / 32767
    assert compare(loud, clamped, kind="waveform", sample_rate=16000.0).findings[0].code == "clipped"


@pytest.mark.parametrize("seed", range(5))
def test_few_values_that_differ_by_noise_are_no_grid(seed):
    """Values that repeat are not on a grid for that: those of a step function, each moved."""
    rng = np.random.default_rng(seed)
    repeated = np.repeat(rng.standard_normal(200), 30)
    noisy = repeated + np.repeat(rng.standard_normal(200), 30) * 0.02
    assert "quantised" not in [one.code for one in compare(repeated, noisy).findings]


@pytest.mark.parametrize(("gain", "offset"), [(0.8, 0.4), (0.7, 0.6), (1.3, 0.0)])
def test_values_that_are_nearly_all_at_the_largest_are_on_no_grid(gain, offset):
    """The largest is on every grid that divides it: probabilities of which most are nearly 1."""
    probabilities = 1 / (1 + np.exp(-np.linspace(-3.5, 40, 200)))
    first = compare(probabilities, gain * probabilities + offset).findings[0]
    assert first.code == ("affine" if offset else "gain")
