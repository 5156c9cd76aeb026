"""Values that are all there under names of the candidate's own, and in the wrong place: what the other tensors tell."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pytest_audioparity import compare_weights
from pytest_audioparity.weights.roles import contradiction
from tests.weights.test_matching_rows import gates, recurrent
from tests.weights.test_matching_statuses import heavy

WIDE, HIGH = 24, 32
SHAPES = {
    "attn.query": (WIDE, WIDE),
    "attn.key": (WIDE, WIDE),
    "attn.value": (WIDE, WIDE),
    "mlp.0": (HIGH, WIDE),
    "mlp.2": (WIDE, HIGH),
}


def speech(layers=4):
    names = [
        f"blocks.{layer}.{part}.{kind}" for layer in range(layers) for part in SHAPES for kind in ("weight", "bias")
    ]
    shapes = {name: SHAPES[name[9:].rpartition(".")[0]] for name in names}
    tensors = {n: heavy(shapes[n] if n.endswith("weight") else shapes[n][:1], place) for place, n in enumerate(names)}
    return {**tensors, "conv1.weight": heavy((WIDE, 8, 3), 90), "conv2.weight": heavy((WIDE, WIDE, 3), 91)}


WORDS = {
    "blocks": "model.layers",
    "query": "q_proj",
    "key": "k_proj",
    "value": "v_proj",
    "mlp.0": "fc1",
    "mlp.2": "fc2",
}


def renamed(name):
    for before, after in WORDS.items():
        name = name.replace(before, after)
    return name


def ported(reference, change=lambda _, values: values, name=renamed):
    return {name(key): change(key, values) for key, values in reference.items()}


def keras(name, values):
    return values.transpose(*range(values.ndim)[::-1])


def failed(reference, candidate):
    return {one.name: one for one in compare_weights(reference, candidate).matches if not one.passed}


def of_status(entries):
    return {name: one.status for name, one in entries.items()}


NAMES = (renamed, lambda name: renamed(name).replace("weight", "kernel"), lambda name: renamed(name).replace(".", "/"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", ["blocks.1.attn.query.weight", "attn"])
def test_square_matrices_that_were_left_where_others_were_turned_are_different_under_any_name(name, wrong):
    reference = speech()
    assert compare_weights(reference, ported(reference, keras, name)).passed
    left = ported(reference, lambda n, v: v if wrong in n and v.ndim == 2 else keras(n, v), name)
    told = of_status(failed(reference, left))
    assert told == {n: "different" for n, v in reference.items() if wrong in n and v.ndim == 2}


@pytest.mark.parametrize("wrong", ["blocks.1.attn.query.weight", "attn.query"])
@pytest.mark.parametrize("name", [*NAMES, lambda name: f"t{sorted(speech()).index(name)}"])
def test_square_matrices_that_were_turned_where_others_were_not_are_different_under_any_name(name, wrong):
    reference = speech()
    assert compare_weights(reference, ported(reference, name=name)).passed
    told = of_status(failed(reference, ported(reference, lambda n, v: v.T if wrong in n else v, name)))
    assert told == {n: "different" for n, v in reference.items() if wrong in n and v.ndim == 2}


def test_a_square_kernel_is_turned_as_the_others_of_its_list_are():
    reference = speech()
    wrong = ported(reference, lambda n, v: v.transpose(2, 0, 1) if n == "conv2.weight" else keras(n, v))
    assert of_status(failed(reference, wrong)) == {"conv2.weight": "different"}
    assert "where conv1.weight" in failed(reference, wrong)["conv2.weight"].detail["reason"]
    squares = {f"blocks.{n}.conv.weight": heavy((16, 16, 3), n) for n in range(4)}
    moved = {renamed(name): values.transpose(0, 2, 1) for name, values in squares.items()}
    assert compare_weights(squares, moved).passed
    moved["model.layers.2.conv.weight"] = squares["blocks.2.conv.weight"].transpose(1, 2, 0)
    assert of_status(failed(squares, moved)) == {"blocks.2.conv.weight": "different"}


def test_layers_that_mix_kinds_of_convolution_may_have_a_layout_each():
    """The last is transposed, and its inputs come first on both sides."""
    reference = {f"net.{n}.weight": heavy(shape, n) for n, shape in enumerate(((16, 4, 3), (16, 16, 3), (16, 8, 3)))}
    orders = ((0, 2, 1), (0, 2, 1), (1, 2, 0))
    moved = {f"layers.{n}.w": v.transpose(orders[n]) for n, v in enumerate(reference.values())}
    assert compare_weights(reference, moved).passed


def numbered(order):
    """Return a change of names that puts layer n at order[n]."""
    return lambda name: re.sub(r"layers\.(\d+)", lambda m: f"layers.{order[int(m[1])]}", renamed(name))


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (0, 2, 4, 6), (3, 2, 1, 0)])
def test_layers_may_be_counted_otherwise(order):
    reference = speech()
    assert compare_weights(reference, ported(reference, name=numbered(order))).passed


@pytest.mark.parametrize("order", [(0, 2, 1, 3), (3, 1, 2, 0), (1, 2, 3, 0), (4, 1, 2, 3), (1, 3, 2, 4)])
def test_layers_in_another_order_are_swapped(order):
    reference = speech()
    told = failed(reference, ported(reference, name=numbered(order)))
    rank = [sorted(order).index(number) for number in order]
    moved = {layer for layer in range(4) if rank[layer] != layer}
    assert of_status(told) == {n: "swapped" for n in reference if n.startswith("blocks") and int(n[7]) in moved}


def test_layers_of_which_one_was_left_out_are_in_order():
    reference = speech()
    candidate = {n: v for n, v in ported(reference, name=numbered((0, 9, 1, 2))).items() if "layers.9" not in n}
    assert set(of_status(failed(reference, candidate)).values()) == {"missing"}


def test_biases_that_were_added_stand_in_the_order_of_their_layers():
    lower, upper = recurrent(4), recurrent(4, seed=20)
    reference = lower | {name.replace("_l0", "_l1"): values for name, values in upper.items()}
    sums = [side["rnn.bias_ih_l0"] + side["rnn.bias_hh_l0"] for side in (lower, upper)]
    mlx = {
        f"lstm.{n}.{w}": side[f"rnn.weight_{k}_l0"]
        for n, side in enumerate((lower, upper))
        for w, k in (("Wx", "ih"), ("Wh", "hh"))
    }
    right = {**mlx, "lstm.0.bias": sums[0], "lstm.1.bias": sums[1]}
    assert compare_weights(reference, right).passed
    told = of_status(failed(reference, {**right, "lstm.0.bias": sums[1], "lstm.1.bias": sums[0]}))
    assert told == {name: "swapped" for name in reference if "bias" in name}


@pytest.mark.parametrize(("one", "other"), [("k_proj", "v_proj"), ("q_proj", "k_proj")])
def test_parts_that_stand_under_each_others_words_in_every_layer_are_swapped(one, other):
    reference = speech()
    exchanged = lambda name: renamed(name).replace(one, "@").replace(other, one).replace("@", other)  # noqa: E731
    told = failed(reference, ported(reference, name=exchanged))
    words = {"q_proj": "query", "k_proj": "key", "v_proj": "value"}
    assert of_status(told) == {n: "swapped" for n in reference if words[one] in n or words[other] in n}


def test_equal_parts_may_stand_under_either_word():
    reference = speech()
    for layer in range(4):
        reference[f"blocks.{layer}.attn.key.weight"] = reference[f"blocks.{layer}.attn.value.weight"]
    assert compare_weights(reference, ported(reference)).passed


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("attn.query.weight", "self_attn.k_proj.weight", ("query", "key")),
        ("layers.0.linear_q.weight", "att.query.w", None),
        ("attn.to_k.weight", "attn.wv.weight", ("key", "value")),
        ("q_proj.weight", "in_proj.weight", None),
        ("mlp.gate_proj.weight", "ffn_up.weight", ("gate", "up")),
        ("down.0.weight", "up_blocks.0.weight", None),
        ("mlp.down_proj.weight", "up.0.weight", None),
        ("lstm.weight_ih_l0", "lstm.0.Wh", ("input", "state")),
        ("lstm.weight_ih_l0", "lstm.0.W_ih", None),
        ("l.self_attn.out.weight", "l.encoder_attn.out.weight", ("self-attention", "cross-attention")),
        ("crossattention.self.query.weight", "cross_attn.q.weight", None),
    ],
)
def test_words_that_contradict_each_other(one, other, said):
    assert contradiction(one, other) == said


def test_a_direction_under_the_name_of_the_other_is_swapped():
    forwards, backwards = recurrent(4), recurrent(4, seed=20)
    reference = forwards | {f"{name}_reverse": values for name, values in backwards.items()}
    named = {name: name.replace("rnn.", "enc/fw/").replace("_l0", "") for name in forwards}
    right = {named[n]: v for n, v in forwards.items()} | {
        named[n].replace("fw", "back"): v for n, v in backwards.items()
    }
    assert compare_weights(reference, right).passed
    wrong = {n.replace("fw", "@").replace("back", "fw").replace("@", "back"): v for n, v in right.items()}
    assert set(of_status(failed(reference, wrong)).values()) == {"swapped"}


def test_gates_of_one_layer_must_be_in_one_order():
    reference = recurrent(4)
    iofc, ifog = (0, 3, 1, 2), (0, 1, 3, 2)
    own = {
        name.replace("rnn.", "cell_").replace("weight", "w").replace("bias", "b"): values
        for name, values in reference.items()
    }
    for order in (iofc, ifog):
        assert compare_weights(reference, {name: gates(v, order) for name, v in own.items()}).passed
    mixed = {name: gates(v, ifog if "w_hh" in name else iofc) for name, v in own.items()}
    told = failed(reference, mixed)
    assert of_status(told) == {"rnn.weight_hh_l0": "different"}
    assert told["rnn.weight_hh_l0"].detail["reason"] == "gates are ifog, and iofc in rnn.weight_ih_l0 of the same layer"
    one = {name: gates(v, ifog) if "w_ih" in name else v for name, v in own.items()}
    assert of_status(failed(reference, one)) == {"rnn.weight_ih_l0": "different"}


def test_the_second_bias_of_the_new_gate_of_a_gru_is_not_added():
    reference = recurrent(3)
    one, two = reference.pop("rnn.bias_ih_l0"), reference.pop("rnn.bias_hh_l0")
    mlx = {"g.Wx": reference["rnn.weight_ih_l0"], "g.Wh": reference["rnn.weight_hh_l0"]}
    biased = {**reference, "rnn.bias_ih_l0": one, "rnn.bias_hh_l0": two}
    assert not compare_weights(biased, {**mlx, "g.b": one + two}).passed
    two = np.where(np.arange(len(two)) < len(two) // 3 * 2, two, 0).astype(np.float32)
    assert compare_weights({**biased, "rnn.bias_hh_l0": two}, {**mlx, "g.b": one + two}).passed
