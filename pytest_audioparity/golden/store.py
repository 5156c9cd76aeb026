"""Where tensors are kept that are too large for git: a folder, or anything that fsspec reaches.

A folder needs no further package and is read in place. fsspec is imported when a store of another kind is used.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pytest_audioparity.golden.blobs import BLOCK_BYTES, SMALL_BYTES, BlobError, copy_file, find, size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_audioparity.golden.blobs import Blob

# What our extra brings; most protocols need a package of their own beside it.
_OURS = ("fsspec", "filelock")
INSTALL = "install what it needs: pip install 'pytest-audioparity[store]'"
_HTTP = ("http", "https")
# Object stores show an upload when it is complete, and rename by copying. Elsewhere a file is there while it is
# written, so it is written under another name first.
_WHOLE_UPLOADS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "hf", "r2"})
# Without these, aiohttp gives up after five minutes in all, however well a large download goes.
_CONNECT_SECONDS = 30
_SILENCE_SECONDS = 60
_SHOWN_CHARACTERS = 200


class FolderStore:
    """A folder, as of a network drive.

    Parameters
    ----------
    folder : need not exist before the first push
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, blob: Blob) -> Path:
        """Return the file of a blob.

        Raises
        ------
        BlobError : the folder, or the blob in it, is not there, or has another size
        """
        found = find(self.folder, blob)
        if found is not None:
            return found
        if not self.folder.is_dir():
            raise BlobError(
                f"store {self.folder} is not there; mount it, or, if nothing was pushed yet, whoever updated this "
                f"golden has to run: audioparity golden push",
                cause="store",
            )
        size = size_of(self.folder / blob.address)
        raise missing(str(self.folder), blob) if size is None else truncated(str(self.folder), blob, size)

    def has(self, blob: Blob) -> bool:
        """Whether the blob is there in its full size."""
        return find(self.folder, blob) is not None

    def put(self, blob: Blob, file: Path, progress: Callable[[int], None]) -> None:
        """Copy a blob into the store; it takes its name when it is complete and on the disk.

        Raises
        ------
        BlobError : the file system refused
        """
        try:
            copy_file(file, self.folder / blob.address, progress)
        except OSError as error:
            raise trouble(str(self.folder), error) from None


class RemoteStore:
    """An fsspec file system.

    Parameters
    ----------
    url : with a protocol that fsspec knows, such as ``s3://bucket/goldens``

    Raises
    ------
    BlobError : fsspec, or the package for this protocol, is missing; the URL is wrong
    """

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            from fsspec.core import url_to_fs

            self._fs, self._root = url_to_fs(url, **_options(url))
        except ImportError as error:
            said = one_line(error) + _lacking(error)
            raise BlobError(f"store {shown_url(url)} cannot be used: {said}", cause="store") from None
        except Exception as error:  # each file system has exceptions of its own
            raise trouble(url, error) from None
        protocol = self._fs.protocol
        self._protocols = (protocol,) if isinstance(protocol, str) else tuple(protocol)

    def has(self, blob: Blob) -> bool:
        """Whether the blob is there in its full size.

        Raises
        ------
        BlobError : the store does not say
        """
        with self._trouble():
            return self._size(self._path(blob)) == blob.size_bytes

    def blocks(self, blob: Blob, start: int, *, small: bool = False) -> Iterator[tuple[int, bytes]]:
        """Read a blob block by block, each with its position.

        Parameters
        ----------
        blob : which
        start : first position that is wanted; a server that cannot do that begins at 0
        small : ask for small parts one by one: of a connection that dies, some clients lose all that had come

        Raises
        ------
        BlobError : the blob is not there, or the store cannot be reached or read
        """
        try:
            with self._trouble(blob):
                yield from self._read(blob, start, small=small)
        except _NoRangesError:
            with self._trouble(blob):
                yield from self._read(blob, 0)

    def put(self, blob: Blob, file: Path, progress: Callable[[int], None]) -> None:
        """Upload a blob; it takes its name when it is complete.

        Raises
        ------
        BlobError : the store did not take it
        """
        if self._is_http:
            raise BlobError(
                f"store {shown_url(self._url)} can only be read; push to the place that it is served from",
                cause="store",
            )
        final = self._path(blob)
        with self._trouble():
            if not _WHOLE_UPLOADS.isdisjoint(self._protocols):
                self._upload(file, final, progress)
            else:
                self._upload_and_rename(file, final, progress)
            if (size := self._size(final)) != blob.size_bytes:
                raise truncated(self._url, blob, size or 0)

    @property
    def _is_http(self) -> bool:
        return not set(_HTTP).isdisjoint(self._protocols)

    def _path(self, blob: Blob) -> str:
        return f"{self._root.rstrip('/')}/{blob.address}"

    def _size(self, path: str) -> int | None:
        self._fs.invalidate_cache()
        try:
            size = self._fs.info(path)["size"]
        except FileNotFoundError:
            return None
        return int(size) if size is not None else None

    def _read(self, blob: Blob, start: int, *, small: bool = False) -> Iterator[tuple[int, bytes]]:
        options: dict[str, Any] = {}
        size = SMALL_BYTES if small else BLOCK_BYTES
        if self._is_http:
            # The size is known, so no request is spent on it; and what is read from its beginning is one stream.
            options = {"size": blob.size_bytes, "block_size": size if small else 5 * size if start else 0}
        position = start
        with self._fs.open(self._path(blob), "rb", **options) as file:
            try:
                if start:
                    file.seek(start)
                block = file.read(size)
            except ValueError as error:
                if start and self._is_http:
                    raise _NoRangesError from error
                raise
            while block:
                yield position, block
                position += len(block)
                block = file.read(size)

    def _upload(self, file: Path, target: str, progress: Callable[[int], None]) -> None:
        from fsspec.callbacks import Callback

        callback = Callback(hooks={"progress": lambda _, value, **__: progress(value)})
        self._fs.put_file(str(file), target, callback=callback)

    def _upload_and_rename(self, file: Path, final: str, progress: Callable[[int], None]) -> None:
        self._fs.makedirs(final.rpartition("/")[0], exist_ok=True)
        temporary = f"{final}.{secrets.token_hex(4)}.tmp"
        try:
            self._upload(file, temporary, progress)
            self._fs.mv(temporary, final)
        except BaseException:
            with contextlib.suppress(Exception):
                self._fs.rm_file(temporary)
            raise

    @contextlib.contextmanager
    def _trouble(self, wanted: Blob | None = None) -> Iterator[None]:
        """Turn whatever a file system raises into one error; a blob that is wanted and not there is another."""
        try:
            yield
        except (BlobError, _NoRangesError):
            raise
        except Exception as error:  # each file system has exceptions of its own
            absent = isinstance(error, FileNotFoundError) or getattr(error, "status", None) in (404, 410)
            raise (missing(self._url, wanted) if wanted and absent else trouble(self._url, error)) from None


class _NoRangesError(Exception):
    """An HTTP server sends a file from its beginning only."""


def open_store(url: str) -> FolderStore | RemoteStore:
    """Return the store of a path, a ``file:`` URL or an fsspec URL.

    Raises
    ------
    BlobError : see `RemoteStore`; a ``file:`` URL of another host
    """
    if url.startswith("file://"):
        if (parts := urlsplit(url)).netloc not in ("", "localhost"):
            raise BlobError(f"store {url}: a file URL has three slashes before an absolute path", cause="store")
        return FolderStore(Path(unquote(parts.path)))
    if "://" in url or "::" in url:
        return RemoteStore(url)
    return FolderStore(Path(url).expanduser())


def missing(url: str, blob: Blob) -> BlobError:
    """Return the error of a blob that a store does not have."""
    return BlobError(
        f"store {shown_url(url)} does not have it (sha256 {blob.sha256[:12]}…); "
        f"whoever updated this golden has to run: audioparity golden push",
        cause="store",
    )


def truncated(url: str, blob: Blob, size_bytes: int) -> BlobError:
    """Return the error of a blob of which a store has a part, or too much."""
    return BlobError(
        f"store {shown_url(url)} has {size_bytes} bytes of it instead of {blob.size_bytes} "
        f"(sha256 {blob.sha256[:12]}…); push it again from where it was made: audioparity golden push",
        cause="store",
    )


def trouble(url: str, error: Exception) -> BlobError:
    """Return the error of a store that cannot be reached, read or written."""
    where, check = f"store {shown_url(url)}", "check the address, the network and your credentials"
    return BlobError(f"{where} cannot be used: {one_line(error)}; {check}", cause="store")


def shown_url(url: str) -> str:
    """Return a URL without the user name, password or query that it may carry, which may be secrets."""
    return re.sub(r"://[^/@\s]*@", "://…@", re.sub(r"\?\S*", "?…", url))


def one_line(error: BaseException) -> str:
    """Return an error's kind and text on one line of bounded length, without secrets of URLs."""
    text = shown_url(" ".join(str(error).split()))[:_SHOWN_CHARACTERS]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _lacking(error: ImportError) -> str:
    """Return how to install what is missing; empty where fsspec says it in words of its own, which name no module."""
    package = (error.name or "").partition(".")[0]
    beside = "" if package in _OURS else f" {package}"
    return f"; {INSTALL}{beside}" if package else ""


def _options(url: str) -> dict[str, Any]:
    if url.partition("://")[0] not in _HTTP:
        return {}
    import aiohttp
    from fsspec.config import conf

    client: dict[str, Any] = {
        "timeout": aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS)
    }
    # fsspec would let ours replace the whole of what the user configured, authorisation included.
    for protocol in _HTTP:
        client |= conf.get(protocol, {}).get("client_kwargs", {})
    return {"client_kwargs": client}
