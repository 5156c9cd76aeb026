"""Replacing a file so that a kill at any moment leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path


def replace_file(
    path: Path,
    write: Callable[[BinaryIO], None],
    *,
    durable: bool = True,
    guard: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    folders: set[Path] | None = None,
) -> int:
    """Write a file beside the target, flush it to the disk, put it in the target's place; return its size in bytes.

    A mapping of the old file stays valid. A symbolic link is replaced, not followed: what it points to may be shared,
    or be a store addressed by content (git-annex, DVC) that a write would corrupt.

    Parameters
    ----------
    path : the target; missing folders are made, permissions are kept or, for a new file, what the umask gives
    write : writes the content
    durable : whether to wait for the disk, so that a power failure loses nothing either
    guard : held around the replacement alone; what it raises on entry leaves the old file
    folders : takes note of the target's folder, for who writes many files and calls `sync_folders` at the end; by
        default the folder is flushed at once. Until then a power failure may bring back the old file, as a whole

    Raises
    ------
    OSError : the file system refused; as after any other exception, the old file is as it was
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # 60 characters are at most 240 bytes, so the name stays within the 255 that most file systems take.
    temporary = path.with_name(f".{path.stem[:60]}-{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            write(file)
            size = file.tell()
            file.flush()
            if (mode := _mode(path)) is not None:
                temporary.chmod(mode)
            if durable:
                os.fsync(file.fileno())
        with guard():
            temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable and folders is not None:
        folders.add(path.parent)
    elif durable:
        sync_folders((path.parent,))
    return size


def replace_bytes(
    path: Path,
    content: bytes,
    *,
    durable: bool = True,
    guard: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    folders: set[Path] | None = None,
) -> int:
    """Write a file as `replace_file` does, of content that is there already."""

    def write(file: BinaryIO) -> None:
        file.write(content)

    return replace_file(path, write, durable=durable, guard=guard, folders=folders)


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Keep other processes that take this lock out of a folder for a moment. Nothing is left in the folder.

    The lock is advisory; where the platform or the file system has none, there is none.
    """
    handle = None
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle is not None:
            with contextlib.suppress(OSError):
                # Said, and not left to closing: a process that was forked meanwhile has the handle as well.
                fcntl.flock(handle, fcntl.LOCK_UN)
            os.close(handle)


def _mode(path: Path) -> int | None:
    """Permissions of the regular file that is replaced, or None when there is none."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return None
    return stat.S_IMODE(mode) & 0o777 if stat.S_ISREG(mode) else None


def sync_folders(folders: Iterable[Path]) -> None:
    """Make the renaming itself durable; file systems and platforms that cannot, order it well enough."""
    for folder in folders:
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
