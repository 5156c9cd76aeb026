"""How numbers must move when both sides change alike, change places, are cut, joined, padded or scaled."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_audioparity import compare
from pytest_audioparity.check import check_stage
from pytest_audioparity.comparison import blocks, profile
from pytest_audioparity.comparison.kinds import compare_values
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.records import StageMeta, StageTensor
from tests.properties import arrays

LINEAR = ("tensor", "waveform", "logits", "probabilities", "embedding")
RELATIVE = ("deviation_db", "peak_db", "snr_db", "level_db", "correlation")
NUMBERS = (*RELATIVE, "bias", "gain", "offset", "max_abs", "excess", "match")
signals = st.integers(0, 10_000).flatmap(
    lambda seed: st.sampled_from([(7,), (4, 9), (2, 3, 5), (1, 80, 11)]).map(
        lambda shape: np.random.default_rng(seed).standard_normal(shape)
    )
)
decibels = st.one_of(st.floats(1e-4, 120.0), st.floats(-120.0, -1e-4))


def numbers(expected, actual, kind="tensor", **declared):
    return compare_values(expected, actual, StageMeta("x", kind, **declared), layered([{"atol": 0.0}], "x"))


def off(array, seed=0, size=0.01):
    """Return an array a little off."""
    return array + size * np.random.default_rng(seed).standard_normal(array.shape)


def judged(expected, actual, kind="tensor", *, axes=None, actual_axes=None, **tolerance):
    """Judge as `compare` does, without looking for causes."""
    unit = "ln" if kind == "log_spectrum" else None
    sides = (
        StageTensor(StageMeta("x", kind, own, unit), array)
        for array, own in ((expected, axes), (actual, actual_axes or axes))
    )
    return check_stage(*sides, layered([tolerance], "x"), causes=False)


def assert_same(one, other, names=NUMBERS, rel=1e-9):
    for name in names:
        first, second = getattr(one, name), getattr(other, name)
        if first is None or second is None or math.isinf(first):
            assert first == second, name
        else:
            assert second == pytest.approx(first, rel=rel, abs=1e-12), name


@given(signals, decibels, st.sampled_from(LINEAR), st.data())
def test_a_gain_of_x_db_is_x_db_off_and_passes_from_there_on(signal, db, kind, data):
    """Up or down, for every linear kind, shape and layout, with the smallest tolerance at x dB."""
    expected = data.draw(arrays.arranged(signal))
    actual = data.draw(arrays.arranged(signal * 10 ** (db / 20)))
    result = judged(expected, actual, kind, tol_db=abs(db) * (1 - 1e-9), tol_peak_db=None)
    assert result.deviation_db == pytest.approx(abs(db), rel=1e-9)
    assert result.comparison.level_db == pytest.approx(db, rel=1e-9)
    assert not result.passed
    assert judged(expected, actual, kind, tol_db=abs(db) * (1 + 1e-9), tol_peak_db=None).passed


@given(arrays.sides(), st.integers(1, 7))
def test_the_size_of_blocks_changes_nothing(sides, block):
    """For every dtype, layout and bit pattern, profiles along channels and time too."""
    axes = "CTXYZ"[: sides[0].ndim]
    whole = judged(*sides, axes=axes, tol_db=0, atol=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", block)
        patch.setattr(profile, "BLOCK", block)
        cut = judged(*sides, axes=axes, tol_db=0, atol=0.0)
    assert cut.verdict == whole.verdict
    assert (cut.comparison.worst, cut.comparison.size) == (whole.comparison.worst, whole.comparison.size)
    ends = [end for side in (whole.comparison.expected, whole.comparison.actual) for end in (side.min, side.max)]
    size = min(max(map(abs, ends)), 1e300)
    for name in ("deviation_db", "peak_db", "snr_db", "level_db", "max_abs", "excess"):
        first, second = getattr(whole.comparison, name), getattr(cut.comparison, name)
        assert second == (first if first is None or math.isinf(first) else pytest.approx(first, rel=1e-9, abs=1e-12))
    assert cut.comparison.bias == pytest.approx(whole.comparison.bias, rel=1e-9, abs=1e-12 * size) or size == 1e300
    for name in ("per_channel", "over_time"):
        first, second = (result.comparison.details.get(name) for result in (whole, cut))
        assert second == (first if first is None or math.inf in first else pytest.approx(first, rel=1e-9, abs=1e-12))


@pytest.mark.parametrize("size", [-1, 0, 1, 8192])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_one_wrong_element_is_seen_at_every_edge_of_a_block(size, dtype):
    """At the first and last element, and on both sides of where one block ends and the next begins."""
    expected = (np.random.default_rng(0).standard_normal(blocks.BLOCK + size) * 100).astype(dtype)
    for turned in (slice(None), slice(None, None, -1)):
        for place in {0, 8191, 8192, blocks.BLOCK - 1, blocks.BLOCK, expected.size - 1} & {*range(expected.size)}:
            actual = expected.copy()
            actual[turned][place] += 1
            shown = numbers(expected[turned], actual[turned])
            assert (shown.worst.index, shown.max_abs) == ((place,), pytest.approx(1, rel=1e-4))
            step = float(actual[turned][place]) - float(expected[turned][place])
            norm = min(np.linalg.norm(side.astype(np.float64)) for side in (expected, actual))
            assert shown.deviation_db == pytest.approx(20 * np.log10(1 + abs(step) / norm), rel=1e-9)


@arrays.HALF
@given(signals, st.sampled_from((*LINEAR, "log_spectrum")), st.data())
def test_permuting_the_axes_of_both_sides_changes_nothing(signal, kind, data):
    """Whether the axes are declared in the new order on both sides, or the actual side says its own."""
    order = data.draw(st.permutations(range(signal.ndim)))
    axes = "BCT"[: signal.ndim]
    moved = "".join(axes[place] for place in order)
    expected, actual = signal, off(signal)
    plain = judged(expected, actual, kind, axes=axes)
    both = judged(expected.transpose(order), actual.transpose(order), kind, axes=moved)
    one = judged(expected, actual.transpose(order), kind, axes=axes, actual_axes=moved)
    for other in (both, one):
        assert other.verdict == plain.verdict
        assert_same(plain.comparison, other.comparison)
        for name, values in plain.comparison.details.items():
            assert other.comparison.details[name] == (values and pytest.approx(values, rel=1e-9))


@given(arrays.sides(("float64", "float32", "float16", "complex64", "int16")))
def test_swapping_the_sides_turns_signs_and_leaves_distances(sides):
    """The level and the bias change their sign; the ratio is then against the other side's level."""
    # What is smaller has too few digits beside what is not.
    numbers_of = [one for side in sides for one in arrays.elements(side)]
    assume(not any(0 < abs(part) < 1e-300 for one in numbers_of for part in (one.real, one.imag)))
    one, other = numbers(*sides), numbers(*reversed(sides))
    assert_same(one, other, ("deviation_db", "peak_db", "max_abs", "excess", "correlation"), rel=1e-6)
    assert other.bias == pytest.approx(-one.bias, rel=1e-9, abs=1e-300)
    assert (one.level_db is None) == (other.level_db is None)
    if one.level_db is not None:
        assert other.level_db == pytest.approx(-one.level_db, rel=1e-9, abs=1e-12)
        if math.isfinite(one.snr_db) and math.isfinite(one.level_db):
            assert other.snr_db == pytest.approx(one.snr_db + one.level_db, rel=1e-9, abs=1e-9)
    if one.worst is not None:
        assert (other.worst.expected, other.worst.actual) == (one.worst.actual, one.worst.expected)


@arrays.HALF
@given(signals, st.integers(-60, 60), st.sampled_from(["float32", "float64"]))
def test_scaling_both_sides_by_a_power_of_two_leaves_what_is_relative(signal, exponent, dtype):
    """Bit for bit, since nothing is rounded; the bias and the largest difference are scaled with it."""
    expected, actual = signal.astype(dtype), off(signal).astype(dtype)
    factor = 2.0**exponent
    plain, scaled = (
        numbers(expected, actual),
        numbers(expected * dtype_of(factor, dtype), actual * dtype_of(factor, dtype)),
    )
    assert [getattr(scaled, name) for name in RELATIVE] == [getattr(plain, name) for name in RELATIVE]
    assert (scaled.bias, scaled.max_abs, scaled.gain) == (plain.bias * factor, plain.max_abs * factor, plain.gain)


def dtype_of(value, dtype):
    return np.dtype(dtype).type(value)


@arrays.QUARTER
@given(st.lists(st.tuples(signals, st.floats(0, 0.1)), min_size=2, max_size=3), st.randoms(use_true_random=False))
def test_a_stage_is_judged_alone(stages, random):
    """An equal stage more, a failing one more, another order: no other stage has another result."""
    expected = {f"s/{place}": signal for place, (signal, _) in enumerate(stages)}
    actual = {f"s/{place}": off(signal, size=size) for place, (signal, size) in enumerate(stages)}
    alone = {name: compare({name: expected[name]}, {name: actual[name]}).stages[0] for name in expected}
    order = random.sample(sorted(expected), len(expected))
    mixed = {name: actual[name] for name in order}
    for whole in (
        compare(expected, actual),
        compare(expected, mixed),
        compare({**expected, "z": 1.0}, {**mixed, "z": 1.0}),
    ):
        assert {stage.name: stage for stage in whole.stages if stage.name != "z"} == alone
        failing = [name for name in expected if not alone[name].passed]
        assert whole.first_divergence == (failing[0] if failing else None)


@arrays.HALF
@given(signals, st.sampled_from(["tensor", "log_spectrum"]))
def test_a_batch_is_the_sum_of_its_parts(signal, kind):
    """Cut along the first axis: means are means of parts, the worst is the worst of parts, squares add up."""
    expected, actual = np.stack([signal, signal[::-1]]), np.stack([off(signal), off(signal[::-1], 1)])
    whole = numbers(expected, actual, kind, unit="log10")
    parts = [numbers(e, a, kind, unit="log10") for e, a in zip(expected, actual, strict=True)]
    assert whole.max_abs == max(part.max_abs for part in parts)
    assert whole.bias == pytest.approx(sum(part.bias for part in parts) / 2, rel=1e-9, abs=1e-15)
    if kind == "log_spectrum":
        assert whole.deviation_db == pytest.approx(sum(part.deviation_db for part in parts) / 2)
        assert whole.peak_db == max(part.peak_db for part in parts)
        return
    power_e, power_a = (sum((side * side).sum() for side in sides) for sides in (expected, actual))
    error = sum((e * e).sum() / 10 ** (part.snr_db / 10) for e, part in zip(expected, parts, strict=True))
    assert whole.deviation_db == pytest.approx(20 * np.log10(1 + math.sqrt(error / min(power_e, power_a))))


@arrays.HALF
@given(signals, st.integers(1, 40))
def test_padding_both_sides_moves_the_peak_alone(signal, frames):
    """Zeros add nothing to a norm; the rms, beside which a peak stands, falls with the share of signal."""
    width = [(0, 0)] * (signal.ndim - 1) + [(0, frames)]
    expected, actual = signal, off(signal)
    plain, padded = numbers(expected, actual), numbers(np.pad(expected, width), np.pad(actual, width))
    assert_same(plain, padded, ("deviation_db", "snr_db", "level_db", "max_abs"))
    ratio = 10 ** (plain.peak_db / 20) - 1
    louder = math.sqrt((signal.shape[-1] + frames) / signal.shape[-1])
    assert padded.peak_db == pytest.approx(20 * math.log10(1 + ratio * louder), rel=1e-9)
    assert padded.bias == pytest.approx(plain.bias / louder**2, rel=1e-9, abs=1e-15)


@arrays.HALF
@given(signals, st.integers(1, 30))
def test_later_frames_leave_the_profile_of_earlier_ones(signal, more):
    """A longer recording of the same has the same deviations where it is the same."""
    assume(signal.ndim > 1)
    axes = "BCT"[-signal.ndim :]
    expected, actual = signal, off(signal)
    longer = [np.concatenate([side, off(side[..., :1].repeat(more, -1))], -1) for side in (expected, actual)]
    short, long = (judged(*sides, axes=axes, tol_db=0).comparison for sides in ((expected, actual), longer))
    kept = long.details["over_time"][: signal.shape[-1]]
    assert kept == pytest.approx(short.details["over_time"], rel=1e-9)


def test_one_fault_does_not_hide_another():
    """A stage with several fails by each criterion that any of them fails by, up to NaN, of which nothing is known."""
    signal = np.random.default_rng(0).standard_normal((8, 200))
    faults = {
        "gain": lambda x: x * 1.01,
        "click": lambda x: np.where(np.arange(x.size).reshape(x.shape) == 77, x + 9, x),
        "type": lambda x: x.astype(np.float32),
        "nan": lambda x: np.where(np.arange(x.size).reshape(x.shape) == 5, np.nan, x),
    }
    assert compare(signal, signal).passed
    for names in itertools.chain.from_iterable(itertools.combinations(faults, n) for n in (1, 2, 3, 4)):
        actual = signal
        for name in names:
            actual = faults[name](actual)
        result = compare(signal, actual)
        assert not result.passed, names
        codes = {finding.code for finding in result.findings}
        assert ("dtype" in codes) == ("type" in names)
        assert ("nonfinite" in codes) == ("nan" in names)
        over = {criterion.name for criterion in result.criteria if not criterion.passed}
        assert "nan" in names or over == {*["deviation_db"] * ({*names} != {"type"}), *["peak_db"] * ("click" in names)}
