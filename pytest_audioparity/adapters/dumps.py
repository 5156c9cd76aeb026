"""Stage tensors from files that other programs wrote: tensor files (goldens included), audio, raw numbers, folders.

The table `READERS` maps a suffix to its reader; a new format is one function and one line.
"""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.adapters.arrays import as_array, first_line, plain_name
from pytest_audioparity.adapters.arrays import declare as checked
from pytest_audioparity.adapters.audiofiles import SUFFIXES as AUDIO
from pytest_audioparity.adapters.audiofiles import read_audio_file
from pytest_audioparity.adapters.declaring import Declaring
from pytest_audioparity.adapters.opening import WAY_OUT, opened, refusal
from pytest_audioparity.adapters.rawfiles import SIDECAR, read_raw, sidecar_of
from pytest_audioparity.adapters.rawfiles import SUFFIXES as RAW
from pytest_audioparity.errors import GoldenError, StageError, TensorFileError, shown
from pytest_audioparity.golden.file import Golden
from pytest_audioparity.numpyheader import HEADER_BYTES, header_problem
from pytest_audioparity.records import DECLARED, StageMeta, StageTensor
from pytest_audioparity.zipmembers import archive_problem

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Mapping

    Array = np.ndarray[Any, Any]

_NPY_START = b"\x93NUMPY"
_ZIP_START = b"PK"


# Formats whose files hold one tensor, which they do not name: it is named after the file.
NAMELESS = (".npy", *AUDIO, *RAW)
# What files of other formats than safetensors begin with, and the suffix of their reader.
_SIGNS = {_NPY_START: ".npy", _ZIP_START: ".npz", b"RIFF": ".wav", b"RIFX": ".wav", b"RF64": ".wav", b"fLaC": ".flac"}
_DIGITS = re.compile(r"(\d+)")


def load(
    path: Path,
    rename: Mapping[str, str] | None = None,
    axes: Mapping[str, str] | None = None,
    declare: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[StageTensor]:
    """Read every tensor of a file, in the file's order, without unpickling anything.

    Parameters
    ----------
    path : a file with a suffix of `READERS`, or a folder of such files (see `load_folder`). What has no names of its
        own, as .npy, audio and raw numbers, is named after its file
    rename : from names in the file to stage names
    axes, declare : declarations by globs of stage names, of what the file does not declare itself

    Raises
    ------
    TensorFileError : the file is missing, damaged, or of an unknown kind
    StageError : a tensor or a name that cannot be a stage, a renaming of something that is not there, axes that do
        not fit or that contradict the file
    """
    declaring = Declaring.of(rename, axes, declare)
    reader = READERS.get(path.suffix.lower())
    if _is_missing(path):
        where = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise TensorFileError(f"{path} does not exist{where}; {WAY_OUT['missing']}", cause="missing")
    if reader is None and path.is_dir():
        return declared(load_folder(path), declaring, path)
    if reader is None and not path.exists():
        raise TensorFileError(f"{path} does not exist; {WAY_OUT['missing']}", cause="missing")
    if reader is None:
        raise TensorFileError(f"{path} is none of the files that can be read: {', '.join(READERS)}")
    return declared(reader(path, path.stem), declaring, path)


def load_folder(folder: Path, *, without: Path | None = None) -> list[StageTensor]:
    """Read every file of a folder and of those in it, in the order of their paths, numbers in these by their value.

    The order of writing would be the data flow, but file systems do not keep it well enough for a golden to be the
    same bytes each time.

    Parameters
    ----------
    folder : its files that begin with a dot do not count. A tensor without a name of its own is named after its path:
        ``ode/0.npy`` is ``ode/0``
    without : a file or folder below it that does not count either

    Raises
    ------
    TensorFileError, StageError : as `load`; or a file is of an unknown kind
    """
    paths = (path for path in folder.rglob("*") if without not in (path, *path.parents))
    shown = [path for path in paths if not _is_hidden(path.relative_to(folder))]
    names = [path.relative_to(folder) for path in shown if path.is_file()]
    if (link := next((path for path in shown if path.is_symlink() and not path.is_file()), None)) is not None:
        raise TensorFileError(f"{link} is a link to a folder or to nothing, which is not followed; put files there")
    sidecars = {sidecar_of(folder / name) for name in names if name.suffix.lower() in RAW}
    stages = []
    for name in sorted(names, key=_by_number):
        if folder / name in sidecars:
            continue
        reader = READERS.get(name.suffix.lower())
        if reader is None:
            what = "describes no file beside it" if name.suffix == SIDECAR else "is none of the files that can be read"
            raise TensorFileError(f"{folder / name} {what}: {', '.join(READERS)}")
        stages += reader(folder / name, name.with_suffix("").as_posix())
    return stages


def load_dump(dump: Path) -> list[StageTensor]:
    """Read what a program left at a path: a file of any format, told by its content, or a folder; and files beside it.

    Raises
    ------
    TensorFileError, StageError : as `load_folder`
    """
    stages = []
    if dump.is_dir():
        stages = load_folder(dump)
    elif dump.is_file():
        stages = READERS[_suffix_of_content(dump)](dump, dump.stem)
    return stages + load_folder(dump.parent, without=dump)


def declared(stages: list[StageTensor], declaring: Declaring, source: object) -> list[StageTensor]:
    """Return stages under their new names and with what is declared of them, each checked; `source` is for messages.

    Raises
    ------
    StageError : see `load`
    """
    stages = _renamed(stages, declaring.rename, source)
    if (problem := declaring.unused(stage.meta.name for stage in stages)) is not None:
        raise StageError(f"{source}: axes= or declare=: {problem}")
    return [_with_declarations(stage, declaring, source) for stage in stages]


def _is_missing(path: Path) -> bool:
    """Whether nothing is there. A path that no file can have is another matter, of which the reader tells."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        pass
    return False


def _is_hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)


def _by_number(name: Path) -> list[tuple[tuple[int, int | str], ...]]:
    """Return what sorts paths with their numbers by value: ``ode/2`` before ``ode/10``."""
    return [
        tuple((0, int(text)) if text.isdecimal() else (1, text) for text in _DIGITS.split(part)) for part in name.parts
    ]


def _suffix_of_content(path: Path) -> str:
    with opened(path) as file:
        start = file.read(max(map(len, _SIGNS)))
    return next((suffix for sign, suffix in _SIGNS.items() if start.startswith(sign)), ".safetensors")


def _renamed(stages: list[StageTensor], rename: Mapping[str, str], path: object) -> list[StageTensor]:
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


def _with_declarations(stage: StageTensor, declaring: Declaring, source: object) -> StageTensor:
    """Declare of a stage what its file does not; where both do, they must agree."""
    meta = stage.meta
    given = {key: value for key, value in declaring.declared(meta.name).items() if value is not None}
    for key, value in given.items():
        if getattr(meta, key) not in (None, value):
            said = f"{source} itself declares {key}={getattr(meta, key)!r} of stage {meta.name!r}, not {value!r}"
            raise StageError(said)
    if not given:
        return stage
    try:
        declared = checked(meta.name, stage.array, **{key: given.get(key, getattr(meta, key)) for key in DECLARED})
    except StageError as error:
        raise StageError(f"{source}: {error}") from None
    return replace(stage, meta=replace(declared, role=meta.role))


def _as_stage(stage: StageTensor, name: str) -> StageTensor:
    name = plain_name(name)
    return StageTensor(replace(stage.meta, name=name), as_array(stage.array, name))


def _safetensors(path: Path, _: str) -> list[StageTensor]:
    try:
        return list(Golden(path, way_out=WAY_OUT))
    except GoldenError as error:
        raise TensorFileError(str(error).removeprefix("golden "), cause=error.cause) from None


def _npz(path: Path, _: str) -> list[StageTensor]:
    with opened(path, _ZIP_START) as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                _check_archive(path, archive.zip)
                names = [name for name in archive.files if not name.endswith("/")]  # which are folders
                return [StageTensor(StageMeta(name), archive[name]) for name in names]
        except TensorFileError:
            raise
        except Exception as error:  # zipfile, its codecs and numpy raise a dozen classes over a damaged file
            raise refusal(path, f"cannot be read: {first_line(error)}") from None


def _check_archive(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse an archive before numpy makes room for what its headers claim."""
    members = archive.infolist()
    if (problem := archive_problem(members, path.stat().st_size)) is not None:
        raise refusal(path, problem)
    for member in members:
        with archive.open(member) as file:
            start = file.read(HEADER_BYTES)  # here, so that a wrong checksum is said to be one
        if member.is_dir():
            continue
        if not start.startswith(_NPY_START):  # which is an array to numpy, whatever it is called
            raise refusal(path, f"holds {shown(member.filename)}, which is no array")
        if (problem := header_problem(io.BytesIO(start), member.file_size)) is not None:
            raise refusal(path, f"holds {shown(member.filename)}, which {problem}")


def _npy(path: Path, name: str) -> list[StageTensor]:
    with opened(path, _NPY_START) as file:
        problem = header_problem(file, path.stat().st_size)
    if problem is not None:
        raise refusal(path, problem)
    try:
        array: np.memmap[Any, Any] = np.load(path, allow_pickle=False, mmap_mode="r")
    except Exception as error:  # see above
        raise refusal(path, f"cannot be read: {first_line(error)}") from None
    return [StageTensor(StageMeta(name), np.asarray(array))]


# Each is given the path and what a tensor is called that has no name in the file.
READERS: dict[str, Callable[[Path, str], list[StageTensor]]] = {
    ".safetensors": _safetensors,
    ".npz": _npz,
    ".npy": _npy,
    **dict.fromkeys(AUDIO, read_audio_file),
    **dict.fromkeys(RAW, read_raw),
}
