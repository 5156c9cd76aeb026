"""What an extra brings is named where it is needed and missing: in one line, and the rest works.

The sessions `alone` and `without` of noxfile.py run this where the packages are really absent; here they are hidden.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import pytest_audioparity
from pytest_audioparity.adapters.onnx_graphs import run_exposed
from pytest_audioparity.cli import main
from pytest_audioparity.errors import GoldenError, StageError
from pytest_audioparity.golden.shelf import Shelf, open_golden, save_golden
from pytest_audioparity.golden.transfer import push
from pytest_audioparity.records import StageMeta, StageTensor

PYPROJECT = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
SOURCES = Path(pytest_audioparity.__file__).parent
# What the package imports itself, by extra. Of the others it only ever sees objects that a test made.
IMPORTED = {"pesq": ("pesq",), "onnx": ("onnx", "onnxruntime"), "asr": ("pocketsphinx", "jiwer")}
IMPORTED |= {"store": ("fsspec", "filelock")}
NEVER = {"torch", "mlx", "coreml"}


@pytest.fixture
def without(monkeypatch):
    """Return what hides a package, where it is installed at all."""

    def hide(package):
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)

    return hide


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.wav"
    soundfile.write(path, np.random.default_rng(0).standard_normal(16_000) / 10, 16_000)
    return str(path)


def advice(extra):
    return re.escape(f"pip install 'pytest-audioparity[{extra}]'")


def test_every_extra_is_either_imported_and_tested_here_or_never_imported():
    section = PYPROJECT.partition("[project.optional-dependencies]\n")[2].partition("\n\n")[0]
    extras = set(re.findall(r"^(\w+) = ", section, flags=re.MULTILINE))
    assert extras == {*IMPORTED, *NEVER, "all"}
    assert all(name in section for name in extras - {"all"})


def test_no_runtime_of_a_model_is_imported_by_the_package():
    """Whoever has torch, MLX or Core ML pays for it in a test of their own; the package recognises what it is given."""
    found = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.partition(".")[0])
    assert "onnx" in found
    assert not found & {"torch", "mlx", "coremltools", "jax", "tensorflow"}


def test_recognition_without_its_packages_is_wrong_use_in_one_line(without, clip, capsys, monkeypatch):
    monkeypatch.setattr("pytest_audioparity.audio.recognition._DEFAULT", [])
    for package in IMPORTED["asr"]:
        without(package)
    assert main(["score", clip, clip, "--asr", "--no-cache"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(rf"audioparity score: the package \w+ is not installed: {advice('asr')}\n", err)


def test_scores_without_pesq_say_what_was_not_measured(without, clip, capsys):
    without("pesq")
    assert main(["score", clip, clip, "--no-cache"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert re.search(rf"pesq_wb : not measured: the package pesq is not installed: {advice('pesq')}", told)


@pytest.mark.parametrize("package", IMPORTED["onnx"])
def test_capturing_an_onnx_model_without_its_packages_is_one_line(package, without, tmp_path):
    without(package)
    with pytest.raises(StageError, match=rf"^stages.onnx needs \w+: {advice('onnx')}$"):
        run_exposed(tmp_path / "model.onnx", {}, None)


@pytest.mark.parametrize("package", IMPORTED["store"])
def test_a_golden_store_without_its_packages_is_one_line(package, without, tmp_path):
    path, stage = tmp_path / "golden" / "test_x" / "test_y.safetensors", StageTensor(StageMeta("mel"), np.ones(4))
    maker = Shelf("memory://goldens", tmp_path / "maker")
    save_golden(path, [stage], settings={}, provenance={"test": "t"}, since=None, shelf=maker)
    without(package)
    with pytest.raises(GoldenError, match=advice("store")) as caught:
        open_golden(path, Shelf("memory://goldens", tmp_path / "cache")).read("mel")
    assert "\n" not in str(caught.value)


def test_a_store_that_is_a_folder_needs_no_package(without, tmp_path):
    for package in IMPORTED["store"]:
        without(package)
    path, stage = tmp_path / "golden" / "test_x" / "test_y.safetensors", StageTensor(StageMeta("mel"), np.ones(4))
    shelf = Shelf(str(tmp_path / "store"), tmp_path / "maker")
    save_golden(path, [stage], settings={}, provenance={"test": "t"}, since=None, shelf=shelf)
    push([path], shelf, lambda *_: None)
    assert open_golden(path, Shelf(str(tmp_path / "store"), tmp_path / "cache")).read("mel").array.sum() == 4
