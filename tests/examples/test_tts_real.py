"""The example of the real TTS: its port passes, and each of its faults is first seen where it sits, by its name."""

from __future__ import annotations

import shutil
from pathlib import Path

import hibari_port  # noqa: F401 - imported once, with its weights; pytester drops what an inner run imports first
import hibari_trace  # noqa: F401
import pytest

import pytest_audioparity.diagnosis.judge
import pytest_audioparity.recording
import pytest_audioparity.repeating
import pytest_audioparity.session
import pytest_audioparity.stages
import pytest_audioparity.trial  # noqa: F401
from pytest_audioparity.golden.pending import read_pending

EXAMPLE = Path(__file__).parents[2] / "examples" / "tts_real"
# fault -> the test that sees it, where it is seen first, the cause, a part of the message, what the audio is called
FAULTS = {
    "encoder_gain": ("test_port-float", "encoder/output", "gain", "overlap normalisation", "garbled"),
    "attention_scale": ("test_port-float", "encoder/attention_scores", "gain", "sqrt(64)", None),
    "qkv_order": ("test_port-float", "encoder/attention_scores", "uncorrelated", "weights", None),
    "heads_merged": ("test_port-float", "encoder/attention_heads", "reshaped", "2 heads merged", None),
    "norm_eps": ("test_port-float", "encoder/conv_norm", "channel_gain", "index of T has a gain", None),
    "gelu_tanh": ("test_port-int8", "encoder/conv_gelu", "pointwise", "tanh against erf in GELU", None),
    "decoder_layout": ("test_port-float", "decoder/input", "reshaped", "reshape", "garbled"),
    "swapped_spectra": ("test_port-float", "spectrum/noise_log_magnitude", "stale", "residual_log_magnitude", None),
    "hann_symmetric": ("test_synthesis", "synthesis/window", "filtered", "window functions", None),
    "overlap_norm": ("test_synthesis", "waveform", "gain", "without overlap normalisation", "level_changed"),
}


@pytest.fixture(scope="module")
def goldens(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("goldens")


@pytest.fixture
def run(pytester, monkeypatch, goldens):
    """Run the port's tests in a project of their own, against a golden that this machine makes."""
    folder = pytester.path / "examples" / "tts_real"
    folder.mkdir(parents=True)
    shutil.copy(EXAMPLE / "test_port.py", folder)
    pytester.makeini("[pytest]\n")
    # Its plugin imports hypothesis anew in every inner run, which takes a second.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")

    def ran(*flags: str, fault: str = "") -> pytest.RunResult:
        monkeypatch.setenv("TTS_FAULT", fault)
        return pytester.runpytest_inprocess(*flags)

    if not any(goldens.iterdir()):
        assert ran("--update-golden", "-k", "test_reference").ret == 0
        shutil.copytree("golden", goldens / "golden")
    shutil.copytree(goldens / "golden", "golden", dirs_exist_ok=True)
    return ran


def result_of(pytester, test):
    """Return what a failing test left for review: its verdicts, with the stages by name."""
    path = pytester.path / ".audioparity" / "pending" / "examples" / "tts_real" / "test_port" / f"{test}.safetensors"
    return read_pending(path)[0].result


def test_the_healthy_port_passes_and_so_does_the_package_again(run):
    """The float port within the rounding of the package, and the rounding port exactly, up to the decoder."""
    run().assert_outcomes(passed=4)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_first_seen_where_it_sits_and_named(run, pytester, monkeypatch, fault):
    """What follows has only inherited it, or repeats it; and where words are lost, the waveform is called garbled."""
    test, first, code, told, audio = FAULTS[fault]
    # Causes of what follows, and what nobody asks of the audio, would be most of the time.
    monkeypatch.setattr("pytest_audioparity.causes._DIAGNOSED", 1)
    monkeypatch.setattr("pytest_audioparity.causes._LISTENED", 0 if audio is None else 1)
    run("-k", test.replace("-", "["), fault=fault).assert_outcomes(failed=1, deselected=3)
    result = result_of(pytester, test)
    stages = {stage["name"]: stage for stage in result["stages"]}
    finding = (stages[first].get("own_findings") or stages[first]["findings"])[0]
    assert (result["first_divergence"], finding["code"]) == (first, code)
    assert told in finding["message"]
    if audio is not None:
        assert stages["waveform"]["audio"]["verdict"] == audio


def test_what_rounding_hides_is_not_seen(run):
    """GELU by tanh moves the float port by less than the package's own rounding: it passes, as the README says."""
    run("-k", "test_port[float", fault="gelu_tanh").assert_outcomes(passed=1, deselected=3)


def test_a_fault_that_nobody_knows_is_refused(run):
    result = run(fault="gelu_tan")
    assert "unknown fault 'gelu_tan'; the nearest is 'gelu_tanh'" in result.stdout.str()
    result.assert_outcomes(errors=1)
