"""Ports: tests that compare with a golden another test owns."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.numpy

OWNER = "def test_owner(stages): stages['mel'] = np.full(9, {value})\n"
PORT = (
    "@parity(port=True, golden='test_model/test_owner')\ndef test_port(stages): stages['mel'] = np.full(9, {value})\n"
)


@pytest.fixture
def golden(project):
    """Write the owner's golden with the value 1."""
    project.write(OWNER.format(value=1.0))
    assert project.run("--update-golden").ret == 0
    return project


@pytest.mark.parametrize(("value", "passes"), [(1.0, True), (2.0, False)])
def test_a_port_compares(golden, value, passes):
    """A port passes when it agrees with the owner's golden and fails when it does not, alone or beside the owner."""
    golden.write(OWNER.format(value=1.0) + PORT.format(value=value))
    golden.run("-k", "port").assert_outcomes(passed=int(passes), failed=int(not passes), deselected=1)
    golden.run().assert_outcomes(passed=1 + passes, failed=int(not passes))


def test_a_failing_port_points_to_the_owner(golden):
    """A port is not told to accept anything; it names the test that owns the golden, where an update works."""
    golden.write(OWNER.format(value=2.0) + PORT.format(value=2.0))
    result = golden.run("-k", "port")
    result.stdout.fnmatch_lines("owner: test_model.py::test_owner writes this golden*")
    result.stdout.no_fnmatch_line("accept:*")
    assert golden.run("test_model.py::test_owner", "--update-golden").parseoutcomes() == {"updated": 1}
    golden.run().assert_outcomes(passed=2)


@pytest.mark.parametrize("flags", [(), ("--update-golden",)])
def test_a_port_without_its_golden_fails_and_writes_nothing(project, flags):
    """A port whose golden does not exist fails, with --update-golden too."""
    project.write(PORT.format(value=1.0))
    result = project.run(*flags)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("golden *test_owner.safetensors does not exist; write it with the test that owns it*")
    result.stdout.no_fnmatch_line("accept:*")
    assert project.goldens() == []


@pytest.mark.parametrize("order", ["owner first", "port first"])
def test_a_port_of_a_golden_that_changes_is_not_run(golden, order):
    """The owner runs first; its port is skipped with the reason, not compared with either golden."""
    parts = [OWNER.format(value=2.0), PORT.format(value=1.0)]
    golden.write("".join(parts if order == "owner first" else reversed(parts)))
    result = golden.run("--update-golden", "-rs")
    assert result.parseoutcomes() == {"updated": 1, "skipped": 1}
    result.stdout.fnmatch_lines("SKIPPED*not run: its golden is being updated in this run; run it again afterwards")
    golden.run().assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize(("value", "passes"), [(1.0, True), (2.0, False)])
def test_a_port_of_a_golden_that_stays_is_run(golden, value, passes):
    """When the owner passes or fails without an update, the port is compared in the same run."""
    golden.write(PORT.format(value=value) + OWNER.format(value=1.0))
    golden.run("--update-golden").assert_outcomes(passed=1 + passes, failed=int(not passes))
    golden.write(PORT.format(value=value) + OWNER.format(value=5.0).replace("\n", "; assert 0\n"))
    golden.run("--update-golden").assert_outcomes(passed=int(passes), failed=1 + (not passes))


@pytest.mark.parametrize(
    ("flag", "outcomes"),
    [("--lf", {"failed": 1, "deselected": 1}), ("--ff", {"passed": 1, "failed": 1})],
)
def test_a_port_is_run_when_pytest_leaves_out_its_owner_or_puts_it_behind(golden, flag, outcomes):
    """`--lf` leaves out the owner, which passed: the port of a golden that stays fails on, and is not said to wait."""
    golden.write(OWNER.format(value=1.0) + PORT.format(value=2.0))
    golden.run("test_model.py").assert_outcomes(passed=1, failed=1)
    golden.run("test_model.py", flag, "--update-golden").assert_outcomes(**outcomes)


def test_a_port_waits_for_an_owner_that_other_plugins_put_behind_it(golden):
    """An order that a conftest forces, port before owner, does not compare the port with the outdated golden."""
    golden.write(OWNER.format(value=2.0) + PORT.format(value=2.0))
    (golden.path / "conftest.py").write_text("def pytest_collection_finish(session): session.items.reverse()\n")
    assert golden.run("--update-golden").parseoutcomes() == {"updated": 1, "skipped": 1}
    golden.run().assert_outcomes(passed=2)


def test_an_owner_that_is_skipped_does_not_hold_up_its_port(golden):
    """The owner of a golden may not run here; its port is then compared with the golden as it is."""
    golden.write("@pytest.mark.skip\n" + OWNER.format(value=1.0) + PORT.format(value=1.0))
    golden.run("--update-golden").assert_outcomes(passed=1, skipped=1)


def test_other_tests_keep_their_order(golden):
    """Without an update ports stay where they are, and with one everything else does."""
    golden.write(
        PORT.format(value=1.0) + "def test_1(): pass\n" + OWNER.format(value=1.0) + "def test_2(): pass\n",
        "test_model.py",
    )
    order = [line.split()[0].partition("::")[2] for line in golden.run("-v").outlines if "PASSED" in line]
    assert order == ["test_port", "test_1", "test_owner", "test_2"]
    order = [
        line.split()[0].partition("::")[2] for line in golden.run("-v", "--update-golden").outlines if "PASSED" in line
    ]
    assert order == ["test_1", "test_owner", "test_2", "test_port"]


def test_a_port_that_names_the_golden_folder_is_told_to_leave_it_out(golden):
    """golden= is relative to the golden directory."""
    golden.write(PORT.format(value=1.0).replace("test_model/test_owner", "golden/test_model/test_owner"))
    golden.run().stdout.fnmatch_lines("golden golden/golden/*does not exist*leave the leading 'golden/' out of golden=")


@pytest.mark.parametrize(("asked", "said"), [("test_model/test_ownre", True), ("decoder/mimi", False)])
def test_a_port_of_a_golden_that_is_not_there_is_told_the_nearest(golden, asked, said):
    """A typo in golden= gets the name that was meant; a name like none gets none."""
    golden.write(PORT.format(value=1.0).replace("test_model/test_owner", asked))
    told = golden.run().stdout.str()
    assert ("did you mean golden='test_model/test_owner'?" in told) is said
    assert "does not exist" in told


def test_a_port_that_forgot_to_say_so_does_not_overwrite_the_golden_of_its_owner(golden):
    """Run alone, nothing shows that two tests claim the golden, but the golden says who wrote it."""
    before = golden.state()
    golden.write(OWNER.format(value=1.0) + PORT.format(value=2.0).replace(", port=True", "").replace("port=True, ", ""))
    result = golden.run("-k", "port", "--update-golden")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines("not updated: *written by test_model.py::test_owner*port=True*delete the golden first")
    assert golden.state() == before
    golden.golden("test_model/test_owner").unlink()
    assert golden.run("-k", "port", "--update-golden").parseoutcomes() == {"updated": 1, "deselected": 1}


def test_a_golden_written_by_hand_is_not_overwritten_by_a_test_that_forgot_to_be_a_port(project):
    """Nobody's test wrote it, so no test may take it without being told."""
    project.golden("hand/swift").parent.mkdir(parents=True)
    safetensors.numpy.save_file({"mel": np.ones(9)}, project.golden("hand/swift"))
    before = project.state()
    project.write("@parity(golden='hand/swift')\ndef test_model(stages): stages['mel'] = np.ones(9) * 2")
    result = project.run("--update-golden")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("not updated: its golden was written by something else than a test*port=True*")
    assert project.state() == before


def test_test_files_of_one_name_outside_the_root_directory_do_not_share_a_golden(project):
    """Pytest gives them one node id; they are two tests all the same."""
    for folder in ("a", "b"):
        project.write("def test_model(stages): stages['mel'] = np.ones(9)", f"{folder}/test_x.py")
    (project.path / "inner").mkdir()
    result = project.run(
        f"--rootdir={project.path / 'inner'}",
        "--import-mode=importlib",
        "a/test_x.py",
        "b/test_x.py",
        "--update-golden",
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "two tests claim the golden" in result.stdout.str() + result.stderr.str()
    assert project.goldens() == []
