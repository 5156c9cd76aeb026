"""A weight file in the page cache: bounds-checked arrays over its bytes, and pages given back while it is read."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.tensorbytes import are_sizes, as_array, fits
from pytest_audioparity.tensorfile import contents, release_pages

if TYPE_CHECKING:
    import mmap
    from collections.abc import Sequence
    from pathlib import Path

    Array = np.ndarray[Any, Any]

# A look at one byte may bring in so many around it: Linux maps the large pages of its cache whole.
_PAGE_BYTES = 1 << 21
# Pages read so far are given back each time so many bytes were asked for: a mapped gigabyte that is read once from end
# to end would otherwise count as a gigabyte of memory. Views stay valid; what is read again comes from the page cache.
_KEPT_BYTES = 1 << 26


class Pages:
    """The memory that the reading of a mapped file takes: see `_KEPT_BYTES`."""

    def __init__(self, data: mmap.mmap | bytes) -> None:
        self._data = data
        self._asked = 0

    def ask(self, size_bytes: int) -> None:
        """Make room for so many bytes that are about to be read."""
        self._asked += size_bytes
        if self._asked > _KEPT_BYTES:
            release_pages(self._data)
            self._asked = size_bytes


class Mapped:
    """The bytes of one file, memory-mapped.

    Parameters
    ----------
    path : the file

    Raises
    ------
    TensorFileError : missing, unreadable, not a regular file, or a Git LFS pointer
    """

    def __init__(self, path: Path) -> None:
        self.data, _ = contents(path)
        self._pages = Pages(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def file(self) -> BinaryIO:
        """Return the bytes as a file at its start."""
        if isinstance(self.data, bytes):
            return io.BytesIO(self.data)
        self.data.seek(0)
        return cast("BinaryIO", self.data)

    def bytes(self, start: int, stop: int) -> bytes:
        """Return a copy of some bytes."""
        return self.data[start:stop]

    def skip(self, size_bytes: int) -> None:
        """Take account of what a look behind so many skipped bytes brings in."""
        self._pages.ask(min(size_bytes, _PAGE_BYTES))

    def view(self, start: int, size_bytes: int) -> Array:
        """Return some bytes as a read-only array of uint8, without copying.

        Raises
        ------
        TensorFileError : the file ends before
        """
        return self.array("", np.dtype(np.uint8), (size_bytes,), start)

    def array(self, name: str, dtype: np.dtype[Any], shape: Sequence[int], start: int) -> Array:
        """Return a read-only array in C order over the bytes from `start`, without copying.

        Raises
        ------
        TensorFileError : impossible numbers, the file ends before, or truth values other than 0 and 1
        """
        size_bytes = span_bytes(name, dtype, shape)
        self.check(name, start, size_bytes)
        self._pages.ask(size_bytes)
        if not size_bytes:  # numpy takes no buffer that starts at its end
            return np.zeros(tuple(shape), dtype)
        return as_array(name, dtype, tuple(shape), self.data, start)

    def check(self, name: str, start: int, size_bytes: int) -> None:
        """Refuse what lies outside the file.

        Raises
        ------
        TensorFileError : it does
        """
        if start < 0 or size_bytes < 0 or start + size_bytes > len(self.data):
            raise TensorFileError(f"is truncated: tensor {shown(name)} lies outside of it")


def span_bytes(name: str, dtype: np.dtype[Any], shape: Sequence[int]) -> int:
    """Return how many bytes an array of that dtype and shape has.

    Raises
    ------
    TensorFileError : it cannot be, or numpy cannot hold it
    """
    size = math.prod(shape) * dtype.itemsize if are_sizes(shape) else -1
    if size < 0 or not fits(dtype, shape, size):
        raise TensorFileError(f"describes tensor {shown(name)} with impossible numbers")
    return size
