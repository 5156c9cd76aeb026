"""--update-golden-missing and --golden-plan: create only, and look before anything is written."""

from __future__ import annotations

import pytest

from tests.plugin.sources import ONE

OTHER = "def test_new(stages): stages['x'] = 1.0\n"


def test_missing_goldens_are_created_and_the_others_fail_as_ever(golden):
    """A golden that no longer passes is not rewritten: its test fails."""
    before = golden.state()
    golden.write(ONE.format(value=2.0) + OTHER)
    result = golden.run("--update-golden-missing")
    assert result.parseoutcomes() == {"failed": 1, "updated": 1}
    assert result.ret == 1
    after = golden.state()
    assert sorted(set(after) - set(before)) == ["golden/test_model/test_new.safetensors"]
    assert {name: after[name] for name in before} == before
    result.stdout.no_fnmatch_line("not updated: *")


def test_a_new_stage_in_an_old_golden_is_not_missing(golden):
    """Adding a stage would rewrite a golden, so it fails."""
    before = golden.state()
    golden.write("def test_model(stages): stages['mel'] = np.full(100, 1.0); stages['x'] = 1.0\n")
    assert golden.run("--update-golden-missing").parseoutcomes() == {"failed": 1}
    assert golden.state() == before


def test_ports_wait_for_a_golden_that_is_being_created(project):
    """As with --update-golden."""
    project.write(
        "@parity(golden='test_model/test_model', port=True)\n"
        "def test_port(stages): stages['mel'] = np.full(100, 1.0)\n" + ONE.format(value=1.0)
    )
    assert project.run("--update-golden-missing").parseoutcomes() == {"updated": 1, "skipped": 1}
    assert project.run("--update-golden-missing").parseoutcomes() == {"passed": 2}


@pytest.mark.parametrize("flag", ["--update-golden", "--update-golden-missing"])
def test_a_path_behind_a_flag_is_a_path(golden, flag):
    """No update flag takes a value, so it cannot swallow one."""
    golden.write(OTHER, name="test_other.py")
    result = golden.run(flag, "test_other.py")
    assert result.parseoutcomes() == {"updated": 1}
    assert golden.goldens() == ["golden/test_model/test_model.safetensors", "golden/test_other/test_new.safetensors"]


def test_a_plan_lists_and_writes_nothing(golden):
    """What would be created and updated is listed as the update would list it; no golden changes."""
    before = golden.state()
    golden.write(ONE.format(value=2.0) + OTHER)
    result = golden.run("--update-golden", "--golden-plan")
    result.stdout.fnmatch_lines_random(
        [
            "would create golden/test_model/test_new.safetensors*",
            "would update golden/test_model/test_model.safetensors*",
            "  mel: old -> new 6.02 dB",
        ]
    )
    assert golden.state() == before


def test_a_plan_that_changes_something_is_no_success(golden):
    """Left in a CI job it must not let a difference pass; with nothing to do it succeeds."""
    assert golden.run("--golden-plan").ret == 0
    golden.write(ONE.format(value=2.0))
    assert golden.run("--golden-plan").ret == 1
    assert golden.run("--golden-plan", "-n", "2").ret == 1


def test_a_plan_of_missing_goldens_leaves_the_others_to_fail(golden):
    """--update-golden-missing --golden-plan would create only."""
    golden.write(ONE.format(value=2.0) + OTHER)
    result = golden.run("--update-golden-missing", "--golden-plan")
    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines("would create golden/test_model/test_new.safetensors*")
    result.stdout.no_fnmatch_line("would update*")


def test_what_a_plan_obtained_waits_for_review(golden):
    """So it can be accepted without running the model again."""
    golden.write(ONE.format(value=2.0))
    golden.run("--golden-plan")
    assert golden.all_pending() == ["test_model/test_model"]


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        (["--update-golden-missing"], 4),
        (["--golden-plan"], 0),
        (["--update-golden-missing", "--golden-plan"], 0),
        (["--update-golden", "--golden-plan"], 0),
    ],
)
def test_in_ci_creating_is_refused_and_planning_is_not(golden, monkeypatch, flags, status):
    """A plan writes nothing."""
    monkeypatch.setenv("CI", "true")
    result = golden.run(*flags)
    assert result.ret == status
    if status:
        result.stderr.fnmatch_lines("*--update-golden-missing is refused in CI*--update-golden-in-ci*")
        assert golden.run(*flags, "--update-golden-in-ci").ret == 0


def test_a_plan_shows_what_force_would_write(golden):
    """Force is for an update, which a plan is but for the writing."""
    assert golden.run("--golden-plan", "--force-golden", "--golden-reason", "why").ret == 0
