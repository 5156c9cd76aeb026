"""How a profile cuts time into pieces and arrays into blocks; its numbers are in `test_kinds`."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity.comparison import profile
from pytest_audioparity.comparison.profile import profiles
from pytest_audioparity.records import StageMeta


@pytest.mark.parametrize(("frames", "piece", "pieces"), [(1, 1, 1), (200, 1, 200), (201, 2, 101), (400, 2, 200)])
def test_time_has_no_more_than_200_pieces(frames, piece, pieces):
    side = np.ones((2, frames))
    found = profiles(side, side, StageMeta("x", "tensor", "CT"))
    assert (found["time_piece"], len(found["over_time"]), len(found["per_channel"])) == (piece, pieces, 2)


def test_only_the_axes_that_are_declared_have_a_profile():
    side = np.ones((2, 3))
    assert profiles(side, side, StageMeta("x", "tensor")) == {}
    assert profiles(side, side, StageMeta("x", "tensor", "BV")) == {}
    assert set(profiles(side, side, StageMeta("x", "tensor", "CV"))) == {"per_channel", "bias_per_channel"}
    assert set(profiles(side, side, StageMeta("x", "tensor", "VT"))) == {"time_piece", "over_time"}


@pytest.mark.parametrize("block", [1, 2, 3, 7, 16, 64, 1000, 10_000])
@pytest.mark.parametrize("name", ["float64", "float32", "complex128"])
@pytest.mark.parametrize("kind", ["tensor", "log_spectrum"])
def test_the_size_of_a_block_changes_nothing_but_rounding(block, name, kind, monkeypatch):
    rng = np.random.default_rng(0)
    e, a = (rng.standard_normal((2, 5, 707)).astype(name) for _ in range(2))
    meta = StageMeta("x", kind, "BCT", "db" if kind == "log_spectrum" else None)
    whole = profiles(e, a, meta)
    monkeypatch.setattr(profile, "BLOCK", block)
    cut = profiles(e, a, meta)
    assert cut.keys() == whole.keys()
    for key in cut:
        assert cut[key] == pytest.approx(whole[key], rel=1e-9)


@pytest.mark.parametrize("name", ["float64", "complex128", "int64"])
def test_values_whose_squares_leave_float64_have_the_profile_of_others(name):
    """The deviations are those of smaller ones, the bias is as much larger; integers are large enough to overflow."""
    rng = np.random.default_rng(0)
    e, a = (np.round(rng.standard_normal((3, 50)) * 1000) for _ in range(2))
    factor = 2**50 if name == "int64" else 2.0**1000
    meta = StageMeta("x", "tensor", "CT")
    small, large = profiles(e, a, meta), profiles(*((side * factor).astype(name) for side in (e, a)), meta)
    assert large["per_channel"] == pytest.approx(
        profiles(e.astype(name), a.astype(name), meta)["per_channel"], rel=1e-12
    )
    parts = 2 if name == "complex128" else 1
    assert np.array(large["bias_per_channel"]) / factor * parts == pytest.approx(small["bias_per_channel"])


@pytest.mark.parametrize("factor", [2.0**1000, 2.0**-1000])
def test_distances_of_a_log_spectrum_are_as_large_as_its_values(factor):
    rng = np.random.default_rng(0)
    e, a = rng.standard_normal((2, 3, 50))
    meta = StageMeta("x", "log_spectrum", "CT", "db")
    small, large = profiles(e, a, meta), profiles(e * factor, a * factor, meta)
    assert small["per_channel"] == pytest.approx(np.abs(a - e).mean(axis=1))
    assert small["over_time"] == pytest.approx(np.abs(a - e).mean(axis=0))
    for key in ("per_channel", "over_time"):
        assert np.array(large[key]) / factor == pytest.approx(small[key])


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_value_of_either_side_and_sign_counts(sign):
    """Its square must not leave float64, whatever type the other side has."""
    wide = sign * np.array([[1e160, 1e-3]])
    meta = StageMeta("x", "tensor", "CT")
    assert profiles(wide, 2 * wide, meta)["per_channel"] == pytest.approx([20 * np.log10(2)])
    narrow = np.full((1, 2), 1e30, np.float32)
    for sides in ((narrow, wide), (wide, narrow)):
        assert profiles(*sides, meta)["per_channel"] == pytest.approx([20 * (130 - np.log10(np.sqrt(2)))])
