"""What the audits say of a test, in runs of a few small stages, so that mutants of `auditing` are judged in seconds."""

from __future__ import annotations

import pytest

MODEL = """
X = np.random.default_rng(0).standard_normal((4, 30)).cumsum(1).astype('f')
@parity(tol_db=60, tol_peak_db=np.float32(500), only=['[!l]*'])
def test_loose(stages):
    for shift, name in enumerate('abcde'):
        stages.record(name, np.roll(X, 5 * shift, axis=1) * np.float32({gain}), axes='CT')
    stages['left'] = X
@pytest.mark.parametrize('gain', [pytest.param({gain}, marks=parity(tol_db=1), id='it')])
def test_bad(stages, gain): stages.record('h', X * np.float32(gain), axes='CT')
"""
# A test whose runs, of which each has a number, fail from one on.
FAILS = """
import itertools
COUNT = itertools.count(1)
def test_fails(stages):
    count = next(COUNT)
    assert count < {failing}, f'run {{count}} of it'
    stages.record('h', np.linspace(1, 2, 90), axes='T')
"""


def audited(project, *arguments):
    """Run the tests and return what was shown, and what the record says of each by its name."""
    result = project.run(*arguments)
    return result, {test["test"].rpartition("::test_")[2]: test for test in project.record().tests}


@pytest.fixture
def loose(project):
    """Write goldens of two tests, of which one fails from now on."""
    project.change(MODEL.format(gain=1), MODEL.format(gain=1.5))
    return project


def test_faults_are_put_into_the_stages_of_a_test_that_passes(loose):
    """With those that a stage may have from its nearest neighbours; what is left out is named."""
    _, tests = audited(loose, "--parity-mutants")
    assert "mutants" not in tests["bad[it]"]
    found = tests["loose"]["mutants"]
    assert found["left_out"] == ["left"]
    assert {one["stage"] for one in found["unnoticed"]} == set("abcde")
    stale = {name: [one["fault"] for one in found["unnoticed"] if (one["stage"], one["code"]) == (name, "stale")]
             for name in "ac"}  # fmt: skip
    assert stale == {
        "a": ["equals 'b'", "equals 'c'", "equals 'd'"],
        "c": ["equals 'b'", "equals 'd'", "equals 'a'"],
    }
    assert "calibration" not in tests["loose"]


def test_a_test_is_measured_over_its_runs(loose):
    """With the mark that it has, in plain numbers, and whether that stands on a parameter."""
    _, tests = audited(loose, "--parity-calibrate=2")
    for test, stages in (("loose", "abcde"), ("bad[it]", "h")):
        found = tests[test]["calibration"]
        assert [(row["stage"], row["repetitions"]) for row in found["stages"]] == [(name, 2) for name in stages]
        assert found["problem"] is None
        assert "mutants" not in tests[test]
    assert tests["loose"]["calibration"]["mark"] == {"tol_db": 60, "tol_peak_db": 500.0, "only": ["[!l]*"]}
    assert tests["bad[it]"]["calibration"]["mark"] == {"tol_db": 1}
    assert [tests[test]["calibration"]["of_parameter"] for test in ("loose", "bad[it]")] == [False, True]


@pytest.mark.parametrize(("failing", "said"), [(2, "run 2 of it"), (3, "its last run failed")])
def test_a_test_that_cannot_be_repeated_says_why(project, failing, said):
    """Nothing is measured of it."""
    project.write(FAILS.format(failing=9))
    project.run("--update-golden")
    project.write(FAILS.format(failing=failing))
    result, tests = audited(project, "--parity-calibrate=3")
    result.assert_outcomes(failed=1)
    found = tests["fails"]["calibration"]
    assert found["stages"] == []
    assert said in found["problem"]


def test_the_tolerances_that_a_class_gives_to_some_stages_stay_in_the_mark(project):
    """A mark with stages= takes the place of the whole stages= of its class."""
    project.write(
        "@parity(stages={'a': {'tol_db': 2}})\nclass TestIt:\n"
        "    @parity(dtype='any')\n    def test_a(self, stages): stages['a'] = np.linspace(1, 2, 90)\n"
    )
    _, tests = audited(project, "--parity-calibrate=1")
    assert tests["a"]["calibration"]["mark"] == {"dtype": "any", "stages": {"a": {"tol_db": 2}}}


@pytest.mark.parametrize("way", ["pytest.skip('no such device')", "pytest.xfail('not yet')"])
def test_a_test_that_is_skipped_is_not_said_to_fail(project, way):
    project.write(f"def test_skips(stages):\n    stages['h'] = np.ones(3)\n    {way}")
    _, tests = audited(project, "--parity-calibrate=2")
    assert "calibration" not in tests["skips"]


def test_where_no_stage_was_compared_no_fault_is_said_to_be_noticed(project):
    project.write(
        "from pytest_audioparity import codec_roundtrip\n"
        "@codec_roundtrip\n"
        "def test_pcm(roundtrip):\n"
        "    roundtrip(encode=lambda a: np.round(a * 8191 + 8192).astype('u2'), sample_rate=16_000,\n"
        "        decode=lambda c: ((c - 8192.0) / 8191).astype('f4'))\n"
    )
    result, _ = audited(project, "--parity-mutants", "--parity-report")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["no fault could be injected: no test that passed compared a stage"])
    assert "planted fault" not in (project.path / ".audioparity/report/index.html").read_text()


@pytest.mark.parametrize(
    ("flag", "place"),
    [
        ("--parity-mutants", "pytest_audioparity.audits.mutants.audit"),
        ("--parity-calibrate=2", "pytest_audioparity.audits.calibration.Calibration.measured"),
    ],
)
def test_an_audit_that_stumbles_is_a_warning_and_no_failure(loose, monkeypatch, flag, place):
    def fails(*_, **__):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(place, fails)
    result, tests = audited(loose, flag, "-k", "loose")
    result.assert_outcomes(passed=1)
    assert tests["loose"]["warning"] == "the audit of test_model.py::test_loose failed with ZeroDivisionError: planted"
