"""Axes reversed or exchanged in tensors that keep their name and shape, where no shape shows that they moved."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from pytest_audioparity import compare_weights
from pytest_audioparity.report.weights import render_weights
from tests.weights.test_matching_statuses import entry, heavy, only, statuses

SQUARE = (48, 48, 3)
EXCHANGED = (1, 0, 2)
CHANNELS_LAST = (0, 2, 1)


def turned(values, order=EXCHANGED):
    return np.ascontiguousarray(values.transpose(order))


def squares(count, shape=SQUARE):
    return {f"conv{n}.weight": heavy(shape, n) for n in range(count)}


def saved(weights, path):
    """Write weights in the format that a path ends on, an ONNX model as one convolution behind the other."""
    if path.suffix == ".npz":
        np.savez(path, **weights)
        return path
    names = ["x", *(f"y{n}" for n in range(len(weights)))]
    nodes = [helper.make_node("Conv", [names[n], name], [names[n + 1]]) for n, name in enumerate(weights)]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in (names[0], names[-1])]
    given = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    onnx.save(helper.make_model(helper.make_graph(nodes, "net", ends[:1], ends[1:], given)), path)
    return path


@pytest.mark.parametrize("formats", [("npz", "npz"), ("npz", "onnx"), ("onnx", "npz"), ("onnx", "onnx")])
@pytest.mark.parametrize("fault", ["reversed", "exchanged"])
def test_a_kernel_with_its_axes_moved_under_its_own_name_fails_in_every_format(tmp_path, formats, fault):
    reference = {**squares(2), "out.weight": heavy((16, 48, 3), 7)}
    kernel = reference["conv1.weight"]
    wrong = {**reference, "conv1.weight": kernel[:, :, ::-1].copy() if fault == "reversed" else turned(kernel)}
    one = saved(reference, tmp_path / f"one.{formats[0]}")
    assert statuses(one, saved(reference, tmp_path / f"same.{formats[1]}")) == only(reference, [], "same")
    other = saved(wrong, tmp_path / f"other.{formats[1]}")
    told = entry(one, other, "conv1.weight")
    assert statuses(one, other) == only(reference, ["conv1.weight"], "different")
    assert told.detail["reason"].startswith("reversed along axis 2" if fault == "reversed" else "axes 1,0,2 under")


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize(
    ("shape", "order"), [(SQUARE, (1, 0, 2)), ((32, 32, 1), (1, 0, 2)), ((8, 8, 3, 3), (0, 1, 3, 2))]
)
def test_a_square_kernel_with_axes_exchanged_is_different_among_any_number(count, shape, order):
    reference = squares(count, shape)
    wrong = {**reference, "conv0.weight": turned(reference["conv0.weight"], order)}
    assert statuses(reference, wrong) == only(reference, ["conv0.weight"], "different")


def test_square_kernels_that_are_all_exchanged_are_different_where_no_shape_shows_it():
    reference = squares(3)
    wrong = {name: turned(values) for name, values in reference.items()}
    assert set(statuses(reference, wrong).values()) == {"different"}


@pytest.mark.parametrize("name", ["model.conv0.weight", "conv0/weight"])
def test_a_wrapper_around_a_name_does_not_excuse_an_exchanged_kernel(name):
    reference = squares(3)
    wrong = {**reference, name: turned(reference["conv0.weight"])}
    del wrong["conv0.weight"]
    assert entry(reference, wrong, "conv0.weight").status == "different"


def test_a_kernel_under_a_name_that_promises_nothing_may_have_any_layout():
    reference = squares(3)
    renamed = {f"t{n}": turned(values) for n, values in enumerate(reference.values())}
    assert set(statuses(reference, renamed).values()) == {"transposed"}
    keras = {name.replace("weight", "kernel"): turned(values) for name, values in reference.items()}
    assert set(statuses(reference, keras).values()) == {"transposed"}


def test_a_kernel_as_square_as_it_may_be_passes_in_the_layout_that_the_others_show():
    reference = {
        "in.weight": heavy((16, 3, 3), 1),
        "mid.weight": heavy((16, 16, 5), 2),
        "depth.weight": heavy((8, 1, 5), 3),
    }
    channels_last = {name: turned(values, CHANNELS_LAST) for name, values in reference.items()}
    assert statuses(reference, channels_last) == dict.fromkeys(reference, "transposed")
    forgotten = {**channels_last, "mid.weight": reference["mid.weight"]}
    told = entry(reference, forgotten, "in.weight")
    assert (told.status, told.detail["reason"]) == (
        "different",
        "axes 0,2,1 under its own name and shape, where mid.weight has its axes in order",
    )


def test_layers_of_one_list_may_have_a_layout_of_their_own():
    """A port that holds transposed convolutions as outputs by inputs, the square one among them."""
    ups = {f"ups.{n}.weight": heavy(shape, n) for n, shape in enumerate(((64, 32, 4), (32, 32, 4), (32, 16, 4)))}
    reference = {**ups, **squares(2)}
    ported = {**reference, **{name: turned(values) for name, values in ups.items()}}
    assert statuses(reference, ported) == only(reference, ups, "transposed")
    lone = {**reference, "ups.1.weight": ported["ups.1.weight"]}
    assert entry(reference, lone, "ups.1.weight").status == "different"


@pytest.mark.parametrize("form", ["weight_norm", "parametrization"])
def test_a_folded_weight_norm_does_not_hide_an_exchanged_kernel(form):
    g, v = (
        ("conv.weight_g", "conv.weight_v")
        if form == "weight_norm"
        else ("conv.parametrizations.weight.original0", "conv.parametrizations.weight.original1")
    )
    magnitude, direction = np.abs(heavy((48, 1, 1), 1)) + 1, heavy(SQUARE, 2)
    norm = np.sqrt((direction.astype(np.float64) ** 2).sum((1, 2), keepdims=True))
    folded = (magnitude * direction / norm).astype(np.float32)
    split = {g: magnitude, v: direction}
    for right, wrong in ((folded, turned(folded)), (folded, folded[:, :, ::-1].copy())):
        assert compare_weights(split, {"conv.weight": right}).passed
        assert compare_weights({"conv.weight": right}, split).passed
        assert not compare_weights(split, {"conv.weight": wrong}).passed
        assert not compare_weights({"conv.weight": wrong}, split).passed


def test_a_symmetric_kernel_is_no_evidence_of_a_layout_and_does_not_move():
    half = heavy(SQUARE, 1)
    reference = {
        "a.weight": half + turned(half),
        "b.weight": np.ones(SQUARE, np.float32),
        "c.weight": heavy((16, 3, 3), 2),
    }
    cast = {name: values.astype(np.float16) for name, values in reference.items()}
    assert set(statuses(reference, cast).values()) <= {"same", "cast"}
    assert compare_weights(reference, cast).passed


def test_the_report_names_what_moved_and_how_also_where_it_passes():
    reference = {**{f"c{n}.weight": heavy((16, 8, 5), n) for n in range(5)}, "out.weight": heavy((4, 20), 9)}
    moved = {name: turned(v, CHANNELS_LAST if v.ndim == 3 else (1, 0)) for name, v in reference.items()}
    lines = render_weights(compare_weights(reference, moved)).splitlines()
    assert "  transposed  6: axes 0,2,1 (5); axes 1,0 (1)" in lines
    assert "              axes 0,2,1: c0.weight, c1.weight, c2.weight and 2 more" in lines
    assert "              axes 1,0: out.weight" in lines
    assert "c0.weight" not in render_weights(compare_weights(reference, reference))


def linear(weights, path, *, turned_by_operator):
    """Write products with square matrices: a Gemm that turns its matrix, or a MatMul, each by name."""
    nodes, names = [], ["x", *(f"y{n}" for n in range(len(weights)))]
    for n, name in enumerate(weights):
        is_gemm = name in turned_by_operator
        op, options = ("Gemm", {"transB": 1}) if is_gemm else ("MatMul", {})
        nodes.append(helper.make_node(op, [names[n], name], [names[n + 1]], **options))
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in (names[0], names[-1])]
    given = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    onnx.save(helper.make_model(helper.make_graph(nodes, "net", ends[:1], ends[1:], given)), path)
    return path


@pytest.mark.parametrize("operator", ["Gemm", "MatMul"])
def test_a_turned_square_matrix_is_different_in_onnx_unless_its_operator_turned_as_well(tmp_path, operator):
    reference = {f"l{n}.weight": heavy((48, 48), n) for n in range(3)}
    wrong = {**reference, "l1.weight": reference["l1.weight"].T.copy()}
    gemms = set(reference) if operator == "Gemm" else set()
    one = linear(reference, tmp_path / "one.onnx", turned_by_operator=gemms)
    same_operator = linear(wrong, tmp_path / "same.onnx", turned_by_operator=gemms)
    assert statuses(one, same_operator) == only(reference, ["l1.weight"], "different")
    optimised = linear(wrong, tmp_path / "other.onnx", turned_by_operator=gemms ^ {"l1.weight"})
    assert statuses(one, optimised) == only(reference, ["l1.weight"], "transposed")
    of_torch = statuses(reference, same_operator)["l1.weight"]
    assert of_torch == ("different" if operator == "Gemm" else "transposed")


def test_a_square_matrix_that_one_operator_of_onnx_reads_is_turned_as_the_others_that_it_reads(tmp_path):
    shapes = {"l.q.weight": (24, 24), "l.up.weight": (40, 24), "l.down.weight": (24, 40), "l.out.weight": (24, 24)}
    reference = {name: heavy(shape, place) for place, (name, shape) in enumerate(shapes.items())}
    gemm = {"l.out.weight"}  # which turns its matrix itself
    right = {name: values if name in gemm else values.T.copy() for name, values in reference.items()}
    exported = linear(right, tmp_path / "right.onnx", turned_by_operator=gemm)
    assert compare_weights(reference, exported).passed
    wrong = {**right, "l.q.weight": reference["l.q.weight"]}
    told = statuses(reference, linear(wrong, tmp_path / "wrong.onnx", turned_by_operator=gemm))
    assert [name for name, status in told.items() if status == "different"] == ["l.q.weight"]


def test_a_square_matrix_that_was_left_where_those_beside_it_were_turned_is_different():
    shapes = {"q": (24, 24), "out": (24, 24), "fc1": (96, 24), "fc2": (24, 96)}
    names = [f"layers.{layer}.{part}.weight" for layer in range(2) for part in shapes]
    reference = {name: heavy(shapes[name.split(".")[2]], place) for place, name in enumerate(names)}
    reference["layers.wide.weight"] = heavy((40, 24), 51)
    # Tables, and what is no layer's weight: a converter leaves those.
    stay = {"layers.embed.weight", "layers.wpe.weight", "layers.text_projection"}
    reference |= {name: heavy((24, 24), 60 + place) for place, name in enumerate(sorted(stay))}
    turned = {name: values if name in stay else values.T for name, values in reference.items()}
    assert compare_weights(reference, turned).passed
    left = {**turned, "layers.1.q.weight": reference["layers.1.q.weight"]}
    failed = {match.name: match for match in compare_weights(reference, left).matches if not match.passed}
    assert {name: match.status for name, match in failed.items()} == {"layers.1.q.weight": "different"}
    assert failed["layers.1.q.weight"].detail["reason"] == "not transposed, where layers.1.fc1.weight beside it is"
    only_wide = {name: values.T if name.startswith("layers.wide") else values for name, values in reference.items()}
    assert compare_weights(reference, only_wide).passed


def test_a_symmetric_matrix_may_stay_as_it_is():
    window = heavy((24, 24), 1)
    reference = {"a.fc.weight": heavy((40, 24), 2), "a.window.weight": window + window.T}
    assert compare_weights(reference, {**reference, "a.fc.weight": reference["a.fc.weight"].T}).passed
