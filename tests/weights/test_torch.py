"""Checkpoints of torch, zipped or not, and TorchScript: every tensor is read and nothing is unpickled."""

from __future__ import annotations

import io
import pickle
import zipfile
from importlib import metadata

import numpy as np
import pytest

from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.weights import pickles, trees
from pytest_audioparity.weights.files import open_weights
from tests.weights.samples import DATA, expected, values_of, weights_of


@pytest.mark.parametrize("name", ["zip.pt", "legacy.pt"])
def test_a_checkpoint_has_the_values_that_torch_reads(name):
    """Strides, offsets and shared storages included; the state of its optimiser is left out."""
    file, values, wanted = open_weights(DATA / name), values_of(DATA / name), expected("torch")
    assert values.keys() == wanted.keys()
    for key, value in wanted.items():
        np.testing.assert_array_equal(values[key].astype(value.dtype), value)
    assert weights_of(DATA / name)["model.per_channel"].stored == "qint8"
    assert weights_of(DATA / name)["model.bits"].dtype == "bfloat16"
    assert file.notes == ("'optimizer' is the state of an optimiser and is left out",)


def test_a_torchscript_archive_has_its_parameters_buffers_and_constants():
    values, wanted = values_of(DATA / "traced.pt"), expected("traced")
    assert values.keys() == wanted.keys()
    for key, value in wanted.items():
        np.testing.assert_array_equal(values[key], value)


@pytest.fixture
def silero(needs):
    """Return a file of the package."""

    def find(name):
        needs("silero_vad")
        return next(file for file in metadata.files("silero-vad") if file.name == name).locate()

    return find


def test_a_real_archive_and_its_onnx_export_hold_the_same_weights(silero):
    scripted, exported = values_of(silero("silero_vad.jit")), values_of(silero("silero_vad_16k_op15.onnx"))
    kept = {array.tobytes() for array in exported.values()}
    ours = {name for name in scripted if name.startswith("_model.")}
    assert len(ours) == 15
    assert all(scripted[name].tobytes() in kept for name in ours)


@pytest.mark.filterwarnings("ignore:.torch.jit.load. is deprecated:DeprecationWarning")
def test_a_real_archive_has_the_values_that_torch_reads(needs, silero):
    needs("torch")
    import torch

    values = values_of(silero("silero_vad.jit"))
    state = torch.jit.load(str(silero("silero_vad.jit"))).state_dict()
    assert values.keys() == state.keys()
    for name, tensor in state.items():
        np.testing.assert_array_equal(values[name], tensor.numpy())


@pytest.mark.parametrize("zipped", [True, False])
def test_every_type_of_number_is_the_one_that_torch_reads(needs, tmp_path, zipped):
    needs("torch")
    import torch

    base = torch.arange(-12.0, 12.0).reshape(4, 6)
    names = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128 float8_e5m2 uint16"
    state = {name: base.abs().to(getattr(torch, name)) for name in names.split()}
    state |= {"row": base[0].expand(3, 6), "parameter": torch.nn.Parameter(base), "column": base[:, 1], "none": None}
    state |= {"empty": torch.zeros(0, 3), "parts": [torch.ones(2), (torch.zeros(1), "text")]}
    torch.save(state, tmp_path / "a.ckpt", _use_new_zipfile_serialization=zipped)
    values = values_of(tmp_path / "a.ckpt")
    wanted = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    assert values.keys() == {*wanted, "parts.0", "parts.1.0"}
    for name, tensor in wanted.items():
        plain = tensor.detach().float().numpy() if name in ("bfloat16", "float8_e5m2") else tensor.detach().numpy()
        np.testing.assert_array_equal(values[name].astype(plain.dtype), plain)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickled_module_has_the_names_of_its_state(needs, tmp_path, zipped):
    needs("torch")
    import torch

    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2), torch.nn.GRU(2, 2))
    torch.save(module, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    assert [weight.name for weight in open_weights(tmp_path / "a.pt").weights] == list(module.state_dict())


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_packed_parameters_of_a_quantised_archive_are_read(needs, tmp_path):
    needs("torch")
    import torch

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(8, 4)).eval()
    quantised = torch.ao.quantization.quantize_dynamic(module, {torch.nn.Linear}, dtype=torch.qint8)
    torch.jit.script(quantised).save(str(tmp_path / "a.pt"))
    weight, bias = weights_of(tmp_path / "a.pt").values()
    assert weight.stored == "qint8"
    original = module[0].weight.detach().numpy()
    np.testing.assert_allclose(weight.read(), original, atol=2 * np.abs(original).max() / 254)
    np.testing.assert_array_equal(bias.read(), module[0].bias.detach().numpy())


# Pickles by hand, as their opcodes.
def plain(value):
    return pickle.dumps(value, 2)[2:-1]


def storage(count, kind="Float", key="0"):
    return (
        b"(" + plain("storage") + f"ctorch\n{kind}Storage\n".encode() + plain(key) + plain("cpu") + plain(count) + b"tQ"
    )


def tensor(offset, shape, strides, count=6, kind="Float", extra=b""):
    layout = plain(offset) + plain(shape) + plain(strides)
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage(count, kind)
        + layout
        + plain(False)
        + plain({})
        + extra
        + b"tR"
    )


NUMBERS = np.arange(6, dtype="<f4")


def checkpoint(path, pickled, data=NUMBERS, byteorder="little"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + pickled + b".")
        archive.writestr("a/byteorder", byteorder)
        archive.writestr("a/data/0", data.tobytes())
    return path


def test_a_tensor_by_hand_is_read(tmp_path):
    """The healthy case of the pickles below."""
    path = checkpoint(tmp_path / "a.pt", tensor(1, (2, 2), (1, 3)))
    np.testing.assert_array_equal(values_of(path)["tensor"], [[1, 4], [2, 5]])


@pytest.mark.parametrize(("kind", "words"), [("Float", ">f4"), ("Half", ">f2"), ("Short", ">i2"), ("Byte", "u1")])
def test_bytes_of_the_other_order_are_swapped(tmp_path, kind, words):
    path = checkpoint(tmp_path / "a.pt", tensor(0, (6,), (1,), kind=kind), np.arange(6, dtype=words), "big")
    np.testing.assert_array_equal(values_of(path)["tensor"], np.arange(6))


def test_bfloat16_of_the_other_order_is_swapped(tmp_path):
    bits = (np.arange(6, dtype="<f4").view("<u4") >> 16).astype(">u2")
    path = checkpoint(tmp_path / "a.pt", tensor(0, (6,), (1,), kind="BFloat16"), bits, "big")
    np.testing.assert_array_equal(values_of(path)["tensor"].astype(np.float32), np.arange(6))


def test_nothing_that_a_pickle_names_is_ever_called(tmp_path):
    touched = tmp_path / "touched"
    call = b"cos\nsystem\n(" + plain(f"touch {touched}") + b"tR"
    built = b"cbuiltins\nexec\n(" + plain(f"open({str(touched)!r}, 'w')") + b"tR" + plain({"state": 1}) + b"b"
    pickled = b"}(" + plain("a") + call + plain("b") + built + plain("w") + tensor(0, (6,), (1,)) + b"u"
    path = checkpoint(tmp_path / "a.pt", pickled)
    assert list(values_of(path)) == ["w"]
    assert not touched.exists()


def test_a_tensor_that_only_a_call_would_make_is_left_out_and_said(tmp_path):
    call = b"cmodels\nmake\n(" + tensor(0, (6,), (1,)) + b"tR"
    path = checkpoint(tmp_path / "a.pt", b"}" + plain("a") + call + b"s")
    assert open_weights(path).notes == ("'a' is made by models.make, which is never called, and is left out",)


@pytest.mark.parametrize(
    ("pickled", "problem"),
    [
        (tensor(0, (7,), (1,)), "reaches beyond its storage"),
        (tensor(5, (2,), (1,)), "reaches beyond its storage"),
        (tensor(0, (2, 2), (1, 5)), "reaches beyond its storage"),
        (tensor(0, (2,), (-1,)), "impossible numbers"),
        (tensor(-1, (2,), (1,)), "impossible numbers"),
        (tensor(0, (2, 2), (1,)), "impossible numbers"),
        (tensor(0, (1 << 40,), (0,)), "claims more values"),
        (tensor(0, (1 << 62, 1 << 62), (0, 0)), "impossible numbers"),
        (tensor(0, (6,), (1,), kind="Secret"), "refers to a storage in a way that is not read"),
        (tensor(0, (6,), (1,), extra=plain({"conj": True})), "conjugate or negative"),
        (b"]q\x00h\x00a", "hold themselves"),
        (b"]" + b"2" * 3 + b"a" * 3, "hold themselves"),
        (b")" + b"2\x86" * 60 + b"Q", "refers to a storage in a way that is not read"),
        (
            b"ccollections\nOrderedDict\n]q\x00)" + b"2\x86" * 60 + b"N\x86a\x85R" + tensor(0, (7,), (1,)) + b"\x86",
            "beyond",
        ),
        (b"(", "damaged pickle"),
        (b"h\x07", "damaged pickle"),
        (b"cos\nsystem\nb", "damaged pickle"),
        (plain(0) + b"\x82\x01", "EXT1, which no checkpoint needs"),
        (b"\x8a\xff" + b"\x01" * 4, "damaged pickle"),
    ],
)
def test_a_hostile_pickle_is_an_error(tmp_path, pickled, problem):
    path = checkpoint(tmp_path / "a.pt", pickled)
    with pytest.raises(TensorFileError, match=problem):
        open_weights(path)


def test_a_pickle_of_endless_operations_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(pickles, "MOST_OPCODES", 100)
    with pytest.raises(TensorFileError, match="more than 100 operations"):
        open_weights(checkpoint(tmp_path / "a.pt", b"N0" * 60 + b"N"))


def test_containers_that_multiply_are_an_error(tmp_path, monkeypatch):
    """Sixty pairs of the pair before are 2 ** 60 places to look."""
    monkeypatch.setattr(trees, "MOST_VISITS", 1000)
    with pytest.raises(TensorFileError, match="nests its tensors too deep"):
        open_weights(checkpoint(tmp_path / "a.pt", b")" + b"2\x86" * 60))


def test_keys_chosen_to_collide_are_no_keys(tmp_path):
    """Integers of one hash would make a dictionary of a small file take hours."""
    items = b"".join(plain(n * (2**61 - 1) << 64) + b"N" for n in range(1, 50))
    pickled = b"}(" + items + plain("w") + tensor(0, (6,), (1,)) + b"u"
    assert list(values_of(checkpoint(tmp_path / "a.pt", pickled))) == ["w"]


def test_a_storage_that_is_not_there_is_said(tmp_path):
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + tensor(0, (6,), (1,)) + b".")
    with pytest.raises(TensorFileError, match="lacks the member 'a/data/0'"):
        open_weights(path)


def test_a_legacy_checkpoint_that_ends_early_is_said_to(tmp_path):
    data = (DATA / "legacy.pt").read_bytes()
    (tmp_path / "a.pt").write_bytes(data[:-10])
    with pytest.raises(TensorFileError, match="is truncated"):
        open_weights(tmp_path / "a.pt")


def test_compressed_members_are_unpacked(tmp_path):
    """Nothing writes a checkpoint so, but archives are packed again."""
    source, packed = zipfile.ZipFile(DATA / "zip.pt"), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name))
    (tmp_path / "a.pt").write_bytes(packed.getvalue())
    values = values_of(tmp_path / "a.pt")
    for key, value in expected("torch").items():
        np.testing.assert_array_equal(values[key].astype(value.dtype), value)
