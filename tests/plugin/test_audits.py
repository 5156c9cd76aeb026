"""`--parity-mutants` and `--parity-calibrate` in real runs."""

from __future__ import annotations

import json

import pytest

SPEECHLIKE = "X = np.random.default_rng(0).standard_normal((20, 300)).cumsum(1).astype('f')\n"


def record_of(project):
    return json.loads((project.path / ".audioparity" / "run.json").read_text())


def section(result, title):
    """Return the lines of a section of the summary."""
    text = result.stdout.str().partition(f" {title} =")[2]
    return text.partition("\n=")[0].splitlines()[1:]


@pytest.fixture
def model(project):
    """Give a project with a test of which half of the stages have a tolerance that notices little."""
    project.write(
        SPEECHLIKE
        + "@parity(tol_db={tol_db}, only=['mel', 'h'])\n"
        "def test_model(stages):\n"
        "    stages.record('mel', X, axes='CT')\n"
        "    stages.record('h', X, axes='CT', tol_db=0.001)\n"
        "    stages['left'] = X\n".replace("{tol_db}", "3")
    )
    project.run("--update-golden")
    return project


@pytest.mark.parametrize("flags", [(), ("-n1",)])
def test_mutants_that_would_go_unnoticed_are_listed(model, flags):
    """Each with its stage, cause and number; a tight stage has none. What is left out by only= is named."""
    result = model.run("--parity-mutants", *flags)
    result.assert_outcomes(passed=1)
    lines = section(result, "parity mutants")
    assert any("  mel: " in line and "dB with tol_db=3" in line for line in lines)
    assert not any("  h: " in line for line in lines)
    assert "left out by only=, so nothing in them is noticed: left" in "\n".join(lines)
    (test,) = record_of(model)["tests"]
    found = test["mutants"]
    assert found["injected"] > len(found["unnoticed"]) > 10
    assert {one["stage"] for one in found["unnoticed"]} == {"mel"}
    assert {"gain", "offset", "channels"} <= {one["code"] for one in found["unnoticed"]}
    assert all(one["smallest_tol_db"] <= one["tol_db"] == 3 for one in found["unnoticed"])
    assert len(section(model.run("--parity-mutants", "-v"), "parity mutants")) > len(lines)


def test_a_test_that_notices_everything_says_so_and_one_that_fails_is_not_audited(project):
    source = SPEECHLIKE + "def test_model(stages): stages.record('mel', X * {gain}, axes='CT', tol_db=1e-4)"
    project.write(source.format(gain="np.float32(1)"))
    project.run("--update-golden")
    (line,) = section(project.run("--parity-mutants"), "parity mutants")
    assert line.startswith("all ")
    project.write(source.format(gain="np.float32(2)"))
    result = project.run("--parity-mutants")
    result.assert_outcomes(failed=1)
    assert section(result, "parity mutants") == ["no test passed, so there is none whose tolerances could be audited"]


def test_the_audit_changes_no_golden_and_a_run_without_it_says_nothing(model):
    before = model.state()
    model.run("--parity-mutants", "--parity-calibrate=2")
    assert model.state() == before
    text = model.run().stdout.str()
    assert "parity mutants" not in text
    assert "calibration" not in text


NOISY = (
    SPEECHLIKE + "import itertools\nCOUNT = itertools.count()\nLOG = []\n"
    "@pytest.fixture\ndef fresh():\n    LOG.append('set up')\n    yield\n    LOG.append('torn down')\n"
    "@pytest.fixture(scope='module')\ndef shared():\n    LOG.append('shared')\n"
    "@parity(tol_db=3)\n"
    "def test_model(stages, fresh, shared):\n"
    "    chance = np.random.default_rng(next(COUNT))\n"
    "    for i in range(3):\n"
    "        stages.record(f'ode/{i}', X + chance.standard_normal(X.shape).astype('f') * {noise}, axes='CT')\n"
    "def test_log(): print(LOG)\n"
)


@pytest.mark.parametrize("flags", [(), ("-n1",)])
def test_calibration_runs_a_test_n_times_and_proposes_a_tolerance(project, flags):
    """Fixtures of the test are made anew each time, those of its module once; the proposal then holds."""
    project.write(NOISY.replace("{noise}", "np.float32(1e-3)"))
    project.run("--update-golden")
    result = project.run("--parity-calibrate=4", "-s", *flags)
    result.assert_outcomes(passed=2)
    if not flags:
        log = next(line for line in result.outlines if "'shared'" in line)
        assert [log.count(word) for word in ("'shared'", "'set up'", "'torn down'")] == [1, 4, 4]
    (test, *_) = record_of(project)["tests"]
    rows = test["calibration"]["stages"]
    assert [row["stage"] for row in rows] == ["ode/0", "ode/1", "ode/2"]
    assert all(row["repetitions"] == 4 and row["run_to_run"] > 0 < row["to_golden"] for row in rows)
    text = "\n".join(section(result, "parity calibration"))
    (mark,) = [line.strip() for line in text.splitlines() if "@parity" in line]
    project.write(NOISY.replace("{noise}", "np.float32(1e-3)").replace("@parity(tol_db=3)", mark))
    result = project.run("--parity-calibrate=4")
    result.assert_outcomes(passed=2)
    assert "@parity" not in "\n".join(section(result, "parity calibration"))


def test_a_fault_is_not_calibrated_away(project):
    """A stage that is dark in every run gets no tolerance that would let it pass."""
    source = SPEECHLIKE + "def test_model(stages): stages.record('mel', X * {gain}, axes='CT')"
    project.write(source.format(gain="np.float32(1)"))
    project.run("--update-golden")
    project.write(source.format(gain="np.float32(1.19)"))
    result = project.run("--parity-calibrate=3")
    result.assert_outcomes(failed=1)
    text = "\n".join(section(result, "parity calibration"))
    assert "not noise but gain, in every run" in text
    assert "@parity" not in text


def test_without_a_golden_the_runs_are_measured_against_each_other(project):
    project.write(NOISY.replace("{noise}", "np.float32(1e-3)"))
    result = project.run("--parity-calibrate=3", "-k", "model")
    assert result.parseoutcomes()["failed"] == 1
    (row, *_) = record_of(project)["tests"][0]["calibration"]["stages"]
    assert row["to_golden"] is None
    assert row["run_to_run"] > 0


def test_a_test_that_cannot_be_repeated_says_why(project):
    project.write(
        "FIRST = [1]\ndef test_model(stages):\n    assert FIRST.pop(), 'only once'\n    stages['mel'] = np.arange(9.)"
    )
    project.run("--update-golden")
    result = project.run("--parity-calibrate=3")
    result.assert_outcomes(failed=1)
    assert "cannot be repeated as it is: " in "\n".join(section(result, "parity calibration"))
    source = "import itertools\nN = itertools.count()\ndef test_model(stages):\n"
    project.write(source + "    assert next(N), 'not the first time'\n    stages['mel'] = np.arange(9.)")
    result = project.run("--parity-calibrate=3")
    result.assert_outcomes(passed=1)
    assert "cannot be repeated as it is" in "\n".join(section(result, "parity calibration"))


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (("--parity-calibrate=0",), "needs a number of runs, 1 or more"),
        (("--parity-calibrate=2", "--update-golden"), "measures against goldens as they are"),
        (("--parity-calibrate=many",), "invalid int value"),
    ],
)
def test_wrong_use_is_one_line(project, flags, problem):
    project.write("def test_model(stages): stages['mel'] = np.ones(3)")
    result = project.run(*flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert problem in result.stderr.str()


def test_without_a_terminal_an_audit_is_silent_and_harmless(model):
    result = model.run("-p", "no:terminal", "--parity-mutants", "--parity-calibrate=2")
    assert result.ret == pytest.ExitCode.OK


def test_what_is_only_planned_waits_with_its_causes(project):
    """A plan is reviewed before it is carried out."""
    source = SPEECHLIKE + "def test_model(stages): stages.record('mel', X * {gain}, axes='CT')"
    project.ini()
    project.write(source.format(gain="np.float32(1)"))
    project.run("--update-golden")
    project.write(source.format(gain="np.float32(2)"))
    project.run("--golden-plan")
    assert '"code": "gain"' in project.pending().read_bytes().decode(errors="replace").replace("\\", "")
