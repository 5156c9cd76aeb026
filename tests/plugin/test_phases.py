"""What follows from a test in each of its phases: how it is judged and shown, what is written, what waits for review.

Each run has as many tests as it can tell apart, since this file judges every mutant of `phases`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

SAME = "def test_same(stages): stages['h'] = np.ones(9)\n"
OFF = "def test_off(stages): stages['h'] = np.arange(9.0) * {v}\n"
PORT = "@parity(golden='test_model/test_off', port=True)\ndef test_port(stages): stages['h'] = np.arange(9.0) * {v}\n"
# Of which some do not come to their end from now on, where v is no longer 1.
MANY = f"""
{SAME}
{OFF}
{PORT}
def test_gone(stages):
    stages['h'] = np.ones(9)
    if {{v}} == 1:
        stages['mel'] = np.ones(9)
def test_crash(stages):
    stages['h'] = np.arange(9.0) * {{v}}
    assert {{v}} == 1, "a crash"
def test_early(stages):
    assert {{v}} == 1
    stages['h'] = np.ones(9)
@pytest.fixture
def late(stages):
    yield
    assert {{v}} == 1
def test_late(stages, late): stages['h'] = np.arange(9.0) * {{v}}
def test_late_same(stages, late): stages['h'] = np.ones(9)
def test_skip(stages):
    stages['h'] = np.ones(9)
    if {{v}} != 1:
        pytest.skip()
@pytest.mark.xfail({{v}} != 1, reason="known")
def test_xfail(stages): stages['h'] = np.arange(9.0) * {{v}}
"""
OTHERWISE = "this test failed otherwise as well"
EARLY = "this test failed otherwise, before its end"
XFAIL = "this test is expected to fail (xfail), so its output is no reference"


def ran(project, *arguments):
    """Run the tests and return what was shown, and what the record says of each by its name."""
    result = project.run(*arguments)
    return result, {test["test"].rpartition("::")[2]: test for test in project.record().tests}


def told(tests, key):
    return {name.removeprefix("test_"): test[key] for name, test in tests.items() if test[key] is not None}


@pytest.fixture
def many(project):
    """Write goldens of tests most of which differ, crash or are skipped from now on."""
    project.write(MANY.format(v=1))
    project.run("--update-golden", "--deselect", "test_model.py::test_port").assert_outcomes()
    project.write(MANY.format(v=2))
    return project


FAILED = {
    "off": None,
    "gone": None,
    "crash": EARLY,
    "early": EARLY,
    "late": OTHERWISE,
    "late_same": OTHERWISE,
    "port": "this test is a port and never writes a golden",
}


REFUSED = {name: FAILED[name] for name in ("crash", "early", "late", "late_same")} | {"xfail": XFAIL}


def test_an_update_writes_what_differs_and_a_plan_says_what_it_would_write(many):
    """Whatever keeps a test from passing otherwise keeps its golden; ports wait; what was written needs no review."""
    before = many.state()
    for flag, word, waiting in (("--golden-plan", "planned", ["gone", "off"]), ("--update-golden", "updated", [])):
        result, tests = ran(many, flag)
        assert result.parseoutcomes() == {
            "failed": 2, "errors": 2, "passed": 2, "skipped": 2, "xfailed": 1, word: 2,
        }  # fmt: skip
        outcomes = dict.fromkeys(REFUSED, "failed") | {"same": "passed", "skip": "skipped", "xfail": "skipped"}
        assert told(tests, "outcome") == outcomes | {"off": word, "gone": word}
        assert told(tests, "refused") == REFUSED
        changes = told(tests, "change")
        assert changes.keys() == {"off", "gone"}
        assert all(change["planned"] is (word == "planned") for change in changes.values())
        assert many.all_pending() == [f"test_model/test_{name}" for name in sorted(["crash", "late", *waiting])]
        codes = {name: finding["code"] for name, finding in told(tests, "finding").items()}
        # Why a stage differs is looked for where somebody reads it: not of what was written.
        assert codes == dict.fromkeys(("crash", "late", "xfail", *waiting), "gain") | {"gone": "missing_stage"}
        assert "not updated: test_model.py::test_crash: " + EARLY in result.outlines
        changed = {Path(name).stem for name, state in many.state().items() if state != before[name]}
        assert changed == (set() if waiting else {"test_off", "test_gone"})
    sizes = {name: many.golden(f"test_model/test_{name}").stat().st_size for name in changes}
    assert {name: change["size_bytes"] for name, change in changes.items()} == sizes


def test_ports_wait_for_a_golden_that_changes(project):
    """Also where another plugin lets them come first, where a plan would change it, and where its test failed late."""
    ports = PORT + PORT.replace("test_port", "test_second")
    project.write(OFF.format(v=1))
    project.run("--update-golden")
    (project.path / "conftest.py").write_text(
        "import pytest\n"
        "@pytest.hookimpl(wrapper=True, tryfirst=True)\n"
        "def pytest_collection_modifyitems(items):\n    yield\n    items.reverse()\n"
    )
    project.write(OFF.format(v=2) + ports.format(v=2))
    assert project.run("--update-golden").parseoutcomes() == {"updated": 1, "skipped": 2}
    (project.path / "conftest.py").write_text(
        "import pytest\n"
        "@pytest.hookimpl(wrapper=True)\n"
        "def pytest_runtest_makereport(item, call):\n"
        "    report = yield\n"
        "    if item.name == 'test_off' and call.when == 'teardown':\n"
        "        report.outcome, report.longrepr = 'failed', 'it leaks'\n"
        "    return report\n"
    )
    project.write(OFF.format(v=3) + ports.format(v=3))
    result, tests = ran(project, "--update-golden")
    assert result.parseoutcomes() == {"errors": 1, "skipped": 2}
    assert project.tensors("test_model/test_off")["h"][1] == 3
    assert (tests["test_off"]["outcome"], tests["test_off"]["refused"]) == ("failed", None)
    result.stdout.fnmatch_lines("updated golden/test_model/test_off.safetensors*")
    result.stdout.no_fnmatch_line("not updated: *")
    assert project.all_pending() == []
    (project.path / "conftest.py").unlink()
    project.write(OFF.format(v=4) + ports.format(v=4))
    assert project.run("--golden-plan").parseoutcomes() == {"planned": 1, "skipped": 2}
    project.write("@pytest.mark.skip\n" + OFF.format(v=3) + ports.format(v=3))
    assert project.run("--update-golden").parseoutcomes() == {"passed": 2, "skipped": 1}
    project.write(OFF.format(v=3) + ports.format(v=3))
    assert project.run("--update-golden").parseoutcomes() == {"passed": 3}


def test_misuse_is_one_line_also_where_a_failure_is_expected(project):
    """And a test that passes although it was expected to fail is no fault of ours."""
    project.write(SAME)
    project.run("--update-golden")
    project.write(
        "@pytest.mark.xfail(strict=True)\n"
        + SAME
        + """
def test_misuse(stages): stages['h'] = None
@pytest.mark.xfail
def test_known(stages): stages['h'] = None
@pytest.mark.xfail
def test_off(stages): stages['h'] = np.ones(9) * np.nan
"""
    )
    # Before version 8.3, -rx alone shows tracebacks.
    result = project.run("-rx", *(["--xfail-tb"] if pytest.version_tuple >= (8, 3) else []))
    assert result.parseoutcomes() == {"failed": 2, "xfailed": 2}
    at = [result.outlines.index(next(line for line in result.outlines if f"___ test_{name} ___" in line))
          for name in ("same", "misuse", "known", "off")]  # fmt: skip
    assert [result.outlines[i + 1].strip() for i in at] == [
        "[XPASS(strict)]",
        "test_model.py:8: stage 'h': NoneType is not array-like",
        "test_model.py:10: stage 'h': NoneType is not array-like",
        "golden golden/test_model/test_off.safetensors does not exist; create it with: pytest --update-golden",
    ]
    assert "please report this" not in result.stdout.str()
