"""pytest-rerunfailures: every attempt is a comparison of its own."""

from __future__ import annotations

import pytest

FLAKY = """
from pathlib import Path
def attempt():
    path = Path(__file__).with_name("attempts")
    path.write_text(path.read_text() + "x" if path.exists() else "x")
    return len(path.read_text())
"""


@pytest.fixture
def golden(project):
    """Write the golden with the value 1."""
    project.write("def test_model(stages): stages['mel'] = np.full(9, 1.0)")
    assert project.run("--update-golden").ret == 0
    return project


@pytest.mark.parametrize(("good", "outcomes"), [(2, {"passed": 1, "rerun": 1}), (9, {"failed": 1, "rerun": 2})])
@pytest.mark.parametrize("flags", [(), ("-n1",)])
def test_each_attempt_is_compared_afresh(golden, good, outcomes, flags):
    """A test that is off at first and right in the second attempt passes there; one that stays off fails."""
    golden.write(FLAKY + f"def test_model(stages): stages['mel'] = np.full(9, 1.0 if attempt() >= {good} else 2.0)")
    run = golden.run_apart if flags else golden.run
    assert run("--reruns", "2", *flags).parseoutcomes() == outcomes


def test_a_test_that_fails_in_every_attempt_updates_nothing(golden):
    """Attempts that fail after recording leave the golden as it was."""
    before = golden.state()
    golden.write(FLAKY + "def test_model(stages): stages['mel'] = np.full(9, 2.0); attempt(); assert 0")
    assert golden.run("--reruns", "2", "--update-golden").parseoutcomes() == {"failed": 1, "rerun": 2}
    assert golden.state() == before


def test_the_passing_attempt_updates(golden):
    """An attempt that fails otherwise writes nothing; the one that passes writes its own stages, once."""
    golden.write(
        FLAKY
        + "def test_model(stages):\n    n = attempt()\n    stages['mel'] = np.full(9, float(n))\n    assert n == 3"
    )
    result = golden.run("--reruns", "2", "--update-golden")
    assert result.parseoutcomes() == {"updated": 1, "rerun": 2}
    assert sum(line.startswith("updated golden/") for line in result.outlines) == 1
    assert golden.tensors()["mel"][0] == 3.0


def test_a_failing_teardown_updates_nothing_and_shows_no_update(golden):
    """A test whose teardown fails in every attempt is an error, not an update."""
    before = golden.state()
    golden.write(
        "@pytest.fixture\ndef f():\n    yield\n    assert 0\ndef test_model(f, stages): stages['mel'] = np.full(9, 2.0)"
    )
    result = golden.run("--reruns", "1", "--update-golden")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "updated" not in result.parseoutcomes()
    assert golden.state() == before
