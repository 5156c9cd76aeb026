"""Where a golden's tensors are kept, in its own file or in a store with a manifest in git; one way to open and save."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import GoldenError
from pytest_audioparity.golden.file import Golden, write_golden
from pytest_audioparity.golden.guard import AlreadyThereError, content_of, unchanged
from pytest_audioparity.golden.names import SUFFIX, VARIANT_SIGN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_audioparity.records import StageTensor

MANIFEST_SUFFIX = ".manifest.json"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where goldens' tensors are kept.

    Attributes
    ----------
    store : a folder or an fsspec URL; None keeps them inside the golden files
    cache : folder of tensors that were downloaded, or wait to be pushed
    offline : whether to use nothing but the cache
    """

    store: str | None = None
    cache: Path = Path(".audioparity/cache")
    offline: bool = False


IN_GIT = Shelf()


def open_golden(path: Path, shelf: Shelf = IN_GIT) -> Golden:
    """Open a golden, whichever of its forms is there.

    If both are, because a save was interrupted or a merge kept both, they must hold the same: then a shelf with a store
    reads the manifest and one without reads the file.

    Parameters
    ----------
    path : its ``.safetensors`` path, also where it has a manifest only
    shelf : where its tensors may be

    Raises
    ------
    GoldenError : see its `cause`
    """
    if not os.path.lexists(_manifest(path)):
        return Golden(path)
    manifest = manifest_path(path)
    from pytest_audioparity.golden.manifest import open_manifest

    in_store = open_manifest(manifest, shelf)
    if os.path.lexists(path):
        in_git = Golden(path)
        if content_of(in_git) != content_of(in_store):
            problem = f"has two forms that differ, {path} and {manifest}: delete the one that is out of date"
            raise GoldenError(f"golden {path} {problem}", cause="damaged")
        return in_git if shelf.store is None else in_store
    if shelf.store is None:
        problem = f"is kept in a store, and {manifest} only says what it holds"
        raise GoldenError(f"golden {path} {problem}; set the ini option audioparity_golden_store", cause="store")
    return in_store


def save_golden(
    path: Path,
    stages: Sequence[StageTensor],
    *,
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any],
    shelf: Shelf = IN_GIT,
    since: Golden | None,
    folders: set[Path] | None = None,
) -> int:
    """Save a golden in the form that the shelf asks for, and remove the other form.

    With a store its tensors go into the cache; `golden.transfer.push` uploads them.

    Parameters
    ----------
    path : its ``.safetensors`` path, also where only a manifest is written
    stages, settings, provenance : what it holds
    shelf : where its tensors are to be
    since : the golden of this path as it was opened when the stages were made; None, or that of another path, if there
        was none
    folders : takes note of the folders that are to be flushed later, see `golden.atomic.replace_file`

    Returns
    -------
    Its size on disk in bytes, tensors included. If what is there holds the same already, nothing is written

    Raises
    ------
    StageError : a stage has a dtype that the format cannot hold, a name comes twice, the settings are no JSON
    GoldenError : the golden is another one by now (`cause` changed), or the file system refused (unwritable); the old
        golden is as it was
    """
    manifest = manifest_path(path)
    forms = (path, manifest) if shelf.store is None else (manifest, path)
    guard = partial(
        unchanged, path, forms, since=since, stages=stages, settings=settings, reopen=partial(open_golden, path, shelf)
    )
    try:
        if shelf.store is None:
            return write_golden(path, stages, settings=settings, provenance=provenance, guard=guard, folders=folders)
        from pytest_audioparity.golden.manifest import write_manifest

        return write_manifest(
            manifest,
            stages,
            settings=settings,
            provenance=provenance,
            cache=shelf.cache,
            guard=guard,
            folders=folders,
        )
    except AlreadyThereError as held:
        return held.size_bytes


def manifest_path(path: Path) -> Path:
    """Return where the manifest of a golden would lie."""
    return path.with_name(f"{path.name.removesuffix(SUFFIX)}{MANIFEST_SUFFIX}")


def find_goldens(directory: Path) -> list[Path]:
    """Return every golden below a folder by its ``.safetensors`` path, also where it has a manifest only, sorted."""
    found = set()
    for folder, _, names in os.walk(directory):
        for name in names:
            if name.endswith(SUFFIX):
                found.add(Path(folder, name))
            elif name.endswith(MANIFEST_SUFFIX):
                found.add(Path(folder, f"{name.removesuffix(MANIFEST_SUFFIX)}{SUFFIX}"))
    return sorted(found)


def has_variant(path: Path, variant: str) -> bool:
    """Whether a golden has a variant of a name, in whichever form."""
    file = f"{os.fspath(path).removesuffix(SUFFIX)}{VARIANT_SIGN}{variant}{SUFFIX}"
    return os.path.lexists(file) or os.path.lexists(_manifest(file))


def _manifest(path: str | Path) -> str:
    # Asked for every golden of every run, and so without the cost of a path object.
    return f"{os.fspath(path).removesuffix(SUFFIX)}{MANIFEST_SUFFIX}"


def golden_files(path: Path) -> list[Path]:
    """Return the files on disk that make up a golden: its safetensors file, its manifest, or for a moment both."""
    return [file for file in (path, manifest_path(path)) if os.path.lexists(file)]
