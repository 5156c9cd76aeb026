"""Each number of a comparison is what its formula says, for every kind of stage."""

from __future__ import annotations

import math
import warnings

import ml_dtypes
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytest_audioparity.comparison import kinds
from pytest_audioparity.comparison.kinds import along_axes, compare_values, describe, lag_samples
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.records import DB_PER_UNIT, StageMeta

LINEAR = ["tensor", "waveform", "logits", "probabilities", "embedding"]
# Two sides more than 10^150 apart are a case of their own, below.
finite = st.one_of(st.just(0.0), st.floats(1e-100, 1e6), st.floats(-1e6, -1e-100))


def numbers(expected, actual, kind="tensor", **declared):
    keys = ("axes", "unit", "sample_rate", "frame_rate")
    meta = StageMeta("x", kind, **{k: v for k, v in declared.items() if k in keys})
    tolerance = layered([{k: v for k, v in declared.items() if k not in keys}], "x")
    return compare_values(np.asarray(expected), np.asarray(actual), meta, tolerance)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def formula(e, a):
    """Deviation and peak of linear values as the contract writes them, in extended precision."""
    e, a = e.astype(np.longdouble), a.astype(np.longdouble)
    norm_e, norm_a, rest = (np.sqrt((x * x).sum()) for x in (e, a, a - e))
    smaller = min(norm_e, norm_a)
    peak = np.abs(a - e).max() / (smaller / np.sqrt(np.longdouble(e.size)))
    return [float(20 * np.log10(1 + ratio)) for ratio in (rest / smaller, peak)]


@pytest.mark.parametrize("kind", LINEAR)
@pytest.mark.parametrize("db", [1e-9, 0.001, 0.01, 1.46, 6.0, 20.0, 96.0])
@pytest.mark.parametrize("scale", [1e-30, 1e-5, 1.0, 32768.0, 1e30])
def test_a_gain_of_x_db_scores_x_db_up_or_down_at_every_scale(kind, db, scale):
    e = noise(500) * scale
    for sign in (1, -1):
        result = numbers(e, e * 10 ** (sign * db / 20), kind)
        assert result.deviation_db == pytest.approx(db, rel=1e-9, abs=1e-14)
        assert result.level_db == pytest.approx(sign * db, rel=1e-9, abs=1e-13)


@given(
    st.tuples(hnp.arrays(np.float64, 20, elements=finite), hnp.arrays(np.float64, 20, elements=finite)),
    st.sampled_from([*LINEAR, "log_spectrum"]),
)
def test_swapping_the_two_sides_changes_neither_deviation_nor_peak(pair, kind):
    e, a = pair
    one, other = numbers(e, a, kind, unit="ln"), numbers(a, e, kind, unit="ln")
    assert (one.deviation_db, one.peak_db) == (other.deviation_db, other.peak_db)
    if not np.array_equal(e, a):
        assert one.deviation_db > 0


@given(hnp.arrays(np.float64, 30, elements=finite), hnp.arrays(np.float64, 30, elements=finite))
def test_deviation_and_peak_of_linear_values_are_those_of_the_formula(e, a):
    result = numbers(e, a)
    if not e.any() or not a.any():
        silent = math.inf if e.any() or a.any() else 0.0
        assert (result.deviation_db, result.peak_db) == (silent, silent)
        return
    assert [result.deviation_db, result.peak_db] == pytest.approx(formula(e, a), rel=1e-9, abs=1e-12)


@given(
    hnp.arrays(np.float64, 12, elements=finite),
    hnp.arrays(np.float64, 12, elements=finite),
    st.integers(-300, 300),
    st.randoms(use_true_random=False),
)
def test_neither_scaling_nor_permuting_both_sides_alike_changes_a_deviation(e, a, exponent, random):
    order = random.sample(range(12), 12)
    factor = 2.0**exponent
    # Beside values of ordinary size, squares of values below 1e-154 lose their digits on the way to zero.
    assume(min((abs(x) * f for x in (*e, *a) if x for f in (1.0, factor)), default=1.0) > 1e-150)
    plain, moved = numbers(e, a), numbers(e[order] * factor, a[order] * factor)
    assert moved.deviation_db == pytest.approx(plain.deviation_db, rel=1e-9)
    assert moved.peak_db == pytest.approx(plain.peak_db, rel=1e-9)


def test_two_silent_sides_deviate_by_nothing_and_one_silent_side_infinitely():
    zero, tone = np.zeros(10), np.ones(10)
    both = numbers(zero, zero)
    assert (both.deviation_db, both.peak_db, both.snr_db, both.level_db) == (0.0, 0.0, math.inf, None)
    for e, a in ((zero, tone), (tone, zero)):
        one = numbers(e, a)
        assert (one.deviation_db, one.peak_db) == (math.inf, math.inf)
    assert numbers(zero, tone).snr_db == -math.inf
    assert numbers(zero, tone).level_db == math.inf
    assert numbers(tone, zero).level_db == -math.inf


@pytest.mark.parametrize("scale", [1e200, 1e-200, 5e-324, 1e308, 1e-310])
def test_values_at_the_ends_of_float64_are_measured_and_never_equal_by_accident(scale):
    e = np.array([1.0, -1.0, 1.0, -1.0]) * scale
    a = np.array([1.0, -1.0, 1.0, 1.0]) * scale
    result = numbers(e, a)
    # ‖a − e‖ = 2 and ‖e‖ = 2, so the ratio is 1; the peak is 2 beside an rms of 1.
    assert result.deviation_db == pytest.approx(20 * math.log10(2))
    assert result.snr_db == pytest.approx(0.0, abs=1e-12)
    assert result.peak_db == pytest.approx(20 * math.log10(3))


@pytest.mark.parametrize(("left", "right"), [(1e200, 1e-200), (1e130, 1e-130), (1e300, 1.0)])
def test_sides_of_opposite_extremes_deviate_hugely_and_crash_nothing(left, right):
    for e, a in ((left, right), (right, left)):
        result = numbers(np.full(3, e), np.full(3, a))
        assert result.deviation_db > 1000
        assert result.snr_db is not None
        assert result.level_db is not None


def test_the_smallest_difference_is_never_rounded_to_none():
    result = numbers(np.array([1.0, 0.0]), np.array([1.0, 1e-17]))
    assert result.deviation_db == pytest.approx(20 / math.log(10) * 1e-17, rel=1e-9, abs=0)
    assert result.peak_db > 0


@pytest.mark.parametrize("unit", DB_PER_UNIT)
def test_a_log_spectrum_scores_the_mean_distance_in_db_of_its_unit(unit):
    amplitude = np.abs(noise(6, 8)) + 0.1
    to_unit = {
        "db": lambda x: 20 * np.log10(x),
        "ln": np.log,
        "ln_power": lambda x: np.log(x**2),
        "log10": np.log10,
        "log10_power": lambda x: np.log10(x**2),
    }[unit]
    e, a = to_unit(amplitude), to_unit(amplitude * 10 ** (-1.46 / 20))
    result = numbers(e, a, "log_spectrum", unit=unit)
    assert [result.deviation_db, result.peak_db] == pytest.approx([1.46, 1.46], rel=1e-9)
    one_bin = e.copy()
    one_bin[2, 3] += to_unit(10.0 ** (12 / 20)) - to_unit(1.0)
    result = numbers(e, one_bin, "log_spectrum", unit=unit, axes="CT")
    assert [result.deviation_db, result.peak_db] == pytest.approx([12 / 48, 12], rel=1e-9)
    assert result.worst.label == "C=2 T=3"


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_a_log_spectrum_of_any_size_has_its_distance(scale):
    result = numbers(scale * np.array([1.0, 2.0]), scale * np.array([1.5, 2.0]), "log_spectrum", unit="db")
    assert [result.deviation_db / scale, result.peak_db / scale] == pytest.approx([0.25, 0.5])


def test_a_click_moves_the_peak_and_hardly_the_deviation():
    e = noise(100_000)
    a = e.copy()
    a[77_000] += 30.0
    result = numbers(e, a)
    assert result.deviation_db < 1.0 < 25 < result.peak_db
    assert result.worst.index == (77_000,)


def test_statistics_agree_with_numpy():
    e = noise(1000) * 3 + 1
    a = 1.2 * e - 0.5 + 0.1 * noise(1000, seed=1)
    result = numbers(e, a)
    gain, offset = np.polyfit(e, a, 1)
    assert [result.gain, result.offset] == pytest.approx([gain, offset], rel=1e-9)
    assert result.correlation == pytest.approx(np.corrcoef(e, a)[0, 1], rel=1e-12)
    assert result.bias == pytest.approx((a - e).mean(), rel=1e-12)
    assert result.max_abs == np.abs(a - e).max()
    assert result.snr_db == pytest.approx(10 * np.log10((e**2).sum() / ((a - e) ** 2).sum()), rel=1e-12)
    assert result.level_db == pytest.approx(10 * np.log10((a**2).sum() / (e**2).sum()), rel=1e-12)
    for side, x in ((result.expected, e), (result.actual, a)):
        assert (side.min, side.max, side.shape, side.dtype) == (x.min(), x.max(), (1000,), "float64")
        assert [side.mean, side.std] == pytest.approx([x.mean(), x.std()], rel=1e-12)


def test_the_modulus_of_the_worst_complex_element_has_all_digits_and_may_be_infinite():
    narrow = numbers(np.zeros(1, np.complex64), np.array([1 + 1j], np.complex64))
    assert narrow.worst.actual == math.sqrt(2)
    wide = numbers(np.zeros(1, complex), np.array([1.7e308 + 1.7e308j]))
    assert wide.worst.actual == math.inf


@pytest.mark.parametrize("seed", range(3))
def test_complex_values_are_compared_by_modulus(seed):
    rng = np.random.default_rng(seed)
    e = rng.standard_normal(64) + 1j * rng.standard_normal(64)
    a = e * np.exp(0.3j)
    result = numbers(e, a, atol=1.0)
    distance = np.abs(a - e)
    rms = np.sqrt(np.mean(np.abs(e) ** 2))
    assert result.size == 64
    assert result.deviation_db == pytest.approx(20 * np.log10(1 + np.linalg.norm(a - e) / np.linalg.norm(e)))
    assert result.peak_db == pytest.approx(20 * np.log10(1 + distance.max() / rms))
    assert result.excess == pytest.approx(distance.max())
    assert result.worst.index == (int(distance.argmax()),)
    assert numbers(e, 2 * e).deviation_db == pytest.approx(20 * np.log10(2))


def test_the_worst_element_is_named_by_axis_and_second():
    e = np.zeros((2, 3, 400))
    a = e.copy()
    a[1, 2, 300] = 0.5
    spectral = numbers(e + 1, a + 1, axes="BCT", frame_rate=100)
    assert (spectral.worst.index, spectral.worst.label, spectral.worst.seconds) == ((1, 2, 300), "B=1 C=2 T=300", 3.0)
    assert (spectral.worst.expected, spectral.worst.actual) == (1.0, 1.5)
    assert numbers(e, a, "waveform", axes="BCT", sample_rate=200, frame_rate=1).worst.seconds == 1.5
    assert numbers(e, a, axes="BCT", sample_rate=200).worst.seconds is None
    assert numbers(e, a, axes="BCV", frame_rate=100).worst.seconds is None
    assert numbers(e[0, 0], a[1, 2], frame_rate=100).worst.seconds is None
    assert numbers(e, a, axes="CT", frame_rate=100).worst.label == "[1, 2, 300]"
    assert numbers(e, a).worst.label == "[1, 2, 300]"
    assert numbers(np.float32(1), np.float32(2)).worst.label == "the scalar"
    assert numbers(e, e).worst is None


@pytest.mark.parametrize("side", ["expected", "actual", "both"])
def test_values_that_are_not_finite_are_counted_and_leave_no_number(side):
    e, a = noise(5, 6), noise(5, 6)
    for x, chosen in ((e, side != "actual"), (a, side != "expected")):
        if chosen:
            x[1, 2], x[4, 5], x[3, 0] = math.nan, math.nan, -math.inf
    result = numbers(e, a)
    assert (result.deviation_db, result.peak_db, result.snr_db, result.max_abs) == (None, None, None, None)
    for own, chosen, x in ((result.expected, side != "actual", e), (result.actual, side != "expected", a)):
        counts = (2, 1, (1, 2)) if chosen else (0, 0, None)
        assert (own.nan, own.inf, own.first_nonfinite) == counts
        good = x[np.isfinite(x)]
        assert [own.min, own.max] == [good.min(), good.max()]
        assert [own.mean, own.std] == pytest.approx([good.mean(), good.std()])


@pytest.mark.parametrize(
    ("dtype", "bad"),
    [
        (np.float16, math.inf),
        (ml_dtypes.bfloat16, math.nan),
        (ml_dtypes.float8_e4m3fn, math.nan),
        (ml_dtypes.float8_e5m2, math.inf),
        (np.complex64, complex(0, math.nan)),
    ],
)
def test_every_float_type_is_described_with_its_values_that_are_not_finite(dtype, bad):
    array = np.ones((3, 4), dtype)
    array[2, 1] = bad
    side = describe(array)
    assert (side.nan + side.inf, side.first_nonfinite, side.max) == (1, (2, 1), 1.0)
    assert (side.shape, side.dtype) == ((3, 4), np.dtype(dtype).name)


@pytest.mark.parametrize("bits", [0x7F81, 0xFF81, 0x7FA0, 0x7FC1])
def test_no_nan_of_bfloat16_makes_numpy_warn(bits):
    array = np.array([bits, 0x3F80], np.uint16).view(ml_dtypes.bfloat16)
    side = describe(array)
    assert (side.nan, side.first_nonfinite, side.max) == (1, (0,), 1.0)


def test_arrays_with_nothing_to_describe_are_described_without_numbers():
    empty = describe(np.zeros((0, 3), np.float32))
    assert (empty.shape, empty.dtype, empty.min, empty.mean) == ((0, 3), "float32", None, None)
    hollow = describe(np.full(4, math.nan))
    assert (hollow.shape, hollow.nan, hollow.inf, hollow.first_nonfinite, hollow.min) == ((4,), 4, 0, (0,), None)
    assert hollow.dtype == "float64"
    assert describe(np.array(math.inf)).first_nonfinite == ()


def test_codes_have_a_match_rate_and_no_distance():
    e = np.arange(24).reshape(1, 4, 6) % 8
    a = e.copy()
    a[0, 2, 3:5] += 1
    result = numbers(e, a, "codes", axes="BCT", frame_rate=2)
    assert result.match == 22 / 24
    assert (result.deviation_db, result.snr_db, result.correlation, result.bias) == (None, None, None, None)
    assert result.details["codebooks"] == [
        {"match": 1.0, "first": None},
        {"match": 1.0, "first": None},
        {"match": 4 / 6, "first": 3},
        {"match": 1.0, "first": None},
    ]
    assert (result.worst.index, result.worst.label, result.worst.seconds) == ((0, 2, 3), "B=0 C=2 T=3", 1.5)
    same = numbers(e, e, "codes", axes="BCT")
    assert (same.match, same.worst, dict(same.details)) == (1.0, None, {})


def test_the_first_wrong_code_is_told_exactly_even_beyond_float64():
    result = numbers(np.array([2**63 - 1], np.int64), np.array([2**63 - 2], np.int64), "codes")
    assert (result.worst.expected, result.worst.actual) == (2**63 - 1, 2**63 - 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("letter", ["V", "C"])
def test_logits_tell_how_often_the_top_choice_agrees(dtype, letter):
    e = np.zeros((5, 4), dtype)
    e[np.arange(5), [0, 1, 2, 3, 0]] = 1
    a = e.copy()
    a[3, 0] = 2
    assert numbers(e, a, "logits", axes="T" + letter).details["top1_agreement"] == 4 / 5
    assert numbers(e.T, a.T, "logits", axes=letter + "T").details["top1_agreement"] == 4 / 5
    assert "top1_agreement" not in numbers(e, a, "logits").details
    assert dict(numbers(e, a, "probabilities", axes="T" + letter).details) == {}


def test_an_embedding_tells_its_angle_beside_its_length():
    e = np.array([3.0, 4.0])
    result = numbers(e, 2 * np.array([4.0, 3.0]), "embedding")
    assert dict(result.details) == pytest.approx({"cosine": 24 / 25, "norm_ratio": 2.0})
    assert numbers(e / 10, e / 5, "embedding").details["norm_ratio"] == pytest.approx(2.0)
    assert dict(numbers(e, -e, "embedding").details) == pytest.approx({"cosine": -1.0, "norm_ratio": 1.0})
    assert dict(numbers(np.zeros(2), e, "embedding").details) == {"cosine": None, "norm_ratio": None}


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16, np.int16])
@pytest.mark.parametrize("shift", [-300, -1, 0, 1, 7, 250])
def test_the_lag_of_a_shifted_waveform_is_found_in_both_directions(dtype, shift):
    long = noise(3000) * 1000
    e, a = long[500:2500].astype(dtype), long[500 - shift : 2500 - shift].astype(dtype)
    assert lag_samples(e, a, None) == shift
    assert lag_samples(e, -a, None) == shift


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_the_lag_does_not_depend_on_level_or_dc_offset(scale):
    long = noise(3000)
    e, a = long[100:2100] * scale, (0.1 * long[60:2060] + 40) * scale
    assert lag_samples(e, a, None) == 40
    assert lag_samples(a, e, None) == -40
    long[::10] = 0  # of which the smallest says nothing
    assert lag_samples(long[100:2100] * scale, long[60:2060] * scale, None) == 40
    offsets = np.array([[40.0], [-40.0]]) * scale
    assert lag_samples(e + offsets, a + offsets, 1) == 40


def test_the_lag_needs_one_channel_or_a_declared_time_axis_and_two_signals():
    long = noise(1, 2, 900)
    e, a = long[..., 100:800], long[..., 95:795]
    assert lag_samples(e, a, 2) == 5
    assert lag_samples(np.swapaxes(e, 1, 2), np.swapaxes(a, 1, 2), 1) == 5
    assert lag_samples(e, a, None) is None
    assert lag_samples(np.zeros(100), noise(100), None) is None
    assert lag_samples(noise(100), np.full(100, 0.1), None) is None
    assert lag_samples(np.float64(1), np.float64(2), None) is None


@pytest.mark.parametrize("size", [100, 500, 512, 513])
def test_the_first_sample_is_found_in_the_place_of_the_last(size):
    first, last = np.zeros(size), np.zeros(size)
    first[0], last[-1] = 1.0, 1.0
    assert lag_samples(first, last, None) == size - 1
    assert lag_samples(last, first, None) == 1 - size


def test_the_lag_of_complex_values_is_that_of_their_real_parts():
    long = noise(600) + 1j * noise(600, seed=1)
    assert lag_samples(long[100:500], long[95:495], None) == 5


def test_channels_that_are_constant_have_no_lag_whatever_their_means_are_rounded_to():
    levels = np.array([1.0, 0.1, 0.3, 0.7, 1 / 3, 0.9])[:, None] * np.ones(99)
    assert lag_samples(levels, noise(6, 99), 1) is None
    assert lag_samples(noise(6, 99), levels, 1) is None


def test_the_lag_of_a_long_waveform_is_that_of_its_middle(monkeypatch):
    monkeypatch.setattr(kinds, "_LAG_SAMPLES", 300)
    long = noise(1200)
    e, a = long[100:1100].copy(), long[93:1093].copy()
    for first, last in ((330, 670), (540, 640), (360, 460)):  # the middle begins at 350
        parts = np.zeros(1000), np.zeros(1000)
        parts[0][first:last], parts[1][first:last] = e[first:last], a[first:last]
        assert lag_samples(*parts, None) == 7


def test_a_bias_is_found_in_the_channel_that_has_it():
    e = noise(2, 5, 30)
    a = e.copy()
    a[:, 3] -= 0.25
    found = along_axes(e, a, StageMeta("mel", "log_spectrum", "BCT", "ln"))
    assert found["bias_per_channel"] == pytest.approx([0, 0, 0, -0.25, 0], abs=1e-12)
    assert found["per_channel"] == pytest.approx([0, 0, 0, 0.25 * 20 / math.log(10), 0], abs=1e-12)
    assert len(found["over_time"]) == 30


def test_the_deviation_over_time_starts_where_the_difference_does():
    e = noise(3, 1000)
    a = e.copy()
    a[:, 600:] *= 10 ** (2 / 20)
    found = along_axes(e, a, StageMeta("x", "tensor", "CT"))
    assert found["time_piece"] == 5
    assert found["over_time"] == pytest.approx([0.0] * 120 + [2.0] * 80, abs=1e-9)
    assert along_axes(e, a, StageMeta("x", "tensor")) == {}


@pytest.mark.parametrize("shape", [(2, 3, 7), (2, 3, 1001), (1, 2, 300_001), (1, 300, 1700)])
@pytest.mark.parametrize(
    ("kind", "name"), [("tensor", "float32"), ("tensor", "complex64"), ("log_spectrum", "float32")]
)
def test_each_channel_and_each_piece_of_time_scores_as_if_it_were_compared_alone(kind, name, shape):
    e, a = ((noise(*shape, seed=seed) + 2).astype(name) for seed in (0, 1))
    meta = {"kind": kind, "axes": "BCT", "unit": "db" if kind == "log_spectrum" else None}
    for order in ("BCT", "BTC"):
        sides = e, a
        if order == "BTC":
            sides = tuple(np.ascontiguousarray(side.transpose(0, 2, 1)).transpose(0, 2, 1) for side in sides)
        found = along_axes(*sides, StageMeta("x", kind, "BCT", meta["unit"]))
        for channel in (0, shape[1] - 1):
            alone = numbers(e[:, [channel]], a[:, [channel]], **meta)
            assert found["per_channel"][channel] == pytest.approx(alone.deviation_db, rel=1e-12)
        step = found["time_piece"]
        for piece in (0, len(found["over_time"]) - 1):
            span = slice(piece * step, (piece + 1) * step)
            alone = numbers(e[..., span], a[..., span], **meta)
            assert found["over_time"][piece] == pytest.approx(alone.deviation_db, rel=1e-12)


def test_the_channels_of_a_real_side_are_compared_with_the_real_parts_of_a_complex_one():
    e, a = noise(3, 50), noise(3, 50, seed=1) + 1j * noise(3, 50, seed=2)
    found = along_axes(e, a, StageMeta("x", "tensor", "CT"))
    assert found["per_channel"] == pytest.approx([numbers(*rows).deviation_db for rows in zip(e, a, strict=True)])
    both = (a - e).view(np.float64).reshape(3, 100)
    assert found["bias_per_channel"] == pytest.approx(both.mean(axis=1).tolist())


def test_opposite_ends_of_float64_have_a_profile_too():
    e = np.full((1, 2), np.finfo(np.float64).max)
    found = along_axes(e, -e, StageMeta("x", "tensor", "CT"))
    assert found["over_time"] == pytest.approx([20 * math.log10(3)] * 2)
    assert found["bias_per_channel"] == [-math.inf]


@settings(max_examples=30)
@given(st.sampled_from(["tensor", "waveform", "log_spectrum", "logits", "embedding"]), st.integers(-320, 307))
def test_no_kind_warns_or_crashes_at_any_magnitude(kind, exponent):
    e = noise(4, 50) * 10.0**exponent
    a = e[:, ::-1]
    meta = StageMeta("x", kind, "CT", "db")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = compare_values(e, a, meta, layered([], "x"))
        along_axes(e, a, meta)
    assert result.deviation_db > 0


@pytest.mark.parametrize("scale", [1.0, 2.0**600, 2.0**-600])
def test_the_mean_difference_is_that_of_the_values_themselves_at_every_scale(scale):
    e, a = np.array([1.0, 2.0, 4.0]) * scale, np.array([4.0, 2.0, 7.0]) * scale
    assert numbers(e, a).bias == 2 * scale
    assert numbers(a, e).bias == -2 * scale


@pytest.mark.parametrize(
    ("kind", "shape", "axes", "seconds"),
    [
        ("waveform", (8000,), None, 0.25),
        ("waveform", (1, 8000), "CT", 0.25),
        ("waveform", (1, 8000), None, None),
        ("waveform", (8000,), "C", None),
        ("tensor", (8000,), None, None),
    ],
)
def test_the_worst_sample_of_a_waveform_is_told_in_seconds_where_its_time_axis_is_known(kind, shape, axes, seconds):
    e = noise(*shape)
    a = e.copy()
    a.flat[2000] += 9
    result = numbers(e, a, kind, axes=axes, sample_rate=8000)
    assert (result.worst.index[-1], result.worst.seconds) == (2000, seconds)


def test_a_waveform_without_axes_has_its_lag_and_no_profile():
    e = noise(300)
    assert along_axes(e[20:220], e[15:215], StageMeta("x", "waveform")) == {"lag_samples": 5}


def test_the_lag_of_several_channels_is_along_the_time_axis():
    e = noise(300, 2)
    assert along_axes(e[20:220], e[15:215], StageMeta("x", "waveform", "TC"))["lag_samples"] == 5
    assert "lag_samples" not in along_axes(e[20:220], e[15:215], StageMeta("x", "tensor", "TC"))


def test_what_is_beyond_the_relative_limit_is_measured_only_where_there_is_such_a_limit():
    e, a = np.array([1.0, -2.0]), np.array([1.5, -2.0])
    assert numbers(e, a).excess is None
    assert (numbers(e, a, atol=0).excess, numbers(e, a, rtol=0.25).excess) == (0.5, 0.25)
