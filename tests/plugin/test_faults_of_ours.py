"""What goes wrong in our own code while a failure is explained: the verdict stands, and other tests run on."""

from __future__ import annotations

import pytest

TESTS = """
def test_bad(stages):
    stages.record('waveform', np.sin(np.arange(8000.0)) * {gain}, kind='waveform', sample_rate=8000)

def test_good(stages): stages['mel'] = np.ones(9)
"""
PLANTED = """
import pytest

PATCH = pytest.MonkeyPatch()

def pytest_configure():
    def fails(*_, **__):
        raise ZeroDivisionError("planted")

    PATCH.setattr("{place}", fails)

def pytest_unconfigure():
    PATCH.undo()
"""


@pytest.fixture
def failing(project):
    """Give a project with a test that fails and one that passes."""
    project.write(TESTS.format(gain=1))
    project.run("--update-golden").assert_outcomes()
    project.write(TESTS.format(gain=3))
    return project


def plant(project, place):
    (project.path / "conftest.py").write_text(PLANTED.format(place=place))


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
@pytest.mark.parametrize(
    ("place", "done"),
    [
        ("pytest_audioparity.diagnosis.judge._explained", "looked into"),
        ("pytest_audioparity.audio.channels.hear", "listened to"),
    ],
)
def test_what_cannot_be_explained_still_fails_and_says_so(failing, place, done, arguments):
    """The numbers are there, and one line says what to report."""
    plant(failing, place)
    result = failing.run(*arguments)
    result.assert_outcomes(failed=1, passed=1)
    text = " ".join(result.stdout.str().split())
    assert "stage 'waveform' is off by 9.54 dB" in text
    assert f"it could not be {done}: ZeroDivisionError: 'planted'; please report this" in text


@pytest.mark.parametrize("arguments", [(), ("--update-golden",), ("-n2",)])
@pytest.mark.parametrize("place", ["_account", "properties"])
def test_a_fault_after_a_test_is_its_failure_and_not_the_end_of_the_run(failing, place, arguments):
    """It is shown with where it was, and every other test is judged."""
    plant(failing, f"pytest_audioparity.phases.{place}")
    result = failing.run_planted(*arguments)
    text = result.stdout.str()
    assert "INTERNALERROR" not in text
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "pytest-audioparity failed, please report this" in text
    assert "ZeroDivisionError: planted" in text
    assert "ERROR test_model.py::test_good" in text


def test_a_fault_before_a_golden_is_written_keeps_the_old_one(failing):
    """What was to be explained of the test is lost, and so its golden must not change."""
    plant(failing, "pytest_audioparity.phases.shape")
    state = failing.state()
    failing.write(TESTS.format(gain=3).replace("sample_rate=8000)", "sample_rate=8000); assert 0"))
    result = failing.run_planted("--update-golden")
    assert "INTERNALERROR" not in result.stdout.str()
    assert "ZeroDivisionError: planted" in result.stdout.str()
    assert failing.state() == state
