"""Every number of docs/numbers.md has a value that our code did not compute: by hand, or by scipy.

The hand calculation is of e = (1, 2, 3, 4) and a = (1.5, 1.5, 3.5, 4.5): Σe² = 30, Σa² = 37, Σ(a − e)² = 1, Σea = 33;
around their means Σe² = 5, Σa² = 6.75, Σea = 5.5. Roots and logarithms by Python's decimal with 30 digits.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import signal, spatial, stats

from pytest_audioparity import compare

PAGE = (Path(__file__).parents[2] / "docs" / "numbers.md").read_text(encoding="utf-8")
E, A = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.5, 1.5, 3.5, 4.5])
# name -> (value, how it comes about)
BY_HAND = {
    "deviation_db": (1.4565678928600755, "20·log10(1 + 1/√30)"),
    "peak_db": (1.4565678928600755, "20·log10(1 + 0.5/√7.5), which is the same ratio"),
    "snr_db": (14.771212547196624, "10·log10(30/1)"),
    "level_db": (0.9108046934733256, "10·log10(37/30)"),
    "bias": (0.25, "(0.5 − 0.5 + 0.5 + 0.5)/4"),
    "correlation": (0.9467292624062573, "5.5/√(5·6.75)"),
    "gain": (1.1, "5.5/5"),
    "offset": (0.0, "2.75 − 1.1·2.5"),
    "max_abs": (0.5, "of each"),
    "excess": (0.4, "0.5 − 0.1·1, with rtol 0.1"),
    "smallest_tol_db": (1.4565678928600755, "the deviation; the peak of 1.46 dB asks for 0.0146"),
    "margin_db": (0.01 - 1.4565678928600755, "0.01 less that"),
}
OF_AXES = {
    "per_channel": ([2.498774732165999, 1.1489198806290259], "20·log10(1 + √0.5/√4.5), 20·log10(1 + √0.5/√25)"),
    "bias_per_channel": ([0.0, 0.5], "(0.5 − 0.5)/2, (0.5 + 0.5)/2"),
    "over_time": ([1.7528376208638814, 1.2750253558818551], "20·log10(1 + √0.5/√10), 20·log10(1 + √0.5/√20)"),
    "time_piece": (1, "2 frames"),
}
OF_KINDS = {
    "cosine": (0.9904953715596459, "33/√(30·37)"),
    "norm_ratio": (1.1105554165971788, "√(37/30)"),
    "top1_agreement": (0.5, "the largest of two rows at 1 and 1, of the other at 0 and 1"),
    "lag_samples": (3, "three samples later"),
    "match": (0.75, "3 of 4"),
}
NOT_A_NUMBER = {"tol_db", "atol", "rtol", "min_match", "tol_peak_db", "fp32", "fp16", "bf16", "int8"}


def near(value):
    return pytest.approx(value, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", BY_HAND)
def test_a_number_is_the_one_computed_by_hand(name):
    """Of four elements, with the formula written beside it."""
    result = compare(E, A, rtol=0.1, atol=1.0)
    holder = result if name in ("smallest_tol_db", "margin_db") else result.comparison
    assert getattr(holder, name) == near(BY_HAND[name][0])


def test_sides_have_the_statistics_computed_by_hand():
    """Mean 2.5 and 2.75, standard deviation √1.25 and √1.6875 (of all, not of a sample)."""
    numbers = compare(E, A).comparison
    assert [numbers.expected.mean, numbers.expected.std] == near([2.5, 1.118033988749895])
    assert [numbers.actual.mean, numbers.actual.std] == near([2.75, 1.299038105676658])
    assert [numbers.expected.min, numbers.expected.max, numbers.actual.min, numbers.actual.max] == [1, 4, 1.5, 4.5]


@pytest.mark.parametrize(
    ("unit", "value"),
    [("db", 0.5), ("ln", 4.342944819032518), ("ln_power", 2.171472409516259), ("log10", 10.0), ("log10_power", 5.0)],
)
def test_a_log_spectrum_has_the_mean_distance_computed_by_hand(unit, value):
    """0.5 units of 1, 20/ln 10, 10/ln 10, 20 and 10 dB."""
    result = compare(E, A, kind="log_spectrum", unit=unit)
    assert [result.deviation_db, result.comparison.peak_db] == near([value, value])


@pytest.mark.parametrize("name", OF_AXES)
def test_a_number_along_an_axis_is_the_one_computed_by_hand(name):
    """The four elements as two channels of two frames."""
    details = compare(E.reshape(2, 2), A.reshape(2, 2), axes="CT").comparison.details
    assert details[name] == near(OF_AXES[name][0])


def test_a_number_of_a_kind_is_the_one_computed_by_hand():
    """Each on what shows it."""
    angle = compare(E, A, kind="embedding").comparison.details
    noise = np.random.default_rng(0).standard_normal(90)
    logits = compare([[1.0, 2.0], [3.0, 2.0]], [[1.0, 2.0], [1.0, 2.0]], kind="logits", axes="TV").comparison
    late = compare(noise[10:80], noise[7:77], kind="waveform").comparison
    found = {
        "cosine": angle["cosine"],
        "norm_ratio": angle["norm_ratio"],
        "top1_agreement": logits.details["top1_agreement"],
        "lag_samples": late.details["lag_samples"],
        "match": compare([1, 2, 3, 4], [1, 2, 0, 4]).comparison.match,
    }
    assert found == {name: near(value) for name, (value, _) in OF_KINDS.items()}


@pytest.mark.parametrize("seed", range(3))
def test_numbers_agree_with_scipy(seed):
    """Its linear regression, angle and lag, on a signal with an offset."""
    rng = np.random.default_rng(seed)
    e = rng.standard_normal(700) + 3
    a = np.roll(1.3 * e, 5) - 2 + 0.1 * rng.standard_normal(700)
    numbers = compare(e, a, kind="waveform").comparison
    line = stats.linregress(e, a)
    assert [numbers.gain, numbers.offset] == pytest.approx([line.slope, line.intercept], rel=1e-9)
    assert numbers.correlation == pytest.approx(line.rvalue, rel=1e-9)
    assert numbers.actual.std == pytest.approx(stats.tstd(a) * np.sqrt(699 / 700), rel=1e-12)
    assert compare(e, a, kind="embedding").comparison.details["cosine"] == near(1 - spatial.distance.cosine(e, a))
    lags = signal.correlation_lags(700, 700)
    correlation = signal.correlate(a - a.mean(), e - e.mean(), method="direct")
    assert numbers.details["lag_samples"] == lags[np.abs(correlation).argmax()] == 5


def test_every_number_of_the_page_has_its_value_here():
    """The names in its first table and of what else a stage carries."""
    table = re.findall(r"^\| (`\w+`.*?) \|", PAGE, re.MULTILINE)
    rest = re.search(r"## What else a stage carries\n(.*?)\n\n", PAGE, re.DOTALL)[1]
    named = {name for text in (*table, rest) for name in re.findall(r"`(\w+)`", text)}
    kinds = {"log_spectrum", "waveform", "embedding", "logits", "codes"}
    assert named - kinds - NOT_A_NUMBER == {*BY_HAND, *OF_AXES, *OF_KINDS} - {"max_abs"}
