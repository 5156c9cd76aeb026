"""The header of an array that numpy wrote, looked at before the array is read: numpy makes room for what it claims."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.tensorbytes import are_sizes, fits

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

# Longer than any header that numpy reads (its own limit is 10 000 characters), with the magic and the length before it.
HEADER_BYTES = 10_100
# Version 3 is version 2 in UTF-8, for the names of fields; numpy has no function for it, and numbers have no fields.
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,
}


def read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether it is in Fortran's order, and dtype; the file is left where the numbers begin.

    Raises
    ------
    TensorFileError : it is no header of numpy's
    """
    try:
        read = _READERS[np.lib.format.read_magic(file)]
        with warnings.catch_warnings():  # of headers that Python 2 wrote, which are read all the same
            warnings.simplefilter("ignore", UserWarning)
            shape, fortran, dtype = read(file)
    except Exception:  # numpy parses the header as Python, which fails in a dozen ways and repeats all of it
        raise TensorFileError("has an unreadable header") from None
    return shape, fortran, dtype


def header_problem(file: BinaryIO, size_bytes: int) -> str | None:
    """Say why an array cannot be read, or return None.

    Parameters
    ----------
    file : at the start of the array
    size_bytes : of header and numbers
    """
    try:
        shape, _, dtype = read_header(file)
    except TensorFileError as error:
        return str(error)
    if dtype.hasobject:
        return "holds Python objects, which are never unpickled; save plain arrays"
    if not are_sizes(shape):
        return "has impossible numbers in its header"
    held = size_bytes - file.tell()
    needed = 0 if 0 in shape else int(np.prod(shape, dtype=object)) * dtype.itemsize
    if held < needed or not fits(dtype, shape, needed):
        return f"is truncated: its header claims an array of {needed} bytes, and {held} are there"
    if held > needed:  # np.save called again on an open file; numpy would read the first array and forget the others
        return f"goes on for {held - needed} bytes after its array; save several arrays as .npz"
    return None
