"""From a test's node id to the path of its golden.

The path must be readable, the same on every machine whatever else is collected, different for different tests even on
file systems that ignore case or normalise Unicode, and inside the golden directory. So characters that are safe
everywhere are kept, everything else becomes ``_``, and a short hash of the original is added whenever the result
could also come from another name: something was replaced or cut, or it has capitals.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

from pytest_audioparity.errors import GoldenError

SUFFIX = ".safetensors"
# Most file systems take 255 bytes a component; room is left for a variant, the suffix and a temporary name.
MAX_COMPONENT = 160
_HASH_DIGITS = 8
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
# Windows reserves these, with any extension. https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)


def golden_name(nodeid: str) -> str:
    """Return the golden's name for a test: its path below the golden directory, without suffix, with ``/``.

    Parameters
    ----------
    nodeid : pytest's node id, e.g. ``tests/test_x.py::TestY::test_z[mlx-fp16]``, which becomes
        ``tests/test_x/TestY.test_z-mlx-fp16-1c2d3e4f`` (the hash stands for the capitals)
    """
    file, _, test = nodeid.partition("::")
    folders = list(PurePosixPath(file.replace("\\", "/")).parts)
    if folders:
        folders[-1] = folders[-1].removesuffix(".py")
    return "/".join([*(_folder(part) for part in folders), _test(test)])


def golden_path(directory: Path, name: str) -> Path:
    """Return the file of a golden name, which must lie inside the directory.

    Raises
    ------
    GoldenError : the name is empty, absolute, or has a part that a file system would not take or that leads outside
    """
    name = name.removesuffix(SUFFIX)
    for part in name.split("/"):
        unsafe = part in ("", ".", "..") or any(c in '\\:*?"<>|' or ord(c) < 32 for c in part)
        if unsafe or part.endswith((".", " ")) or _DEVICES.match(part) or len(part.encode()) > 240:
            raise GoldenError(
                f"golden={name!r} is no usable name: give a path below the golden directory, with '/' between folders, "
                f"such as 'tests/test_decoder/test_decoder'",
                cause="name",
            )
    return directory / f"{name}{SUFFIX}"


def _test(test: str) -> str:
    """Slug of the part behind the file. ``.`` and ``-`` separate, so that the usual names need no hash."""
    function, bracket, parameters = test.partition("[")
    base = function.replace("::", ".")
    if not bracket:
        return _safe(base, original=test, reversible="-" not in base)
    # A function's name has no "-", so the first one marks where the parameters begin.
    slug = f"{base}-{parameters.removesuffix(']')}"
    return _safe(slug, original=test, reversible="-" not in base and parameters.endswith("]"))


def _folder(part: str) -> str:
    """Folders exist already, so capitals are no danger; what could lead outside or break a file system is replaced."""
    if part in (".", "..") or part.startswith("/"):
        return f"_{_digest(part)}"
    return _safe(part, original=part, reversible=True, capitals=True)


def _safe(slug: str, *, original: str, reversible: bool, capitals: bool = False) -> str:
    safe = _UNSAFE.sub("_", slug)
    needs_hash = (
        not reversible
        or safe != slug
        or (not capitals and safe != safe.lower())
        or len(safe) > MAX_COMPONENT
        or _DEVICES.match(safe) is not None
        or safe != safe.strip(".")
        or not safe
    )
    if not needs_hash:
        return safe
    return f"{safe.strip('.')[:MAX_COMPONENT]}-{_digest(original)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
