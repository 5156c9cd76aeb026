"""Provenance: what it says is true, and what it cannot know it does not say."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from pytest_audioparity.golden import provenance as module
from pytest_audioparity.golden.provenance import device_in_use, packages_in_use, provenance

NAMES = ("scipy", "torch", "onnxruntime", "mlx", "mlx.core", "jax", "tensorflow", "coremltools", "transformers")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """No runtime that another test has loaded, and no answer of git that another test has got."""
    module.commit.cache_clear()
    for name in (*NAMES, "librosa", "torchaudio", "soxr"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    module.commit.cache_clear()


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "x")
    return tmp_path


def fake(**attributes):
    return types.SimpleNamespace(**attributes)


class TestRecord:
    def test_it_is_json_with_the_keys_of_the_format(self, tmp_path):
        record = provenance(test="a.py::b", root=tmp_path, reason="new vocoder")
        assert json.loads(json.dumps(record)) == record
        assert list(record) == ["test", "reason", "packages", "python", "platform", "device"]
        assert record["test"] == "a.py::b"
        assert record["reason"] == "new vocoder"
        assert record["python"] == ".".join(map(str, sys.version_info[:3])) or "+" in platform.python_version()
        assert record["device"] == "cpu"

    @pytest.mark.parametrize("reason", [None, ""])
    def test_a_reason_that_was_not_given_is_left_out(self, tmp_path, reason):
        assert "reason" not in provenance(test="t", root=tmp_path, reason=reason)


class TestCommit:
    def test_a_clean_repository_gives_its_commit(self, repository):
        assert provenance(test="t", root=repository, reason=None)["commit"] == git(repository, "rev-parse", "HEAD")

    def test_changed_tracked_files_are_told(self, repository):
        (repository / "a").write_text("2")
        expected = git(repository, "rev-parse", "HEAD") + "+changes"
        assert provenance(test="t", root=repository, reason=None)["commit"] == expected

    def test_untracked_files_are_no_change(self, repository):
        (repository / "b").write_text("2")
        assert provenance(test="t", root=repository, reason=None)["commit"] == git(repository, "rev-parse", "HEAD")

    def test_a_folder_inside_the_repository_gives_the_same_commit(self, repository):
        (repository / "sub").mkdir()
        record = provenance(test="t", root=repository / "sub", reason=None)
        assert record["commit"] == git(repository, "rev-parse", "HEAD")

    def test_outside_a_repository_there_is_no_commit(self, tmp_path):
        assert "commit" not in provenance(test="t", root=tmp_path, reason=None)

    def test_a_repository_without_a_commit_has_none(self, tmp_path):
        git(tmp_path, "init", "-q")
        assert "commit" not in provenance(test="t", root=tmp_path, reason=None)

    def test_without_git_there_is_no_commit(self, repository, monkeypatch):
        monkeypatch.setenv("PATH", "")
        assert "commit" not in provenance(test="t", root=repository, reason=None)

    def test_a_status_that_takes_too_long_is_not_taken_for_a_clean_one(self, repository, monkeypatch):
        real = subprocess.run

        def slow(command, **kwargs):
            if "status" in command:
                raise subprocess.TimeoutExpired(command, 5)
            return real(command, **kwargs)

        monkeypatch.setattr(module.subprocess, "run", slow)
        expected = git(repository, "rev-parse", "HEAD") + "+unknown"
        assert provenance(test="t", root=repository, reason=None)["commit"] == expected

    def test_git_is_asked_once_per_run(self, repository, monkeypatch):
        first = provenance(test="t", root=repository, reason=None)["commit"]
        monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: pytest.fail("asked again"))
        assert provenance(test="u", root=repository, reason=None)["commit"] == first


class TestPackages:
    def test_only_packages_in_use_are_named(self):
        assert packages_in_use() == {"numpy": np.__version__}

    def test_a_package_that_another_distribution_provides_gives_its_own_version(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "jax", fake(__version__="9.9"))
        assert packages_in_use()["jax"] == "9.9"

    def test_a_package_without_any_version_is_left_out(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "jax", fake())
        assert "jax" not in packages_in_use()

    def test_it_imports_nothing(self, tmp_path):
        code = (
            "import sys; from pathlib import Path; from pytest_audioparity.golden.provenance import provenance;"
            f"provenance(test='t', root=Path({str(tmp_path)!r}), reason=None);"
            "print([n for n in ('torch', 'mlx', 'jax', 'onnxruntime', 'numpy') if n in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path("/"))
        assert done.stdout.strip() == "[]"


class TestDevice:
    def test_cuda_is_named_once_torch_uses_it(self, monkeypatch):
        cuda = fake(is_initialized=lambda: True, get_device_name=lambda: "NVIDIA H100")
        monkeypatch.setitem(sys.modules, "torch", fake(cuda=cuda))
        assert device_in_use() == "NVIDIA H100"

    def test_torch_that_has_not_touched_cuda_is_on_the_cpu(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "torch", fake(cuda=fake(is_initialized=lambda: False)))
        assert device_in_use() == "cpu"

    @pytest.mark.parametrize(("kind", "device"), [("gpu", "gpu (mlx)"), ("cpu", "cpu")])
    def test_mlx_is_on_its_default_device(self, monkeypatch, kind, device):
        core = fake(default_device=lambda: fake(type=kind), DeviceType=fake(gpu="gpu", cpu="cpu"))
        monkeypatch.setitem(sys.modules, "mlx.core", core)
        assert device_in_use() == device
