"""Levels that groups of values share up to a factor, and factors that explain nothing."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from pytest_audioparity import compare_weights
from tests.weights.test_matching_statuses import entry, heavy

NF4 = np.array(
    [
        -1,
        -0.6962,
        -0.5251,
        -0.3949,
        -0.2844,
        -0.1848,
        -0.091,
        0,
        0.0796,
        0.1609,
        0.2461,
        0.3379,
        0.4407,
        0.5626,
        0.723,
        1,
    ]
)


def nf4(values, width):
    groups = values.reshape(-1, width)
    largest = np.abs(groups).max(axis=1, keepdims=True)
    nearest = np.abs((groups / largest)[..., None] - NF4).argmin(axis=-1)
    return (NF4[nearest] * largest).reshape(values.shape).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("width", [32, 64, 128])
def test_levels_that_groups_share_up_to_a_factor_are_quantised(dtype, width):
    reference = {"w": heavy((64, 256), 1)}
    reference["w"][:2] = 0
    reference["w"][:2, ::32] = 0.1
    stored = nf4(reference["w"], width)
    told = entry(reference, {"w": stored.astype(dtype)}, "w")
    assert (told.status, told.detail["bits"]) == ("quantised", 4)
    assert told.detail["grid"] == f"a palette times a factor for every {width} values"
    other = stored.copy()
    other[9, 7] = -other[9, 7]
    tuned = nf4(reference["w"] * (1 + heavy((64, 256), 2)), width)
    for wrong in (other, np.roll(stored, 1, axis=0), stored * np.float32(1.1), tuned):
        assert not compare_weights(reference, {"w": wrong.astype(dtype)}).passed


def test_a_factor_smaller_than_what_is_left_beside_it_is_no_factor():
    reference = {"w": heavy((64, 48), 1)}
    noise = heavy((64, 48), 2, scale=1.0)
    tuned = {"w": reference["w"] * (1 + np.float32(1e-3) * noise + np.float32(5e-4))}
    assert entry(reference, tuned, "w").status == "different"
    assert entry(reference, {"w": reference["w"] * np.float32(1.01)}, "w").status == "scaled"
