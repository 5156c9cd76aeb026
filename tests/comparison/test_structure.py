"""What can be paired is paired as declared; everything else is a finding, and nothing is bent to fit."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from pytest_audioparity.comparison.structure import kind_of, pair
from pytest_audioparity.comparison.tolerances import layered
from pytest_audioparity.records import StageMeta, StageTensor


def paired(expected, actual, expected_meta=None, actual_meta=None, **tolerance):
    return pair(
        StageTensor(StageMeta("x", **(expected_meta or {})), np.asarray(expected)),
        StageTensor(StageMeta("x", **(actual_meta or {})), np.asarray(actual)),
        layered([tolerance], "x"),
    )


def codes(both):
    return [finding.code for finding in both.findings]


def test_equal_shapes_and_types_pair_without_a_finding():
    both = paired(np.zeros((2, 3)), np.ones((2, 3)))
    assert (both.comparable, both.findings, both.conflict) == (True, (), None)


@pytest.mark.parametrize(
    ("expected", "actual"), [((1,), (5,)), ((5,), (1,)), ((), (1,)), ((2, 1), (2, 4)), ((6,), (2, 3)), ((0, 3), (0, 4))]
)
def test_shapes_that_differ_are_never_broadcast_or_reshaped(expected, actual):
    both = paired(np.zeros(expected), np.zeros(actual))
    assert (both.comparable, codes(both)) == (False, ["shape"])
    assert both.findings[0].detail == {"expected": list(expected), "actual": list(actual)}


def test_a_shape_in_another_order_is_met_with_the_advice_to_declare_axes():
    assert "axes=" in paired(np.zeros((2, 3)), np.zeros((3, 2))).findings[0].message
    assert "axes=" not in paired(np.zeros((2, 3)), np.zeros((3, 3))).findings[0].message


@pytest.mark.parametrize(
    ("expected", "actual", "said", "advice"),
    [
        ({"axes": "CT"}, {}, "expected declares axes='CT', actual no axes", False),
        ({}, {"axes": "TC"}, "expected declares no axes, actual axes='TC'", True),
        ({}, {}, "expected declares no axes, actual no axes", False),
        ({"axes": "CT"}, {"axes": "CT"}, "expected declares axes='CT', actual axes='CT'", False),
    ],
)
def test_who_declares_what_is_told_and_where_the_missing_declaration_belongs(expected, actual, said, advice):
    message = paired(np.zeros((2, 3)), np.zeros((3, 2)), expected, actual).findings[0].message
    assert message.startswith("shape 3x2 where 2x3 is expected; ")
    assert said in message
    assert ("in the test that owns the golden" in message) == advice


def test_a_dtype_that_differs_is_a_finding_and_the_values_stay_comparable():
    both = paired(np.zeros(3, np.float32), np.zeros(3, np.float64))
    assert (both.comparable, codes(both)) == (True, ["dtype"])
    assert codes(paired(np.zeros(3, np.float32), np.zeros(3, np.float64), dtype="any")) == []


@pytest.mark.parametrize(
    ("expected", "actual", "precision", "message"),
    [
        ("float32", "float16", "fp32", "float32 is expected; if that is meant: precision='fp16' in the mark or record"),
        ("float32", "bfloat16", "fp16", "float32 or float16 is expected; if that is meant: precision='bf16' in the"),
        ("float32", "float64", "fp32", "float32 is expected; if that is meant: dtype='any' in the mark or record"),
        ("float64", "float16", "fp32", "float64 is expected; if that is meant: dtype='any' in the mark or record"),
    ],
)
def test_a_dtype_that_differs_is_met_with_the_keyword_that_lets_it_pass(expected, actual, precision, message):
    found = paired(np.zeros(3, np.dtype(expected)), np.zeros(3, np.dtype(actual)), precision=precision).findings[0]
    assert found.message.startswith(f"dtype {actual} where {message}")
    assert found.detail == {"expected": expected, "actual": actual}


def test_byte_order_is_no_difference_of_dtype():
    assert codes(paired(np.zeros(3, "<f4"), np.zeros(3, ">f4"))) == []


@pytest.mark.parametrize(
    ("precision", "dtype", "accepted"),
    [
        ("fp16", np.float16, True),
        ("bf16", ml_dtypes.bfloat16, True),
        ("fp16", ml_dtypes.bfloat16, False),
        ("bf16", np.float16, False),
        ("fp32", np.float16, False),
        ("int8", np.int8, False),
        ("fp16", np.float64, False),
        ("fp16", np.float32, True),
    ],
)
def test_a_precision_accepts_its_own_float_type_and_no_other(precision, dtype, accepted):
    assert codes(paired(np.zeros(3, np.float32), np.zeros(3, dtype), precision=precision)) == (
        [] if accepted else ["dtype"]
    )


def test_a_precision_accepts_nothing_new_where_float32_is_not_expected():
    assert codes(paired(np.zeros(3, np.float64), np.zeros(3, np.float16), precision="fp16")) == ["dtype"]
    assert codes(paired(np.zeros(3, np.float16), np.zeros(3, np.float32), precision="fp16")) == ["dtype"]


def test_axes_declared_on_both_sides_are_brought_into_one_order():
    e = np.arange(24.0).reshape(2, 3, 4)
    both = paired(e, e.transpose(0, 2, 1), {"axes": "BCT"}, {"axes": "BTC"})
    assert (both.comparable, both.findings, both.conflict, both.meta.axes) == (True, (), None, "BCT")
    assert np.array_equal(both.actual, e)
    three = paired(e, e.transpose(2, 0, 1), {"axes": "BCT"}, {"axes": "TBC"})
    assert np.array_equal(three.actual, e)


@pytest.mark.parametrize(("own", "other"), [({"axes": "CT"}, {}), ({}, {"axes": "TC"})])
def test_axes_declared_on_one_side_alone_move_nothing(own, other):
    e = np.arange(9.0).reshape(3, 3)
    both = paired(e, e.T, own, other)
    assert np.array_equal(both.actual, e.T)
    assert both.meta.axes == (own or other)["axes"]


def test_axes_of_different_letters_are_a_conflict():
    both = paired(np.zeros((2, 2)), np.zeros((2, 2)), {"axes": "CT"}, {"axes": "CB"})
    assert "axes='CB'" in both.conflict
    assert "axes='CT'" in both.conflict


def test_axes_that_do_not_name_every_dimension_of_the_golden_are_a_conflict_and_dropped():
    both = paired(np.zeros((2, 2)), np.zeros((2, 2)), {"axes": "BCT"})
    assert "axes='BCT'" in both.conflict
    assert both.meta.axes is None


@pytest.mark.parametrize(
    ("own", "array"), [("TCC", np.zeros((2, 2, 2))), ("CTX", np.zeros((2, 2, 2))), ("CTC", np.zeros((2, 2)))]
)
def test_axes_that_cannot_be_brought_into_the_order_of_the_golden_are_a_conflict(own, array):
    both = paired(np.zeros((2, 2, 2)), array, {"axes": "CTC"}, {"axes": own})
    assert (both.conflict is None) == (own == "CTC")
    short = paired(np.zeros((2, 2)), np.zeros((2, 2, 2)), {"axes": "CT"}, {"axes": "TC"})
    assert short.conflict == "declared axes='TC', but the expected side has axes='CT'"


def test_of_several_conflicts_the_first_is_told():
    both = paired(np.zeros((2, 2)), np.zeros((2, 2)), {"axes": "BCT", "unit": "ln"}, {"unit": "db"})
    assert both.conflict == "declared unit='db', but the expected side has unit='ln'"


@pytest.mark.parametrize("name", ["kind", "unit", "sample_rate", "frame_rate", "role"])
def test_what_one_side_alone_declares_holds_for_both(name):
    value = {"kind": "embedding", "unit": "ln", "role": "input"}.get(name, 24000)
    for sides in ({name: value}, {}), ({}, {name: value}):
        both = paired(np.zeros(3), np.zeros(3), *sides)
        assert (both.conflict, getattr(both.meta, name)) == (None, value)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("kind", "tensor", "waveform"),
        ("unit", "ln", "db"),
        ("sample_rate", 24000, 22050),
        ("frame_rate", 86.13, 100),
    ],
)
def test_declarations_that_contradict_each_other_are_a_conflict(name, old, new):
    zeros = np.zeros(3)
    assert f"{name}={new!r}" in paired(zeros, zeros, {name: old}, {name: new}).conflict
    assert paired(zeros, zeros, {name: old}, {name: old}).conflict is None
    one_sided = paired(zeros, zeros, {}, {name: new})
    assert (one_sided.conflict, getattr(one_sided.meta, name)) == (None, new)


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [("float32", "tensor"), ("complex64", "tensor"), ("int8", "codes"), ("uint64", "codes"), ("bool", "codes")],
)
def test_the_kind_follows_from_the_type_unless_it_is_declared(dtype, kind):
    array = np.zeros(3, dtype)
    assert kind_of(StageMeta("x"), array) == kind
    assert kind_of(StageMeta("x", "embedding"), array) == "embedding"
    assert paired(array, array).meta.kind == kind


def test_bfloat16_is_a_tensor_by_default():
    assert kind_of(StageMeta("x"), np.zeros(3, ml_dtypes.bfloat16)) == "tensor"
