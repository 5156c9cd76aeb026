"""Tensors that the candidate holds in one, or in pieces: in which order, turned how, and beside what."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare_weights
from tests.weights.test_matching_places import failed, of_status
from tests.weights.test_matching_statuses import heavy

WIDE, HEAD = 24, 6
PARTS = ("q_proj", "k_proj", "v_proj")


def attention(layers=3):
    shapes = {"weight": (WIDE, WIDE), "bias": (WIDE,)}
    names = [f"layers.{n}.attn.{part}.{kind}" for n in range(layers) for part in PARTS for kind in shapes]
    return {name: heavy(shapes[name.rpartition(".")[2]], place) for place, name in enumerate(names)}


def in_turn(parts):
    return np.stack([part.reshape(-1, HEAD, *part.shape[1:]) for part in parts], 1).reshape(-1, *parts[0].shape[1:])


def joined(reference, name="fused", order=lambda *_: (0, 1, 2), join=lambda *_: np.concatenate):
    """Return Q, K and V of each layer in one, in an order and a way that depend on layer and kind."""
    made = {}
    for layer in range(3):
        for kind in ("weight", "bias"):
            parts = [reference[f"layers.{layer}.attn.{PARTS[n]}.{kind}"] for n in order(layer, kind)]
            made[f"layers.{layer}.attn.{name}.{kind}"] = join(layer, kind)(parts)
    return made


@pytest.mark.parametrize("join", [np.concatenate, in_turn])
def test_q_k_and_v_are_fused_one_after_the_other_or_by_heads_and_back(join):
    reference = attention()
    for order in ((0, 1, 2), (2, 0, 1)):
        fused = joined(reference, order=lambda *_, order=order: order, join=lambda *_: join)
        assert compare_weights(reference, fused).passed
        assert compare_weights(fused, reference).passed


def test_layers_that_are_joined_in_another_order_than_the_others_are_different():
    reference = attention()
    told = failed(reference, joined(reference, order=lambda layer, _: (1, 0, 2) if layer == 1 else (0, 1, 2)))
    wrong = {f"layers.1.attn.{part}.{kind}": "different" for part in PARTS[:2] for kind in ("weight", "bias")}
    assert of_status(told) == wrong
    assert (
        told["layers.1.attn.q_proj.bias"].detail["reason"] == "stands where k_proj does in layers.0.attn.fused.weight"
    )


def test_biases_that_are_joined_otherwise_than_their_weights_are_different():
    reference = attention()
    other = joined(reference, order=lambda layer, kind: (0, 2, 1) if layer == 2 and kind == "bias" else (0, 1, 2))
    assert of_status(failed(reference, other)) == {f"layers.2.attn.{part}.bias": "different" for part in PARTS[1:]}
    by_heads = joined(reference, join=lambda layer, kind: np.concatenate if kind == "bias" and layer == 1 else in_turn)
    assert of_status(failed(reference, by_heads)) == {f"layers.1.attn.{part}.bias": "different" for part in PARTS}


def test_a_matrix_turned_among_those_it_is_joined_with_is_different():
    reference = attention()
    turned = {**reference, "layers.1.attn.k_proj.weight": reference["layers.1.attn.k_proj.weight"].T}
    assert of_status(failed(reference, joined(turned))) == {"layers.1.attn.k_proj.weight": "different"}


def test_pieces_must_be_in_the_order_that_their_names_say():
    reference = attention()
    exchanged = dict(reference)
    k, v = "layers.1.attn.k_proj.weight", "layers.1.attn.v_proj.weight"
    exchanged[k], exchanged[v] = reference[v], reference[k]
    for name, reason in (
        ("in_proj", "in the order layers.1.attn.q_proj.weight, layers.1.attn.v_"),
        ("fused", "value, key"),
    ):
        told = failed(joined(reference, name), exchanged)
        assert of_status(told) == {f"layers.1.attn.{name}.weight": "different"}
        assert reason in told[f"layers.1.attn.{name}.weight"].detail["reason"]


def test_a_copy_of_a_piece_does_not_hide_the_pieces_of_another_layer():
    reference = attention()
    stale = {**reference, "layers.1.attn.k_proj.weight": reference["layers.0.attn.k_proj.weight"]}
    assert list(failed(joined(reference), stale)) == ["layers.1.attn.fused.weight"]


def test_gate_and_up_stand_in_the_order_of_the_name_that_they_are_joined_under():
    reference = {f"{part}_proj.weight": heavy((40, WIDE), n) for n, part in enumerate(("gate", "up"))}
    for name, order, wrong in (("gate_up_proj", 1, 0), ("gate_up_proj", -1, 2), ("both", -1, 0)):
        told = failed(reference, {f"{name}.weight": np.concatenate(list(reference.values())[::order])})
        assert of_status(told) == dict.fromkeys(list(reference)[:wrong], "different")


@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 2, 1)])
def test_layers_and_codebooks_that_were_stacked_are_in_the_order_of_their_numbers(axes):
    reference = {f"vq.{n}.codebook": heavy((32, 8), n) for n in range(11)}
    values = list(reference.values())
    assert compare_weights(reference, {"codebooks": np.stack(values).transpose(axes)}).passed
    values[2], values[10] = values[10], values[2]
    told = failed(reference, {"codebooks": np.stack(values).transpose(axes)})
    assert of_status(told) == {"vq.2.codebook": "different", "vq.10.codebook": "different"}
    unstacked = {f"quantizer.{n}.embed": part for n, part in enumerate(values)}
    assert compare_weights({"codebooks": np.stack(values)}, unstacked).passed
    assert not compare_weights({"codebooks": np.stack(list(reference.values()))}, unstacked).passed


@pytest.mark.parametrize("name", ["embed_tokens.weight", "wte", "lm.weight"])
def test_rows_in_front_of_a_table_are_different_and_behind_it_are_not(name):
    reference = {"embed_tokens.weight": heavy((60, 16), 1), "lm.weight": heavy((16, 20), 2)}
    table, rows = reference.pop("embed_tokens.weight" if name != "lm.weight" else "lm.weight"), heavy((3, 16), 3)
    rows = rows if table.shape[1] == 16 else heavy((3, 20), 3)
    original = "embed_tokens.weight" if name != "lm.weight" else name
    reference[original] = table
    others = {key: values for key, values in reference.items() if key != original}
    for more, passes in (([rows, table], False), ([table, rows], name != "lm.weight"), ([table, rows * 0], True)):
        told = compare_weights(reference, {**others, name: np.concatenate(more)})
        assert told.passed is passes, [(one.name, one.status, one.detail) for one in told.matches]


def test_two_tables_in_one_are_fused():
    text, audio = heavy((60, 16), 1), heavy((30, 16), 2)
    both = {"embed.weight": np.concatenate([text, audio])}
    assert compare_weights({"text_embed.weight": text, "embed.weight": audio}, both).passed


def exchanged(values, head):
    """Return rows with rotary halves and pairs exchanged in each head."""
    return values.reshape(-1, 2, head // 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape)


@pytest.mark.parametrize(
    ("wrong", "heads"),
    [
        ((), {"q_proj": 8, "k_proj": 8}),
        (("q_proj",), {"q_proj": 8}),
        (("v_proj",), {"q_proj": 8, "k_proj": 8, "v_proj": 8}),
        (("q_proj", "k_proj"), {"q_proj": 8, "k_proj": 24}),
    ],
)
def test_rotary_order_passes_for_q_and_k_in_heads_of_one_size(wrong, heads):
    reference = {name: values for name, values in attention().items() if name.endswith("weight")}
    changed = {
        name.replace("_proj", ""): exchanged(values, head) if (head := heads.get(name.split(".")[3])) else values
        for name, values in reference.items()
    }
    assert of_status(failed(reference, changed)) == {n: "different" for n in reference if n.split(".")[3] in wrong}


def test_rotary_order_in_one_layer_alone_is_different():
    reference = {name: values for name, values in attention().items() if name.endswith("weight")}
    part = ("layers.1.attn.q_proj.weight", "layers.1.attn.k_proj.weight")
    changed = {n.replace("_proj", ""): exchanged(v, 8) if n in part else v for n, v in reference.items()}
    assert of_status(failed(reference, changed)) == dict.fromkeys(part, "different")


def test_a_head_that_was_tied_and_holds_other_values_is_different():
    table = heavy((60, 16), 1)
    reference = {"embed.weight": table, "lm_head.weight": table}
    assert compare_weights(reference, {"embed.weight": table}).passed
    told = failed(reference, {"embed.weight": table, "lm_head.weight": heavy((60, 16), 2)})
    assert of_status(told) == {"lm_head.weight": "different"}


def test_magnitude_and_direction_of_one_weight_have_one_verdict():
    magnitude, direction = np.abs(heavy((16, 1, 1), 1)) + 1, heavy((16, 16, 3), 2)
    folded = magnitude * direction / np.sqrt((direction**2).sum((1, 2), keepdims=True))
    reference = {"conv.weight_g": magnitude, "conv.weight_v": direction}
    assert of_status(failed(reference, {"conv.weight": folded[..., ::-1]})) == dict.fromkeys(reference, "different")
