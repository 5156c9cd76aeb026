"""Folders that keep what can be made again: when they hold too much, the oldest goes."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

# As `golden.atomic` names what it has not finished.
_UNFINISHED = re.compile(r"\..+-[0-9a-f]{8}\.tmp")
# Nothing takes that long to write, so whoever began it is gone.
_UNFINISHED_SECONDS = 3600

# A folder is looked through whenever so large a part of its size was written since the last look: looking through it
# for each of a thousand files would take longer than writing them.
_PART = 16


def make_room(folder: Path, largest_bytes: int, suffix: str) -> list[Path]:
    """Delete the files in and below a folder that were not touched for longest, until the rest takes no more than this.

    The newest stays, whatever it takes. What others are writing now is left to them; what a kill left of it goes like
    others. What cannot be deleted, or was by another process, is left alone. So is everything in a folder that is a
    link: it may be somebody else's.

    Parameters
    ----------
    folder : its files of that suffix must be known to be expendable
    largest_bytes : of all these files together
    suffix : what their names end with; others do not count, and stay

    Returns
    -------
    what was deleted
    """
    deleted: list[Path] = []
    if folder.is_symlink():
        return deleted
    files = sorted(_files(folder, suffix), key=lambda file: file[0].st_mtime_ns)
    excess = sum(status.st_size for status, _ in files) - largest_bytes
    for status, path in files[:-1]:
        if excess <= 0:
            break
        if is_unfinished(path) and not is_abandoned(path, status):
            continue
        with contextlib.suppress(OSError):
            path.unlink()
            deleted.append(path)
        excess -= status.st_size
    return deleted


def is_unfinished(path: Path) -> bool:
    """Whether a file is what somebody began to write, and may still be writing."""
    return _UNFINISHED.fullmatch(path.name) is not None


def is_abandoned(path: Path, status: os.stat_result) -> bool:
    """Whether a file is what a kill left of one that was being written."""
    return is_unfinished(path) and status.st_mtime < time.time() - _UNFINISHED_SECONDS


class Room:
    """The room of a folder that this process, and others beside it, write to.

    Parameters
    ----------
    folder, suffix : see `make_room`
    largest_bytes : of all its files; all processes together may write a sixteenth of it before they look again
    writers : processes that write to it
    """

    def __init__(self, folder: Path, largest_bytes: int, suffix: str, writers: int = 1) -> None:
        self.folder = folder
        self._suffix = suffix
        self._part_bytes = largest_bytes // _PART // writers
        self._kept_bytes = largest_bytes - largest_bytes // _PART
        self._left_bytes = 0

    def take(self, size_bytes: int) -> list[Path]:
        """Note that a file was written; delete the oldest ones where there is no room for more, and return them."""
        self._left_bytes -= size_bytes
        if self._left_bytes >= 0:
            return []
        self._left_bytes = self._part_bytes
        return make_room(self.folder, self._kept_bytes, self._suffix)


def _files(folder: Path, suffix: str) -> list[tuple[os.stat_result, Path]]:
    files = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if not (name.endswith(suffix) or is_unfinished(path)):
                continue
            with contextlib.suppress(OSError):  # another process was faster
                files.append((path.lstat(), path))
    return files
