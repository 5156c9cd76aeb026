"""Default initialisation recognised, trained weights not taken for it, and the mistake named."""

from __future__ import annotations

import math
from importlib import metadata

import numpy as np
import pytest

from pytest_audioparity import compare_weights
from pytest_audioparity.weights.files import open_weights
from pytest_audioparity.weights.initialisers import initialiser
from tests.weights.test_matching_statuses import entry, heavy, statuses

RNG = np.random.default_rng(11)


def uniform(shape, bound):
    return RNG.uniform(-bound, bound, shape).astype(np.float32)


def normal(shape, sigma):
    return (RNG.standard_normal(shape) * sigma).astype(np.float32)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (uniform((64, 48), 1 / math.sqrt(48)), "U(±1/sqrt(48))"),
        (uniform((64, 48, 5), 1 / math.sqrt(240)), "U(±1/sqrt(240))"),
        (uniform((96, 24), 1 / math.sqrt(24)), "U(±1/sqrt(24))"),
        (uniform((64, 48), math.sqrt(6 / 112)), "Glorot uniform"),
        (uniform((64, 48), math.sqrt(6 / 48)), "He uniform"),
        (normal((300, 64), 1.0), "N(0, 1)"),
        (normal((300, 64), 0.02), "N(0, 0.02)"),
        (normal((64, 48), math.sqrt(2 / 112)), "Glorot normal"),
        (np.clip(normal((1, 64), 0), 0, 0), "zeros"),
        (np.ones(64, np.float32), "ones"),
    ],
)
def test_each_initialiser_is_named_in_single_and_half_precision(values, name):
    assert initialiser(values, [values.shape])["initialiser"].startswith(name)
    assert initialiser(values.astype(np.float16), [values.shape])["initialiser"].startswith(name)


def test_two_added_vectors_are_named_in_recurrent_layers_only():
    both = uniform(96, 24**-0.5) + uniform(96, 24**-0.5)
    assert initialiser(both, [(96,)], is_recurrent=True)["initialiser"].startswith("two added, of U(±1/sqrt(24))")
    assert initialiser(both, [(96,)]) is None


def test_a_range_or_a_shape_of_no_initialiser_is_not_named():
    for values in (uniform((16, 48), 0.123), heavy((64, 48), 1), uniform((16, 48), 1 / math.sqrt(48)) * 1.01):
        assert initialiser(values, [(64, 48)]) is None
    one_beyond = uniform((64, 48), 1 / math.sqrt(48))
    one_beyond[0, 0] = 0.2
    assert initialiser(one_beyond, [(64, 48)]) is None


def test_a_gain_of_the_models_own_does_not_hide_an_initialisation():
    drawn = np.random.default_rng(5).standard_normal((64, 48))
    for values, name in ((uniform((64, 48), 0.123), "U(±0.123), with a gain"), (drawn * 0.0071, "N(0, 0.007")):
        assert initialiser(values, [(64, 48)])["initialiser"].startswith(name)
    rows, columns = np.linspace(0.8, 1.2, 64)[:, None], np.linspace(0.8, 1.2, 48)
    for values in (drawn * 0.0071 * rows, drawn * 0.0071 * columns, heavy((64, 48), 1)):
        assert initialiser(values, [(64, 48)]) is None


def test_no_trained_tensor_looks_untrained(needs):
    """None of the tensors of a trained VAD that are large enough for a test."""
    needs("silero_vad")
    taken = [_in_wheel("silero-vad", "silero_vad/data/silero_vad_16k_op15.onnx")]
    looked = 0
    for path in taken:
        for weight in open_weights(path).weights:
            values = weight.read()
            if values.size >= 48:
                looked += 1
                assert initialiser(values, [weight.shape]) is None, weight.name
    assert looked >= 13


@pytest.mark.parametrize("seed", range(3))
def test_fresh_modules_of_torch_are_recognised(needs, seed):
    needs("torch")
    import torch

    torch.manual_seed(seed)
    modules = {
        "linear": torch.nn.Linear(24, 16),
        "conv": torch.nn.Conv1d(8, 16, 3),
        "up": torch.nn.ConvTranspose1d(16, 8, 4),
        "lstm": torch.nn.LSTM(12, 20),
        "gru": torch.nn.GRU(12, 20),
        "embedding": torch.nn.Embedding(50, 16),
    }
    fresh = {f"{n}.{p}": v.detach() for n, m in modules.items() for p, v in m.named_parameters()}
    trained = {name: heavy(tuple(values.shape), place) for place, (name, values) in enumerate(fresh.items())}
    result = compare_weights(trained, fresh)
    wrong = [one.name for one in result.matches if one.status != "random_init"]
    assert not wrong
    assert "never loaded" in result.notes[-1]


def test_fresh_modules_of_mlx_are_recognised(needs):
    needs("mlx")
    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_flatten

    mx.random.seed(5)
    modules = {"linear": nn.Linear(24, 16), "conv": nn.Conv1d(8, 16, 3), "lstm": nn.LSTM(12, 20)}
    modules["embedding"] = nn.Embedding(50, 16)
    fresh = {f"{n}.{p}": v for n, m in modules.items() for p, v in tree_flatten(m.parameters())}
    trained = {name: heavy(tuple(values.shape), place) for place, (name, values) in enumerate(fresh.items())}
    told = statuses(trained, fresh)
    assert {name for name, status in told.items() if status != "random_init"} <= {"conv.bias"}


@pytest.fixture
def model():
    parts = ("encoder.0", "encoder.1", "decoder.0", "decoder.1")
    tensors = {f"{part}.weight": heavy((32, 48), place) for place, part in enumerate(parts)}
    return tensors | {f"{part}.bias": heavy(32, 10 + place) for place, part in enumerate(parts)}


def untrained(model, prefix=""):
    bound = 1 / math.sqrt(48)
    return {n: uniform(v.shape, bound) if n.startswith(prefix) else v for n, v in model.items()}


def test_a_model_that_was_never_loaded_is_said_so(model):
    result = compare_weights(model, untrained(model))
    assert {one.status for one in result.matches} == {"random_init"}
    assert "never loaded" in result.notes[-1]


def test_a_part_that_was_not_loaded_is_named(model):
    result = compare_weights(model, untrained(model, "decoder"))
    random = {one.name for one in result.matches if one.status == "random_init"}
    assert random == {name for name in model if name.startswith("decoder")}
    assert "all of them under 'decoder'" in result.notes[-1]


def test_a_bias_too_short_for_a_test_is_judged_with_its_weight(model):
    told = entry(model, untrained(model, "encoder.1"), "encoder.1.bias")
    assert (told.status, told.detail["as"]) == ("random_init", "encoder.1.weight")


def test_tensors_converted_from_random_weights_under_other_names_are_found_by_shape(model):
    renamed = {f"const_{place}": values for place, values in enumerate(untrained(model).values())}
    told = compare_weights(model, renamed).matches
    assert {one.status for one in told if one.name.endswith("weight")} == {"random_init"}


def test_a_lost_bias_of_zeros_is_random_init_and_another_seed_is_said(model):
    lost = {**model, "decoder.1.bias": np.zeros(32, np.float32)}
    assert entry(model, lost, "decoder.1.bias").detail["initialiser"] == "zeros"
    told = entry(untrained(model), untrained(model), "encoder.0.weight")
    assert "another seed" in told.detail["reference"]


def _in_wheel(package, name):
    return metadata.distribution(package).locate_file(name)
