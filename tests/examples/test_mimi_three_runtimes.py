"""The example of three runtimes: healthy they agree with the golden that torch wrote; each fault is found and named.

Without torch the ports are compared with that golden all the same.
"""

from __future__ import annotations

import importlib.util
import shutil

import pystoi  # noqa: F401 - what an inner run imports first is dropped with it
import pytest

import pytest_audioparity.roundtrip.judge  # noqa: F401
from tests.examples.inner_runs import ROOT, Example, cause

FOLDER = "mimi_three_runtimes"
PACKAGES = {"torch": ("torch", "moshi"), "mlx": ("mlx", "moshi_mlx"), "rust": ("rustymimi",)}
# fault, test -> the stage where it is first seen, the cause, and what is said of it. In MLX by its inner stages, in
# Rust from outside. The faults that both can have are tried in both where that is quick.
FAULTS = {
    ("streaming_reset", "test_stream", "mlx"): ("encoder", "diverges_from", "equals expected up to T=2 (0.080 s)"),
    # What the mask hides changes every position but the last, each in its own way: the place is named, no cause is.
    ("no_causal_mask", "test_whole", "mlx"): (
        "encoder_transformer.transformer.layers.0",
        "unexplained",
        "none of the known causes",
    ),
    ("streaming_reset", "test_stream", "rust"): ("codes", "diverges_from", "equals expected up to T=1 (0.080 s)"),
    ("codebook_count", "test_whole", "rust"): ("codes", "missing_channels", "missing: 4, 5, 6, 7"),
    ("half_reset", "test_stream", "rust"): ("codes", "edges", "only the first 1 of 6 along T"),
}
ROUNDTRIPS = {
    "streaming_reset": ("streaming, stream_encoding, seams", "which is where chunk 2 starts: is its state kept?"),
    "half_reset": ("stream_encoding", "chunks of 3840 samples: 33.33 % of the codes differ"),
}


@pytest.fixture(scope="module")
def codecs():
    """Load the codecs of all runtimes that are installed, before an inner run would: it drops what it imports first."""
    installed = [runtime for runtime, names in PACKAGES.items() if all(map(importlib.util.find_spec, names))]
    modules = {runtime: importlib.import_module(f"mimi_{runtime}") for runtime in installed}

    def keep(kept=None):
        """Free the models of the other runtimes: each has 334 MB."""
        for runtime, module in modules.items():
            if runtime != kept and hasattr(module, "load_model"):
                module.load_model.cache_clear()

    yield keep
    keep()
    importlib.import_module("mimi_weights").discard()


@pytest.fixture
def example(codecs, pytester, needs, monkeypatch):
    """Give a function that runs one test of the example with a fault, in a copy of its repository."""
    inner = Example(pytester, monkeypatch, f"{FOLDER}/test_mimi.py", "MIMI_FAULT")
    inner.is_asked_little(listen=False)
    shutil.copytree(ROOT / "golden" / "examples" / FOLDER, pytester.path / "golden" / "examples" / FOLDER)
    shutil.copy(ROOT / "examples" / FOLDER / "speech.wav", pytester.path / "examples" / FOLDER)

    def run(test, runtime, fault=""):
        for package in PACKAGES[runtime]:
            needs(package)
        codecs(runtime)
        result = inner.run(
            "-Werror", "--import-mode=importlib", f"examples/{FOLDER}/test_mimi.py::{test}[{runtime}]", fault=fault
        )
        result.assert_outcomes(**{"failed" if fault else "passed": 1})
        return inner.result(f"{test}-{runtime}") if test != "test_roundtrip" and fault else result

    return run


@pytest.mark.parametrize("test", ["test_whole", "test_stream"])
@pytest.mark.parametrize("runtime", PACKAGES)
def test_the_runtimes_agree_with_the_golden(example, test, runtime):
    """Whole clips and streams, with the tolerances of the example."""
    example(test, runtime)


def test_the_round_trip_passes_in_what_random_weights_can_show(example):
    """Codes, state and streaming: sixteen checks."""
    example("test_roundtrip", "rust")


@pytest.mark.parametrize(("fault", "test", "runtime"), FAULTS)
def test_a_fault_is_first_seen_where_it_is_and_named(example, fault, test, runtime):
    """Each with its place in the data flow and its cause."""
    first, code, told = FAULTS[fault, test, runtime]
    result = example(test, runtime, fault)
    assert result["first_divergence"] == first
    finding = cause(result["stages"][first])
    assert finding["code"] == code
    assert told in finding["message"]


@pytest.mark.parametrize("fault", ROUNDTRIPS)
def test_the_round_trip_in_rust_fails_in_the_checks_that_are_about_the_fault(example, fault):
    """And in no others."""
    checks, told = ROUNDTRIPS[fault]
    text = " ".join(example("test_roundtrip", "rust", fault).stdout.str().split())
    assert f"the round trip fails: {checks} round trip:" in text
    assert told in text
