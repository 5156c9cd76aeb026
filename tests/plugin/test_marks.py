"""The marks: how they are written, which one wins, and what a wrong one says."""

from __future__ import annotations

import pytest

# 0.5 dB louder: fails the default of 0.01 dB and passes 1 dB.
LOUDER = 10 ** (0.5 / 20)


@pytest.fixture
def updated(project):
    """Write goldens of a test file from its healthy source, then put the source with a 0.5 dB error in its place."""

    def prepare(source, **kwargs):
        project.write(source.replace("LEVEL", "1.0"), **kwargs)
        assert project.run("--update-golden").ret == 0
        project.write(source.replace("LEVEL", repr(LOUDER)), **kwargs)
        return project

    return prepare


BODY = "stages['mel'] = np.full(100, LEVEL, np.float32)"


@pytest.mark.parametrize(
    ("marks", "passes"),
    [
        ("@parity\ndef test_model(stages): {body}", False),
        ("@parity()\ndef test_model(stages): {body}", False),
        ("@parity(tol_db=1)\ndef test_model(stages): {body}", True),
        ("@pytest.mark.parity(tol_db=1)\ndef test_model(stages): {body}", True),
        ("@parity(tol_db=0.4)\ndef test_model(stages): {body}", False),
        ("def test_model(stages): {body}", False),
        ("pytestmark = parity(tol_db=1)\ndef test_model(stages): {body}", True),
        ("pytestmark = [parity(tol_db=1)]\n@parity(tol_db=0.1)\ndef test_model(stages): {body}", False),
        ("pytestmark = parity(tol_db=0.1)\n@parity(tol_db=1)\ndef test_model(stages): {body}", True),
        ("pytestmark = parity(tol_db=1)\n@parity(dtype='any')\ndef test_model(stages): {body}", True),
        ("@parity(tol_db=1)\nclass TestA:\n    def test_model(self, stages): {body}", True),
        ("@parity(tol_db=1)\nclass TestA:\n    @parity(tol_db=0.1)\n    def test_model(self, stages): {body}", False),
        ("@parity(tol_db=1)\nclass TestA:\n    @parity(precision='fp32')\n"
         "    def test_model(self, stages): {body}", True),
        ("@parity(tol_db=1)\nclass Base:\n    def test_model(self, stages): {body}\n"
         "@parity(tol_db=0.1)\nclass TestA(Base): pass", False),
        ("@parity(tol_db=0.1)\nclass Base:\n    def test_model(self, stages): {body}\n"
         "class Middle(Base): pytestmark = parity(tol_db=1)\nclass TestA(Middle): pass", True),
        ("@parity(tol_db=1)\nclass TestA:\n    class TestB:\n        def test_model(self, stages): {body}", True),
        ("@parity(stages={'m*': {'tol_db': 1}})\ndef test_model(stages): {body}", True),
        ("@parity(stages={'x*': {'tol_db': 1}})\nclass TestA:\n    def test_model(self, stages): {body}", False),
        ("@parity(tol_db=1, stages={'m*': {'tol_db': 0.1}})\ndef test_model(stages): {body}", False),
        ("@parity(precision='int8')\ndef test_model(stages): {body}", True),
        ("@parity(min_snr_db=40, tol_db=None)\ndef test_model(stages): {body}", False),
        ("@parity(atol=1e-3, tol_db=9)\ndef test_model(stages): {body}", False),
        ("@pytest.mark.parametrize('v', [pytest.param(1, marks=parity(tol_db=1))])\n"
         "def test_model(stages, v): {body}", True),
        ("@parity(tol_db=1)\n@pytest.mark.parametrize('v', [pytest.param(1, marks=parity(tol_db=0.1))])\n"
         "def test_model(stages, v): {body}", False),
    ],
)  # fmt: skip
def test_the_closest_mark_sets_each_keyword(updated, marks, passes):
    """A deviation of 0.5 dB passes exactly where the mark that counts allows it."""
    result = updated(marks.replace("{body}", BODY)).run()
    result.assert_outcomes(passed=int(passes), failed=int(not passes))


def test_the_keywords_of_record_win_over_the_marks(updated):
    """tol_db given to record decides, whatever the mark says."""
    source = "@parity(tol_db=1)\ndef test_model(stages): stages.record('mel', np.full(9, LEVEL), tol_db={tol})"
    updated(source.format(tol=0.1)).run().assert_outcomes(failed=1)


@pytest.mark.parametrize(("value", "outcome"), [(1.0, "passed"), (2.0, "failed")])
def test_a_param_may_name_its_golden_and_be_a_port(project, value, outcome):
    """pytest.param(..., marks=parity(port=True, golden=...)) compares that parameter with the other test's golden."""
    source = """
    @pytest.mark.parametrize("value", [
        pytest.param(1.0, id="owner"),
        pytest.param({value}, id="port", marks=parity(port=True, golden="test_model/test_model-owner"))])
    def test_model(stages, value):
        stages["mel"] = np.full(9, value)
    """
    project.write(source.format(value=1.5))
    assert project.run("--update-golden", "-k", "owner").parseoutcomes() == {"updated": 1, "deselected": 1}
    assert project.goldens() == ["golden/test_model/test_model-owner.safetensors"]
    project.write(source.format(value=value))
    result = project.run()
    assert result.parseoutcomes() == ({"passed": 2} if outcome == "passed" else {"passed": 1, "failed": 1})


@pytest.mark.parametrize(("body", "passes"), [("1.0", True), ("2.0", False)])
def test_unittest_classes_use_the_fixture_through_an_autouse_fixture(project, body, passes):
    """A TestCase that records through an autouse fixture is judged like any other test."""
    source = """
    @parity
    class TestModel(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _recorder(self, stages):
            self.stages = stages

        def test_mel(self):
            self.stages["mel"] = np.full(9, {value})
    """
    project.write(source.format(value="1.0"))
    assert project.run("--update-golden").parseoutcomes() == {"updated": 1}
    project.write(source.format(value=body))
    project.run().assert_outcomes(passed=int(passes), failed=int(not passes))


def test_a_mark_without_the_fixture_fails(project):
    """A marked test that cannot record anything fails and says which fixture to use."""
    project.write("@parity\ndef test_model(): pass")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*marked parity but records nothing; use the fixture 'stages'*")


@pytest.mark.parametrize("mark", ["@parity\n", ""])
@pytest.mark.parametrize("flags", [(), ("--update-golden",)])
def test_recording_nothing_fails(project, mark, flags):
    """A test that asks for the fixture and records nothing fails, with or without the mark, also when updating."""
    project.write(f"{mark}def test_model(stages): pass")
    result = project.run(*flags)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*the test recorded no stage*")
    assert project.goldens() == []


def test_a_recorder_got_by_name_is_judged_too(project):
    """A test that takes the fixture with request.getfixturevalue is judged although its signature does not show it."""
    project.write("def test_model(request): request.getfixturevalue('stages')['mel'] = np.ones(3)")
    project.run().assert_outcomes(failed=1)
    assert project.run("--update-golden").ret == 0
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize("when", ["collection", "fixture"])
def test_a_mark_added_late_counts(project, when):
    """A port mark that a conftest adds during collection, or a fixture before recording, is not missed."""
    project.write("def test_model(stages): stages['mel'] = np.ones(3)")
    assert project.run("--update-golden").ret == 0
    before = project.state()
    mark = "pytest.mark.parity(port=True, golden='test_model/test_model')"
    hook = {
        "collection": f"def pytest_collection_modifyitems(items): items[0].add_marker({mark})",
        "fixture": f"@pytest.fixture(autouse=True)\ndef _late(request): request.node.add_marker({mark})",
    }[when]
    (project.path / "conftest.py").write_text(f"import pytest\n{hook}\n")
    project.write("def test_model(stages): stages['mel'] = np.zeros(3)")
    result = project.run("--update-golden")
    if when == "collection":
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines("not updated: this test is a port and never writes a golden")
    else:  # at collection the test still owned its golden, so the port it became has to wait for itself
        result.assert_outcomes(skipped=1)
    assert project.state() == before


def test_a_wrong_mark_added_late_is_a_usage_error(project):
    """A wrong keyword that a conftest adds after collection stops the run in one line."""
    project.write("def test_model(stages): stages['mel'] = np.ones(3)")
    (project.path / "conftest.py").write_text(
        "import pytest\ndef pytest_collection_modifyitems(items): items[0].add_marker(pytest.mark.parity(tol_bd=1))\n"
    )
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("ERROR: test_model.py::test_model: mark parity: unknown keyword 'tol_bd'*'tol_db'*")


@pytest.mark.parametrize("flags", [(), ("--strict-markers",)])
def test_the_marks_are_registered(project, flags):
    """The flag --markers explains both marks, and --strict-markers accepts them."""
    project.write("@parity\ndef test_model(stages): stages['mel'] = np.ones(3)")
    result = project.run("--markers", *flags)
    result.stdout.fnmatch_lines(["@pytest.mark.parity(tol_db=0.01,*", "@pytest.mark.codec_roundtrip(*"])
    assert project.run("--update-golden", *flags).ret == 0


def test_the_mark_selects(project):
    """-m parity runs the marked tests only."""
    project.write("@parity\ndef test_model(stages): stages['mel'] = np.ones(3)\ndef test_other(): pass")
    assert project.run("-m", "parity", "--update-golden").parseoutcomes() == {"updated": 1, "deselected": 1}


@pytest.mark.parametrize("mark", ["stages={'wavform': {'tol_db': 9}}", "only=['mel', 'wavform']"])
def test_a_glob_of_the_test_s_own_mark_that_means_no_stage_fails(project, mark):
    """A misspelt glob would leave a stage uncompared, or compared more loosely than was meant."""
    source = (
        "@parity({mark})\ndef test_model(stages):\n    stages['mel'] = np.ones(3)\n    stages['waveform'] = np.ones(3)"
    )
    project.write(source.format(mark=mark.replace("wavform", "waveform")))
    assert project.run("--update-golden").ret == 0
    project.run().assert_outcomes(passed=1)
    project.write(source.format(mark=mark))
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("'wavform' matches no stage, did you mean 'waveform'?*")


def test_a_stage_with_brackets_is_meant_by_its_own_name(project):
    """In a glob brackets are a set of characters; a name is a name first."""
    source = "@parity(only=['h[[]0]', 'h[0]'])\ndef test_model(stages): stages['h[0]'] = np.ones(3) * {gain}"
    project.write(source.format(gain=1).replace("'h[[]0]', ", ""))
    assert project.run("--update-golden").ret == 0
    project.write(source.format(gain=2))
    project.run().assert_outcomes(failed=1)
