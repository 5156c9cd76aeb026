"""Every status of `compare_weights`: a planted case, and a near miss that must not get it."""

from __future__ import annotations

import json

import ml_dtypes
import numpy as np
import pytest

from pytest_audioparity import ParityError, StageError, assert_weights_match, compare_weights
from pytest_audioparity.report.weights import weights_document


def heavy(shape, seed, scale=0.1):
    """Return values with the heavy tails of trained weights, which no initialiser makes."""
    return (np.random.default_rng(seed).standard_t(4, shape) * scale).astype(np.float32)


@pytest.fixture
def reference():
    return {
        "up.weight": heavy((64, 48), 1),
        "up.bias": heavy(64, 2),
        "conv.weight": heavy((32, 64, 5), 3),
        "norm.weight": np.ones(64, np.float32),
        "norm.bias": np.zeros(64, np.float32),
        "q.weight": heavy((48, 48), 4),
        "k.weight": heavy((48, 48), 5),
    }


def statuses(reference, candidate, **keywords):
    return {one.name: one.status for one in compare_weights(reference, candidate, **keywords).matches}


def entry(reference, candidate, name, **keywords):
    return next(one for one in compare_weights(reference, candidate, **keywords).matches if one.name == name)


def only(reference, changed, status):
    """Return the statuses expected when one tensor alone is not the same."""
    return {name: status if name in changed else "same" for name in reference}


def int8(values, axis=None, levels=127):
    step = np.abs(values).max(axis=axis, keepdims=axis is not None) / levels
    return (np.round(values / step) * step).astype(np.float32)


def test_equal_tensors_are_the_same_in_the_order_of_the_reference(reference):
    result = compare_weights(reference, dict(reversed(reference.items())))
    assert result.passed
    assert [one.name for one in result.matches] == list(reference)
    assert {one.status for one in result.matches} == {"same"}


def test_renamed_tensors_are_found_by_content(reference):
    renamed = {f"t{place}": values for place, values in enumerate(reference.values())}
    result = compare_weights(reference, renamed)
    assert {one.status for one in result.matches} == {"same"}
    assert [one.matched for one in result.matches] == list(renamed)
    assert result.extra == ()


def test_one_changed_element_is_different(reference):
    changed = {**reference, "up.weight": reference["up.weight"].copy()}
    changed["up.weight"][3, 7] += 1e-4
    told = entry(reference, changed, "up.weight")
    assert statuses(reference, changed) == only(reference, ["up.weight"], "different")
    assert (told.detail["changed"], told.detail["of"]) == (1, 64 * 48)


def test_a_fine_tuned_model_is_different_everywhere(reference):
    rng = np.random.default_rng(9)
    tuned = {n: (v + 0.01 * 0.1 * rng.standard_normal(v.shape)).astype(np.float32) for n, v in reference.items()}
    assert set(statuses(reference, tuned).values()) == {"different"}
    assert set(statuses(reference, {n: v.astype(np.float16) for n, v in tuned.items()}).values()) == {"different"}


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, np.float64])
def test_rounding_to_another_type_is_a_cast_also_when_it_is_stored_wide(reference, dtype):
    cast = {name: values.astype(dtype) for name, values in reference.items()}
    assert set(statuses(reference, cast).values()) == {"cast"}
    wide = {name: values.astype(np.float32) for name, values in cast.items()}
    told = statuses(reference, wide)
    assert {told["up.weight"], told["norm.weight"]} == ({"same"} if dtype is np.float64 else {"cast", "same"})


def test_a_value_one_unit_beside_its_rounding_is_no_cast(reference):
    cast = {name: values.astype(np.float16) for name, values in reference.items()}
    cast["q.weight"][0, 0] = np.nextafter(cast["q.weight"][0, 0], np.float16(np.inf))
    assert statuses(reference, cast)["q.weight"] == "different"
    assert statuses(reference, cast)["k.weight"] == "cast"


def test_overflow_in_half_precision_is_different(reference):
    large = {**reference, "q.weight": reference["q.weight"] * np.float32(1e6)}
    with np.errstate(over="ignore"):
        assert statuses(large, {n: v.astype(np.float16) for n, v in large.items()})["q.weight"] == "different"


def test_truncation_to_bfloat16_is_a_cast_and_says_so(reference):
    cut = (reference["q.weight"].view(np.uint32) >> 16).astype(np.uint16).view(ml_dtypes.bfloat16)
    told = entry(reference, {**reference, "q.weight": cut}, "q.weight")
    assert (told.status, told.detail["rounding"]) == ("cast", "toward zero")


@pytest.mark.parametrize(
    ("precision", "dtype", "passes"),
    [
        ("fp32", np.float16, False),
        ("fp32", np.float64, True),
        ("fp16", np.float16, True),
        ("fp16", ml_dtypes.bfloat16, False),
        ("bf16", ml_dtypes.bfloat16, True),
        ("int8", ml_dtypes.float8_e4m3fn, True),
        ("bf16", ml_dtypes.float8_e4m3fn, False),
    ],
)
def test_casts_are_held_to_the_declared_precision(reference, precision, dtype, passes):
    cast = {name: values.astype(dtype) for name, values in reference.items()}
    assert compare_weights(reference, cast, precision=precision).passed is passes


@pytest.mark.parametrize("order", [(0, 2, 1), (1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_an_order_of_axes_is_transposed_and_named(reference, order):
    moved = {**reference, "conv.weight": np.ascontiguousarray(reference["conv.weight"].transpose(order))}
    told = entry(reference, moved, "conv.weight")
    assert (told.status, told.detail["axes"]) == ("transposed", list(order))


def test_a_reversed_kernel_is_transposed_unless_it_stands_under_its_own_name_and_layout(reference):
    flipped = reference["conv.weight"][:, :, ::-1]
    told = entry(reference, {**reference, "conv.weight": flipped.transpose(1, 2, 0)}, "conv.weight")
    assert (told.status, told.detail["reversed_axes"]) == ("transposed", [1])
    assert entry(reference, {**reference, "conv.weight": flipped.copy()}, "conv.weight").status == "different"


def test_axes_of_length_one_and_merged_axes_are_transposed(reference):
    for shape in ((64, 48, 1), (1, 64, 48), (8, 8, 48)):
        told = entry(reference, {**reference, "up.weight": reference["up.weight"].reshape(shape)}, "up.weight")
        assert told.status == "transposed"
        assert "reshaped" in told.detail


def test_a_reshape_where_a_transpose_was_meant_is_different(reference):
    wrong = {**reference, "up.weight": reference["up.weight"].reshape(48, 64)}
    told = entry(reference, wrong, "up.weight")
    assert told.status == "different"
    assert "reshaped, not transposed" in told.detail["reason"]


def test_square_matrices_are_transposed_together_or_one_alone_is_a_fault(reference):
    both = {**reference, "q.weight": reference["q.weight"].T, "k.weight": reference["k.weight"].T}
    assert statuses(reference, both) == only(reference, ["q.weight", "k.weight"], "transposed")
    one = {**reference, "q.weight": reference["q.weight"].T}
    assert statuses(reference, one) == only(reference, ["q.weight"], "different")
    renamed = {("attention.q" if name == "q.weight" else name): values for name, values in one.items()}
    assert statuses(reference, renamed)["q.weight"] == "transposed"


@pytest.mark.parametrize(("axis", "levels"), [(None, 127), (0, 127), (1, 127), (0, 7), (1, 7)])
def test_values_on_a_coarse_grid_are_quantised(reference, axis, levels):
    coarse = {**reference, "up.weight": int8(reference["up.weight"], axis, levels)}
    told = entry(reference, coarse, "up.weight")
    assert told.status == "quantised"
    assert told.detail["bits"] == (8 if levels == 127 else 4)


def test_groups_with_scale_and_offset_and_palettes_are_quantised(reference):
    groups = reference["up.weight"].reshape(-1, 16)
    low, high = groups.min(1, keepdims=True), groups.max(1, keepdims=True)
    affine = np.round((groups - low) / (high - low) * 15) / 15 * (high - low) + low
    palette = np.quantile(reference["k.weight"], np.linspace(0, 1, 16)).astype(np.float32)
    nearest = palette[np.abs(reference["k.weight"][..., None] - palette).argmin(-1)]
    coarse = {**reference, "up.weight": affine.reshape(64, 48).astype(np.float32), "k.weight": nearest}
    assert statuses(reference, coarse) == only(reference, ["up.weight", "k.weight"], "quantised")


@pytest.mark.parametrize(("factor", "status"), [(1, "quantised"), (1.006, "different")])
def test_a_scale_that_is_rounded_after_it_was_divided_by_is_quantised(factor, status):
    """The scale of ggml's blocks is kept in half precision, so that the largest values are 0.06 of a step away."""
    weight = np.random.default_rng(8).standard_normal((64, 512)).astype(np.float32)
    blocks = weight.reshape(-1, 32)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / 127
    stored = np.round(blocks / scale) * (scale * factor).astype(np.float16).astype(np.float32)
    (match,) = compare_weights({"w": weight}, {"w": stored.reshape(64, 512)}).matches
    assert match.status == status


@pytest.mark.parametrize(("noise", "status"), [(0, "quantised"), (4e-5, "different")])
def test_only_values_nearest_to_a_grid_finer_than_half_precision_are_quantised(noise, status):
    """Half a unit of half precision excuses a rounded scale; where all weights are that close to 1, it is the range."""
    random = np.random.default_rng(8)
    weight = 1 + np.float32(4e-4) * (random.random(4096, np.float32) - np.float32(0.5))
    other = weight + noise * random.standard_normal(4096)
    step = np.ptp(other) / 63
    coarse = other.min() + np.round((other - other.min()) / step) * step
    (match,) = compare_weights({"w": weight}, {"w": coarse.astype(np.float32)}).matches
    assert match.status == status


def test_a_grid_that_is_not_the_nearest_is_different(reference):
    coarse = int8(reference["up.weight"])
    coarse[5, 5] += 2 * np.abs(reference["up.weight"]).max() / 127
    assert statuses(reference, {**reference, "up.weight": coarse})["up.weight"] == "different"
    shifted = int8(reference["up.weight"] * np.float32(1.05))
    assert statuses(reference, {**reference, "up.weight": shifted})["up.weight"] == "different"


@pytest.mark.parametrize("shape", [(48, 16), (48, 1, 7), (64, 24)])
def test_one_value_a_step_off_is_not_excused_by_a_grid_of_a_few_values(shape):
    """Groups of few values have a coarser grid by chance, on which a wrong value is within half a step."""
    for seed in range(8):
        weight = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
        step = np.abs(weight).max() / 7
        coarse = np.round(weight / step) * step
        assert compare_weights({"w": weight}, {"w": coarse.astype(np.float32)}).passed
        place = np.argsort(np.abs(weight), axis=None)[seed * 9]
        coarse.flat[place] += step if coarse.flat[place] > weight.flat[place] else -step
        assert not compare_weights({"w": weight}, {"w": coarse.astype(np.float32)}).passed


@pytest.mark.parametrize("axis", [None, 0])
@pytest.mark.parametrize("lowest", [-128, 0])
def test_eight_bits_are_quantised_in_half_precision_as_well(axis, lowest):
    """At 127 steps of a half the grid is 0.03 of a step off, so that no single gap tells the step."""
    weight = heavy((64, 96), 3)
    low, high = (
        weight.min(axis=1 if axis == 0 else None, keepdims=True),
        weight.max(axis=1 if axis == 0 else None, keepdims=True),
    )
    step = np.maximum(np.abs(low), high) / 127 if lowest else (high - low) / 255
    middle = 0 if lowest else np.round(-low / step)
    coarse = (np.clip(np.round(weight / step) + middle, lowest, lowest + 255) - middle) * step
    assert entry({"w": weight}, {"w": coarse.astype(np.float16)}, "w").status == "quantised"
    wrong = coarse + step * (np.arange(coarse.size).reshape(coarse.shape) == 777)
    assert entry({"w": weight}, {"w": wrong.astype(np.float16)}, "w").status == "different"


@pytest.mark.parametrize("bits", [8, 4])
def test_channels_of_a_few_values_are_quantised_by_the_range_that_quantisers_choose(bits):
    weight = np.random.default_rng(5).standard_normal((48, 1, 7)).astype(np.float32)
    step = np.abs(weight).max(axis=(1, 2), keepdims=True) / (2 ** (bits - 1) - 1)
    coarse = (np.round(weight / step) * step).astype(np.float32)
    assert entry({"w": weight}, {"w": coarse}, "w").detail["grid"] == "one for each index of axis 0"
    inner = np.abs(weight[7, 0]).argmin()
    coarse[7, 0, inner] += step[7, 0, 0] * (1 if coarse[7, 0, inner] > weight[7, 0, inner] else -1)
    assert entry({"w": weight}, {"w": coarse}, "w").status == "different"


def test_quantisation_is_held_to_the_declared_precision(reference):
    eight, four = ({**reference, "q.weight": int8(reference["q.weight"], 1, n)} for n in (127, 7))
    assert compare_weights(reference, eight, precision="int8").passed
    assert not compare_weights(reference, eight, precision="fp16").passed
    assert not compare_weights(reference, four, precision="int8").passed
    assert compare_weights(reference, four).passed


@pytest.mark.parametrize(
    ("factor", "constant"), [(-1, "-1"), (200, None), (1 / np.sqrt(48), "1/sqrt(48)"), (1.5, "1.5")]
)
def test_a_factor_is_scaled_and_named(reference, factor, constant):
    told = entry(reference, {**reference, "q.weight": reference["q.weight"] * np.float32(factor)}, "q.weight")
    assert told.status == "scaled"
    assert told.detail["factor"] == pytest.approx(factor, rel=1e-6)
    assert told.detail.get("constant") == constant


def test_a_renamed_and_transposed_tensor_times_a_factor_is_scaled(reference):
    scaled = {f"t{p}": v for p, (n, v) in enumerate(reference.items()) if n != "up.weight"}
    told = entry(reference, {**scaled, "x": reference["up.weight"].T * np.float32(-0.5)}, "up.weight")
    assert (told.status, told.matched) == ("scaled", "x")


def test_contents_under_each_others_names_are_swapped(reference):
    swapped = {**reference, "q.weight": reference["k.weight"], "k.weight": reference["q.weight"]}
    assert statuses(reference, swapped) == only(reference, ["q.weight", "k.weight"], "swapped")
    halves = {f"model/{name.replace('.', '/')}": values.astype(np.float16) for name, values in swapped.items()}
    assert {n for n, s in statuses(reference, halves).items() if s == "swapped"} == {"q.weight", "k.weight"}


def test_layers_that_are_only_numbered_otherwise_are_not_swapped():
    reference = {f"layers.{2 * n}.weight": heavy((24, 24), n) for n in range(4)}
    renumbered = {f"layers.{n}.weight": values for n, values in enumerate(reference.values())}
    assert compare_weights(reference, renumbered).passed


def test_a_copy_under_another_name_does_not_excuse_other_values_under_its_own(reference):
    beside = {**reference, "k.weight": heavy((48, 48), 77), "backup.k": reference["k.weight"]}
    told = entry(reference, beside, "k.weight")
    assert (told.status, told.matched) == ("different", "backup.k")
    assert told.detail["reason"] == "under its own name the candidate holds other values"
    behind = {f"model.{name}": values for name, values in beside.items()}
    assert statuses(reference, behind) == only(reference, ["k.weight"], "different")


def test_averaged_weights_beside_those_of_the_training_pass_behind_their_own_word(reference):
    reference = {name: values for name, values in reference.items() if not name.startswith("norm")}
    raw = {f"model.{name}": (0.9 * values).astype(np.float32) for name, values in reference.items()}
    averaged = {f"ema.{name}": values for name, values in reference.items()}
    assert compare_weights(reference, {**raw, **averaged}).passed
    plain = {name.removeprefix("model."): values for name, values in raw.items()}
    assert set(statuses(reference, {**plain, **averaged}).values()) == {"different"}


def test_a_layer_put_in_front_of_the_others_only_numbers_them_otherwise():
    reference = {f"layers.{n}.weight": heavy((24, 24), n) for n in range(4)}
    later = {f"layers.{n + 1}.weight": values for n, values in enumerate(reference.values())}
    result = compare_weights(reference, {"layers.0.weight": heavy((24, 24), 9), **later})
    assert result.passed
    assert any("under its own name the candidate holds other values" in note for note in result.notes)


def test_equal_contents_are_neither_swapped_nor_missing(reference):
    plain = {f"norm{n}.weight": np.ones(64, np.float32) for n in range(4)}
    assert compare_weights({**reference, **plain}, {**plain, **reference}).passed
    assert compare_weights(plain, {f"n{n}": values for n, values in enumerate(plain.values())}).passed


def test_a_tensor_that_is_nowhere_is_missing_and_what_is_new_is_extra(reference):
    lost = {name: values for name, values in reference.items() if name != "conv.weight"}
    result = compare_weights(reference, {**lost, "else": heavy((7, 7), 8)})
    assert [one.name for one in result.matches if one.status == "missing"] == ["conv.weight"]
    assert result.extra == ("else",)


def test_the_copy_of_another_layer_is_different_and_named(reference):
    told = entry(reference, {**reference, "k.weight": reference["q.weight"]}, "k.weight")
    assert (told.status, told.detail["holds"]) == ("different", "q.weight")


def test_another_scalar_is_not_excused_by_an_equal_constant_elsewhere():
    reference = {"gain": np.array([0.5], np.float32), "w.weight": heavy((8, 8), 1)}
    changed = {**reference, "gain": np.array([0.7], np.float32), "eps": np.array([0.5], np.float32)}
    assert statuses(reference, changed)["gain"] == "different"


def test_counters_of_the_training_may_be_missing_and_weights_may_not():
    reference = {"bn.num_batches_tracked": np.array(30), "bn.weight": heavy(64, 1)}
    assert statuses(reference, {"bn.weight": reference["bn.weight"]})["bn.num_batches_tracked"] == "fused"
    assert statuses(reference, {})["bn.weight"] == "missing"


def test_nothing_to_compare_does_not_pass():
    assert not compare_weights({}, {"a": np.ones(3)}).passed


def test_the_assertion_carries_the_whole_report(reference):
    assert_weights_match(reference, reference)
    with pytest.raises(ParityError, match=r"scaled +q.weight"):
        assert_weights_match(reference, {**reference, "q.weight": -reference["q.weight"]})


def test_what_is_no_weights_is_refused(reference):
    with pytest.raises(StageError, match="neither a path nor a mapping"):
        compare_weights(reference, 3)
    with pytest.raises(StageError, match="'fp12' is none of"):
        compare_weights(reference, reference, precision="fp12")


def test_json_is_plain_and_counts(reference):
    wrong = {**reference, "q.weight": np.full((48, 48), np.nan, np.float32)}
    document = weights_document(compare_weights(reference, wrong))
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text)["summary"] == {
        "tensors": 7,
        "passed": 6,
        "extra": 0,
        "statuses": {"same": 6, "different": 1},
    }
    assert set(document) == {"schema", "verdict", "tensors", "extra", "summary", "notes"}
    assert set(document["tensors"][0]) == {"name", "matched", "status", "detail"}
