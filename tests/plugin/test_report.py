"""How a failure and an update appear in pytest's own outputs, and pytest's other options beside ours."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from pytest_audioparity.golden.file import Golden, write_golden

PAIR = """
def test_good(stages): stages["mel"] = np.full(9, 1.0)
def test_bad(stages): stages["mel"] = np.full(9, {value})
def test_new(stages): stages["mel"] = np.full(9, 1.0)
"""


@pytest.fixture
def pair(project):
    """Write the goldens of two tests; the second then differs and a third has none."""
    project.write(PAIR.format(value=1.0))
    assert project.run("--update-golden", "-k", "not new").ret == 0
    project.write(PAIR.format(value=2.0))
    return project


def test_the_summary_line_of_a_failure_says_what_differs(pair):
    """The short summary names the exception and the stage."""
    result = pair.run()
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines("FAILED test_model.py::test_bad - ParityError: stage 'mel'*")


def test_a_failure_is_its_report_and_nothing_else(pair):
    """Neither the test's source nor frames of the plugin stand around the report."""
    result = pair.run("test_model.py::test_bad")
    at = result.outlines.index(next(line for line in result.outlines if "___ test_bad ___" in line))
    assert result.outlines[at + 1].startswith("stage 'mel' ")
    result.stdout.no_fnmatch_line(">*")


def test_one_line_tracebacks_point_at_the_test(pair):
    """--tb=line, which tools for annotations read, names the test's own line, not one of the plugin."""
    pair.run("--tb=line").stdout.fnmatch_lines("*/test_model.py:7: ParityError: stage 'mel'*")


@pytest.mark.parametrize("flags", [(), ("--update-golden",)])
def test_junitxml_is_well_formed(pair, flags):
    """The XML parses, failures carry the report, and updated tests count as passed."""
    pair.run("--junitxml=out.xml", *flags)
    cases = {case.get("name"): case for case in ET.parse(pair.path / "out.xml").iter("testcase")}
    failed = {name for name, case in cases.items() if case.find("failure") is not None}
    assert set(cases) == {"test_good", "test_bad", "test_new"}
    assert failed == (set() if flags else {"test_bad", "test_new"})
    if not flags:
        failure = cases["test_bad"].find("failure")
        assert "stage 'mel'" in failure.get("message")
        assert "accept: pytest test_model.py::test_bad --update-golden" in failure.text


def test_the_last_failed_are_run_again(pair):
    """--lf selects parity failures, and forgets them once they were updated."""
    pair.run().assert_outcomes(passed=1, failed=2)
    assert pair.run("--lf", "--update-golden").parseoutcomes() == {"updated": 2}
    pair.run("--lf").assert_outcomes(passed=3)


@pytest.mark.parametrize("flags", [("-q",), ("-vv",), ("--no-summary",), ("-rA",), ("--tb=no",), ("--tb=line",),
                                   ("-p", "no:cacheprovider"), ("-s",), ("--color=yes",), ("--durations=3",),
                                   ("-p", "no:xdist"), ("-p", "no:junitxml"), ("--runxfail",)])  # fmt: skip
def test_other_options_change_no_verdict(pair, flags):
    """Whatever decides how results look, the same tests pass and fail, and an update writes the same goldens."""
    assert pair.run(*flags).ret == pytest.ExitCode.TESTS_FAILED
    assert len(pair.goldens()) == 2
    assert pair.run("--update-golden", *flags).ret == 0
    assert len(pair.goldens()) == 3
    assert pair.run(*flags).ret == 0


def test_without_a_terminal_reporter(pair):
    """With -p no:terminal the exit codes are the same and goldens are written."""
    assert pair.run_apart("-p", "no:terminal").ret == pytest.ExitCode.TESTS_FAILED
    assert pair.run_apart("-p", "no:terminal", "--update-golden").ret == 0
    assert pair.run_apart("-p", "no:terminal").ret == 0


def test_nothing_runs_with_setup_only(pair):
    """--setup-only and --setup-plan judge and write nothing."""
    before = pair.state()
    for flag in ("--setup-only", "--setup-plan"):
        assert pair.run(flag, "--update-golden").parseoutcomes() in ({}, {"no tests ran": 1})
    assert pair.state() == before


def test_without_the_plugin_other_tests_run(project):
    """-p no:audioparity leaves a suite without parity tests alone, and the public names importable."""
    project.write("def test_other(): assert parity.name == 'parity'")
    project.run("-p", "no:audioparity").assert_outcomes(passed=1)
    project.run().assert_outcomes(passed=1)


def test_a_fixture_called_stages_of_the_projects_own(project):
    """A project that has its own fixture of that name, and no mark, notices nothing of the plugin."""
    project.write("@pytest.fixture\ndef stages(): return [1, 2]\ndef test_model(stages): assert stages == [1, 2]")
    project.run().assert_outcomes(passed=1)
    project.run("--update-golden").assert_outcomes(passed=1)
    assert project.goldens() == []


def test_a_project_may_wrap_the_fixture(project):
    """A fixture `stages` built on ours is still judged."""
    source = "@pytest.fixture\ndef stages(stages): return stages\ndef test_model(stages): stages['x'] = {value}"
    project.write(source.format(value=1.0))
    assert project.run("--update-golden").parseoutcomes() == {"updated": 1}
    project.write(source.format(value=2.0))
    project.run().assert_outcomes(failed=1)


def test_pytest_twice_in_one_process(project):
    """A second pytest.main in the same process starts afresh: other flags, other goldens, the same verdicts."""
    project.write("def test_model(stages): stages['mel'] = 1.0")
    (project.path / "twice.py").write_text(
        "import pytest\n"
        "codes = [int(pytest.main([*flags, 'test_model.py'])) for flags in"
        " ([], ['--update-golden'], [], ['--golden-dir=other'], ['--golden-dir=other', '--update-golden'])]\n"
        "assert codes == [1, 0, 0, 1, 0], codes\n"
    )
    result = project._pytester.runpython(project.path / "twice.py")
    assert result.ret == 0
    assert len(project.goldens()) == 2


def test_a_crash_in_the_middle_shows_what_had_diverged_before(project):
    """The table of the stages recorded so far stands below the test's own traceback."""
    source = "def test_model(stages):\n    stages['a'] = np.ones(3) * {gain}\n    {then}\n    stages['b'] = np.ones(3)"
    project.write(source.format(gain=1.0, then="pass"))
    project.run("--update-golden")
    project.write(source.format(gain=2.0, then="raise ValueError('shapes do not fit')"))
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*ValueError: shapes do not fit", "*stages recorded before*", "stage 'a' is off by 6.02 dB*"]
    )
    result.stdout.no_fnmatch_line("*missing*")


@pytest.mark.parametrize("then", ["pass", "raise ValueError('shapes do not fit')"])
def test_a_failing_stage_is_shown_with_its_cause(project, then):
    """The findings stand below the table, of a test that ended and of one that crashed."""
    source = "def test_model(stages):\n    stages['a'] = np.sin(np.arange(300.0)) * {gain}\n    {then}"
    project.write(source.format(gain=1.0, then="pass"))
    project.run("--update-golden")
    project.write(source.format(gain=2.0, then=then))
    project.run().stdout.fnmatch_lines("*gain*2*6.02 dB*")


def test_the_short_summary_is_one_line_in_ci_too(project, monkeypatch):
    """Pytest does not cut messages under CI; the report must not appear twice."""
    project.write("def test_model(stages): stages['a'] = np.ones(3)")
    project.run("--update-golden")
    project.write("def test_model(stages): stages['a'] = np.ones(3) * 2")
    monkeypatch.setenv("CI", "true")
    text = project.run().stdout.str()
    assert text.count("off by 6.02 dB") == 2
    assert text.count("over       :") == 2


def test_a_golden_that_cannot_be_used_is_one_line_and_no_table(project):
    """Nothing was compared, so nothing looks as if it had been."""
    project.write("def test_model(stages):\n    stages['a'] = np.ones(3)\n    stages['b'] = np.ones(3)")
    project.golden().parent.mkdir(parents=True)
    project.golden().write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    text = project.run().stdout.str()
    assert "run: git lfs pull" in text
    assert "stages fail" not in text


def test_misuse_points_at_the_line_of_the_test_for_tools_that_read_only_that(project):
    """--tb=line and annotations show where the test is wrong, not where the package noticed."""
    project.write("def test_model(stages):\n    stages['a'] = 'text'")
    project.run("--tb=line").stdout.fnmatch_lines("*test_model.py:6: StageError: test_model.py:6: stage 'a'*")


def test_what_a_golden_says_of_itself_cannot_steer_the_terminal(project):
    """A golden comes from elsewhere, and so does the name of the test that wrote it."""
    project.write("@parity(golden='x')\ndef test_model(stages): stages['mel'] = 1.0")
    project.run("--update-golden")
    golden = Golden(project.golden("x"))
    stages = [type(stage)(stage.meta, np.array(stage.array)) for stage in golden]
    evil = {**golden.provenance, "test": "evil\x1b]0;pwn\x07\x1b[2J::x\nsecond line", "device": "\x1b[31m"}
    write_golden(project.golden("x"), stages, settings={}, provenance=evil)
    project.write("@parity(golden='x')\ndef test_model(stages): stages['mel'] = 2.0")
    for flags in ((), ("--update-golden",)):
        assert "\x1b" not in project.run(*flags).stdout.str()
    project.write("@parity(golden='x', port=True)\ndef test_model(stages): stages['mel'] = 2.0")
    assert "\x1b" not in project.run().stdout.str()
