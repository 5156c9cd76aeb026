"""Weight norm and batch norm folded by a converter, found by computing them."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_audioparity import compare_weights
from tests.weights.test_matching_statuses import entry, heavy, statuses


def normed(prefix="conv."):
    return {f"{prefix}weight_g": np.abs(heavy((32, 1, 1), 1)) + 0.1, f"{prefix}weight_v": heavy((32, 8, 5), 2)}


def folded(tensors):
    g, v = (values.astype(np.float32) for values in tensors.values())
    return (v * (g / np.sqrt((v * v).sum((1, 2), keepdims=True)))).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_weight_norm_is_fused_in_any_layout_and_back(dtype):
    weight = folded(normed())
    for candidate in (weight, weight.transpose(0, 2, 1), weight.transpose(1, 2, 0)[:, ::-1]):
        assert set(statuses(normed(), {"w": candidate.astype(dtype)}).values()) == {"fused"}
    assert statuses({"w": weight}, normed()) == {"w": "fused"}


def test_both_names_of_weight_norm_in_torch_are_known():
    g, v = normed().values()
    names = {"c.parametrizations.weight.original0": g, "c.parametrizations.weight.original1": v}
    assert set(statuses(names, {"c.weight": folded(normed())}).values()) == {"fused"}


def test_weight_norm_that_was_not_folded_does_not_pass():
    g, v = normed()
    told = statuses(normed(), {"conv.weight": normed()[v]})
    assert told == {g: "missing", v: "same"}
    wrong = folded(normed())
    wrong[3] *= 1.01
    assert set(statuses(normed(), {"conv.weight": wrong}).values()) == {"missing"}


@pytest.fixture
def layers():
    tensors = {}
    for number in (0, 1):
        seed = 10 * number
        tensors[f"{number}.conv.weight"] = heavy((16, 16, 3), seed)
        tensors[f"{number}.conv.bias"] = heavy(16, seed + 1)
        tensors[f"{number}.bn.weight"] = 1 + heavy(16, seed + 2)
        tensors[f"{number}.bn.bias"] = heavy(16, seed + 3)
        tensors[f"{number}.bn.running_mean"] = heavy(16, seed + 4)
        tensors[f"{number}.bn.running_var"] = 0.5 + np.abs(heavy(16, seed + 5))
        tensors[f"{number}.bn.num_batches_tracked"] = np.array(7)
    return tensors


def fold(tensors, number, eps):
    factor = tensors[f"{number}.bn.weight"] / np.sqrt(tensors[f"{number}.bn.running_var"] + np.float32(eps))
    shift = (tensors[f"{number}.conv.bias"] - tensors[f"{number}.bn.running_mean"]) * factor
    return tensors[f"{number}.conv.weight"] * factor[:, None, None], shift + tensors[f"{number}.bn.bias"]


@pytest.mark.parametrize("eps", [1e-5, 1e-3])
def test_batch_norm_is_fused_into_its_layer_and_its_epsilon_named(layers, eps):
    candidate = {}
    for number in (0, 1):
        candidate[f"w{number}"], candidate[f"b{number}"] = fold(layers, number, eps)
    assert set(statuses(layers, candidate).values()) == {"fused"}
    assert entry(layers, candidate, "1.conv.weight").detail["eps"] == eps


def test_batch_norm_kept_as_factor_and_shift_is_fused(layers):
    only = {name: values for name, values in layers.items() if name.startswith("0.bn")}
    factor = only["0.bn.weight"] / np.sqrt(only["0.bn.running_var"] + np.float32(1e-5))
    shift = only["0.bn.bias"] - only["0.bn.running_mean"] * factor
    assert set(statuses(only, {"scale": factor, "shift": shift}).values()) == {"fused"}
    assert "missing" in statuses(only, {"scale": factor, "shift": shift + 0.01}).values()


def test_batch_norm_folded_without_its_mean_does_not_pass(layers):
    candidate = {}
    for number in (0, 1):
        candidate[f"w{number}"], candidate[f"b{number}"] = fold(layers, number, 1e-5)
    candidate["b1"] = candidate["b1"] + 0.01 * layers["1.bn.running_mean"]
    told = statuses(layers, candidate)
    assert {told[name] for name in layers if name.startswith("0.")} == {"fused"}
    assert told["1.bn.running_mean"] == "missing"


@pytest.mark.parametrize("form", ["weight_{}", "parametrizations.weight.original{}"])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_one_norm_for_the_whole_weight_is_fused(form, shape):
    names = [f"conv.{form.format(end)}" for end in (("g", "v") if "_" in form else "01")]
    direction = heavy((16, 8, 3), 2)
    reference = {names[0]: np.full(shape, 3.5, np.float32), names[1]: direction}
    folded = (3.5 * direction / np.sqrt((direction.astype(np.float64) ** 2).sum())).astype(np.float32)
    told = compare_weights(reference, {"conv.weight": folded.transpose(0, 2, 1)})
    assert {one.status for one in told.matches} == {"fused"}
    assert not compare_weights(reference, {"conv.weight": folded * np.float32(1.01)}).passed


def codebooks():
    """Return what Mimi keeps of its codebooks, and the codebooks."""
    kept, made = {}, {}
    for n in range(3):
        usage = np.exp(heavy(64, n, scale=2.0))
        usage[5] = 0  # never used
        total = heavy((64, 8), n + 10) * usage[:, None]
        name = f"vq.layers.{n}._codebook"
        kept |= {f"{name}.cluster_usage": usage, f"{name}.embedding_sum": total, f"{name}._initialized": np.ones(1)}
        made[f"vq.{n}.embed"] = (total.astype(np.float64) / np.maximum(usage, 1e-5)[:, None]).astype(np.float32)
    return kept, made


def test_codebooks_are_fused_from_their_sums_and_usage_and_back():
    kept, made = codebooks()
    for candidate in (made, {"codebooks": np.stack(list(made.values())).astype(np.float16)}):
        assert {one.status for one in compare_weights(kept, candidate).matches} == {"fused"}
    assert {one.status for one in compare_weights(made, kept).matches} == {"fused"}


def test_codebooks_that_were_not_divided_by_their_usage_do_not_pass():
    kept, made = codebooks()
    sums = {name: kept[f"vq.layers.{n}._codebook.embedding_sum"] for n, name in enumerate(made)}
    assert not compare_weights(kept, sums).passed
    assert not compare_weights(kept, {**made, "vq.1.embed": sums["vq.1.embed"]}).passed


def test_averages_of_the_training_may_be_left_out_where_the_codebook_is():
    book, usage = heavy((64, 8), 1), np.abs(heavy(64, 2)) + 1
    kept = {"embed": book, "embed_avg": book * usage[:, None], "cluster_size": usage, "inited": np.ones(1, np.float32)}
    reference = {f"q.{name}": values for name, values in kept.items()}
    assert compare_weights(reference, {"q.embed": book}).passed
    told = {one.name: one.passed for one in compare_weights(reference, {"q.embed": book * 2}).matches}
    assert told == {"q.embed": False, "q.embed_avg": False, "q.cluster_size": False, "q.inited": True}
    assert not compare_weights(reference, {**reference, "q.cluster_size": usage * 2}).passed
