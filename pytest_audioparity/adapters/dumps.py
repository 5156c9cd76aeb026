"""Stage tensors from files that other programs wrote: .safetensors (goldens included), .npz, .npy.

The table `READERS` maps a suffix to its reader; a new format is one function and one line.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from pytest_audioparity.adapters.arrays import as_array, first_line, plain_name
from pytest_audioparity.comparison.tolerances import matches, unmatched
from pytest_audioparity.errors import GoldenError, StageError, TensorFileError
from pytest_audioparity.golden.declarations import declaration_problem
from pytest_audioparity.golden.file import Golden
from pytest_audioparity.records import StageMeta, StageTensor
from pytest_audioparity.tensorfile import open_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Array = np.ndarray[Any, Any]

_AGAIN = "let the program that made it write it again"
_WAY_OUT = {
    "damaged": _AGAIN,
    "altered": _AGAIN,
    "lfs_pointer": "run: git lfs pull",
    "newer_format": "install a newer pytest-audioparity: pip install -U pytest-audioparity",
    "missing": "check the path and whether the program wrote it",
}
_NPY_START = b"\x93NUMPY"
_ZIP_START = b"PK"


def load(
    path: Path, rename: Mapping[str, str] | None = None, axes: Mapping[str, str] | None = None
) -> list[StageTensor]:
    """Read every tensor of a file, in the file's order, without unpickling anything.

    Parameters
    ----------
    path : a .safetensors, .npz or .npy file; the tensor of a .npy file is named after the file
    rename : from names in the file to stage names
    axes : from globs of stage names to axes, for tensors whose file declares none

    Raises
    ------
    TensorFileError : the file is missing, damaged, or of an unknown kind
    StageError : a tensor or a name that cannot be a stage, a renaming of something that is not there, axes that
        do not fit or that contradict the file
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise TensorFileError(f"{path} is none of the files that can be read: {', '.join(READERS)}")
    stages = _renamed(reader(path), rename or {}, path)
    return _declared(stages, axes, path) if axes else stages


def _renamed(stages: list[StageTensor], rename: Mapping[str, str], path: Path) -> list[StageTensor]:
    held = [stage.meta.name for stage in stages]
    unknown = [name for name in rename if name not in held]
    if unknown:
        raise StageError(f"{path} has no tensor {unknown[0]!r} to rename; it has {', '.join(map(repr, held))}")
    try:
        renamed = [_as_stage(stage, rename.get(stage.meta.name, stage.meta.name)) for stage in stages]
    except StageError as error:
        raise StageError(f"{path}: {error}") from None
    names = [stage.meta.name for stage in renamed]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise StageError(f"{path}: two tensors would be named {twice!r}; give rename= a new name for one of them")
    return renamed


def _declared(stages: list[StageTensor], axes: Mapping[str, str], path: Path) -> list[StageTensor]:
    if (problem := unmatched(axes, [stage.meta.name for stage in stages])) is not None:
        raise StageError(f"{path}: axes={dict(axes)}: {problem}")
    return [_with_axes(stage, axes, path) for stage in stages]


def _with_axes(stage: StageTensor, axes: Mapping[str, str], path: Path) -> StageTensor:
    """Declare the axes of the last glob that a stage's name matches."""
    meta = stage.meta
    given = next((letters for glob, letters in reversed(list(axes.items())) if matches(meta.name, glob)), meta.axes)
    if given == meta.axes:
        return stage
    if meta.axes is not None:
        raise StageError(f"{path} itself declares axes={meta.axes!r} of stage {meta.name!r}, not {given!r}")
    if (problem := declaration_problem(stage.array, {"axes": given})) is not None:
        raise StageError(f"stage {meta.name!r} of {path}: {problem}")
    return replace(stage, meta=replace(meta, axes=given))


def _as_stage(stage: StageTensor, name: str) -> StageTensor:
    name = plain_name(name)
    return StageTensor(replace(stage.meta, name=name), as_array(stage.array, name))


def _safetensors(path: Path) -> list[StageTensor]:
    try:
        return list(Golden(path, way_out=_WAY_OUT))
    except GoldenError as error:
        raise TensorFileError(str(error).removeprefix("golden "), cause=error.cause) from None


def _npz(path: Path) -> list[StageTensor]:
    with _opened(path, _ZIP_START) as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                return [StageTensor(StageMeta(name), archive[name]) for name in archive.files]
        except Exception as error:  # zipfile, its codecs and numpy raise a dozen classes over a damaged file
            raise _unreadable(path, error) from None


def _npy(path: Path) -> list[StageTensor]:
    _opened(path, _NPY_START).close()
    try:
        array: np.memmap[Any, Any] = np.load(path, allow_pickle=False, mmap_mode="r")
    except Exception as error:  # see above
        raise _unreadable(path, error) from None
    rest = path.stat().st_size - array.offset - array.nbytes
    if rest:  # np.save called again on an open file; numpy would read the first array and forget the others
        raise _error(path, f"goes on for {rest} bytes after its array; save several arrays as .npz")
    return [StageTensor(StageMeta(path.stem), np.asarray(array))]


def _opened(path: Path, start: bytes) -> BinaryIO:
    """Open a file of its suffix's format; anything else numpy would take for a pickle."""
    try:
        file = open_file(path)
    except TensorFileError as error:
        raise _error(path, str(error), error.cause) from None
    if file.read(len(start)) != start:
        file.close()
        raise _error(path, f"is not a {path.suffix.lower()} file")
    file.seek(0)
    return file


def _unreadable(path: Path, error: Exception) -> TensorFileError:
    if "allow_pickle" in str(error) or "Python objects" in str(error):
        return TensorFileError(f"{path} holds Python objects, which are never unpickled; save plain arrays")
    return _error(path, f"cannot be read: {first_line(error)}")


def _error(path: Path, problem: str, cause: str = "damaged") -> TensorFileError:
    return TensorFileError(f"{path} {problem}; {_WAY_OUT[cause]}", cause=cause)


READERS: dict[str, Callable[[Path], list[StageTensor]]] = {".safetensors": _safetensors, ".npz": _npz, ".npy": _npy}
