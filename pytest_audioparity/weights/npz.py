"""Arrays of a .npz archive. Those stored as they are stay in the file; Python objects are never unpickled."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.numpyheader import HEADER_BYTES, read_header
from pytest_audioparity.weights.archive import Archive
from pytest_audioparity.weights.mapped import span_bytes
from pytest_audioparity.weights.mlx_layers import dequantised
from pytest_audioparity.weights.records import Weight, WeightFile

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    Array = np.ndarray[Any, Any]

_SUFFIX = ".npy"
_NUMBERS = "biufc"


def read(path: Path) -> WeightFile:
    """Read the arrays of a .npz archive.

    Raises
    ------
    TensorFileError : missing or damaged
    """
    archive = Archive(path)
    weights, notes = [], []
    for member in archive.names:
        found = _weight(archive, member)
        if isinstance(found, Weight):
            weights.append(found)
        else:
            notes.append(found)
    weights, more = dequantised(weights, path)
    return WeightFile(path, "npz", tuple(weights), (*notes, *more))


def _weight(archive: Archive, member: str) -> Weight | str:
    name = member.removesuffix(_SUFFIX)
    if name == member:
        return f"{shown(member)} is no array and is left out"
    shape, fortran, dtype, start = _header(archive, member)
    if dtype.kind == "O":
        return f"{shown(name)} holds Python objects, which are never unpickled, and is left out"
    if dtype.kind not in _NUMBERS:
        return f"{shown(name)} is of dtype {dtype}, which is no number, and is left out"
    if start + span_bytes(name, dtype, shape) != archive.size(member):
        raise TensorFileError(f"holds {shown(name)} with a size that does not fit its shape")
    return Weight(name, shape, dtype.name, lambda: _array(archive, member, shape, fortran, dtype, start))


def _header(archive: Archive, member: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    file = io.BytesIO(archive.start(member, HEADER_BYTES))
    try:
        shape, fortran, dtype = read_header(file)
    except TensorFileError as error:
        raise TensorFileError(f"holds {shown(member)}, which {error}") from None
    return shape, fortran, dtype, file.tell()


def _array(
    archive: Archive, member: str, shape: tuple[int, ...], fortran: bool, dtype: np.dtype[Any], start: int
) -> Array:
    stored = shape[::-1] if fortran else shape
    place = archive.place(member)
    if place is not None:
        array = archive.mapped.array(member, dtype, stored, place + start)
    else:
        array = archive.view(member)[start:].view(dtype).reshape(stored)
    return array.T if fortran else array
