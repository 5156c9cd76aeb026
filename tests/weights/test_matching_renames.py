"""Tensors that were exchanged in a candidate with names of its own: the names of the others tell where they belong."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pytest_audioparity import compare_weights
from pytest_audioparity.cli import main
from tests.weights.test_matching_statuses import heavy

SHAPES = {"weight": (24, 24), "bias": (24,)}
LAYERS = ("q_proj", "k_proj", "ln1", "ln2", "fc1")


def transformer():
    names = [
        f"{side}.{layer}.{part}.{kind}"
        for side in ("encoder", "decoder")
        for layer in range(3)
        for part in LAYERS
        for kind in ("weight", "bias")
    ]
    return {name: heavy(SHAPES[name.rpartition(".")[2]], place) for place, name in enumerate(names)}


def vocoder():
    kinds = {"weight": (16, 16, 3), "bias": (16,)}
    names = [f"resblocks.{n}.convs{c}.{d}" for n in range(4) for c in (1, 2) for d in range(2)]
    names = ["pre.weight", *(f"{name}.{kind}" for name in names for kind in kinds)]
    return {name: heavy(kinds[name.rpartition(".")[2]], place) for place, name in enumerate(names)}


def recurrent():
    shapes = {"weight_ih": (64, 16), "weight_hh": (64, 16), "bias_ih": (64,), "bias_hh": (64,)}
    names = [f"rnn.{part}_l{layer}{end}" for layer in (0, 1) for part in shapes for end in ("", "_reverse")]
    return {name: heavy(shapes[name[4:].partition("_l")[0]], place) for place, name in enumerate(names)}


def short(name):
    name = name.replace("encoder.", "enc.h").replace("decoder.", "dec.h").replace("q_proj", "att.query")
    return name.replace("k_proj", "att.key").replace("ln", "norm_").replace("weight", "w")


def grouped(name):
    return re.sub(r"resblocks\.(\d)\.convs(\d)", lambda m: f"mrf.{int(m[1]) // 2}.{int(m[1]) % 2}.c{m[2]}", name)


def backwards(name):
    return re.sub(r"resblocks\.(\d)", lambda m: f"blocks.{3 - int(m[1])}", name)


def ways(name):
    return name.replace("_reverse", "/bw") if "_reverse" in name else f"{name}/fw"


SWAPS = [
    (transformer, short, "encoder.0.fc1.weight", "encoder.1.fc1.weight"),
    (transformer, short, "encoder.1.q_proj.weight", "encoder.1.k_proj.weight"),
    (transformer, short, "decoder.2.ln1.weight", "decoder.2.ln2.weight"),
    (transformer, short, "decoder.0.ln1.bias", "encoder.0.ln1.bias"),
    (transformer, short, "encoder.0.ln2.bias", "decoder.1.ln1.bias"),
    (vocoder, grouped, "resblocks.1.convs1.0.weight", "resblocks.2.convs1.0.weight"),
    (vocoder, backwards, "resblocks.1.convs2.1.bias", "resblocks.1.convs2.0.bias"),
    (recurrent, ways, "rnn.weight_hh_l0", "rnn.weight_hh_l0_reverse"),
    (recurrent, ways, "rnn.bias_ih_l0", "rnn.bias_ih_l1"),
]


@pytest.mark.parametrize(("model", "renamed", "one", "other"), SWAPS)
def test_two_exchanged_tensors_are_swapped_under_names_of_their_own(model, renamed, one, other):
    reference = model()
    candidate = {renamed(name): values.astype(np.float16) for name, values in reference.items()}
    assert compare_weights(reference, candidate).passed
    candidate[renamed(one)], candidate[renamed(other)] = candidate[renamed(other)], candidate[renamed(one)]
    failed = {match.name: match for match in compare_weights(reference, candidate).matches if not match.passed}
    assert {name: match.status for name, match in failed.items()} == {one: "swapped", other: "swapped"}
    assert (failed[one].detail["is_under"], failed[one].detail["belongs_under"]) == (renamed(other), renamed(one))


def test_one_of_two_layers_with_exchanged_weights_keeps_its_number():
    """The weights or the biases were exchanged: the names say that much, and the numbers which."""
    reference = {f"ups.{n}.{kind}": heavy(shape, n + shape[0]) for n in range(3) for kind, shape in SHAPES.items()}
    candidate = {name.replace("ups", "up"): values for name, values in reference.items()}
    candidate["up.0.weight"], candidate["up.1.weight"] = candidate["up.1.weight"], candidate["up.0.weight"]
    failed = {match.name for match in compare_weights(reference, candidate).matches if match.status == "swapped"}
    assert failed == {"ups.0.weight", "ups.1.weight"}


def test_names_that_follow_no_rule_say_nothing():
    reference = transformer()
    order = np.random.default_rng(4).permutation(len(reference))
    for names in ([f"onnx::MatMul_{n}" for n in order], [f"{n // 7}.{n % 7}.w" for n in order]):
        assert compare_weights(reference, dict(zip(names, reference.values(), strict=True))).passed


def test_equal_tensors_are_not_swapped_under_names_of_their_own():
    reference = transformer()
    reference["encoder.0.fc1.weight"] = reference["encoder.1.fc1.weight"]
    assert compare_weights(reference, {short(name): values for name, values in reference.items()}).passed


def test_the_report_says_where_a_swapped_tensor_belongs(tmp_path, capsys):
    reference = transformer()
    candidate = {short(name): values for name, values in reference.items()}
    candidate["enc.h0.fc1.w"], candidate["enc.h1.fc1.w"] = candidate["enc.h1.fc1.w"], candidate["enc.h0.fc1.w"]
    np.savez(tmp_path / "a.npz", **reference)
    np.savez(tmp_path / "b.npz", **candidate)
    assert main(["weights", str(tmp_path / "a.npz"), str(tmp_path / "b.npz")]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "is under the name enc.h1.fc1.w; the names of the other tensors say" in shown
    assert "it belongs under enc.h0.fc1.w" in shown
