"""Getting a tensor that a manifest names: from the cache, from a folder in place, or by a download that can resume."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pytest_audioparity.golden.blobs import BlobError, copy_file, find, ignore_in_git, is_intact, size_of
from pytest_audioparity.golden.store import INSTALL, FolderStore, open_store, shown_url, truncated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_audioparity.golden.blobs import Blob
    from pytest_audioparity.golden.store import RemoteStore

# A connection that breaks is taken up again as long as it brings something, so often at most.
_ATTEMPTS = 5
PARTIAL = "partial"


def locate(blob: Blob, store_url: str, cache: Path, *, offline: bool) -> Path:
    """Return a file that has the size of a blob, downloading it if need be. A store that is a folder is read in place.

    Raises
    ------
    BlobError : it cannot be had
    """
    cached = find(cache, blob)
    if cached is not None:
        return cached
    if offline:
        raise BlobError(
            "it is not in the cache and --golden-offline is given; run audioparity golden pull while online",
            cause="store",
        )
    store = open_store(store_url)
    return store.file(blob) if isinstance(store, FolderStore) else _download(blob, store, store_url, cache, _silent)


def fetch(blob: Blob, store_url: str, cache: Path, progress: Callable[[int], None]) -> Path:
    """Copy a blob from a store of any kind into the cache.

    Raises
    ------
    BlobError : it cannot be had
    """
    store = open_store(store_url)
    if isinstance(store, FolderStore):
        return _copy(blob, store, cache, progress)
    return _download(blob, store, store_url, cache, progress)


def discard_if_altered(file: Path, blob: Blob, cache: Path) -> BlobError | None:
    """Deal with a blob that does not have the hash that its manifest states. In the cache it is removed if it is wrong.

    Returns
    -------
    The error to raise, or None if the blob has its address, so that the manifest is wrong
    """
    try:
        if is_intact(file, blob):
            return None
        if file != cache / blob.address:
            return _wrong(str(file.parents[2]), blob)
        file.unlink()
    except OSError as error:
        return BlobError(f"{file} was altered, and {error.strerror or error}; delete it", cause="altered")
    return BlobError("its copy in the cache was altered and is removed; run it again to fetch it anew", cause="altered")


def _silent(done: int) -> None:
    pass


def _copy(blob: Blob, store: FolderStore, cache: Path, progress: Callable[[int], None]) -> Path:
    source = store.file(blob)
    with _writing(cache):
        # Looked at before: to find out afterwards would leave a wrong file in the cache for a moment.
        if not is_intact(source, blob):
            raise _wrong(str(store.folder), blob)
        copy_file(source, cache / blob.address, progress, durable=False)
    return cache / blob.address


def _download(blob: Blob, store: RemoteStore, url: str, cache: Path, progress: Callable[[int], None]) -> Path:
    with _writing(cache), _alone(cache / PARTIAL / f"{blob.sha256}.lock", url):
        done = find(cache, blob)  # by another process, while this one waited
        if done is not None:
            return done
        part = cache / PARTIAL / f"{blob.sha256}.part"
        # What was left by an earlier download may be of another server's making, so it has a second chance.
        for resumed in (size_of(part) or 0) > 0, False:
            _receive(part, blob, store, url, progress)
            if is_intact(part, blob):
                break
            part.unlink()
            if not resumed:
                raise _wrong(url, blob)
        target = cache / blob.address
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
    return target


def _receive(part: Path, blob: Blob, store: RemoteStore, url: str, progress: Callable[[int], None]) -> None:
    """Bring a partial file to at least its full size."""
    stalled = False
    for attempt in range(1, _ATTEMPTS + 1):
        before, problem = size_of(part) or 0, None
        if before >= blob.size_bytes:
            return
        try:
            _append(part, blob, store, progress, small=stalled)
        except BlobError as error:
            problem = error
        after = size_of(part) or 0
        if after < blob.size_bytes and (attempt == _ATTEMPTS or (stalled and after <= before)):
            raise problem or truncated(url, blob, after)
        stalled = after <= before


def _append(part: Path, blob: Blob, store: RemoteStore, progress: Callable[[int], None], *, small: bool) -> None:
    part.touch()
    with part.open("r+b") as file:
        start = file.seek(0, 2)
        for position, block in store.blocks(blob, start, small=small):
            if position != file.tell():
                file.seek(position)
                file.truncate()
            file.write(block)
            progress(min(file.tell(), blob.size_bytes))
            if file.tell() > blob.size_bytes:  # it is something else, which the check of its content says
                return


@contextlib.contextmanager
def _writing(cache: Path) -> Iterator[None]:
    """Turn what the file system of the cache refuses into an error."""
    try:
        ignore_in_git(cache)
        yield
    except OSError as error:
        problem = f"the cache {cache} could not be written: {error.strerror or error}"
        raise BlobError(f"{problem}; make room, or set audioparity_golden_cache", cause="unwritable") from None


@contextlib.contextmanager
def _alone(lock: Path, url: str) -> Iterator[None]:
    """Let one process at a time download a blob: the workers of pytest-xdist want the same ones at once."""
    try:
        from filelock import FileLock
    except ImportError as error:
        raise BlobError(f"store {shown_url(url)} cannot be used: {error}; {INSTALL}", cause="store") from None
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        yield


def _wrong(url: str, blob: Blob) -> BlobError:
    return BlobError(
        f"store {shown_url(url)} has something else at {blob.address}; "
        f"delete it there, and push again from where the golden was made: audioparity golden push",
        cause="altered",
    )
