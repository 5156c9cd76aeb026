"""Real models as their converters write them: what passes, and files that are not the model they claim to be."""

from __future__ import annotations

import importlib.util
from importlib import metadata

import numpy as np
import pytest

from pytest_audioparity import compare_weights
from pytest_audioparity.weights.initialisers import initialiser
from tests.weights.test_matching_rows import IOFC, gates


def silero(name):
    return metadata.distribution("silero-vad").locate_file(f"silero_vad/data/{name}")


@pytest.mark.parametrize(
    ("reference", "candidate"),
    [
        ("silero_vad.jit", "silero_vad.onnx"),
        ("silero_vad.onnx", "silero_vad.jit"),
        ("silero_vad_16k_op15.onnx", "silero_vad.jit"),
    ],
)
def test_the_two_forms_of_a_vad_hold_the_same_weights(needs, reference, candidate):
    needs("silero_vad")
    result = compare_weights(silero(reference), silero(candidate))
    assert result.passed
    assert {one.status for one in result.matches} == {"same"}


@pytest.mark.parametrize(
    ("candidate", "status"), [("silero_vad_half.onnx", "different"), ("silero_vad_16k.safetensors", "missing")]
)
def test_two_files_of_the_same_wheel_are_not_the_model_they_claim_to_be(needs, candidate, status):
    needs("silero_vad")
    result = compare_weights(silero("silero_vad_16k_op15.onnx"), silero(candidate))
    told = {one.name: one.status for one in result.matches}
    assert told.pop("model.stft.forward_basis_buffer") == "same"
    assert set(told.values()) == {status}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """Return a trained LSTM encoder in torch, its state, and the ONNX file that torch exports."""
    for package in ("torch", "resemblyzer"):
        if importlib.util.find_spec(package) is None:  # the fixture `needs` serves one test only
            pytest.skip(f"left out for lack of {package}")
    import torch

    path = metadata.distribution("Resemblyzer").locate_file("resemblyzer/pretrained.pt")
    stored = torch.load(path, map_location="cpu", weights_only=True)["model_state"]

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(40, 256, 3, batch_first=True)
            self.linear = torch.nn.Linear(256, 256)

        def forward(self, mel):
            return self.linear(self.lstm(mel)[1][0][-1])

    def exported(module, name):
        file = tmp_path_factory.mktemp("onnx") / name
        torch.onnx.export(module, (torch.zeros(1, 20, 40),), file, dynamo=False)
        return file

    torch.manual_seed(0)
    fresh = exported(Encoder(), "fresh.onnx")
    module = Encoder()
    module.load_state_dict({name: values for name, values in stored.items() if "similarity" not in name})
    return module.state_dict(), exported(module.eval(), "encoder.onnx"), fresh


@pytest.mark.filterwarnings("ignore")
def test_an_lstm_passes_in_onnx_with_its_gates_reordered_and_back(encoder):
    state, exported, _ = encoder
    result = compare_weights(state, exported)
    assert result.passed
    assert {one.detail["gates"] for one in result.matches if "lstm" in one.name} == {"ifgo -> iofc"}
    assert compare_weights(exported, state).passed


@pytest.mark.filterwarnings("ignore")
def test_no_tensor_of_a_trained_encoder_looks_untrained(encoder):
    for name, values in encoder[0].items():
        assert initialiser(values.numpy(), [tuple(values.shape), (1024, 256), (1024, 40)]) is None, name


@pytest.mark.filterwarnings("ignore")
def test_an_lstm_passes_in_mlx_unless_its_gates_are_reordered(encoder):
    state, _, _ = encoder
    plain = {name: values.numpy() for name, values in state.items()}
    mlx = {f"linear.{part}": plain[f"linear.{part}"] for part in ("weight", "bias")}
    for layer in range(3):
        for own, other in (("Wx", "weight_ih"), ("Wh", "weight_hh")):
            mlx[f"lstm.{layer}.{own}"] = plain[f"lstm.{other}_l{layer}"]
        mlx[f"lstm.{layer}.bias"] = plain[f"lstm.bias_ih_l{layer}"] + plain[f"lstm.bias_hh_l{layer}"]
    assert compare_weights(state, mlx).passed
    wrong = {name: gates(v, IOFC) if name.startswith("lstm.1") else v for name, v in mlx.items()}
    failing = [one for one in compare_weights(state, wrong).matches if not one.passed]
    assert {one.name for one in failing} == {name for name in state if name.endswith("l1")}
    assert {one.detail["reason"] for one in failing} == {"gates are iofc, and mlx reads them as ifgo"}


@pytest.mark.filterwarnings("ignore")
def test_an_onnx_file_exported_from_random_weights_is_said_so(encoder):
    state, _, fresh = encoder
    result = compare_weights(state, fresh)
    assert {one.status for one in result.matches} == {"random_init"}
    assert any("never loaded" in note for note in result.notes)


@pytest.mark.filterwarnings("ignore")
def test_nets_pass_as_torch_exports_them(needs, tmp_path):
    needs("torch")
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv1d(8, 16, 3),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.utils.parametrizations.weight_norm(nn.Conv1d(16, 16, 5)),
        nn.Tanh(),
        nn.ConvTranspose1d(16, 4, 4, 2),
    )
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(5):
        optimiser.zero_grad()
        net(torch.randn(4, 8, 40)).pow(2).mean().backward()
        optimiser.step()
    reference = {name: values.clone() for name, values in net.eval().state_dict().items()}
    nn.utils.parametrize.remove_parametrizations(net[3], "weight")
    torch.onnx.export(net, (torch.randn(1, 8, 40),), tmp_path / "net.onnx", dynamo=False)
    result = compare_weights(reference, tmp_path / "net.onnx")
    assert result.passed
    assert sum(one.status == "fused" for one in result.matches) == 9
    assert not result.extra
    assert np.isclose(result.matches[0].detail["eps"], 1e-5)
