"""The properties themselves: each kernel that reads or sums wrongly is seen by one of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pytest_audioparity import compare
from pytest_audioparity.comparison import kinds, values
from pytest_audioparity.comparison.blocks import flat_blocks
from tests.properties import test_metamorphic, test_numbers, test_verdicts

SIGNAL = np.random.default_rng(0).standard_normal((4, 6))
OFF = SIGNAL + np.linspace(0.01, 0.1, 24).reshape(4, 6)


def in_memory_order(expected, actual):
    """Read elements as they lie: strides ignored."""
    return flat_blocks(*(np.ravel(side, order="K") for side in (expected, actual)))


def without_the_last(expected, actual):
    """Leave the end out, as a wrong number of blocks does."""
    return ((place, e[:-1], a[:-1]) for place, e, a in flat_blocks(expected, actual))


def of_native_bytes(expected, actual):
    """Take the bytes for those of this machine."""
    return flat_blocks(*(side.view(side.dtype.newbyteorder("=")) for side in (expected, actual)))


def in_float32(expected, actual):
    """Sum what float32 makes of the values."""
    return ((place, e.astype(np.float32), a.astype(np.float32)) for place, e, a in flat_blocks(expected, actual))


def with_zeros_for_nan(expected, actual):
    """Pass over what is not finite."""
    return ((place, np.nan_to_num(e), np.nan_to_num(a)) for place, e, a in flat_blocks(expected, actual))


def hold(test, *example):
    """Run a property on one example, which it may not turn down."""
    once = settings(max_examples=1, database=None, phases=[Phase.generate])
    once(given(*map(st.just, example))(test.hypothesis.inner_test))()


@pytest.mark.parametrize(
    ("reader", "planted", "sides"),
    [
        ("strided_blocks", in_memory_order, (SIGNAL, np.asfortranarray(OFF))),
        ("strided_blocks", in_memory_order, (np.asfortranarray(SIGNAL), OFF)),
        ("flat_blocks", of_native_bytes, (SIGNAL.astype(">f8"), OFF.astype(">f8"))),
        ("flat_blocks", without_the_last, (SIGNAL, OFF)),
        ("flat_blocks", in_float32, (SIGNAL, OFF)),
    ],
)
def test_a_kernel_that_reads_wrongly_is_seen(reader, planted, sides, monkeypatch):
    """By the comparison with exact sums, which holds for the kernel as it is."""
    exact = test_numbers.test_decibels_are_those_of_exact_sums
    hold(exact, sides)
    monkeypatch.setattr(values, reader, planted)
    with pytest.raises(AssertionError):
        hold(exact, sides)


def test_a_kernel_that_passes_over_nan_is_seen(monkeypatch):
    """By the count of what is not finite, on either side."""
    counted = test_numbers.test_values_that_are_not_finite_are_counted_and_the_rest_is_described
    broken = np.where(SIGNAL > 1, np.nan, SIGNAL)
    for sides in ((SIGNAL, broken), (broken, SIGNAL), (broken, broken)):
        with monkeypatch.context() as patch:
            hold(counted, sides)
            patch.setattr(values, "flat_blocks", with_zeros_for_nan)
            with pytest.raises(AssertionError):
                hold(counted, sides)


class _First:
    """Draws the first of what may be drawn."""

    def draw(self, strategy):
        return strategy.elements[0]


def test_a_deviation_that_rounds_to_none_is_seen(monkeypatch):
    """A wrong element passes then, which is the worst that can happen."""
    wrong = test_verdicts.test_one_wrong_element_fails_every_tolerance_of_zero
    case = np.array([0.0, 1.0]), np.array([1e-9, 1.0]), (0,)
    hold(wrong, case, _First())
    monkeypatch.setattr(kinds, "_decibels", lambda *_: (0.0, 0.0))
    with pytest.raises(AssertionError):
        hold(wrong, case, _First())


def test_a_deviation_against_one_side_alone_is_seen(monkeypatch):
    """It is not symmetric, and a gain down is not as far off as one up."""
    swapped = test_metamorphic.test_swapping_the_sides_turns_signs_and_leaves_distances
    hold(swapped, (SIGNAL, 2 * SIGNAL))
    plain = kinds.deviation_db
    monkeypatch.setattr(
        kinds, "deviation_db", lambda squares, *rest: plain((squares[0], squares[0], squares[2]), *rest)
    )
    assert compare(2 * SIGNAL, SIGNAL).deviation_db == pytest.approx(20 * np.log10(1.5))
    with pytest.raises(AssertionError):
        hold(swapped, (SIGNAL, 2 * SIGNAL))
