"""Core ML models: programs with a file of weights, compressed constants, and networks."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.weights.files import open_weights
from tests.weights.samples import DATA, expected, values_of, weights_of

STORED = {
    "affine": "int8",
    "palette": "lut6",
    "sparse": "sparse",
    "cast": "float16",
    "blocks": "int4",
    "shifted": "uint8",
    "grouped": "lut3",
    "vectors": "lut2",
    "masked": "sparse",
}


@pytest.mark.parametrize("name", ["ios16", "ios18"])
def test_a_package_has_the_values_that_coremltools_reads(name):
    path = DATA / f"{name}.mlpackage"
    values, wanted = values_of(path), expected(name)
    assert values.keys() == wanted.keys()
    for key, value in wanted.items():
        np.testing.assert_array_equal(values[key], value)
    assert {key: weight.stored for key, weight in weights_of(path).items()} == {key: STORED.get(key) for key in wanted}


def test_a_network_has_the_weights_of_its_layers():
    values, wanted = values_of(DATA / "network.mlmodel"), expected("network")
    assert values.keys() == wanted.keys()
    for key, value in wanted.items():
        np.testing.assert_array_equal(values[key], value)


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "a.mlpackage"
    shutil.copytree(DATA / "ios16.mlpackage", path)
    return path


def test_a_file_of_weights_that_is_missing_is_said(package):
    (package / "Data/com.apple.CoreML/weights/weight.bin").unlink()
    with pytest.raises(TensorFileError, match=r"keeps weights in .*, which does not exist"):
        open_weights(package)


def test_a_file_of_weights_that_is_a_git_lfs_pointer_is_said(package):
    (package / "Data/com.apple.CoreML/weights/weight.bin").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(TensorFileError, match="Git LFS pointer, not the data; run: git lfs pull"):
        open_weights(package)


def test_weights_of_another_model_are_noticed(package):
    """The headers before each tensor must be where the model expects them."""
    weights = package / "Data/com.apple.CoreML/weights/weight.bin"
    weights.write_bytes(b"\0" * 64 + weights.read_bytes())
    with pytest.raises(TensorFileError, match=r"does not hold .* where the model says"):
        open_weights(package)


@pytest.mark.parametrize("location", ["../../../a.safetensors", "/etc/passwd", "..\\model.mlmodel", "C:x", ""])
def test_a_manifest_that_leads_out_of_the_package_is_refused(package, location):
    manifest = json.loads((package / "Manifest.json").read_text())
    manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = location
    (package / "Manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(TensorFileError, match="which is not in its folder"):
        open_weights(package)


def test_a_file_of_weights_outside_of_the_package_is_refused(package):
    model = package / "Data/com.apple.CoreML/model.mlmodel"
    named = b"@model_path/weights/weight.bin"
    model.write_bytes(model.read_bytes().replace(named, b"@model_path/../weights/wei.bin"))
    assert len(named) == len(b"@model_path/../weights/wei.bin")
    with pytest.raises(TensorFileError, match="which is not in its folder"):
        open_weights(package)


@pytest.mark.parametrize("manifest", ["[]", "{}", '{"rootModelIdentifier": "a", "itemInfoEntries": {}}', "nothing"])
def test_a_manifest_that_names_no_model_is_said(package, manifest):
    (package / "Manifest.json").write_text(manifest)
    with pytest.raises(TensorFileError, match=r"Manifest\.json that names no model"):
        open_weights(package)
