"""The example of a token TTS: it passes when healthy, and each of its faults is named where it is."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import ml_dtypes  # noqa: F401 - extension modules load once; pytester drops what an inner run imports first
import numpy as np  # noqa: F401
import pystoi  # noqa: F401
import pytest
import soundfile  # noqa: F401
import soxr  # noqa: F401
import xxhash  # noqa: F401

import pytest_audioparity.api
import pytest_audioparity.audio.scoring
import pytest_audioparity.diagnosis.judge
import pytest_audioparity.hearing
import pytest_audioparity.recording
import pytest_audioparity.report.terminal
import pytest_audioparity.sampling.verdict
import pytest_audioparity.session
import pytest_audioparity.stages
import pytest_audioparity.trial  # noqa: F401

EXAMPLE = Path(__file__).parents[2] / "examples" / "token_tts"
OWNER = "examples/token_tts/test_reference.py"
PORT = "examples/token_tts/test_port.py"
# fault -> the first divergence, what is said of the parity test, and of the sampler (None: its test passes)
FAULTS = {
    "no_top_k": (
        "sampled",
        [
            "'logits' pass; the difference starts in 'sampled'",
            "sampler: both sides are draws from the logits of stage 'logits', with other settings",
            "over the 50 most likely tokens, actual like temperature 0.",
        ],
        "draws look like no top-k",
    ),
    "temperature": (
        "sampled",
        [
            "temperature : expected 0.9, actual 0.7",
            "'logits' pass; the difference starts in 'sampled'",
            "sampler: both sides are draws from the logits of stage 'logits', with other settings",
        ],
        "draws look like temperature 0.70",
    ),
    "temperature_constant": (
        "sampled",
        [
            "'logits' pass; the difference starts in 'sampled'",
            "sampler: both sides are draws from the logits of stage 'logits', with other settings",
            "over the 50 most likely tokens; check the sampler",
        ],
        "draws look like temperature 0.70",
    ),
    "codebook_count": (
        "logits",
        ["codebooks : expected 32, actual 8", "missing_channels: actual has 24 indices of C less than expected"],
        None,
    ),
    "eos_one_codebook": (
        "codes",
        [
            "'uniforms'..'again' pass; the difference starts in 'codes'",
            "67 frames shorter along T, at the end; up to there all codes are equal; check when generation ends",
            "garbled: words are lost",
        ],
        None,
    ),
    "chunk_size": (
        "first_chunk",
        ["chunk_size : expected 8, actual 4", "1 of 8 stages fails", "actual is 640 samples shorter along T"],
        None,
    ),
    "stale_cache": (
        "audio",
        [
            "1 of 8 stages fails",
            "garbled: words are lost",
            "diverges_from (100 % of the error): actual equals expected up to T=1280 (0.080 s)",
        ],
        None,
    ),
    "stale_kv_cache": ("again", ["4 of 8 stages fail", "garbled: words are lost"], None),
}
NOT_DECLARED = {"no_top_k", "temperature_constant", "eos_one_codebook", "stale_cache", "stale_kv_cache"}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Give a folder for the golden, which the first test writes."""
    if importlib.util.find_spec("mlx") is not None:
        import mlx.core  # noqa: F401 - once, as what is imported above

    return tmp_path_factory.mktemp("shelf") / "golden"


@pytest.fixture
def project(pytester, monkeypatch, shelf):
    """Give the example as a repository of its own, with its golden."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:xdist")
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "TTS_FAULT", "TTS_RUNTIME"):
        monkeypatch.delenv(name, raising=False)
    folder = pytester.path / "examples" / "token_tts"
    folder.mkdir(parents=True)
    for test in EXAMPLE.glob("test_*.py"):
        shutil.copy(test, folder)
    if not shelf.exists():
        pytester.runpytest_inprocess(OWNER, "--update-golden").stdout.fnmatch_lines(["*1 updated*"])
        shutil.copytree(pytester.path / "golden", shelf)
    shutil.copytree(shelf, pytester.path / "golden", dirs_exist_ok=True)
    return pytester


def test_the_example_passes(project, needs):
    """Reference, port, sampler, and what the README says of them."""
    needs("mlx")
    result = project.runpytest_inprocess("examples")
    assert result.ret == 0
    assert set(result.parseoutcomes()) == {"passed"}


def test_the_port_passes_on_numpy(project, monkeypatch):
    """Without MLX the example runs as well; it is what the faults below are switched on in."""
    monkeypatch.setenv("TTS_RUNTIME", "numpy")
    project.runpytest_inprocess(PORT).assert_outcomes(passed=2)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_where_it_is(project, monkeypatch, fault):
    """First divergence, cause, and the setting where the port tells it; the sampler fails only where it is wrong."""
    first, told, sampler = FAULTS[fault]
    monkeypatch.setenv("TTS_FAULT", fault)
    monkeypatch.setenv("TTS_RUNTIME", "numpy")  # the faults are not those of a runtime, and MLX takes longer
    result = project.runpytest_inprocess(PORT)
    result.assert_outcomes(failed=1 if sampler is None else 2, passed=1 if sampler is None else 0)
    output = " ".join(result.stdout.str().split())
    assert f"{first} (first divergence)" in output
    for words in told:
        assert words in output
    assert ("settings differ" in output or "setting differs" in output) == (fault not in NOT_DECLARED)
    assert ("the sampler does not draw from the expected distribution" in output) == (sampler is not None)
    if sampler is not None:
        assert sampler in output


def test_an_unknown_fault_is_refused_with_the_known_ones():
    """A fault that is misspelt must not pass as a healthy port."""
    from token_faults import make_port

    with pytest.raises(ValueError, match="no fault 'top_k'; there are no_top_k, "):
        make_port("top_k")
