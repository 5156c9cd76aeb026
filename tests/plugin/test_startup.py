"""What the plugin costs those who do not use it: nothing of ours or of numpy is loaded before a parity test."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pytest_audioparity

DUMP = """
import sys
def pytest_sessionfinish():
    names = [name for name in sys.modules if name.partition(".")[0] in ("pytest_audioparity", "numpy", "torch", "mlx",
             "safetensors", "xxhash", "ml_dtypes", "soundfile", "scipy")]
    print("LOADED", *sorted(names))
"""
AT_START = {"pytest_audioparity", "pytest_audioparity.plugin", "pytest_audioparity.options"}


def loaded(project, *arguments):
    """Run pytest in a process of its own and return the modules of interest that it loaded."""
    (project.path / "conftest.py").write_text(DUMP)
    result = project.run_apart("-s", *arguments)
    line = next(line for line in result.outlines if "LOADED" in line)
    return set(line[line.index("LOADED") :].split()[1:])


@pytest.mark.parametrize("source", [None, "def test_other(): pass\nclass TestA:\n    def test_b(self): pass"])
def test_a_suite_without_parity_tests_loads_two_small_modules(project, source):
    """An empty suite and one of ordinary tests load the entry point and its table of options, and nothing else."""
    if source:
        (project.path / "test_other.py").write_text(source)
    assert loaded(project) == AT_START


def test_a_parity_test_loads_what_it_needs(project):
    """The same question asked of a suite with a parity test is answered with the modules that compare."""
    project.write("def test_model(stages): stages['mel'] = [1.0]")
    assert {"numpy", "pytest_audioparity.check"} <= loaded(project)


def test_causes_are_looked_for_only_where_a_failure_stands(project):
    """Neither a test that passes nor one whose golden is updated pays for the search of causes."""
    source = "def test_model(stages): stages['mel'] = np.sin(np.arange(300.0)) * {gain}"
    project.write(source.format(gain=1.0))
    project.run("--update-golden")
    searched = "pytest_audioparity.diagnosis.search"
    assert searched not in loaded(project)
    project.write(source.format(gain=2.0))
    assert searched in loaded(project)
    assert searched not in loaded(project, "--update-golden")


def test_nothing_is_listened_to_where_no_word_can_be_lost(project):
    """Neither a failure without waveforms nor a waveform within a usual tolerance loads the scorer."""
    scorer = "pytest_audioparity.audio.scoring"
    project.write("def test_model(stages): stages['mel'] = [2.0]")
    project.run("--update-golden")
    project.write("def test_model(stages): stages['mel'] = [1.0]")
    assert scorer not in loaded(project)
    source = """
    @parity(tol_db={tol_db})
    def test_model(stages):
        tone = np.sin(np.arange(16_000.0)) * {gain}
        stages.record('waveform', tone, kind='waveform'{declared})
    """
    project.write(source.format(tol_db=0.01, gain=1, declared=""))
    project.run("--update-golden")
    for declared in ("", ", sample_rate=16_000"):
        project.write(source.format(tol_db=0.01, gain=1.001, declared=declared))
        assert scorer not in loaded(project)
    project.write(source.format(tol_db=9, gain=2, declared=declared))
    assert scorer in loaded(project)


def test_collecting_needs_no_numpy(project):
    """Marks are checked at collection without numpy or the comparison."""
    (project.path / "test_model.py").write_text(
        "from pytest_audioparity import parity\n@parity(tol_db=1)\ndef test_model(stages): pass\n"
    )
    names = loaded(project, "--collect-only")
    assert "pytest_audioparity.session" in names
    assert not {"numpy", "pytest_audioparity.check", "pytest_audioparity.recording"} & names


def test_importing_the_package_loads_no_numpy():
    """`import pytest_audioparity` and its marks come without numpy."""
    code = "import sys, pytest_audioparity as p; p.parity; p.__version__; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", pytest_audioparity.__all__)
def test_public_names_resolve(name):
    """Every name in __all__ exists and dir() lists it."""
    assert getattr(pytest_audioparity, name) is not None
    assert name in dir(pytest_audioparity)


def test_an_unknown_name_is_an_attribute_error():
    """A misspelt name is refused as in any module."""
    with pytest.raises(AttributeError, match="module 'pytest_audioparity' has no attribute 'partiy'"):
        _ = pytest_audioparity.partiy
