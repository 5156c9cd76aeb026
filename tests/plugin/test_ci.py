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


def test_comparing_works_in_ci(project, monkeypatch):
    """CI changes nothing of a comparison: it passes with an equal golden and fails without one."""
    project.write(ONE)
    monkeypatch.setenv("CI", "true")
    project.run().assert_outcomes(failed=1)
    monkeypatch.delenv("CI")
    project.run("--update-golden")
    monkeypatch.setenv("CI", "true")
    project.run().assert_outcomes(passed=1)
