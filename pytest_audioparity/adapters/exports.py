"""Stages of a golden written for programs of any language: a safetensors or npz file, or a folder of raw numbers."""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from pytest_audioparity.adapters.arrays import BITS
from pytest_audioparity.adapters.rawfiles import SIDECAR, raw_files
from pytest_audioparity.comparison.tolerances import matches, unmatched
from pytest_audioparity.errors import GoldenError, StageError
from pytest_audioparity.golden.atomic import replace_bytes, replace_file
from pytest_audioparity.golden.file import write_golden
from pytest_audioparity.golden.names import SUFFIX, file_key, golden_path
from pytest_audioparity.records import INPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.records import StageTensor

    Array = np.ndarray[Any, Any]


def inputs_of(golden: Golden, globs: Sequence[str] = ()) -> tuple[list[StageTensor], bool]:
    """Return the stages of a golden that some globs mean, its inputs without any, and whether there are such.

    A golden that marks no inputs gives all of its stages.

    Raises
    ------
    StageError : a glob means no stage
    GoldenError : the golden cannot be read
    """
    names = [meta.name for meta in golden.stages]
    if (problem := unmatched(globs, names)) is not None:
        raise StageError(f"{golden.path}: --stage {problem}")
    if globs:
        chosen = [name for name in names if any(matches(name, glob) for glob in globs)]
    else:
        chosen = [meta.name for meta in golden.stages if meta.role == INPUT]
    return [golden.read(name) for name in chosen or names], bool(chosen)


def write_safetensors(path: Path, stages: Sequence[StageTensor]) -> None:
    """Write stages as a file that is read as a golden is; each number to the bit.

    Raises
    ------
    GoldenError : the file system refused
    """
    write_golden(path, stages, settings={}, provenance={})


def write_npz(path: Path, stages: Sequence[StageTensor]) -> None:
    """Write stages as numpy does; what is declared of them is not in it.

    Raises
    ------
    StageError : a dtype that numpy itself lacks
    """
    for stage in stages:
        if stage.array.dtype.name in BITS:
            name, dtype = stage.meta.name, stage.array.dtype.name
            raise StageError(f"stage {name!r} is {dtype}, which .npz cannot hold; use --format safetensors")

    def write(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for stage in stages:
                # The time is left at its start, so that the same stages give the same bytes.
                with archive.open(zipfile.ZipInfo(f"{stage.meta.name}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(stage.array, order="C"), allow_pickle=False)

    _written(path, partial(replace_file, path, write))


def write_raw_folder(folder: Path, stages: Sequence[StageTensor]) -> None:
    """Write each stage as raw numbers with a JSON text beside them, named after the stage where a file can be.

    Raises
    ------
    StageError : a dtype that has no raw files, or the folder holds other files, which would be read as stages as well
    """
    files: dict[Path, bytes | memoryview] = {}
    for name, stage in _file_names(stages):
        suffix, numbers, said = raw_files(stage)
        files[folder / f"{name}{suffix}"] = numbers
        files[folder / f"{name}{suffix}{SIDECAR}"] = said
    others = sorted(path for path in folder.rglob("*") if path.is_file() and path not in files)
    if others:
        raise StageError(f"{folder} holds other files, which would be read as stages too, such as {others[0]}")
    for path, content in files.items():
        _written(path, partial(replace_bytes, path, bytes(content)))


WRITERS: Mapping[str, Callable[[Path, Sequence[StageTensor]], None]] = {
    "safetensors": write_safetensors,
    "npz": write_npz,
    "f32": write_raw_folder,
}


def _file_names(stages: Sequence[StageTensor]) -> Iterator[tuple[str, StageTensor]]:
    """Give each stage a path of its own below a folder, on file systems that ignore case as well."""
    taken: set[str] = set()
    for number, stage in enumerate(stages):
        name = stage.meta.name if _is_file_name(stage.meta.name) else "stage"
        while file_key(name) in taken or name == "stage":
            name = f"{name}-{number}"
        taken.add(file_key(name))
        yield name, stage


def _is_file_name(name: str) -> bool:
    """Whether a stage's name is a path that every file system takes and that is not hidden."""
    if any(part.startswith(".") for part in name.split("/")) or name.endswith(SUFFIX):
        return False
    try:
        return bool(golden_path(Path(), name))  # a golden's name is held to the same rules
    except GoldenError:
        return False


def _written(path: Path, write: Callable[[], object]) -> None:
    try:
        write()
    except OSError as error:
        raise StageError(f"{path} could not be written: {error.strerror or error}") from None
