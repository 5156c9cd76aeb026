"""Tensors reduced to the cells of a picture."""

from __future__ import annotations

import tracemalloc

import ml_dtypes
import numpy as np
import pytest

from pytest_audioparity.page.cells import biases, farthest, firsts, grid, means, shares_unequal, spans

RANDOM = np.random.default_rng(0)


def slowly(matrix, cut, reduce):
    """Reduce cell by cell."""
    cells = [
        [reduce(matrix[a:b, c:d]) for c, d in zip(cut.columns, cut.columns[1:], strict=False)]
        for a, b in zip(cut.rows, cut.rows[1:], strict=False)
    ]
    return np.array(cells, np.float64)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (64, 200), (65, 201), (130, 1999), (1, 70_000), (300, 2)])
def test_cells_are_what_a_slow_loop_makes_of_them(shape):
    """Means, farthest differences and shares of unequal elements agree with a loop over cells, whatever the shape."""
    expected, actual = RANDOM.standard_normal((2, *shape))
    cut = grid(shape)
    np.testing.assert_allclose(means(expected, cut), slowly(expected, cut, np.mean), atol=1e-12)
    far = slowly(actual - expected, cut, lambda block: block.reshape(-1)[np.abs(block).argmax()])
    np.testing.assert_array_equal(farthest(expected, actual, cut), far)
    codes = (expected > 0).astype(np.int64), (actual > 0).astype(np.int64)
    np.testing.assert_allclose(shares_unequal(*codes, cut), slowly(codes[0] != codes[1], cut, np.mean))
    np.testing.assert_array_equal(firsts(codes[0], cut), slowly(codes[0], cut, lambda block: block[0, 0]))
    rows = grid(shape, rows=10_000)
    np.testing.assert_allclose(biases(expected, actual, rows), np.mean(actual - expected, axis=1), atol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_is_seen(value):
    """A single NaN or infinity among ten thousand elements marks its cell, and no other."""
    actual = np.zeros((100, 1000))
    actual[57, 123] = value
    cut = grid(actual.shape)
    for cells in (means(actual, cut), farthest(np.zeros_like(actual), actual, cut)):
        assert np.isnan(cells).sum() == 1
    lows, highs, odd = spans(actual[57], 100)
    assert odd.sum() == 1
    assert odd[12]
    assert (lows[0], highs[0]) == (0, 0)


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint64, np.float16, ml_dtypes.bfloat16, np.complex64])
def test_every_dtype_has_cells(dtype):
    """Booleans, integers, bfloat16 and complex numbers are drawn, complex ones by their magnitude."""
    array = np.ones((4, 6)).astype(dtype)
    np.testing.assert_array_equal(means(array, grid(array.shape)), np.ones((4, 6)))


def test_a_code_that_no_float_tells_apart_is_seen_to_differ():
    """Codes are compared as integers: 2**53 and 2**53 + 1 are one float64."""
    one = np.full((1, 4), 2**53)
    other = one + np.array([0, 1, 0, 0])
    assert shares_unequal(one, other, grid(one.shape)).tolist() == [[0, 1, 0, 0]]


def test_a_large_tensor_is_not_copied_as_a_whole():
    """Cells of 64 MB of float32 take a fraction of that, not the 128 MB of a copy as float64."""
    large = np.zeros((1024, 16_384), np.float32)
    tracemalloc.start()
    farthest(large, large, grid(large.shape))
    means(large.reshape(1, -1), grid((1, large.size)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48_000_000
