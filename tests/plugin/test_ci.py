"""Goldens in CI: not updated unless that is asked for by name."""

from __future__ import annotations

import pytest

ONE = "def test_model(stages): stages['mel'] = 1.0"


@pytest.mark.parametrize("value", ["true", "1", "woodpecker"])
def test_updates_are_refused_in_ci(project, monkeypatch, value):
    """--update-golden under CI stops with pytest's usage error in one line and writes nothing."""
    monkeypatch.setenv("CI", value)
    project.write(ONE)
    result = project.run("--update-golden")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [
        "ERROR: --update-golden is refused in CI (the environment variable CI is set): a golden that changes there is "
        "reviewed by nobody; update on your machine and commit, or add --update-golden-in-ci"
    ]
    assert project.goldens() == []


@pytest.mark.parametrize(("value", "flags"), [
    ("true", ("--update-golden-in-ci",)), ("false", ()), ("0", ()), ("", ()),
])  # fmt: skip
def test_updates_are_possible_on_request_and_outside_ci(project, monkeypatch, value, flags):
    """--update-golden-in-ci allows it, and CI=false is no CI."""
    monkeypatch.setenv("CI", value)
    project.write(ONE)
    assert project.run("--update-golden", *flags).parseoutcomes() == {"updated": 1}


def test_permission_alone_updates_nothing(project, monkeypatch):
    """--update-golden-in-ci without --update-golden compares as usual."""
    monkeypatch.setenv("CI", "true")
    project.write(ONE)
    project.run("--update-golden-in-ci").assert_outcomes(failed=1)
    assert project.goldens() == []


@pytest.mark.parametrize(("variable", "value"), [("CI", "1"), ("GITHUB_ACTIONS", "true"), ("CI", "false")])
def test_a_job_is_told_what_works_elsewhere(project, monkeypatch, variable, value):
    """An update is refused there and its folder is gone afterwards, so the commands take what was downloaded."""
    project.write(ONE)
    monkeypatch.setenv(variable, value)
    missing = project.run("-p", "no:github_actions_annotate_failures").stdout.str()
    assert ("--update-golden" in missing) is (value == "false")
    if value == "false":
        return
    monkeypatch.delenv(variable)
    project.run("--update-golden")
    monkeypatch.setenv(variable, value)
    project.write(ONE.replace("1.0", "2.0"))
    different = project.run("-p", "no:github_actions_annotate_failures").stdout.str()
    for shown in (missing, different):
        assert "--update-golden" not in shown
        assert "accept: audioparity golden accept test_model/test_model --from DIR  # DIR: the downloaded" in shown
        assert "review: audioparity golden show test_model/test_model --from DIR" in shown
        assert "1 test left what it obtained; review: audioparity golden pending --from DIR" in shown


def test_comparing_works_in_ci(project, monkeypatch):
    """CI changes nothing of a comparison: it passes with an equal golden and fails without one."""
    project.write(ONE)
    monkeypatch.setenv("CI", "true")
    project.run().assert_outcomes(failed=1)
    monkeypatch.delenv("CI")
    project.run("--update-golden")
    monkeypatch.setenv("CI", "true")
    project.run().assert_outcomes(passed=1)
