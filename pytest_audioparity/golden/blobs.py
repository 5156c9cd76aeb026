"""Tensors by content: the raw bytes of each at ``sha256/<first two digits>/<all 64>`` below store and cache.

A problem is phrased as what follows ``golden X lacks the tensor of stage 'mel':``, its way out included.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.golden.atomic import replace_file
from pytest_audioparity.golden.hashes import content_hash
from pytest_audioparity.tensorfile import contents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

BLOCK_BYTES = 1 << 20
SMALL_BYTES = 1 << 17
_ADDRESS = re.compile(r"[0-9a-f]{64}")


class BlobError(TensorFileError):
    """A tensor cannot be had from the cache or the store. `cause` is store, altered or unwritable."""


@dataclass(frozen=True, slots=True)
class Blob:
    """The bytes of a tensor: their address, which is their SHA-256 in hexadecimal, and their number."""

    sha256: str
    size_bytes: int

    @property
    def address(self) -> str:
        """Where it lies below a store or a cache."""
        return f"sha256/{self.sha256[:2]}/{self.sha256}"


def is_address(text: object) -> bool:
    """Whether a text, which becomes a part of paths, is a SHA-256 and nothing else."""
    return isinstance(text, str) and _ADDRESS.fullmatch(text) is not None


def blob_of(data: memoryview) -> Blob:
    """Return the blob of these bytes."""
    return Blob(hashlib.sha256(data).hexdigest(), len(data))


def find(folder: Path, blob: Blob) -> Path | None:
    """Return the file of a blob below a folder if it has the right size. What it holds is checked by who reads it."""
    file = folder / blob.address
    return file if size_of(file) == blob.size_bytes else None


def size_of(file: Path) -> int | None:
    """Return the size of a file, or None when there is none that can be looked at."""
    try:
        return file.stat().st_size
    except OSError:
        return None


def keep(cache: Path, blob: Blob, data: memoryview) -> None:
    """Put bytes into the cache, unless they are there, and flush them to the disk: no store may have them yet.

    Raises
    ------
    OSError : the file system refused
    """
    ignore_in_git(cache)
    there = find(cache, blob)
    if there is not None and content_hash(memoryview(contents(there)[0])) == content_hash(data):
        return

    def write(file: BinaryIO) -> None:
        file.write(data)

    # Flushed at once: a manifest must never be on the disk before what it names.
    replace_file(cache / blob.address, write)


def ignore_in_git(cache: Path) -> None:
    """Make the cache folder, which git ignores by a file of its own, as pytest's cache does."""
    if not cache.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        (cache / ".gitignore").write_text("# Made by pytest-audioparity.\n*\n", encoding="utf-8")


def blocks_of(file: Path) -> Iterator[bytes]:
    """Read a file block by block."""
    with file.open("rb") as opened:
        while block := opened.read(BLOCK_BYTES):
            yield block


def copy_file(source: Path, target: Path, progress: Callable[[int], None], *, durable: bool = True) -> None:
    """Copy a file, which takes its name when it is complete; `progress` hears of the bytes that were written.

    Raises
    ------
    OSError : the file system refused
    """

    def write(opened: BinaryIO) -> None:
        for block in blocks_of(source):
            opened.write(block)
            progress(opened.tell())

    replace_file(target, write, durable=durable)


def is_intact(file: Path, blob: Blob) -> bool:
    """Whether a file holds the bytes of its address.

    Raises
    ------
    OSError : it cannot be read
    """
    digest = hashlib.sha256()
    for block in blocks_of(file):
        digest.update(block)
    return digest.hexdigest() == blob.sha256
