"""Named checks pass together only when there are some and all of them pass."""

from __future__ import annotations

import pytest

from pytest_audioparity.checks import CheckResult, Checks
from pytest_audioparity.records import FAIL, NOT_MEASURED, PASS


def checks(*verdicts):
    return Checks(tuple(CheckResult(f"check {place}", verdict, "why") for place, verdict in enumerate(verdicts)))


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        ((PASS,), PASS),
        ((PASS, PASS), PASS),
        ((PASS, FAIL), FAIL),
        ((PASS, NOT_MEASURED), NOT_MEASURED),
        ((NOT_MEASURED, FAIL), FAIL),
        ((), FAIL),
    ],
)
def test_the_worst_verdict_counts_and_no_check_at_all_fails(verdicts, verdict):
    result = checks(*verdicts)
    assert result.verdict == verdict
    assert result.passed == bool(result) == (verdict == PASS)


def test_what_did_not_pass_is_told_line_by_line():
    result = checks(PASS, FAIL, NOT_MEASURED)
    assert [check.name for check in result.failed] == ["check 1", "check 2"]
    assert str(result) == "check 1: why\ncheck 2: why"
    assert str(checks(PASS, PASS)) == "2 checks pass"
