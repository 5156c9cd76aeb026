"""Codes that are all the same step away, and steps that no int64 holds."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare

LOWEST = np.iinfo(np.int64).min


@pytest.mark.parametrize(
    ("expected", "actual", "offset"),
    [
        (np.array([0, 1, 1, 1] * 3, np.int8), np.array([0, LOWEST, LOWEST, LOWEST] * 3), None),
        (np.arange(12) + 2**62, np.arange(12) - 2**62, None),
        (np.arange(12), np.arange(12) + 3, 3),
    ],
)
def test_a_step_is_told_where_there_is_one_and_nothing_fails_where_there_is_not(expected, actual, offset):
    """Whatever an int64 holds."""
    result = compare(expected, actual, kind="codes", dtype="any")
    assert not result.passed
    offsets = [finding.detail["offset"] for finding in result.findings if finding.code == "offset"]
    assert offset is None or offsets == [offset]
