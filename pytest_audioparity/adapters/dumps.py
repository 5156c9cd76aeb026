"""Stage tensors from files that other programs wrote: .safetensors (goldens included), .npz, .npy.

The table `READERS` maps a suffix to its reader; a new format is one function and one line.
"""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.adapters.arrays import as_array, check_name
from pytest_audioparity.errors import GoldenError, StageError, TensorFileError
from pytest_audioparity.golden.file import Golden
from pytest_audioparity.records import StageMeta, StageTensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    Array = np.ndarray[Any, Any]


def load(path: Path, rename: Mapping[str, str] | None = None) -> list[StageTensor]:
    """Read every tensor of a file, in the file's order, without unpickling anything.

    Parameters
    ----------
    path : a .safetensors, .npz or .npy file; the tensor of a .npy file is named after the file
    rename : from names in the file to stage names

    Raises
    ------
    TensorFileError, GoldenError : the file is missing, damaged, or of an unknown kind
    StageError : a tensor or a name that cannot be a stage, a renaming of something that is not there
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(READERS)
        raise TensorFileError(f"{path} is none of the files that can be read: {known}")
    if not path.exists():
        raise TensorFileError(f"{path} does not exist", cause="missing")
    return _renamed(list(reader(path)), rename or {}, path)


def _renamed(stages: list[StageTensor], rename: Mapping[str, str], path: Path) -> list[StageTensor]:
    held = [stage.meta.name for stage in stages]
    unknown = [name for name in rename if name not in held]
    if unknown:
        raise StageError(f"{path} has no tensor {unknown[0]!r} to rename; it has {', '.join(held)}")
    names = [rename.get(name, name) for name in held]
    for name in names:
        check_name(name)
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise StageError(f"{path}: two tensors would be named {twice!r} after renaming")
    return [
        StageTensor(_with_name(stage.meta, name), as_array(stage.array, name))
        for stage, name in zip(stages, names, strict=True)
    ]


def _with_name(meta: StageMeta, name: str) -> StageMeta:
    return StageMeta(name, meta.kind, meta.axes, meta.unit, meta.sample_rate, meta.frame_rate)


def _safetensors(path: Path) -> Iterable[StageTensor]:
    try:
        return list(Golden(path))
    except GoldenError as error:
        raise TensorFileError(str(error).partition("; ")[0].removeprefix("golden "), cause=error.cause) from None


def _npz(path: Path) -> Iterable[StageTensor]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return [StageTensor(StageMeta(name), archive[name]) for name in archive.files]
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, MemoryError) as error:
        raise _unreadable(path, error) from None


def _npy(path: Path) -> Iterable[StageTensor]:
    try:
        array: Array = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise _unreadable(path, error) from None
    if not isinstance(array, np.ndarray):
        raise TensorFileError(f"{path} is not a .npy file")
    return [StageTensor(StageMeta(path.stem), array)]


def _unreadable(path: Path, error: Exception) -> TensorFileError:
    if "allow_pickle" in str(error) or "pickle" in str(error).lower():
        return TensorFileError(f"{path} holds Python objects, which are never unpickled; save plain arrays")
    return TensorFileError(
        f"{path} cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    )


READERS = {".safetensors": _safetensors, ".npz": _npz, ".npy": _npy}
