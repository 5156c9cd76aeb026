"""--junitxml: each parity test says in properties what it was found to be."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

MODEL = """
from pathlib import Path
def test_model(stages): stages['mel'] = np.arange(1.0, 10) * {value}
def test_fine(stages): stages['mel'] = np.full(9, 1.0)
def test_flaky(stages):
    path = Path(__file__).with_name('attempts')
    path.write_text(path.read_text() + 'x' if path.exists() else 'x')
    stages['mel'] = np.full(9, 1.0 if len(path.read_text()) in (1, 3) else 2.0)
def test_records_nothing(stages): pass
def test_other(): pass
"""


def properties_of(project, *arguments):
    project.run("--junitxml=junit.xml", *arguments)
    cases = ET.parse(project.path / "junit.xml").iter("testcase")
    return {case.get("name"): [(one.get("name"), one.get("value")) for one in case.iter("property")] for case in cases}


@pytest.fixture
def model(project):
    """Give a project of which one test fails by 6 dB and one in its first attempt."""
    project.write(MODEL.format(value=1.0))
    project.run("--update-golden")
    project.write(MODEL.format(value=2.0))
    return project


@pytest.mark.parametrize(("family", "flags"), [("xunit1", ()), ("xunit2", ()), ("xunit2", ("-n2",))])
def test_each_parity_test_has_its_properties_once(model, family, flags):
    """With and without workers and reruns, in both families; a warning, which is an error here, is none of ours."""
    model.ini("filterwarnings = error", f"junit_family = {family}")
    found = properties_of(model, "--reruns=1", *flags)
    assert dict(found["test_model"]) == {
        "audioparity.verdict": "fail",
        "audioparity.outcome": "failed",
        "audioparity.golden": "test_model/test_model",
        "audioparity.first_divergence": "mel",
        "audioparity.finding": "gain",
        "audioparity.deviation_db": "6.0206",
        "audioparity.tol_db": "0.01",
    }
    assert dict(found["test_fine"])["audioparity.verdict"] == "pass"
    assert dict(found["test_flaky"])["audioparity.outcome"] == "passed"
    assert found["test_other"] == []
    for properties in found.values():
        assert len(dict(properties)) == len(properties)


def test_a_second_jump_is_named(project):
    """The record of a run says which stage is off by far more than all before it, and so does the file."""
    stages = "def test_model(stages): stages['mel'] = np.arange(9.0) * {}; stages['audio'] = np.arange(9.0) * {}\n"
    project.write(stages.format(1, 1))
    project.run("--update-golden")
    project.write(stages.format(1.01, 3))
    assert dict(properties_of(project)["test_model"])["audioparity.second_jump"] == "audio"


def test_an_update_says_so(model):
    """The outcome of a test whose golden was written is another one than passed."""
    found = properties_of(model, "--update-golden", "-k", "test_model or test_fine")
    assert dict(found["test_model"])["audioparity.outcome"] == "updated"
    assert dict(found["test_fine"])["audioparity.outcome"] == "passed"
