"""The example of silero-vad: every fault of its ports, and the two files that are not the model they claim to be."""

from __future__ import annotations

import contextlib
import shutil

import pytest
import vad_ports

from pytest_audioparity import compare_weights
from tests.examples.inner_runs import ROOT, Example, cause

with contextlib.suppress(ImportError):  # it cannot be imported twice in a process, which inner runs would do
    import mlx.core
    import mlx.nn  # noqa: F401

GOLDEN = "golden/examples/silero_vad"
# fault -> where it is seen first, the cause, a part of the message, how many stages fail
FAULTS = {
    "state_reset": ("lstm/hidden", "diverges_from", "up to T=1 (0.032 s)", 4),
    "context_missing": ("stft_magnitude", "seams", "errors repeat every 4 frames", 9),
    "gate_order": ("lstm/hidden", "uncorrelated", "unrelated to expected", 4),
    "half": ("encoder/layer_0", "uncorrelated", "another checkpoint's", 8),
    "safetensors": ("encoder/layer_0", "unexplained", "none of the known causes", 8),
}


@pytest.fixture
def example(pytester, monkeypatch):
    """Give the example's test, its golden and its clip."""
    example = Example(pytester, monkeypatch, "silero_vad/test_vad.py", "VAD_FAULT")
    shutil.copytree(ROOT / GOLDEN, pytester.path / GOLDEN)
    (pytester.path / "tests").mkdir()
    (pytester.path / "tests" / "data").symlink_to(ROOT / "tests" / "data")
    example.is_asked_little(listen=False)
    return example


CASES = [*((fault, "numpy") for fault in FAULTS), ("state_reset", "mlx"), ("context_missing", "mlx")]


@pytest.mark.parametrize(("fault", "runtime"), CASES)
def test_a_fault_is_first_seen_where_it_sits_and_named(example, needs, fault, runtime):
    """In either layout. Of another model's weights each layer is wrong on the golden's inputs too: none has a bug."""
    needs("silero_vad")
    needs(runtime)
    assert example.run("-k", f"test_vad and {runtime}]", fault=fault).parseoutcomes()["failed"] == 1
    first, code, told, failing = FAULTS[fault]
    result = example.result(f"test_vad-{runtime}")
    stages = result["stages"]
    finding = cause(stages[first])
    assert (result["first_divergence"], finding["code"]) == (first, code)
    assert told in finding["message"]
    assert sum(stage["verdict"] != "pass" for stage in stages.values()) == failing
    if fault in ("half", "safetensors"):
        own = {name for name, stage in stages.items() if stage["own_verdict"] == "fail"}
        assert own == set(stages) - {"stft_magnitude", "probability"}


def test_a_fault_that_nobody_knows_is_refused(example):
    assert "unknown fault 'state_rest'; the nearest is 'state_reset'" in example.run(fault="state_rest").stdout.str()


@pytest.mark.parametrize(("fault", "least", "most"), [("half", -0.1, 0.3), ("safetensors", 0.85, 0.999)])
def test_the_weights_say_so_before_a_stage_is_run(needs, fault, least, most):
    """One file is another network, the other a relative; the basis of the Fourier transform makes both pass for it."""
    needs("silero_vad")
    result = compare_weights(vad_ports.weights(), vad_ports.weights({fault}))
    assert not result
    assert [match.name for match in result.matches if match.passed] == ["stft.forward_basis_buffer"]
    correlations = [match.detail["correlation"] for match in result.matches if match.status == "different"]
    assert len(correlations) >= 13
    assert all(least < correlation < most for correlation in correlations if correlation is not None)
