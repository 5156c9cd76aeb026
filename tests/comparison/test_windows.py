"""Where in time two signals differ most, by hand calculation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_audioparity.comparison.windows import lowest_snr_db, may_differ

RATE = 16_000
RNG = np.random.default_rng(0)


def lowest(expected, actual, mean_power=None):
    power = float(np.mean(np.square(expected, dtype=np.float64))) if mean_power is None else mean_power
    return lowest_snr_db(expected, actual, sample_rate=RATE, mean_power=power)


@pytest.mark.parametrize("seconds", [0.1, 0.25, 1, 16, 33.3])
def test_the_worst_quarter_of_a_second_counts(seconds):
    """An error of a tenth in one window is 20 dB there, wherever it lies, the end included."""
    expected = RNG.choice([-1.0, 1.0], round(seconds * RATE))
    windows = max(1, expected.size // 4000)
    for place in {0, windows // 2, windows - 1}:
        actual = expected.copy()
        actual[place * 4000 : expected.size if place == windows - 1 else (place + 1) * 4000] *= 1.1
        assert lowest(expected, actual) == pytest.approx(20)


def test_what_cannot_be_heard_does_not_count():
    """An error 40 dB under the mean is none, in a pause as elsewhere; above it a pause has the lowest ratio."""
    expected = np.ones(RATE)
    expected[:4000] = 0
    quiet, audible = expected.copy(), expected.copy()
    quiet[:4000] += 0.008  # 41 dB under the mean square of 0.75
    audible[:4000] += 0.009
    assert lowest(expected, quiet) == math.inf
    assert lowest(expected, audible) == -math.inf
    assert lowest(expected, expected) == math.inf


def test_integers_and_silence():
    """Integers do not overflow; where there is no signal at all, any error is audible."""
    full = np.full(RATE, 30_000, np.int16)
    assert lowest(full, -full) == pytest.approx(-20 * math.log10(2))
    assert lowest(np.zeros(RATE), np.full(RATE, 1e-30)) == -math.inf
    assert lowest(np.zeros(RATE), np.zeros(RATE)) == math.inf


@pytest.mark.parametrize("windows", [1, 4, 100])
def test_the_whole_tells_where_nothing_need_be_looked_for(windows):
    """The bound is met by an error of one window that can just be heard, and by none that is quieter."""
    expected = RNG.choice([-1.0, 1.0], windows * 4000)
    for error, expects in ((0.0099, False), (0.0101, True)):
        actual = expected.copy()
        actual[:4000] += error
        snr_db = 10 * math.log10(windows / error**2)
        assert may_differ(snr_db, expected.size, RATE) is expects
        assert (lowest(expected, actual) < math.inf) is expects


def test_of_windows_that_are_looked_at_together_the_worst_counts():
    e, a = np.ones(64), np.ones(64)
    a[2:4], a[8:10] = 1.1, 2.0
    assert lowest_snr_db(e, a, sample_rate=8.0, mean_power=1.0) == pytest.approx(0.0)


@pytest.mark.parametrize("windows", [1, 63, 64, 65, 128])
def test_what_is_left_at_the_end_belongs_to_the_last_window(windows):
    e = np.ones(2 * windows + 1)
    a = e.copy()
    a[-1] += 1
    assert lowest_snr_db(e, a, sample_rate=8.0, mean_power=1.0) == pytest.approx(10 * math.log10(3))


def test_an_error_of_just_40_db_under_the_mean_is_none():
    """100 beside 101 is an error power of 1, which is 40 dB under a mean power of 10 000."""
    e = np.full(8, 100.0)
    assert lowest_snr_db(e, e + 1, sample_rate=8.0, mean_power=1e4) == math.inf
    assert lowest_snr_db(e, e + 1.001, sample_rate=8.0, mean_power=1e4) < 40
    assert not may_differ(40.0, 2, sample_rate=8.0)
    assert may_differ(math.nextafter(40, 0), 2, sample_rate=8.0)


@pytest.mark.parametrize("sample_rate", [1.0, 4.0])
def test_a_window_has_at_least_one_sample(sample_rate):
    """A quarter of a second is one sample or less: the middle one alone is as far off as it is large."""
    e, a = np.ones(3), np.array([1.0, 2.0, 1.0])
    assert lowest_snr_db(e, a, sample_rate=sample_rate, mean_power=1.0) == 0
    # Three windows: 40 dB + 10·log10(3) = 44.77 dB.
    assert [may_differ(snr_db, 3, sample_rate) for snr_db in (44.7, 44.8)] == [True, False]
