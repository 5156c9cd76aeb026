"""What is said of a few channels that are wrong: which, and what makes them so where one number does."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare

HIDDEN = np.random.default_rng(0).standard_normal((8, 64)).astype(np.float32)
OTHER = np.random.default_rng(1).standard_normal(64)


@pytest.mark.parametrize(
    ("indices", "change", "said"),
    [
        ([3], lambda x: 1.2 * x, "only index 3 of 8 along C differs, actual = 1.2 * expected there; check"),
        ([3], lambda x: 0 * x, "only index 3 of 8 along C differs, actual is 0 there; check"),
        ([3], lambda _: OTHER, "only index 3 of 8 along C differs; check"),
        ([2, 5], lambda x: -x, "only 2 of 8 along C differ (indices 2, 5), actual = -1 * expected there; check"),
    ],
    ids=["scaled", "dead", "other", "two negated"],
)
def test_the_indices_are_named_and_the_gain_that_makes_them(indices, change, said):
    """Never a gain that does not."""
    actual = HIDDEN.copy()
    actual[indices] = change(HIDDEN[indices])
    (finding,) = compare(HIDDEN, actual, axes="CT").findings
    assert finding.code == "channels"
    assert finding.message.startswith(said)
    assert finding.detail["indices"] == indices
