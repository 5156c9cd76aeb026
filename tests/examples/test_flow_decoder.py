"""The example flow decoder: its port passes, and of each fault the first divergence and the named cause are right."""

from __future__ import annotations

import functools
import importlib
import math
import os
import shutil
from pathlib import Path

import flow_port
import flow_reference
import numpy as np
import pytest

from pytest_audioparity import causes, compare
from pytest_audioparity.golden.file import Golden
from pytest_audioparity.golden.pending import read_pending

ROOT = Path(__file__).parents[2]
EXAMPLE = "examples/flow_decoder"
GOLDEN = f"golden/{EXAMPLE}/test_flow/test_reference.safetensors"
SOLVER = {f"ode/{number}" for number in range(10)}
RUNTIMES = sorted({"numpy", flow_port.RUNTIME})
# What no step made: what it inherits is not told apart.
RECORDED = {"mel", "audio"}
# fault -> first divergence, its cause, what is said, in numbers; stages at fault as far as is known; wrong settings
FAULTS = {
    # It explains 73 % of the error: a shorter way to a place near by.
    "no_guidance": (
        "ode/0",
        "gain",
        "what it adds to 'start' is 0.70",
        {},
        SOLVER | RECORDED,
        [("guidance", 0.7, 0.0)],
    ),
    # It has no form: the place, and the setting where it is declared, are all that can be said.
    "midpoint": ("ode/1", "unexplained", "", {}, SOLVER - {"ode/0"} | RECORDED, [("solver", "euler", "midpoint")]),
    "time_steps": (
        "ode/0",
        "gain",
        "what it adds to 'start' is 8.12",
        {"gain": 0.1 / (1 - math.cos(math.pi / 20))},  # to 0.1, where the cosine goes to 1 - cos(pi/20)
        SOLVER | RECORDED,
        [("schedule", "cosine", "linear")],
    ),
    "encoder_suppressed": (
        "encoder",
        "gain",
        "actual = 0.01 * expected (-40.00 dB)",
        {"gain": 0.01, "gain_db": -40.0},
        {"encoder"} | RECORDED,
        [],
    ),
    "attention_scale": (
        "attention_scores",
        "gain",
        "which is sqrt(24); check the scaling of attention",
        {"gain": math.sqrt(24)},
        {"attention_scores", "encoder"} | RECORDED,
        [],
    ),
    "own_noise": ("noise", "uncorrelated", "actual is unrelated to expected", {}, {"noise"} | RECORDED, []),
}


@pytest.fixture(scope="module", autouse=True)
def _modules():
    """Import what inner runs import: pytester drops what is new, and neither MLX nor our records can be there twice."""
    heavy = ("ml_dtypes", "numpy.fft", "scipy.optimize", "pystoi", "soundfile", "soxr", "xxhash")
    ours = ("api", "audio.report", "audio.scoring", "diagnosis.increments", "diagnosis.judge", "golden.provenance")
    ours += ("hearing", "recording", "report.json", "report.terminal", "session", "stages", "trial", "updates")
    port = ("flow_mlx",) if flow_port.RUNTIME == "mlx" else ()
    for name in (*heavy, *port, *(f"pytest_audioparity.{name}" for name in ours)):
        importlib.import_module(name)


@pytest.fixture
def port(pytester, monkeypatch):
    """Run the example's port test in a folder of its own, and return what a failure leaves for review."""
    # Under another name: of a module that this process has imported already, the inner run would take that.
    shutil.copy(ROOT / EXAMPLE / "test_flow.py", pytester.path / "test_downstream.py")
    shutil.copy(ROOT / EXAMPLE / "example.json", pytester.path)
    (pytester.path / GOLDEN).parent.mkdir(parents=True)
    shutil.copy(ROOT / GOLDEN, pytester.path / GOLDEN)
    (pytester.path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    # What a later run leaves is the same file again; durability is tested elsewhere.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    # Of stages further behind, what is asserted is their own part, which is diagnosed in any case.
    monkeypatch.setattr(causes, "_DIAGNOSED", 2)
    # Its plugin imports hypothesis anew in every inner run, which takes a second.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:cacheprovider")

    def run(fault="", settings="", runtime=flow_port.RUNTIME, *, listens=False):
        monkeypatch.setattr(causes, "_LISTENED", int(listens))
        monkeypatch.setenv("FLOW_FAULT", fault)
        monkeypatch.setenv("FLOW_SETTINGS", settings)
        monkeypatch.setattr(flow_port, "RUNTIME", runtime)
        result = pytester.runpytest_inprocess("-k", "test_port", "--import-mode=importlib")
        if result.ret == 0:
            return None
        result.assert_outcomes(failed=1)
        pending = pytester.path / ".audioparity/pending/test_downstream/test_port.safetensors"
        document = dict(read_pending(pending)[0].result)
        return {**document, "stages": {stage["name"]: stage for stage in document["stages"]}}

    return run


def told(stage):
    """Return the first finding that the report shows of a stage: of its own part where that is known."""
    return (stage["own_findings"] or stage["findings"])[0]


def at_fault(document):
    """Return the failing stages that did not merely inherit."""
    return {n for n, s in document["stages"].items() if s["verdict"] == "fail" and s["own_verdict"] != "pass"}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("fault", ["", "reused_buffer"])
def test_a_healthy_port_passes_also_where_its_solver_reuses_its_buffer(port, fault, runtime):
    """Stages are snapshots, so that a buffer which is written again does not make every step show the last one."""
    assert port(fault, runtime=runtime) is None


def test_a_reference_that_reuses_its_buffer_writes_the_same_golden(port, pytester, monkeypatch):
    """Without snapshots, every step of the solver would be the last one."""
    reuses = functools.partial(flow_reference.Decoder, reuses_buffer=True)
    monkeypatch.setattr(flow_reference, "Decoder", reuses)
    result = pytester.runpytest_inprocess("-k", "test_reference", "--import-mode=importlib", "--update-golden")
    assert result.ret == 0
    held, written = (
        {stage.meta.name: stage.array for stage in Golden(path)}
        for path in (ROOT / GOLDEN, pytester.path / "golden/test_downstream/test_reference.safetensors")
    )
    assert list(written) == list(held)
    assert compare(held, written)  # within 0.01 dB: on another processor, sums are rounded otherwise
    assert min(float(np.std(held[f"ode/{n + 1}"] - held[f"ode/{n}"])) for n in range(9)) > 0.01


@pytest.mark.parametrize("fault", FAULTS)
def test_the_first_divergence_of_a_fault_is_right_and_its_cause_is_named(port, fault):
    """A port that declares what it really runs with is told which setting differs as well."""
    first, code, said, detail, blamed, setting = FAULTS[fault]
    document = port(fault, settings="own")
    assert document["first_divergence"] == first
    found = told(document["stages"][first])
    assert found["code"] == code
    assert {key: found["detail"][key] for key in detail} == pytest.approx(detail, rel=1e-3)
    assert said in found["message"]
    assert at_fault(document) == blamed
    wrong = [entry for entry in document["settings"] if entry["verdict"] == "fail"]
    assert [(entry["name"], entry["expected"], entry["actual"]) for entry in wrong] == setting


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_lost_bias_is_found_behind_a_solver_that_reuses_its_buffer(port, runtime):
    """The mel is 1.46 dB dark and the projection has lost its bias, in numpy too; settings are as they should be."""
    document = port("projection_bias,reused_buffer", runtime=runtime)
    assert document["first_divergence"] == "projection"
    projection = told(document["stages"]["projection"])
    assert projection["code"] == "offset"
    assert projection["detail"]["offset"] == pytest.approx(-1.46 * math.log(10) / 20, rel=1e-3)
    assert at_fault(document) == {"projection"} | RECORDED
    mel = told(document["stages"]["mel"])
    assert mel["code"] == "offset"
    assert mel["detail"]["offset_db"] == pytest.approx(-1.46, abs=0.001)
    assert all(entry["verdict"] == "pass" for entry in document["settings"])


def test_a_suppressed_encoder_is_heard(port):
    """Without its conditioning the flow makes up other sounds."""
    document = port("encoder_suppressed", listens=True)
    assert document["stages"]["audio"]["audio"]["verdict"] == "wrong_content"


def test_an_unknown_fault_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no fault 'bias'; there are projection_bias, "):
        flow_port.known("bias")
