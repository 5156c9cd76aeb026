"""The example of the real TTS: its port passes, and each of its faults is first seen where it sits, by its name."""

from __future__ import annotations

import shutil
from pathlib import Path

import hibari_port  # noqa: F401 - imported once, with its weights; pytester drops what an inner run imports first
import hibari_trace  # noqa: F401
import pytest

from tests.examples.inner_runs import Example, cause

# fault -> the test that sees it, where it is seen first, the cause, a part of the message, what the audio is called
FAULTS = {
    "encoder_gain": ("test_port-float", "encoder/output", "gain", "overlap normalisation", None),
    "attention_scale": ("test_port-float", "encoder/attention_scores", "gain", "sqrt(64)", None),
    "qkv_order": ("test_port-float", "encoder/attention_scores", "uncorrelated", "weights", None),
    "heads_merged": ("test_port-float", "encoder/attention_heads", "reshaped", "2 heads merged", None),
    "norm_eps": ("test_port-float", "encoder/conv_norm", "channel_gain", "index of T has a gain", None),
    "gelu_tanh": ("test_port-int8", "encoder/conv_gelu", "pointwise", "tanh against erf in GELU", None),
    "decoder_layout": ("test_port-float", "decoder/input", "reshaped", "reshape", "garbled"),
    "swapped_spectra": ("test_port-float", "spectrum/noise_log_magnitude", "stale", "residual_log_magnitude", None),
    "hann_symmetric": ("test_synthesis", "synthesis/window", "sample_rate", "symmetric windows", None),
    "overlap_norm": ("test_synthesis", "waveform", "gain", "without overlap normalisation", "level_changed"),
}


@pytest.fixture(scope="module")
def goldens(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("goldens")


@pytest.fixture
def example(pytester, monkeypatch, goldens):
    """Give the port's tests, with a golden that this machine makes."""
    example = Example(pytester, monkeypatch, "tts_real/test_port.py", "TTS_FAULT")
    if not any(goldens.iterdir()):
        assert example.run("--update-golden", "-k", "test_reference").ret == 0
        shutil.copytree("golden", goldens / "golden")
    shutil.copytree(goldens / "golden", "golden", dirs_exist_ok=True)
    return example


def test_the_healthy_port_passes_and_so_does_the_package_again(example):
    """The float port within the rounding of the package, and the rounding port exactly, up to the decoder."""
    example.run().assert_outcomes(passed=4)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_first_seen_where_it_sits_and_named(example, fault):
    """And where words are lost, the waveform is called garbled."""
    test, first, code, told, audio = FAULTS[fault]
    example.is_asked_little(listen=audio is not None)
    example.run("-k", test.replace("-", "["), fault=fault).assert_outcomes(failed=1, deselected=3)
    result = example.result(test)
    finding = cause(result["stages"][first])
    assert (result["first_divergence"], finding["code"]) == (first, code)
    assert told in finding["message"]
    if audio is not None:
        assert result["stages"]["waveform"]["audio"]["verdict"] == audio


def test_what_rounding_hides_is_not_seen(example):
    """GELU by tanh moves the float port by less than the package's own rounding: it passes, as the README says."""
    example.run("-k", "test_port[float", fault="gelu_tanh").assert_outcomes(passed=1, deselected=3)


def test_a_fault_that_nobody_knows_is_refused(example):
    result = example.run(fault="gelu_tan")
    assert "unknown fault 'gelu_tan'; the nearest is 'gelu_tanh'" in result.stdout.str()
    result.assert_outcomes(errors=1)
