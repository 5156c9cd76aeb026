"""Values on fewer levels: rounded down or towards zero, and on levels at uneven distances."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import soundfile

from pytest_audioparity import compare

SPEECH = Path(__file__).parents[1] / "data" / "speech" / "pocketsphinx_cards_002.wav"
SAMPLES = (
    soundfile.read(SPEECH, dtype="float32")[0][:20000] + np.float32(1e-6) * np.arange(20000, dtype=np.float32) / 20000
)
HIDDEN = np.random.default_rng(8).standard_normal((64, 200)).astype(np.float32)
STAGES = pytest.mark.parametrize("x", [SAMPLES, HIDDEN], ids=["waveform", "hidden"])


def first(expected, actual):
    return compare(expected, actual.astype(np.float32), axes="T" if expected.ndim == 1 else "CT").findings[0]


@STAGES
@pytest.mark.parametrize("bits", [4, 6, 8, 12])
@pytest.mark.parametrize("rounded", [np.floor, np.ceil, np.trunc])
def test_a_grid_is_named_however_values_are_rounded_to_it(x, bits, rounded):
    step = np.abs(x).max() / (2 ** (bits - 1) - 1)
    found = first(x, rounded(x / step) * step)

    assert (found.code, found.detail["step"]) == ("quantised", pytest.approx(step, rel=1e-3))


@STAGES
@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
@pytest.mark.parametrize("largest", [1.0, 200.0])
def test_8_bit_floats_are_levels_at_uneven_distances(x, name, largest):
    scale = np.float32(largest / np.abs(x).max())
    short = (x * scale).astype(ml_dtypes.finfo(name).dtype).astype(np.float32) / scale
    found = first(x, short)

    assert (found.code, found.detail["levels"]) == ("quantised", np.unique(short).size)


@STAGES
def test_mu_law_is_levels_at_uneven_distances(x):
    top = np.abs(x).max()
    coded = np.round(np.sign(x) * np.log1p(255 * np.abs(x) / top) / np.log(256) * 127) / 127
    found = first(x, top * np.sign(coded) * (256 ** np.abs(coded) - 1) / 255)

    assert (found.code, found.detail["step"]) == ("quantised", None)


@STAGES
def test_few_values_that_are_not_the_nearest_are_no_levels(x):
    """As a function with steps, or other numbers altogether."""
    coarse = np.round(x / x.std())
    for actual in (
        coarse * x.std() * 1.3 + x.std(),
        np.random.default_rng(1).permutation(coarse.ravel()).reshape(x.shape),
    ):
        assert first(x, actual).code != "quantised"


@STAGES
def test_zeros_with_a_click_among_them_are_no_levels(x):
    actual = np.zeros_like(x)
    actual.ravel()[[77, 99]] = 100 * x.max()

    assert first(x, actual).code != "quantised"
