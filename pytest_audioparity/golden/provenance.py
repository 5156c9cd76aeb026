"""Where a golden came from: stored with it, shown when a comparison fails, and never part of the verdict."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Modules, and distributions of the same name, whose version can change the numbers.
_PACKAGES = (
    "numpy",
    "scipy",
    "torch",
    "onnxruntime",
    "mlx",
    "jax",
    "tensorflow",
    "coremltools",
    "transformers",
    "librosa",
    "torchaudio",
    "soxr",
)
_GIT_SECONDS = 5
# Packages that this process has because we looked for the cause of a failure, not because the test uses them.
_OURS: set[str] = set()


def provenance(*, test: str, root: Path, reason: str | None, forced: str | None = None) -> dict[str, object]:
    """Describe this run: the test, the reason given, the commit, the packages, Python, the platform and the device.

    Parameters
    ----------
    test : its node id
    root : a folder inside the repository whose commit counts
    reason : what the user gave as one, if anything
    forced : what spoke against it, if that was overridden
    """
    record: dict[str, object] = {"test": test}
    if reason:
        record["reason"] = reason
    if forced:
        record["forced"] = forced
    if checked_out := commit(root):
        record["commit"] = checked_out
    record["packages"] = packages_in_use()
    record["python"] = platform.python_version()
    record["platform"] = platform_in_use()
    record["device"] = device_in_use()
    return record


def difference(made_with: Mapping[str, Any]) -> str | None:
    """Say how the environment of this process differs from the one that made a golden, or return None.

    Versions of packages that both have, platform and device count: what can change the numbers.

    Parameters
    ----------
    made_with : the provenance of a golden, whoever wrote it
    """
    then = made_with.get("packages")
    now = packages_in_use()
    pairs = [
        (f"{name} ", then[name], version)
        for name, version in now.items()
        if isinstance(then, dict) and name in then and then[name] != version
    ]
    for label, key, value in (("", "platform", platform_in_use()), ("device ", "device", device_in_use())):
        if made_with.get(key) not in (None, value):
            pairs.append((label, made_with[key], value))
    return ", ".join(f"{label}{_text(old)} (here {new})" for label, old, new in pairs) or None


def platform_in_use() -> str:
    """Return the operating system and the processor, as in ``Linux-x86_64``."""
    return f"{platform.system()}-{platform.machine()}"


def _text(value: object) -> str:
    text = str(value)
    return text if text.isprintable() else repr(text)


def our_own(package: str) -> None:
    """Note that we are about to import a package; unless it is there already, no golden was made with it."""
    if package not in sys.modules:
        _OURS.add(package)


def packages_in_use() -> dict[str, str]:
    """Return the versions of the numeric packages that this process has imported, ours apart."""
    used = {}
    for name in _PACKAGES:
        if name in sys.modules and name not in _OURS and (version := _version(name)):
            used[name] = version
    return used


def device_in_use() -> str:
    """Return the accelerator that torch or MLX uses in this process, or ``cpu``."""
    torch, mlx = sys.modules.get("torch"), sys.modules.get("mlx.core")
    if torch is not None and torch.cuda.is_initialized():
        return str(torch.cuda.get_device_name())
    if mlx is not None and mlx.default_device().type == mlx.DeviceType.gpu:
        return "gpu (mlx)"
    return "cpu"


def _version(name: str) -> str | None:
    if (installed := _installed_version(name)) is not None:
        return installed
    version = getattr(sys.modules[name], "__version__", None)  # onnxruntime-gpu, tensorflow-cpu, a build from source
    return version if isinstance(version, str) else None


@functools.cache
def _installed_version(name: str) -> str | None:
    """Return the version of a distribution. Python reads and parses its metadata whenever it is asked."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def commit(root: Path) -> str | None:
    """Return the commit that is checked out, or None outside git.

    It ends in ``+changes`` when tracked files differ and in ``+unknown`` when git does not say in time.
    """
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return None
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    if changed is None:
        return f"{head}+unknown"
    return f"{head}+changes" if changed else head


def tracked_files(root: Path) -> frozenset[str] | None:
    """Return the files below a folder that git tracks, relative to it with ``/``, or None without git."""
    listed = _git(root, "ls-files", "-z")
    return None if listed is None else frozenset(listed.split("\0"))


def is_as_committed(root: Path, commit: str) -> bool:
    """Whether what git tracks is as in a commit, but for goldens, which a review changes."""
    # A commit may come from another machine, and must not be taken for an option of git.
    if not re.fullmatch("[0-9a-f]{40,64}", commit):
        return False
    goldens = (f":(top,exclude)*{suffix}" for suffix in (".safetensors", ".manifest.json"))
    return _git(root, "diff", "--no-ext-diff", "--name-only", commit, "--", ":/", *goldens) == ""


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
