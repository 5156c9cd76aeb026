"""Finding what a run left in a folder: here, or downloaded from a CI job, which packs and nests it in its own way."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.golden.pending import find_pending
from pytest_audioparity.review.waiting import read_checked
from pytest_audioparity.workspace import FOLDER, Workspace

_RUN_FILE, _PENDING = Workspace(Path()).run_file.name, Workspace(Path()).pending.name
# Says that a folder is ours where its name is lost; hidden files do not survive upload-artifact.
_TAG = "CACHEDIR.TAG"
# Deeper than any download nests: folder of the download, name of the artifact, path inside the repository.
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Leavings:
    """What one run left.

    Attributes
    ----------
    folder : where it lies
    pending : the folder of its pending files, which need not be there
    run_file : its record, or None where there are only pending files
    """

    folder: Path
    pending: Path
    run_file: Path | None


def find_leavings(folder: Path) -> list[Leavings]:
    """Return what runs left in a folder, in the order of their paths.

    The folder may be ``.audioparity`` under any name, one that contains such folders at any depth, or a folder of
    pending files alone.

    Raises
    ------
    AudioparityError : there is no such folder
    """
    if not folder.is_dir():
        raise AudioparityError(f"there is no folder {folder}")
    if _is_ours(folder) or (folder / _PENDING).is_dir():
        return [_leavings(folder)]
    found = []
    for place, folders, _ in os.walk(folder):
        path = Path(place)
        if path != folder and _is_ours(path):
            found.append(_leavings(path))
            folders.clear()
        elif len(path.relative_to(folder).parts) >= _MAX_DEPTH:
            folders.clear()
        folders.sort()
    if not found and find_pending(folder):
        return [Leavings(folder=folder, pending=folder, run_file=None)]
    return found


def holds_pending(folder: Path) -> bool:
    """Whether a folder holds pending files, which tells it from any other folder that a user may name."""
    return any(_is_pending(path) for found in find_leavings(folder) for path in find_pending(found.pending))


def _is_pending(path: Path) -> bool:
    try:
        read_checked(path)
    except (AudioparityError, OSError):
        return False
    return True


def _is_ours(folder: Path) -> bool:
    named = folder.name == FOLDER or ((folder / _TAG).is_file() and (folder / _PENDING).is_dir())
    return named or (folder / _RUN_FILE).is_file()


def _leavings(folder: Path) -> Leavings:
    run_file = folder / _RUN_FILE
    return Leavings(folder=folder, pending=folder / _PENDING, run_file=run_file if run_file.is_file() else None)
