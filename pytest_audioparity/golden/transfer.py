"""Moving tensors between the cache and the store. What is there is not moved, and nothing is ever deleted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pytest_audioparity.errors import GoldenError
from pytest_audioparity.golden.blobs import BlobError, find, is_intact
from pytest_audioparity.golden.fetch import fetch
from pytest_audioparity.golden.manifest import read_manifest
from pytest_audioparity.golden.shelf import manifest_path
from pytest_audioparity.golden.store import open_store, shown_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pytest_audioparity.golden.blobs import Blob
    from pytest_audioparity.golden.shelf import Shelf

    # (what is moved, bytes done, bytes in all); what is there already counts as done
    Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a push or a pull did.

    Attributes
    ----------
    store : as it may be shown
    goldens : how many goldens have their tensors in the store
    moved, moved_bytes : tensors that were moved
    present, present_bytes : tensors that were there already
    """

    store: str
    goldens: int
    moved: int
    moved_bytes: int
    present: int
    present_bytes: int


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A tensor, and the first golden and stage that name it."""

    blob: Blob
    golden: Path
    stage: str


def push(goldens: Iterable[Path], shelf: Shelf, progress: Progress) -> Transfer:
    """Upload the tensors of goldens that the store does not have; each takes its name there when it is complete.

    Parameters
    ----------
    goldens : their ``.safetensors`` paths; those that are no manifest have nothing to move
    shelf : the store and the cache
    progress : called with what is moved, bytes done and bytes in all

    Raises
    ------
    GoldenError : no store is configured, a manifest cannot be read, the store did not take a tensor; or, when all
        others are moved, the cache does not have one
    """

    def move(wanted: _Wanted, tell: Callable[[int], None]) -> bool:
        if store.has(wanted.blob):
            return False
        file = find(shelf.cache, wanted.blob)
        if file is None:
            raise _NowhereError("neither the cache nor the store has it; push from where this golden was updated")
        if not _intact(file, wanted.blob):
            raise _NowhereError(f"its copy in the cache was altered; delete {file}, and make the golden again")
        store.put(wanted.blob, file, tell)
        return True

    url = _url(shelf)
    try:
        store = open_store(url)
    except BlobError as error:
        raise GoldenError(f"nothing was pushed: {error}", cause=error.cause) from None
    return _move_all(list(goldens), shelf, progress, move)


def pull(goldens: Iterable[Path], shelf: Shelf, progress: Progress) -> Transfer:
    """Download the tensors of goldens that the cache does not have, verified; a folder's are copied into the cache too.

    Parameters are those of `push`.

    Raises
    ------
    GoldenError : no store is configured, a manifest cannot be read, the store cannot be reached or does not have a
        tensor; what came before it is in the cache
    """

    def move(wanted: _Wanted, tell: Callable[[int], None]) -> bool:
        there = find(shelf.cache, wanted.blob)
        if there is not None and _intact(there, wanted.blob):
            return False
        if there is not None:
            there.unlink()
        fetch(wanted.blob, url, shelf.cache, tell)
        return True

    url = _url(shelf)
    return _move_all(list(goldens), shelf, progress, move)


class _NowhereError(BlobError):
    """A tensor that the others need not wait for."""

    def __init__(self, message: str) -> None:
        super().__init__(message, cause="store")


def _url(shelf: Shelf) -> str:
    if shelf.store is None:
        raise GoldenError("no store is configured; set the ini option audioparity_golden_store", cause="store")
    return shelf.store


def _intact(file: Path, blob: Blob) -> bool:
    try:
        return is_intact(file, blob)
    except OSError as error:
        raise BlobError(f"{file} cannot be read: {error.strerror or error}", cause="store") from None


def _move_all(
    goldens: list[Path], shelf: Shelf, progress: Progress, move: Callable[[_Wanted, Callable[[int], None]], bool]
) -> Transfer:
    manifests = [manifest for manifest in map(manifest_path, goldens) if os.path.lexists(manifest)]
    wanted = list(_distinct(manifests, shelf))
    total = sum(item.blob.size_bytes for item in wanted)
    done = moved = moved_bytes = 0
    absent: GoldenError | None = None
    for item in wanted:
        label = f"{item.golden.name}: {item.stage}"
        try:
            is_moved = move(item, partial(_tell, progress, label, done, total))
        except BlobError as error:
            problem = f"golden {item.golden} lacks the tensor of stage {item.stage!r}: {error}"
            if not isinstance(error, _NowhereError):
                raise GoldenError(problem, cause=error.cause) from None
            absent = absent or GoldenError(problem, cause=error.cause)
            continue
        done += item.blob.size_bytes
        moved += is_moved
        moved_bytes += item.blob.size_bytes * is_moved
        progress(label, done, total)
    if absent is not None:
        raise absent
    store = shown_url(shelf.store or "")
    return Transfer(store, len(manifests), moved, moved_bytes, len(wanted) - moved, total - moved_bytes)


def _tell(progress: Progress, label: str, before: int, total: int, done: int) -> None:
    progress(label, before + done, total)


def _distinct(manifests: Iterable[Path], shelf: Shelf) -> Iterator[_Wanted]:
    seen = set()
    for manifest in manifests:
        for stage, blob in read_manifest(manifest, shelf).blobs.items():
            if blob not in seen:
                seen.add(blob)
                yield _Wanted(blob, manifest, stage)
