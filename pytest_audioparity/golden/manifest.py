"""The manifest of a golden whose tensors lie in a store: small JSON text that git keeps and people read in a diff."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import GoldenError, StageError, TensorFileError, shown
from pytest_audioparity.golden.atomic import replace_bytes
from pytest_audioparity.golden.blobs import Blob, BlobError, blob_of, is_address, keep
from pytest_audioparity.golden.document import PAIRS, compose, encodable, laid_out, parse_document, stages_in, stored
from pytest_audioparity.golden.fetch import discard_if_altered, locate
from pytest_audioparity.golden.file import Golden, unwritable
from pytest_audioparity.golden.statistics import statistics
from pytest_audioparity.tensorbytes import (
    are_sizes,
    as_array,
    dtype_from_numpy_name,
    fits,
    name_from_dtype,
    raw_bytes,
)
from pytest_audioparity.tensorfile import MAP_FROM_BYTES, MAX_HEADER_BYTES, contents, release_pages

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pytest_audioparity.golden.shelf import Shelf
    from pytest_audioparity.records import StageTensor

    Array = np.ndarray[Any, Any]

# Each mapping holds a file handle, of which a process may have as few as 256 in all: tensors after so many are read.
_MOST_MAPPED = 100


@dataclass(frozen=True, slots=True)
class _Entry:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    blob: Blob


class Manifest:
    """A manifest as the source of a golden's tensors. A tensor is fetched when its bytes are first asked for.

    Parameters
    ----------
    path : the manifest
    shelf : where its tensors are

    Raises
    ------
    TensorFileError : missing, no manifest, of a newer format, or a Git LFS pointer
    """

    def __init__(self, path: Path, *, shelf: Shelf) -> None:
        self._path = path
        self._shelf = shelf
        text, self.identity = _text(path)
        document = parse_document(text, what="content")
        if document.get("stages") is None:
            raise TensorFileError("has no stage list")
        described = stages_in(document["stages"])
        self._entries = {name: _entry(name, entry) for name, entry in described.items()}
        self.document = {**document, "stages": [_with_hash(entry) for entry in described.values()]}
        self.size_bytes = self.identity[-1] + sum(blob.size_bytes for blob in set(self.blobs.values()))
        self._files: dict[str, Path] = {}
        self._data: dict[str, mmap.mmap | bytes] = {}

    @property
    def metadata(self) -> Mapping[str, str]:
        """Nothing: a manifest is its document."""
        return {}

    @property
    def names(self) -> Sequence[str]:
        """Stage names, in their order."""
        return tuple(self._entries)

    @property
    def blobs(self) -> dict[str, Blob]:
        """The blob of each stage that has any bytes."""
        return {name: entry.blob for name, entry in self._entries.items() if entry.blob.size_bytes}

    def outline(self, name: str) -> Array:
        """Return an array of the tensor's dtype and shape, which occupies no memory."""
        entry = self._entries[name]
        return np.broadcast_to(np.zeros((), entry.dtype), entry.shape)

    def tensor(self, name: str) -> Array:
        """Return the tensor as a read-only view.

        Raises
        ------
        GoldenError : it cannot be had
        TensorFileError : a boolean tensor holds bytes other than 0 and 1
        """
        entry = self._entries[name]
        return as_array(name, entry.dtype, entry.shape, self._bytes(name))

    def raw(self, name: str) -> memoryview:
        """Return the tensor's bytes, without copying.

        Raises
        ------
        GoldenError : it cannot be had
        """
        return memoryview(self._bytes(name))

    def release(self) -> None:
        """Let the system take back the pages of tensors that were read."""
        for data in self._data.values():
            release_pages(data)

    def disown(self, name: str) -> None:
        """Remove a cached tensor that is not the one that its address says, and say so.

        Raises
        ------
        GoldenError : the tensor was altered, and not the manifest
        """
        file = self._files.get(name)
        self._data.pop(name)
        problem = file and discard_if_altered(file, self._entries[name].blob, self._shelf.cache)
        if problem:
            raise self._lacks(name, problem)

    def _bytes(self, name: str) -> mmap.mmap | bytes:
        data = self._data.get(name)
        if data is None:
            data = self._data[name] = self._fetched(name) if self._entries[name].blob.size_bytes else b""
        return data

    def _fetched(self, name: str) -> mmap.mmap | bytes:
        blob, shelf = self._entries[name].blob, self._shelf
        assert shelf.store is not None
        try:
            file = self._files[name] = locate(blob, shelf.store, shelf.cache, offline=shelf.offline)
            map_from = MAP_FROM_BYTES if len(self._data) < _MOST_MAPPED else sys.maxsize
            data, (*_, size) = contents(file, map_from=map_from)
            if size != blob.size_bytes:  # it had that size a moment ago
                raise BlobError("its file changes while it is read; run it again", cause="store")
        except TensorFileError as error:
            raise self._lacks(name, error) from None
        return data

    def _lacks(self, name: str, error: TensorFileError) -> GoldenError:
        return GoldenError(f"golden {self._path} lacks the tensor of stage {name!r}: {error}", cause=error.cause)


def open_manifest(path: Path, shelf: Shelf) -> Golden:
    """Open a golden that has a manifest.

    Raises
    ------
    GoldenError : see its `cause`
    """
    return Golden(path, source=partial(Manifest, shelf=shelf))


def read_manifest(path: Path, shelf: Shelf) -> Manifest:
    """Read a manifest with every check that a golden has, for what moves its tensors.

    Raises
    ------
    GoldenError : see its `cause`
    """
    sources: list[Manifest] = []

    def opened(path: Path) -> Manifest:
        sources.append(Manifest(path, shelf=shelf))
        return sources[0]

    Golden(path, source=opened)
    return sources[0]


def write_manifest(
    path: Path,
    stages: Sequence[StageTensor],
    *,
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any],
    cache: Path,
    guard: Callable[[], AbstractContextManager[None]],
    folders: set[Path] | None = None,
) -> int:
    """Put tensors into the cache, then write their manifest atomically; return the size of both in bytes.

    Raises
    ------
    StageError : a stage has a dtype that the format cannot hold, a name comes twice, the settings are no JSON
    GoldenError : the file system refused; the old manifest, if any, is as it was
    """
    _check(stages)
    document = compose([], settings, provenance)
    blobs = set()
    for stage in stages:
        entry, blob, data = _described(stage)
        try:
            if data:
                keep(cache, blob, data)
        except OSError as error:
            raise unwritable(path, error, what=f"tensors in the cache {cache}") from None
        blobs.add(blob)
        document["stages"].append(entry)
    text = encodable(laid_out(document)).encode()
    try:
        size = replace_bytes(path, text, guard=guard, folders=folders)
    except OSError as error:
        raise unwritable(path, error) from None
    return size + sum(blob.size_bytes for blob in blobs)


def _check(stages: Sequence[StageTensor]) -> None:
    names = set()
    for stage in stages:
        name, dtype = stage.meta.name, stage.array.dtype
        if dtype.name not in PAIRS and name_from_dtype(dtype) is None:
            raise StageError(f"stage {name!r} has dtype {dtype}, which a golden cannot hold; cast it")
        if name in names:
            raise StageError(f"stage {name!r} would stand twice in one golden; give each its own name")
        names.add(name)


def _described(stage: StageTensor) -> tuple[dict[str, Any], Blob, memoryview]:
    array, entry = stored(stage)
    digest, data = entry.pop("hash"), raw_bytes(array)
    blob = blob_of(data)
    values = np.ndarray(array.size, array.dtype.newbyteorder("<"), data)
    entry |= {
        "dtype": stage.array.dtype.name,
        "shape": list(stage.array.shape),
        "bytes": blob.size_bytes,
        "sha256": blob.sha256,
        "hash": digest,
    }
    if numbers := statistics(values):
        entry["statistics"] = numbers
    return entry, blob, data


def _text(path: Path) -> tuple[str, Any]:
    data, identity = contents(path)
    if len(data) > MAX_HEADER_BYTES:
        raise TensorFileError(f"is no manifest: it has {len(data)} bytes")
    try:
        text = bytes(data).decode("utf-8")
    except UnicodeDecodeError as error:
        raise TensorFileError(f"has unreadable content: {error}") from None
    if text.startswith("<<<<<<< ") or "\n<<<<<<< " in text:
        raise TensorFileError("has the marks of a merge conflict")
    return text, identity


def _entry(name: str, entry: Mapping[str, Any]) -> _Entry:
    dtype, shape, size, sha256 = (entry.get(key) for key in ("dtype", "shape", "bytes", "sha256"))
    found = dtype_from_numpy_name(dtype)
    if found is None:
        raise TensorFileError(f"describes stage {name!r} with dtype {shown(dtype)}, which numpy cannot represent")
    if not isinstance(shape, list) or not are_sizes((*shape, size)):
        raise TensorFileError(f"describes stage {name!r} with impossible numbers")
    assert isinstance(size, int)
    if not fits(found, shape, size):
        raise TensorFileError(f"describes stage {name!r} with a size that does not fit its shape")
    if not is_address(sha256):
        raise TensorFileError(f"states no sha256 of stage {name!r}: it must be 64 hexadecimal digits in small letters")
    return _Entry(found, tuple(shape), Blob(str(sha256), size))


def _with_hash(entry: dict[str, Any]) -> dict[str, Any]:
    """Have a tensor checked whenever it is read, by its address if no faster hash is stated."""
    return entry if entry.get("hash") is not None else {**entry, "hash": f"sha256:{entry['sha256']}"}
