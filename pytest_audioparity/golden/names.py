"""From a test's node id to the path of its golden.

The path must be readable, the same on every machine whatever else is collected, different for different tests even on
file systems that ignore case or normalise Unicode, and inside the golden directory. So characters that are safe
everywhere are kept, everything else becomes ``_``, and a short hash of the original is added whenever the result
could also come from another name: something was replaced or cut, a test has capitals, or it ends as if it had a hash.
Folders and test files keep their capitals: they exist on the user's disk as they are, and two that differ by case
alone are reported as two owners of one golden.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from pytest_audioparity.errors import GoldenError

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".safetensors"
# A golden may have variants, as the last resort against platforms that differ: test_x@cuda.safetensors. No golden's own
# name has the sign.
VARIANT_SIGN = "@"
VARIANT = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,31}")
# Most file systems take 255 bytes a component. Ours stay well below, for the sake of systems that limit the whole path;
# a name that a user gives may use what is left beside the suffix.
MAX_COMPONENT = 160
_MAX_GIVEN = 240
_HASH_DIGITS = 8
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
# No part of a name may hold these on Windows, and "/" separates parts.
_FORBIDDEN = frozenset('\\:*?"<>|')
# How a component ends that has a hash; what stood before it is then not known.
LIKE_HASHED = re.compile(rf"-[0-9a-f]{{{_HASH_DIGITS}}}$")
# Windows reserves these, with any extension. https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³]) *(\..*)?$", re.IGNORECASE)


# Every test asks for its name and its path when it is collected, and again in each of its phases.
_TESTS = 1 << 14


@lru_cache(maxsize=_TESTS)
def golden_name(nodeid: str) -> str:
    """Return the golden's name for a test: its path below the golden directory, without suffix, with ``/``.

    Parameters
    ----------
    nodeid : pytest's node id, e.g. ``tests/test_x.py::TestY::test_z[mlx-fp16]``, which becomes
        ``tests/test_x/TestY.test_z-mlx-fp16-2bed0a27`` (the hash stands for the capitals)
    """
    file, separator, test = nodeid.partition("::")
    *folders, module = file.split("/")
    name = _test(test) if separator else _safe("", original="\0no test")
    return "/".join([*(_safe(part, original=part, capitals=True) for part in folders), _module(module), name])


@lru_cache(maxsize=_TESTS)
def golden_path(directory: Path, name: str) -> Path:
    """Return the file of a golden name, which must lie inside the directory.

    Raises
    ------
    GoldenError : the name is empty, absolute, or has a part that a file system would not take or that leads outside
    """
    name = name.removesuffix(SUFFIX)
    for part in name.split("/"):
        if not _is_usable(part) or VARIANT_SIGN in name.rpartition("/")[2]:
            raise GoldenError(
                f"golden={name!r} is no usable name: give a path below the golden directory, with '/' between folders, "
                f"such as 'tests/test_decoder/test_decoder'",
                cause="name",
            )
    return directory / f"{name}{SUFFIX}"


def variant_path(path: Path, variant: str) -> Path:
    """Return the file of a golden's variant: ``test_x@cuda.safetensors`` beside ``test_x.safetensors``."""
    return path.with_name(f"{path.name.removesuffix(SUFFIX)}{VARIANT_SIGN}{variant}{SUFFIX}")


def any_golden_path(directory: Path, name: str) -> Path:
    """Return the file of a golden name that may end in a variant, as ``tests/test_x/test_x@cuda``.

    Raises
    ------
    GoldenError : as `golden_path`; or what follows the sign is no variant
    """
    shared, sign, variant = name.removesuffix(SUFFIX).rpartition(VARIANT_SIGN)
    if not sign or "/" in variant:
        return golden_path(directory, name)
    if not VARIANT.fullmatch(variant):
        raise GoldenError(f"{name!r} names no variant: {variant!r}", cause="name")
    return variant_path(golden_path(directory, shared), variant)


def shown_path(path: Path, root: Path) -> Path:
    """Return a path as it is shown: relative to the root directory where it lies below it."""
    try:
        return path.relative_to(root)
    except ValueError:
        return path


def file_key(path: str) -> str:
    """Return one key for all spellings of a path or name that some file system takes for one file."""
    return unicodedata.normalize("NFC", path).casefold()


def name_of(path: Path, directory: Path) -> str:
    """Return the name of a golden by its file: the path below the golden directory, without suffix, with ``/``."""
    return path.relative_to(directory).as_posix().removesuffix(SUFFIX)


def _is_usable(part: str) -> bool:
    return (
        part.isprintable()  # neither control characters nor lone surrogates, which have no bytes
        and _FORBIDDEN.isdisjoint(part)
        and not part.endswith((".", " "))  # Windows drops them, and ends "." and ".." too
        and not _DEVICES.match(part)
        and 0 < len(part.encode()) <= _MAX_GIVEN
    )


def _module(file: str) -> str:
    """Name the folder after the file; one that is not ``.py`` could stand beside its Python namesake."""
    stem = file.removesuffix(".py")
    return _safe(stem, original=file, reversible=stem != file, capitals=True)


def _test(test: str) -> str:
    """Slug of the part behind the file. ``.`` and ``-`` separate, so that the usual names need no hash."""
    function, bracket, parameters = test.partition("[")
    slug = function.replace("::", ".")
    # A function's name has neither "." nor "-": the dots are ours, and the first "-" marks where the parameters begin.
    reversible = "." not in function and "-" not in function
    if bracket:
        slug = f"{slug}-{parameters.removesuffix(']')}"
        reversible = reversible and parameters.endswith("]")
    return _safe(slug, original=test, reversible=reversible)


def _safe(slug: str, *, original: str, reversible: bool = True, capitals: bool = False) -> str:
    safe = _UNSAFE.sub("_", slug)
    if (
        reversible
        and safe == (slug if capitals else slug.lower())
        and safe == safe.strip(".")
        and 0 < len(safe) <= MAX_COMPONENT
        and not _DEVICES.match(safe)
        and not safe.endswith(SUFFIX)
        and not LIKE_HASHED.search(safe)
    ):
        return safe
    readable = safe.strip(".")[:MAX_COMPONENT] or "_"
    guard = "_" if _DEVICES.match(readable) else ""
    return f"{guard}{readable}-{_digest(original)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
