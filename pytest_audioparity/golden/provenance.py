"""Where a golden came from: stored with it, shown when a comparison fails, and never part of the verdict."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Distributions whose version can change the numbers, by the module that shows that they are in use.
_PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "torch": "torch",
    "onnxruntime": "onnxruntime",
    "mlx": "mlx",
    "jax": "jax",
    "tensorflow": "tensorflow",
    "coremltools": "coremltools",
    "transformers": "transformers",
    "librosa": "librosa",
    "torchaudio": "torchaudio",
    "soxr": "soxr",
}
_GIT_SECONDS = 5


def provenance(*, test: str, root: Path, reason: str | None) -> dict[str, object]:
    """Describe this run: the test, the reason given, the commit, the packages in use, Python and the platform."""
    record: dict[str, object] = {"test": test}
    if reason:
        record["reason"] = reason
    if commit := _commit(root):
        record["commit"] = commit
    record["packages"] = packages_in_use()
    record["python"] = platform.python_version()
    record["platform"] = f"{platform.system()}-{platform.machine()}"
    record["device"] = "cpu"
    return record


def packages_in_use() -> dict[str, str]:
    """Return the versions of the numeric packages that this process has imported."""
    used = {}
    for module, distribution in _PACKAGES.items():
        if module in sys.modules and (version := _version(distribution)):
            used[distribution] = version
    return used


@functools.cache
def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def _commit(root: Path) -> str | None:
    """Return the commit that is checked out, with `+changes` when tracked files differ, or None outside git."""
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return None
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return f"{head}+changes" if changed else head


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=_GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
