"""The converted encoder: healthy it passes in every runtime, and each of its faults is caught and named."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("resemblyzer", "onnxruntime", "onnx", "mlx", "coremltools")
# One process for all runs: importing the runtimes takes longer than the runs do.
RUN_ALL = """
import os, sys, pytest
print("\\nRUN healthy", flush=True)
pytest.main(["-q", "-rfEs", "-p", "no:cacheprovider"])
for one in sys.argv[1:]:
    os.environ["ENCODER_FAULT"], ports = one.split("=")
    print(f"\\nRUN {os.environ['ENCODER_FAULT']}", flush=True)
    pytest.main(["-q", "-rfE", "--show-capture=no", "-p", "no:cacheprovider", "-k", ports])
"""
GATES = "that their rows are in the order of this runtime (gates of an LSTM)"
# fault -> of each port that has it: the first divergence, and what is said of the cause
STAGES = {
    "random_weights": {"coreml": ("lstm/0", "uncorrelated: actual is unrelated to expected")},
    "scaled_200": {"coreml": ("linear", "gain (>99.99 % of the error): actual = 0.00499976 * expected (-46.02 dB)")},
    "gates_reordered": dict.fromkeys(("onnx", "mlx", "coreml"), ("lstm/0", GATES)),
    "mel_floor": {"mlx": ("mel_db", "floor (>99.99 % of the error): actual has a floor of -50, expected has not")},
}
MATRICES = [f"lstm.weight_{part}_l{index}" for part in ("ih", "hh") for index in range(3)]
# fault -> of each port that has it: what the audit of its weights says, before a stage is run
WEIGHTS = {
    "random_weights": {
        "coreml": [
            "FAIL: 14 of 14 tensors of the reference",
            "loaded with strict=False under other names",
            *(f"random_init {name} " for name in (*MATRICES, "linear.weight")),
        ]
    },
    "scaled_200": {
        "coreml": ["scaled linear.weight", "scaled linear.bias", "FAIL: 2 of 14 tensors of the reference: 2 scaled"]
    },
    "gates_reordered": {
        "onnx": ["gates are ifgo, and onnx reads them as iofc", *(f"different {name} " for name in MATRICES)],
        "mlx": ["gates are iofc, and mlx reads them as ifgo", *(f"different {name} " for name in MATRICES)],
        "coreml": ["gates are ifgo, and coreml reads them as ifog", *(f"different {name} " for name in MATRICES)],
    },
    "mel_floor": {},
}


@pytest.fixture(scope="module")
def example(tmp_path_factory) -> Path:
    """Copy the example: a failing test leaves what it obtained beside the folder of goldens."""
    home = tmp_path_factory.mktemp("checkout")
    unwanted = shutil.ignore_patterns(".audioparity", "__pycache__")
    (home / "tests").mkdir()
    (home / "tests" / "data").symlink_to(ROOT / "tests" / "data")
    copy = home / "examples" / "encoder_conversion"
    return Path(shutil.copytree(ROOT / "examples" / "encoder_conversion", copy, ignore=unwanted))


@pytest.fixture
def runs(example, needs) -> dict[str, str]:
    """Give what the example's own tests print: all of them healthy, and those of a fault's ports with it."""
    for package in PACKAGES:
        needs(package)
    return printed(example)


@functools.cache
def printed(example: Path) -> dict[str, str]:
    ours = {name: os.environ[name] for name in os.environ if not name.startswith(("PYTEST_", "ENCODER_"))}
    environment = {**ours, "COLUMNS": "200", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    faults = [f"{fault}={' or '.join(ports)}" for fault, ports in STAGES.items()]
    command = [sys.executable, "-c", RUN_ALL, *faults]
    done = subprocess.run(command, cwd=example, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    parts = re.split(r"^RUN (\w+)\n", done.stdout, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def failed(run: str, test: str) -> set[str]:
    """Return the runtimes that a test failed for."""
    return set(re.findall(rf"^(?:FAILED|ERROR) \S+::{test}\[(\w+)\]", run, flags=re.MULTILINE))


def report(run: str, test: str) -> str:
    """Return what a run says of one failed test, in one line, without the marks of an assertion's message."""
    said = run.partition(f" {test} ")[2].partition("\n")[2]
    section = re.split(r"^_{5,}|^={5,}", said, flags=re.MULTILINE)[0]
    return " ".join(re.sub(r"^E ", "", section, flags=re.MULTILINE).split())


def test_every_port_is_the_golden_s(runs):
    """And every converted model has the weights of the reference."""
    passed = re.search(r"^(\d+) passed", runs["healthy"], flags=re.MULTILINE)
    assert passed is not None, runs["healthy"]
    assert int(passed[1]) >= len(["numpy", "onnx", "mlx", "coreml"]) + len(["onnx", "mlx", "coreml"])


def test_the_reference_reproduces_its_golden(runs, needs):
    """Where torch is installed, nothing is skipped and nothing fails."""
    needs("torch")
    assert re.search(r"^8 passed in", runs["healthy"], flags=re.MULTILINE), runs["healthy"]


@pytest.mark.parametrize("fault", STAGES)
def test_a_fault_is_caught_where_it_is_and_named(runs, fault):
    """The ports that have it fail, at the stage that it is in."""
    run = runs[fault]
    assert failed(run, "test_encoder") == STAGES[fault].keys(), run
    for runtime, (first, cause) in STAGES[fault].items():
        told = report(run, f"test_encoder[{runtime}]")
        assert f" {first} (first divergence) " in told, run
        findings = told.partition("(first divergence)")[2].partition("finding :")[2]
        assert cause in findings.partition("golden:")[0], run


@pytest.mark.parametrize("fault", WEIGHTS)
def test_the_audit_of_the_weights_names_a_fault_that_is_in_them(runs, fault):
    """It says which tensors are random, scaled, or in the order of another runtime, and passes all others."""
    run = runs[fault]
    assert failed(run, "test_weights") == WEIGHTS[fault].keys(), run
    for runtime, parts in WEIGHTS[fault].items():
        told = report(run, f"test_weights[{runtime}]")
        assert [part for part in parts if part not in told] == [], run
