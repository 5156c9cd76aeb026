"""Bytes of a value in the other order, or from one byte further: told before the noise that they make."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare

SAMPLES = (np.cumsum(np.random.default_rng(0).standard_normal(4000)) * 50).astype(np.int16)
LAYER = np.random.default_rng(1).standard_normal((24, 100)).astype(np.float32)


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64", "float16"])
def test_swapped_bytes_are_told(dtype):
    """Of floats some are NaN, which says nothing more."""
    expected = SAMPLES.astype(dtype) if dtype.startswith("i") else LAYER.astype(dtype)
    meta = {"axes": "T", "kind": "waveform", "sample_rate": 16_000} if expected.ndim == 1 else {"axes": "CT"}
    (finding,) = compare(expected, expected.byteswap(), **meta).findings
    assert (finding.code, finding.detail) == ("reshaped", {"bytes": "in the other order"})


def test_swapped_bytes_of_another_arithmetic_are_told():
    expected = LAYER.T
    actual = (expected * (1 + 1e-5 * np.random.default_rng(2).standard_normal(expected.shape))).astype(np.float32)
    for layout in (np.ascontiguousarray, np.asfortranarray):
        (finding,) = compare(expected, layout(actual).byteswap(), axes="TC").findings
        assert finding.code == "reshaped"


@pytest.mark.parametrize("scale", [32767, 32768])
def test_samples_that_were_made_floats_are_told(scale):
    """Expected need not have been 16-bit samples."""
    expected = (SAMPLES / 32768 + 1e-5 * np.sin(np.arange(4000))).astype(np.float32)
    pcm = np.rint(expected * scale).astype(np.int16)
    for how, read in (
        ("in the other order, as 16-bit samples", pcm.byteswap()),
        ("from a byte earlier on", np.roll(pcm.view(np.uint8), 1).view(np.int16)),
        ("from a byte later on", np.roll(pcm.view(np.uint8), -1).view(np.int16)),
    ):
        actual = (read / scale).astype(np.float32)
        (finding,) = compare(expected, actual, axes="T", kind="waveform", sample_rate=16_000).findings
        assert (finding.code, finding.detail["bytes"]) == ("reshaped", how)


@pytest.mark.parametrize("actual", [SAMPLES[::-1], -SAMPLES, SAMPLES // 2, SAMPLES + 1, np.roll(SAMPLES, 1)])
def test_other_samples_are_not(actual):
    result = compare(SAMPLES, np.asarray(actual, np.int16), axes="T", kind="waveform", sample_rate=16_000)
    assert "reshaped" not in [finding.code for finding in result.findings]


def test_zeros_say_nothing():
    expected = np.zeros(400, np.int16)
    expected[:8] = np.arange(8)
    result = compare(expected, expected.byteswap(), axes="T", kind="waveform", sample_rate=16_000)
    assert "reshaped" not in [finding.code for finding in result.findings]
