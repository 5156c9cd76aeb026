"""pytest-xdist changes nothing: verdicts, updates, letters and the summary."""

from __future__ import annotations

import pytest

SOURCE = """
@pytest.mark.parametrize("i", range(4))
def test_model(stages, i): stages["mel"] = np.full(9, 1.0 + i)
def test_bad(stages): stages["mel"] = np.full(9, {value})
def test_other(): pass
"""


def test_updates_and_failures(project):
    """Workers write goldens, the controller shows U and lists them; failures carry their report and misuse its line."""
    project.write(SOURCE.format(value=1.0))
    result = project.run_apart("-n2", "--update-golden")
    assert result.parseoutcomes() == {"updated": 5, "passed": 1}
    assert sum(line.startswith("created golden/test_model/") for line in result.outlines) == 5
    assert next(line for line in result.outlines if "U" in line and "[100%]" in line).count("U") == 5
    before = project.state()
    project.write(SOURCE.format(value=2.0) + "def test_misuse(stages): stages['x'] = 'text'")
    result = project.run_apart("-n2")
    result.assert_outcomes(passed=5, failed=2)
    result.stdout.fnmatch_lines_random(["stage 'mel' *", "accept: pytest test_model.py::test_bad --update-golden",
                                        "test_model.py:*: stage 'x': str is not array-like"])  # fmt: skip
    assert project.state() == before
    result = project.run_apart("-n2", "--update-golden", "--deselect", "test_model.py::test_misuse")
    assert result.parseoutcomes() == {"updated": 1, "passed": 5}
    after = project.state()
    assert [name for name in after if after[name] != before[name]] == ["golden/test_model/test_bad.safetensors"]


def test_ports_wait_for_the_owner_in_another_worker(project):
    """A port is never compared with a golden that another process may be rewriting."""
    source = """
    def test_owner(stages): stages["mel"] = np.full(9, {value})
    @parity(port=True, golden="test_model/test_owner")
    def test_port(stages): stages["mel"] = np.full(9, 2.0)
    """
    project.write(source.format(value=1.0))
    assert project.run("--update-golden", "-k", "owner").ret == 0
    project.write(source.format(value=2.0))
    assert project.run_apart("-n2", "--update-golden").parseoutcomes() == {"updated": 1, "skipped": 1}
    project.run_apart("-n2").assert_outcomes(passed=2)


@pytest.mark.parametrize("mark", ["@parity(golden='x')", "@parity(golden='X')"])
def test_two_owners_fail(project, mark):
    """Two owners of one golden both fail with the sentence, and no golden is written."""
    project.write(
        f"@parity(golden='x')\ndef test_a(stages): stages['a'] = 1.0\n{mark}\ndef test_b(stages): stages['a'] = 1.0"
    )
    result = project.run_apart("-n2", "--update-golden")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines("two tests claim the golden golden/*: *::test_a and *::test_b; *")
    assert project.goldens() == []


def test_a_wrong_ini_value_is_a_usage_error(project):
    """The controller checks the ini options, so that the run does not end as if there were no tests."""
    project.ini("audioparity_tol_db = loud")
    project.write("def test_model(stages): stages['mel'] = 1.0")
    result = project.run_apart("-n2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("ERROR: ini option audioparity_tol_db='loud' is not a number*")


def test_a_wrong_mark_is_a_collection_error(project):
    """A wrong mark fails the run and names the test."""
    project.write("@parity(tol_bd=1)\ndef test_model(stages): stages['mel'] = 1.0")
    result = project.run_apart("-n2", "--update-golden")
    assert result.ret != 0
    result.stdout.fnmatch_lines(
        "test_model.py::test_model: mark parity: unknown keyword 'tol_bd', did you mean 'tol_db'?"
    )
    assert project.goldens() == []


def test_a_worker_that_dies_updates_nothing(project):
    """A crash while a test runs leaves its golden as it was and fails the run."""
    project.write("def test_model(stages):\n    stages['mel'] = 1.0\n    import os; os._exit(3)")
    result = project.run_apart("-n1", "--update-golden", "--max-worker-restart=0")
    assert result.ret != 0
    assert project.goldens() == []
