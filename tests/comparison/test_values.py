"""The kernel sums any two arrays as float64 numpy sums them, whatever their type, layout and block size."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytest_audioparity.comparison import blocks
from pytest_audioparity.comparison.moments import cosine, moments
from pytest_audioparity.comparison.values import measure
from tests.arrays import dtype_of

FLOATS = ["float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def noise(*shape, seed=0, dtype="float64", scale=4.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(dtype_of(dtype))


def obvious(expected, actual, rtol=0.25):
    """Sum the slow way: everything widened at once."""
    parts = np.iscomplexobj(expected) or np.iscomplexobj(actual)
    wide = np.complex128 if parts else np.float64
    e, a = expected.astype(wide).ravel(), actual.astype(wide).ravel()
    modulus = np.abs(a - e)
    excess = float((modulus - rtol * np.abs(e)).max())
    absolute, largest, worst = float(modulus.sum()), float(modulus.max()), int(modulus.argmax())
    if parts:
        e, a = e.view(np.float64), a.view(np.float64)
    return {
        "size": expected.size,
        "count": e.size,
        "expected_min": e.min(),
        "expected_max": e.max(),
        "actual_min": a.min(),
        "actual_max": a.max(),
        "expected_sum": e.sum(),
        "difference_sum": (a - e).sum(),
        "expected_squares": (e * e).sum(),
        "actual_squares": (a * a).sum(),
        "difference_squares": ((a - e) ** 2).sum(),
        "difference_abs": absolute,
        "difference_max": largest,
        "peak": largest,
        "worst": worst,
        "excess": excess,
        "finite": True,
    }


def as_dict(sums):
    return {name: getattr(sums, name) for name in obvious(np.ones(1), np.ones(1))}


def assert_sums(expected, actual):
    got = as_dict(measure(expected, actual, absolute=True, rtol=0.25))
    slow = obvious(expected, actual)
    # Signed sums cancel; their rounding is relative to what was summed.
    summed = float(np.abs(expected).astype(np.float64).sum() + np.abs(actual).astype(np.float64).sum())
    for name in ("expected_sum", "difference_sum"):
        assert got.pop(name) == pytest.approx(slow.pop(name), rel=1e-12, abs=1e-13 * summed)
    assert got == pytest.approx(slow, rel=1e-12)
    assert measure(expected, actual).worst == got["worst"]


@pytest.mark.parametrize("name", [*FLOATS, "complex64", "complex128"])
def test_every_float_type_is_summed_in_float64(name):
    e, a = noise(31, 47, dtype=name), noise(31, 47, seed=1, dtype=name)
    if np.iscomplexobj(e):
        e, a = e + 1j * noise(31, 47, seed=2), a - 1j * noise(31, 47, seed=3)
        e, a = e.astype(name), a.astype(name)
    assert_sums(e, a)


@pytest.mark.parametrize("name", INTEGERS)
def test_every_integer_type_is_summed_without_wrapping_around(name):
    info = np.iinfo(name)
    e = np.array([info.min, info.max, 0, 1, info.max], name)
    a = np.array([info.max, info.min, 1, 0, info.max], name)
    assert_sums(e, a)
    assert measure(e, a).difference_max == float(info.max) - float(info.min)


def test_booleans_count_as_zero_and_one():
    assert_sums(np.array([True, False, True]), np.array([True, True, False]))


@pytest.mark.parametrize(
    ("left", "right"), [("float32", "float64"), ("bfloat16", "float32"), ("int8", "float16"), ("complex64", "float32")]
)
def test_two_sides_of_different_types_are_compared_by_value(left, right):
    assert_sums(noise(100, dtype=left), noise(100, seed=1, dtype=right))
    assert_sums(noise(100, dtype=right), noise(100, seed=1, dtype=left))


LAYOUTS = {
    "contiguous": lambda x: x.copy(),
    "transposed": lambda x: x.T.copy().T,
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "every other": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "big-endian transposed": lambda x: x.T.astype(x.dtype.newbyteorder(">")).T,
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}


@pytest.mark.parametrize("name", ["float32", "float64", "int32", "complex64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_layout_does_not_change_the_sums(layout, name, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 100)
    e, a = noise(23, 41, dtype=name), noise(23, 41, seed=1, dtype=name)
    arranged = LAYOUTS[layout](a)
    assert np.array_equal(arranged, a)
    plain = as_dict(measure(e, a, absolute=True, rtol=0.1))
    assert as_dict(measure(e, arranged, absolute=True, rtol=0.1)) == pytest.approx(plain, rel=1e-13, abs=1e-10)
    plain = as_dict(measure(a, e, absolute=True, rtol=0.1))
    assert as_dict(measure(arranged, e, absolute=True, rtol=0.1)) == pytest.approx(plain, rel=1e-13, abs=1e-10)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e5m2"])
def test_transposed_arrays_of_extension_types_are_read_in_c_order(name):
    e = noise(23, 41, dtype=name)
    a = e.copy()
    a[2, 40] = -e[2, 40]
    sums = measure(np.asfortranarray(e), np.asfortranarray(a))
    assert sums.worst == 2 * 41 + 40


def test_an_array_of_stride_zero_is_read_as_what_it_shows():
    e = np.broadcast_to(np.float32(3.0), (40, 50))
    a = np.full((40, 50), 3.0, np.float32)
    assert measure(e, a).difference_max == 0
    a[39, 49] = 5.0
    assert (measure(e, a).difference_max, measure(e, a).worst) == (2.0, 1999)


def test_a_scalar_and_a_single_element_are_measured():
    for shape in ((), (1,), (1, 1, 1)):
        sums = measure(np.full(shape, 2.0), np.full(shape, 5.0))
        assert (sums.size, sums.difference_max, sums.worst) == (1, 3.0, 0)
        assert (sums.expected_squares, sums.actual_squares, sums.difference_squares) == (4.0, 25.0, 9.0)


@pytest.mark.parametrize("block", [1, 7, 64, 1000, 8192, 8193, 20_000])
def test_the_block_size_changes_nothing_but_rounding(block, monkeypatch):
    e, a = noise(20_001, dtype="float32"), noise(20_001, seed=1, dtype="float32")
    a[5000:9000] = e[5000:9000]
    whole = as_dict(measure(e, a, absolute=True, rtol=0.25))
    strided = as_dict(measure(e[::-1], a[::-1], absolute=True))
    monkeypatch.setattr(blocks, "BLOCK", block)
    assert as_dict(measure(e, a, absolute=True, rtol=0.25)) == pytest.approx(whole, rel=1e-12)
    assert as_dict(measure(e[::-1], a[::-1], absolute=True)) == pytest.approx(strided, rel=1e-12)


def test_of_equally_bad_elements_the_first_is_the_worst(monkeypatch):
    for block in (3, 7, 1000):
        monkeypatch.setattr(blocks, "BLOCK", block)
        a = np.zeros(50)
        a[[11, 12, 40]] = [-2.0, 2.0, 2.0]
        assert measure(np.zeros(50), a).worst == 11
        assert measure(np.zeros((50, 1))[::-1], a[:, None]).worst == 11
        exact = measure(np.full(50, 2**60), 2**60 + a.astype(np.int64))
        assert (exact.worst, exact.difference_max) == (11, 2.0)


def test_blocks_that_are_equal_bit_by_bit_sum_as_others_do(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 16)
    e = noise(100, dtype="float32")
    for a in (e.copy(), np.where(np.arange(100) == 57, e + 1, e), np.where(np.arange(100) < 16, e + 1, e)):
        sums = as_dict(measure(e, a.astype(np.float32), absolute=True))
        assert sums == pytest.approx(obvious(e, a.astype(np.float32)) | {"excess": -math.inf}, rel=1e-12)
    assert measure(e, e.copy(), rtol=0.25).excess == pytest.approx(-0.25 * float(np.abs(e).min()))


def test_equal_values_of_different_bits_are_equal():
    sums = measure(np.array([0.0, 1.0]), np.array([-0.0, 1.0]))
    assert sums.difference_max == 0


@pytest.mark.parametrize("place", [0, 1, 99])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("sides", ["expected", "actual", "both"])
@pytest.mark.parametrize("name", ["float32", "float64", "float16", "bfloat16", "complex64"])
def test_a_value_that_is_not_finite_is_noticed_wherever_it_stands(place, bad, sides, name, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 7)
    e, a = noise(100, dtype=name), noise(100, dtype=name)
    assert measure(e, a).finite
    if sides != "actual":
        e[place] = bad
    if sides != "expected":
        a[place] = bad
    assert not measure(e, a).finite
    assert not measure(e[::-1], a[::-1]).finite


@pytest.mark.parametrize("scale", [1e200, 1.5e308, 1e-200, 1e-320, 5e-324])
def test_values_whose_squares_leave_float64_are_summed_as_all_others(scale):
    e = np.array([1.0, -1.0, 1.0, 0.5]) * scale
    a = np.array([1.0, -1.0, 0.0, 0.5]) * scale
    sums = measure(e, a, absolute=True, rtol=0.0)
    unit = np.float64(scale) * sums.scale
    assert (sums.difference_max, sums.excess, sums.worst) == (scale, scale, 2)
    assert sums.peak == sums.difference_abs == unit
    assert sums.difference_squares == pytest.approx(unit**2, rel=1e-12)
    assert sums.expected_squares == pytest.approx(sum((x * sums.scale) ** 2 for x in e), rel=1e-12)
    assert 1e-100 < sums.expected_squares < 1e100
    assert measure(e, e.copy()).expected_squares == sums.expected_squares


def test_a_tiny_difference_beside_huge_values_stays_a_difference():
    sums = measure(np.array([1e308, 1e-308]), np.array([1e308, 2e-308]), rtol=0.0)
    assert (sums.difference_max, sums.excess, sums.worst) == (1e-308, 1e-308, 1)


def test_integers_that_float64_cannot_tell_apart_still_differ():
    e = np.array([5, 2**63 - 1, 2**62], np.int64)
    a = np.array([5, 2**63 - 2, 2**62 + 3], np.int64)
    sums = measure(e, a, rtol=0.0)
    assert (sums.difference_max, sums.worst, sums.excess) == (3.0, 2, 3.0)
    assert measure(e, e.copy()).difference_max == 0


@pytest.mark.parametrize(("large", "difference"), [(2**53, 1), (2**60, 200), (2**60, 2**40 + 1)])
def test_the_smallest_difference_of_large_integers_is_exact(large, difference):
    sums = measure(np.array([large]), np.array([large + difference]), absolute=True)
    assert (sums.difference_max, sums.peak, sums.difference_abs, sums.difference_sum) == (difference,) * 4
    assert sums.difference_squares == float(difference) ** 2
    assert measure(np.array([large + difference]), np.array([large])).difference_sum == -difference


def test_signed_and_unsigned_integers_of_64_bits_are_compared_by_value():
    e, a = np.array([-(2**62), 2**60]), np.array([2**64 - 1, 2**60 + 1], np.uint64)
    assert measure(e, a).difference_max == 2.0**64 + 2.0**62
    assert measure(e[1:], a[1:]).difference_max == measure(a[1:], e[1:]).difference_max == 1.0


def test_large_integers_beside_floats_are_compared_as_floats():
    e, a = np.array([2**60, 0, -(2**60)]), np.array([2.0**60, 0.5, -(2.0**60)])
    assert measure(e, a).difference_max == measure(a, e).difference_max == 0.5


def test_magnitudes_are_summed_where_that_is_asked_for():
    assert measure(np.zeros(2), np.array([1.0, -3.0])).difference_abs == 0.0
    assert measure(np.zeros(2), np.array([1.0, -3.0]), absolute=True).difference_abs == 4.0


@given(
    hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6)),
    st.randoms(use_true_random=False),
)
def test_permuting_both_sides_equally_changes_no_sum(e, random):
    a = e + np.sin(np.arange(e.size))
    order = random.sample(range(e.size), e.size)
    one, other = measure(e, a, absolute=True), measure(e[order], a[order], absolute=True)
    limit = 1e-12 * max(1.0, one.expected_squares)
    assert other.difference_squares == pytest.approx(one.difference_squares, rel=1e-12)
    assert other.difference_abs == pytest.approx(one.difference_abs, rel=1e-12)
    assert other.difference_max == one.difference_max
    assert other.expected_sum == pytest.approx(one.expected_sum, rel=1e-9, abs=limit)


def fit_of(e, a):
    return moments(e, a, measure(e, a))


@pytest.mark.parametrize(
    ("mean", "std", "gain", "offset"),
    [(0, 1, 1, 0), (1e6, 1e-3, 1, 0), (1e6, 1e-3, 2.5, -7), (-3e5, 1e-2, -0.5, 1e6), (0, 1, 1, 1e6), (1e6, 1, 1, -1e6)],
)
def test_moments_agree_with_numpy_even_when_a_mean_dominates(mean, std, gain, offset):
    rng = np.random.default_rng(3)
    e = mean + std * rng.standard_normal(5000)
    a = gain * e + offset + 0.1 * std * rng.standard_normal(5000)
    own_e, own_a, fit = fit_of(e, a)
    slope, intercept = np.polyfit(e - e.mean(), a, 1)
    assert own_e.mean == pytest.approx(e.mean(), rel=1e-14, abs=1e-12)
    assert own_a.mean == pytest.approx(a.mean(), rel=1e-12, abs=1e-9)
    assert own_e.std == pytest.approx(e.std(), rel=1e-7)
    assert own_a.std == pytest.approx(a.std(), rel=1e-7)
    assert fit.gain == pytest.approx(slope, rel=1e-6)
    assert fit.offset == pytest.approx(intercept - slope * e.mean(), rel=1e-6, abs=1e-6 * max(1.0, abs(mean)))
    assert fit.correlation == pytest.approx(np.corrcoef(e, a)[0, 1], rel=1e-7)


@pytest.mark.parametrize(("large", "small"), [(1e12, 1.0), (1e20, 1.0), (1e100, 1e-30), (1.0, 1e-25)])
def test_moments_of_two_sides_of_very_different_size_are_right(large, small):
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal(1000), rng.standard_normal(1000)
    e, a = large * x, small * (0.6 * x + y + 2)
    for left, right in ((e, a), (a, e)):
        own_e, own_a, fit = fit_of(left, right)
        assert [own_e.mean, own_e.std] == pytest.approx([left.mean(), left.std()], rel=1e-7)
        assert [own_a.mean, own_a.std] == pytest.approx([right.mean(), right.std()], rel=1e-7)
        assert fit.correlation == pytest.approx(np.corrcoef(x, a / small)[0, 1], rel=1e-7)
        assert fit.gain == pytest.approx(fit.correlation * own_a.std / own_e.std, rel=1e-7)


@pytest.mark.parametrize("scale", [1e300, 1e-300])
def test_moments_of_extreme_values_neither_overflow_nor_vanish(scale):
    x = np.random.default_rng(5).standard_normal(1000)
    own_e, own_a, fit = fit_of(x * scale, 2 * x * scale)
    assert [own_e.std / scale, own_a.std / scale] == pytest.approx([x.std(), 2 * x.std()], rel=1e-12)
    assert [fit.gain, fit.correlation] == pytest.approx([2.0, 1.0], rel=1e-12)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e6 + 0.1, -7.7e-5])
def test_a_constant_has_no_spread_no_correlation_and_no_gain(value):
    constant, varied = np.full(1001, value), np.random.default_rng(6).standard_normal(1001)
    own_e, own_a, fit = fit_of(constant, varied)
    assert (own_e.mean, own_e.std) == (value, 0.0)
    assert own_a.std == pytest.approx(varied.std(), rel=1e-9)
    assert (fit.gain, fit.offset, fit.correlation) == (None, None, None)
    _, own_a, fit = fit_of(varied, constant)
    assert (own_a.mean, own_a.std) == (value, 0.0)
    assert (fit.gain, fit.offset, fit.correlation) == (0.0, value, None)


def test_moments_of_complex_values_are_over_both_parts_also_when_a_mean_dominates():
    rng = np.random.default_rng(7)
    e = 1e6 + 1e-3 * rng.standard_normal(500) + 1j * (1e6 + 1e-3 * rng.standard_normal(500))
    own_e, _, fit = fit_of(e, e * 2)
    parts = e.view(np.float64)
    assert [own_e.mean, own_e.std] == pytest.approx([parts.mean(), parts.std()], rel=1e-7)
    assert fit.gain == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize("ratio", [1.0, 1e-3, 1e12, 1e30, 1e-30])
def test_cosine_is_that_of_the_vectors_whatever_their_lengths(ratio):
    rng = np.random.default_rng(8)
    x, y = rng.standard_normal(300), rng.standard_normal(300)
    a = 0.3 * x + y
    angle = float(x @ a / np.linalg.norm(x) / np.linalg.norm(a))
    assert cosine(x, ratio * a, measure(x, ratio * a)) == pytest.approx(angle, rel=1e-7)


def test_cosine_with_a_zero_vector_does_not_exist():
    assert cosine(np.zeros(3), np.ones(3), measure(np.zeros(3), np.ones(3))) is None


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "expected transposed", "actual transposed"])
@pytest.mark.parametrize("same", [False, True])
def test_comparing_40_mb_with_40_mb_allocates_less_than_16_mb(layout, same):
    e = np.ones((2000, 5000), np.float32)
    a = e.copy()
    if not same:
        a[::2] += 1e-3
        a[0, 0] = 1.5
    if layout in ("transposed", "expected transposed"):
        e = np.asfortranarray(e)
    if layout in ("transposed", "actual transposed"):
        a = np.asfortranarray(a)
    tracemalloc.start()
    sums = measure(e, a, absolute=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sums.difference_max == (0.0 if same else 0.5)
    assert peak < 16e6


def test_equal_bits_of_another_type_are_other_values():
    e = np.array([0, 1_065_353_216], np.int32)
    a = e.view(np.float32)  # the bits of 0.0 and 1.0
    for sides in ((e, a), (a, e)):
        assert measure(*sides).difference_max == 1_065_353_215
