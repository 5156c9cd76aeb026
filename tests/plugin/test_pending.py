"""What a failing test leaves for review, and when that goes away."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from safetensors.numpy import load_file

from pytest_audioparity.golden.pending import ADDED, CHANGED, REMOVED, read_pending

TWO = "def test_model(stages): stages['h'] = np.full(9, {h}); stages['mel'] = np.full(100, {mel})\n"


@pytest.fixture
def golden(project):
    """Write a golden of two stages and return the project."""
    project.write(TWO.format(h=1.0, mel=1.0))
    assert project.run("--update-golden").ret == 0
    return project


def test_a_missing_golden_leaves_all_its_stages(project):
    """The actual of a test without a golden is kept, readable by any safetensors reader, and the failure says how."""
    project.write(TWO.format(h=1.0, mel=2.0))
    result = project.run()
    result.stdout.fnmatch_lines("review: audioparity golden show test_model/test_model")
    kept = load_file(project.pending())
    assert {name: tensor.tolist() for name, tensor in kept.items()} == {"h": [1.0] * 9, "mel": [2.0] * 100}
    pending, _ = read_pending(project.pending())
    assert (pending.test, pending.golden, pending.golden_dir) == (
        "test_model.py::test_model",
        "test_model/test_model",
        "golden",
    )
    assert pending.refused is None
    assert [(change.name, change.change, change.was) for change in pending.changes] == [
        ("h", ADDED, None),
        ("mel", ADDED, None),
    ]


def test_what_keeps_a_missing_golden_from_being_made_is_told_with_it(project):
    """NaN in a stage is said below the headline, though nothing is compared; a finite stage is not named."""
    project.write("def test_model(stages): stages['x'] = [1.0, 2.0]; stages['mel'] = [1.0, np.nan, np.inf]")
    result = project.run()
    result.stdout.fnmatch_lines(
        ["golden *does not exist*", "stage 'mel' has 1 NaN and 1 infinite values, the first at*"]
    )
    result.stdout.no_fnmatch_line("stage 'x' has*")


def test_a_changed_golden_leaves_the_stages_that_fail(golden):
    """Only what differs is kept; the change is said in dB, and the report is stored as it was shown."""
    golden.write(TWO.format(h=1.0, mel=2.0))
    shown = golden.run().stdout.str()
    pending, obtained = read_pending(golden.pending())
    assert [stage.name for stage in obtained.stages] == ["mel"]
    assert [(change.name, change.change, change.text) for change in pending.changes] == [
        ("mel", CHANGED, "old -> new 6.02 dB")
    ]
    assert pending.order == ("h", "mel")
    assert pending.result["first_divergence"] == "mel"
    assert pending.report in shown
    assert (pending.refused, pending.forcible) == (None, False)


def test_a_stage_that_goes_is_a_change_too(golden):
    """A stage that the test no longer records waits as removed, with no tensor."""
    golden.write("def test_model(stages): stages['h'] = np.full(9, 1.0)\n")
    golden.run()
    pending, obtained = read_pending(golden.pending())
    assert [(change.name, change.change) for change in pending.changes] == [("mel", REMOVED)]
    assert obtained.stages == ()


def test_a_test_that_passes_removes_its_own_file_only(golden):
    """After the fix the test's file is gone, that of another test stays."""
    golden.write("def test_other(stages): stages['x'] = 1.0\n", name="test_other.py")
    golden.write(TWO.format(h=1.0, mel=2.0))
    golden.run()
    assert golden.all_pending() == ["test_model/test_model", "test_other/test_other"]
    golden.write(TWO.format(h=1.0, mel=1.0))
    golden.run("test_model.py")
    assert golden.all_pending() == ["test_other/test_other"]


def test_an_update_removes_what_waited(golden):
    """What was written needs no review any more."""
    golden.write(TWO.format(h=1.0, mel=2.0))
    golden.run()
    assert golden.all_pending()
    golden.run("--update-golden")
    assert golden.all_pending() == []


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("@parity(golden='test_model/test_model', port=True)\n{two}", "port"),
        ("{two}    ; raise RuntimeError('later')", "failed otherwise"),
        ("def test_model(stages): stages['mel'] = np.full(100, np.nan); stages['h'] = np.full(9, 1.0)", "stage 'mel'"),
        ("@pytest.fixture\ndef late():\n    yield\n    assert False\n\n{two}", "failed otherwise"),
    ],
    ids=["port", "exception", "nan", "teardown"],
)
def test_what_may_not_become_golden_is_kept_with_the_reason(golden, source, reason):
    """It can be looked at, and says why it cannot be accepted."""
    two = TWO.format(h=1.0, mel=2.0).strip()
    if "def late" in source:
        two = two.replace("(stages)", "(late, stages)")
    golden.write(source.format(two=two))
    golden.run()
    pending, obtained = read_pending(golden.pending())
    assert reason in pending.refused
    assert [stage.name for stage in obtained.stages] == ["mel"]


def test_a_port_leaves_its_own_file(golden):
    """Owner and port of one golden leave a file each, since they are named after the test."""
    port = "@parity(golden='test_model/test_model', port=True)\n" + TWO.replace("test_model", "test_port")
    golden.write(TWO.format(h=1.0, mel=2.0) + port.format(h=1.0, mel=3.0))
    golden.run()
    assert golden.all_pending() == ["test_model/test_model", "test_model/test_port"]
    pending, _ = read_pending(golden.pending("test_model/test_port"))
    assert pending.golden == "test_model/test_model"


@pytest.mark.parametrize("marks", ["@pytest.mark.xfail(strict=False)", "@pytest.mark.skip"])
def test_xfail_and_skip_leave_nothing_and_remove_nothing(golden, marks):
    """A test that is expected to fail, or does not run, does not touch what waits."""
    golden.write(f"{marks}\n" + TWO.format(h=1.0, mel=2.0))
    golden.run()
    assert golden.all_pending() == []
    golden.write(TWO.format(h=1.0, mel=2.0))
    golden.run()
    golden.write(f"{marks}\n" + TWO.format(h=1.0, mel=3.0))
    golden.run()
    assert load_file(golden.pending())["mel"][0] == 2.0


def test_a_failure_before_any_difference_leaves_what_waited(golden):
    """A crash that says nothing about the stages is no decision."""
    golden.write(TWO.format(h=1.0, mel=2.0))
    golden.run()
    golden.write("def test_model(stages): raise RuntimeError('no model')\n")
    golden.run()
    assert golden.all_pending() == ["test_model/test_model"]


def test_a_failure_without_any_difference_leaves_nothing(golden):
    """There is nothing to review where every stage is what the golden has."""
    golden.write(TWO.format(h=1.0, mel=1.0).rstrip() + "; assert 0\n")
    golden.run().assert_outcomes(failed=1)
    assert golden.all_pending() == []


def test_the_last_attempt_of_a_rerun_counts(golden):
    """A flaky test that passes when it is run again leaves nothing."""
    golden.write(
        """
        import pathlib

        def test_model(stages):
            first = not pathlib.Path("ran").exists()
            pathlib.Path("ran").touch()
            stages['h'] = np.full(9, 1.0)
            stages['mel'] = np.full(100, 2.0 if first else 1.0)
        """
    )
    assert golden.run("--reruns", "1").parseoutcomes() == {"passed": 1, "rerun": 1}
    assert golden.all_pending() == []


def test_the_folder_ignores_itself(golden):
    """Nothing of it is committed by accident."""
    golden.write(TWO.format(h=1.0, mel=2.0))
    golden.run()
    assert "*" in (golden.path / ".audioparity" / ".gitignore").read_text().splitlines()


def test_under_xdist_every_failing_test_leaves_its_file(project):
    """Each worker writes those of its tests."""
    project.write("@pytest.mark.parametrize('n', range(6))\ndef test_model(stages, n): stages['x'] = float(n)\n")
    project.run_apart("-n", "2")
    assert project.all_pending() == [f"test_model/test_model-{n}" for n in range(6)]


def test_a_folder_that_cannot_be_written_does_not_hide_the_failure(golden):
    """The failure is reported as ever, with one line on what could not be kept."""
    (golden.path / ".audioparity").rename(golden.path / "gone") if (golden.path / ".audioparity").exists() else None
    (golden.path / ".audioparity").write_text("a file is in the way")
    golden.write(TWO.format(h=1.0, mel=2.0))
    result = golden.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["stage 'mel' is off by 6.02 dB*", "*could not be kept for review*"])


def test_metadata_of_a_pending_file_is_that_of_a_golden(golden):
    """Any reader of goldens reads it: declarations, hashes, and the provenance of the run that obtained it."""
    golden.write("def test_model(stages): stages.record('mel', np.full((1, 2, 50), 2.0), axes='BCT', unit='V')\n")
    golden.run()
    from safetensors import safe_open

    with safe_open(golden.pending(), "np") as file:
        said = json.loads(file.metadata()["audioparity"])
    assert said["stages"][0]["axes"] == "BCT"
    assert said["stages"][0]["hash"].startswith("xxh3:")
    assert said["provenance"]["packages"]["numpy"] == np.__version__


@pytest.mark.parametrize(("end", "settings"), [("", {"k": 2}), ("; assert 0", {"j": 1, "k": 2})])
def test_a_pending_file_says_its_settings_and_when_it_was_obtained(project, end, settings):
    """What a test did not come to declare is not taken away."""
    source = "def test_model(stages): stages.settings({}); stages['mel'] = np.full(9, {})"
    project.write(source.format("k=1, j=1", 1.0))
    project.run("--update-golden")
    project.write(source.format("k=2", 2.0) + end)
    project.run()
    pending, _ = read_pending(project.pending())
    assert pending.settings == settings
    assert pending.provenance["test"] == "test_model.py::test_model"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", pending.obtained)


FULL = """
import numpy as np, pytest

@pytest.mark.parametrize("i", range(12))
def test_model(stages, i): stages["h"] = np.full(25_000, i, np.float32)
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_what_waits_takes_no_more_than_it_may(project, workers):
    """Of failing tests that leave 100 kB each the last ones stay within the limit; the summary says how many went."""
    project.write(FULL)
    project.ini("audioparity_pending_mb = 0.5")
    arguments = ["-n", str(workers)] if workers else []
    result = project.run("-q", *arguments)
    result.assert_outcomes(failed=12)
    left = sorted(project.path.joinpath(".audioparity/pending").rglob("*.safetensors"))
    assert sum(path.stat().st_size for path in left) <= 0.5e6
    assert len(left) >= 3
    kept, gone = (
        f"*{len(left)} tests left what they obtained*",
        f"*{12 - len(left)} tests obtained made room for later ones*",
    )
    result.stdout.fnmatch_lines([kept, gone])
    tests = json.loads(project.path.joinpath(".audioparity/run.json").read_text())["tests"]
    assert sum(test["pending"] is not None for test in tests) == len(left)
    assert sum("removed" in test for test in tests) == 12 - len(left)


def test_what_was_decided_while_the_run_went_on_made_no_room(golden):
    """Whoever rejects what a test left before the last test has run is not told that the folder is full."""
    golden.write(TWO.format(h=1.0, mel=2.0), "test_model.py")
    golden.write("import pathlib\ndef test_z(): next(pathlib.Path('.audioparity/pending').rglob('*.safe*')).unlink()",
                 "test_z.py")  # fmt: skip
    result = golden.run()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.no_fnmatch_line("*is full*")
    (test,) = json.loads(golden.path.joinpath(".audioparity/run.json").read_text())["tests"]
    assert (test["pending"], "removed" in test, "displaced" in test) == (None, False, False)


@pytest.mark.parametrize("value", ["-1", "much", "inf", "nan", "True"])
def test_a_limit_that_is_no_size_is_refused(project, value):
    """Wrong use of the option is one line that names it."""
    project.write(TWO.format(h=1.0, mel=2.0))
    project.ini(f"audioparity_pending_mb = {value}")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("*audioparity_pending_mb*no number of megabytes*")
