"""Rows in another order, parts of larger tensors, and what runtimes expect of gates."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity.weights.matching import compare_files
from pytest_audioparity.weights.records import Weight, WeightFile
from tests.weights.test_matching_statuses import entry, heavy, statuses

HIDDEN = 24
IOFC, IFOG, ZRH = (0, 3, 1, 2), (0, 1, 3, 2), (1, 0, 2)


def gates(values, order):
    return values.reshape(len(order), -1, *values.shape[1:])[list(order)].reshape(values.shape)


def recurrent(count, seed=0):
    shapes = {"weight_ih_l0": (count * HIDDEN, 12), "weight_hh_l0": (count * HIDDEN, HIDDEN)}
    shapes |= {"bias_ih_l0": (count * HIDDEN,), "bias_hh_l0": (count * HIDDEN,)}
    return {f"rnn.{name}": heavy(shape, seed + place) for place, (name, shape) in enumerate(shapes.items())}


def as_mlx(torch_names, order):
    kept = {name: gates(values, order) for name, values in torch_names.items()}
    bias = kept["rnn.bias_ih_l0"] + kept["rnn.bias_hh_l0"]
    return {"layer.Wx": kept["rnn.weight_ih_l0"], "layer.Wh": kept["rnn.weight_hh_l0"], "layer.bias": bias}


def as_onnx(torch_names, order):
    kept = {name: gates(values, order) for name, values in torch_names.items()}
    return {
        "onnx::W": kept["rnn.weight_ih_l0"][None],
        "onnx::R": kept["rnn.weight_hh_l0"][None],
        "onnx::B": np.concatenate([kept["rnn.bias_ih_l0"], kept["rnn.bias_hh_l0"]])[None],
    }


def compared(reference, candidate, file_format):
    files = [
        WeightFile(None, kind, tuple(Weight(n, v.shape, v.dtype.name, lambda v=v: v) for n, v in tensors.items()))
        for kind, tensors in (("mapping", reference), (file_format, candidate))
    ]
    return compare_files(*files)


@pytest.mark.parametrize(
    ("count", "order", "passes"),
    [(4, IOFC, True), (4, range(4), False), (4, IFOG, False), (3, ZRH, True), (3, range(3), False)],
)
def test_recurrent_operators_of_onnx_must_have_their_own_order_of_gates(count, order, passes):
    result = compared(recurrent(count), as_onnx(recurrent(count), tuple(order)), "onnx")
    assert result.passed is passes
    if passes:
        assert {one.status for one in result.matches} == {"permuted", "fused"}
        assert result.matches[0].detail["gates"] == ("ifgo -> iofc" if count == 4 else "rzn -> zrh")
    else:
        assert {one.status for one in result.matches} == {"different"}


@pytest.mark.parametrize(("order", "passes"), [(range(4), True), (IOFC, False), ((3, 2, 1, 0), False)])
def test_mlx_and_torch_must_keep_the_order_of_gates(order, passes):
    mlx = compared(recurrent(4), as_mlx(recurrent(4), tuple(order)), "safetensors")
    torch = compared(recurrent(4), {n: gates(v, tuple(order)) for n, v in recurrent(4).items()}, "torch")
    assert mlx.passed is torch.passed is passes


def test_gates_under_names_that_say_nothing_pass_in_an_order_that_some_framework_has():
    for order, status in ((IOFC, "permuted"), ((3, 2, 1, 0), "different")):
        renamed = {f"w{place}": gates(v, order) for place, v in enumerate(recurrent(4).values())}
        assert set(statuses(recurrent(4), renamed).values()) == {status}


def test_the_two_biases_of_a_gru_are_added_but_for_the_new_gate():
    reference = recurrent(3)
    one, two = reference["rnn.bias_ih_l0"], reference["rnn.bias_hh_l0"]
    both = one + np.concatenate([two[: 2 * HIDDEN], np.zeros(HIDDEN, np.float32)])
    mlx = {"g.Wx": reference["rnn.weight_ih_l0"], "g.Wh": reference["rnn.weight_hh_l0"]}
    told = statuses(reference, {**mlx, "g.b": both, "g.bhn": two[2 * HIDDEN :]})
    assert told["rnn.bias_ih_l0"] == told["rnn.bias_hh_l0"] == "fused"
    assert "missing" in statuses(reference, {**mlx, "g.b": both}).values()


def test_one_bias_forgotten_in_the_sum_is_missing():
    mlx = as_mlx(recurrent(4), range(4)) | {"layer.bias": recurrent(4)["rnn.bias_ih_l0"]}
    assert statuses(recurrent(4), mlx)["rnn.bias_hh_l0"] == "missing"


def test_q_k_and_v_are_fused_and_split_in_any_layout():
    parts = {f"{name}.weight": heavy((32, 48), seed) for seed, name in enumerate("qkv")}
    joined = np.concatenate(list(parts.values()))
    for fused in (joined, joined.T, joined.astype(np.float16), joined.reshape(3, 32, 48)):
        assert set(statuses(parts, {"qkv": fused}).values()) == {"fused"}
    assert statuses({"qkv": joined}, parts) == {"qkv": "fused"}
    heads = joined.reshape(3, 4, 8, 48).transpose(1, 0, 2, 3).reshape(96, 48)
    assert set(statuses(parts, {"qkv": heads}).values()) == {"fused"}


def test_a_fused_tensor_with_one_wrong_value_or_part_does_not_pass():
    parts = {f"{name}.weight": heavy((32, 48), seed) for seed, name in enumerate("qkv")}
    joined = np.concatenate(list(parts.values()))
    joined[40, 3] += 0.01
    assert statuses(parts, {"qkv": joined}) == {"q.weight": "fused", "k.weight": "missing", "v.weight": "fused"}
    assert statuses({"qkv": joined}, parts) == {"qkv": "missing"}


def test_q_k_and_v_must_stand_in_the_order_that_the_name_promises():
    parts = {f"attn.{name}_proj.weight": heavy((32, 48), seed) for seed, name in enumerate("qkv")}
    q, k, v = parts.values()
    assert set(statuses(parts, {"attn.in_proj_weight": np.concatenate([q, k, v])}).values()) == {"fused"}
    told = list(statuses(parts, {"attn.in_proj_weight": np.concatenate([k, q, v])}).values())
    assert told == ["different", "different", "fused"]
    assert set(statuses(parts, {"attn.kqv": np.concatenate([k, q, v])}).values()) == {"fused"}


def test_blocks_in_another_order_pass_under_another_name_only():
    weight = {"in_proj_weight": heavy((96, 48), 1), "w.weight": heavy((8, 8), 2)}
    moved = gates(weight["in_proj_weight"], (1, 0, 2))
    told = entry(weight, {"kqv": moved, "w.weight": weight["w.weight"]}, "in_proj_weight")
    assert (told.status, told.detail["blocks"]) == ("permuted", [1, 0, 2])
    assert statuses(weight, {**weight, "in_proj_weight": moved})["in_proj_weight"] == "different"


def test_exchanged_halves_are_different_under_any_name():
    weight = heavy((64, 16), 1)
    told = entry({"glu.weight": weight}, {"x": np.roll(weight, 32, axis=0)}, "glu.weight")
    assert (told.status, told.detail["reason"]) == ("different", "its halves are exchanged")


def test_rotary_pairs_pass_for_q_and_k_together_and_not_for_one_alone():
    reference = {"q.weight": heavy((64, 64), 1), "k.weight": heavy((64, 64), 2)}
    pairs = {n: v.reshape(4, 2, 8, 64).transpose(0, 2, 1, 3).reshape(64, 64) for n, v in reference.items()}
    assert set(statuses(reference, pairs).values()) == {"permuted"}
    assert statuses(reference, {**reference, "q.weight": pairs["q.weight"]})["q.weight"] == "different"


def test_shuffled_rows_pass_only_where_the_next_layer_is_shuffled_with_them():
    order = np.random.default_rng(3).permutation(40)
    reference = {"a.weight": heavy((40, 16), 1), "a.bias": heavy(40, 2), "b.weight": heavy((24, 40), 3)}
    rows, bias, columns = reference["a.weight"][order], reference["a.bias"][order], reference["b.weight"][:, order]
    all_three = {"a.weight": rows, "a.bias": bias, "b.weight": columns}
    assert set(statuses(reference, all_three).values()) == {"permuted"}
    for lost in all_three:
        assert "different" in statuses(reference, {**all_three, lost: reference[lost]}).values()


@pytest.mark.parametrize("head", [6, 20, 36])
def test_heads_of_any_even_size_may_be_rotary(head):
    reference = {f"{name}_proj.weight": heavy((2 * head, 24), place) for place, name in enumerate("qk")}
    order = np.arange(2 * head).reshape(2, 2, head // 2).swapaxes(1, 2).reshape(-1)
    told = statuses(reference, {name.replace("_proj", ""): values[order] for name, values in reference.items()})
    assert told == dict.fromkeys(reference, "permuted")
