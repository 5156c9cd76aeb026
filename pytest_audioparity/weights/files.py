"""Which reader a weight file needs, decided by its content first and its suffix second.

The table `READERS` names the module of each format; a new format is one module with a function ``read(path)``, one
line there and what tells its files.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_audioparity.comparison.tolerances import matches, unmatched
from pytest_audioparity.errors import StageError, TensorFileError
from pytest_audioparity.tensorfile import open_file
from pytest_audioparity.weights.names import uniquely_named

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from pytest_audioparity.weights.records import WeightFile

READERS = {
    "safetensors": "pytest_audioparity.weights.safetensors",
    "npz": "pytest_audioparity.weights.npz",
    "torch": "pytest_audioparity.weights.checkpoint",
    "legacy torch": "pytest_audioparity.weights.legacy",
    "torchscript": "pytest_audioparity.weights.torchscript",
    "onnx": "pytest_audioparity.weights.onnx",
    "mlpackage": "pytest_audioparity.weights.mlpackage",
    "gguf": "pytest_audioparity.weights.gguf",
}
READABLE = (
    ".safetensors, .npz, .onnx, torch checkpoints (.pt .pth .ckpt .bin), TorchScript, .mlpackage, .mlmodel and .gguf"
)
_BY_SUFFIX = {
    ".safetensors": "safetensors",
    ".npz": "npz",
    ".onnx": "onnx",
    ".mlpackage": "mlpackage",
    ".mlmodel": "mlpackage",
}
_INDEX_SUFFIX = ".safetensors.index.json"
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_GGUF_START = b"GGUF"
# A pickle of protocol 2 or later whose first object is the number that torch before 1.6 wrote, 0x1950a86a20f9469cfc6c.
_LEGACY_START = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
# What people try, and what to do instead. Of each the first bytes, from an offset.
_UNREADABLE = (
    (0, b"\x80\x02", "is a plain pickle, which is never unpickled; save its state with torch.save or safetensors"),
    (0, b"\x80\x03", "is a plain pickle, which is never unpickled; save its state with torch.save or safetensors"),
    (0, b"\x80\x04", "is a plain pickle, which is never unpickled; save its state with torch.save or safetensors"),
    (0, b"\x80\x05", "is a plain pickle, which is never unpickled; save its state with torch.save or safetensors"),
    (0, b"\x93NUMPY", "is a single array; save it with its name, in a .npz or .safetensors file"),
    (0, b"\x89HDF", "is an HDF5 file, which is not read; save the weights as .npz or .safetensors"),
    (4, b"ORTM", "is a model in ONNX Runtime's own format; give the .onnx file that it was made of"),
    (4, b"TFL3", "is a TensorFlow Lite model, which is not read"),
    (257, b"ustar", "is a tar archive; if torch before 0.1.10 wrote it, load and save it again"),
)
_START_BYTES = 512
_WAY_OUT = {
    "lfs_pointer": "; run: git lfs pull",
    "link": "; fetch it, or mount where it is kept",
    "missing": "; check the path",
}


def open_weights(path: str | os.PathLike[str]) -> WeightFile:
    """List the tensors of a weight file; their values are read when each is asked for.

    Parameters
    ----------
    path : a file, the index of a sharded .safetensors model, or an .mlpackage folder

    Raises
    ------
    TensorFileError : missing, damaged, a Git LFS pointer, or nothing that can be read here
    """
    path = Path(path)
    try:
        reader = importlib.import_module(READERS[_format(path)])
        file: WeightFile = reader.read(path)
    except TensorFileError as error:
        raise TensorFileError(f"{path} {error}{_WAY_OUT.get(error.cause, '')}", cause=error.cause) from None
    return replace(file, weights=uniquely_named(file.weights))


def chosen(file: WeightFile, globs: str | Sequence[str] | None) -> WeightFile:
    """Return a file with those of its tensors alone that a glob means; None means all.

    Raises
    ------
    StageError : a glob that means none, or something else than globs
    """
    if globs is None:
        return file
    given = (globs,) if isinstance(globs, str) or not isinstance(globs, Iterable) else tuple(globs)
    if not given or not all(isinstance(glob, str) for glob in given):
        raise StageError(f"only={globs!r} is no glob and no list of globs, such as 'encoder.*'")
    if (
        problem := unmatched(given, [weight.name for weight in file.weights], what="tensor of the reference")
    ) is not None:
        raise StageError(f"only: {problem}")
    weights = tuple(weight for weight in file.weights if any(matches(weight.name, glob) for glob in given))
    left_out = len(file.weights) - len(weights)
    notes = (*file.notes, f"{left_out} tensors of the reference are left out by only") if left_out else file.notes
    return replace(file, weights=weights, notes=notes)


def _format(path: Path) -> str:
    if _is_folder(path):
        return _folder_format(path)
    with open_file(path) as file:
        start = file.read(_START_BYTES)
    if not start:
        raise TensorFileError("is empty")
    if start.startswith(_ZIP_STARTS):
        return _zip_format(path)
    if start.startswith(_LEGACY_START):
        return "legacy torch"
    if start.startswith(_GGUF_START):
        return "gguf"
    # Before any other: the length of a header that comes first may begin as a pickle does.
    if path.name.endswith(_INDEX_SUFFIX) or start[8:9] == b"{":
        return "safetensors"
    for offset, magic, problem in _UNREADABLE:
        if start.startswith(magic, offset):
            raise TensorFileError(problem)
    if path.suffix.lower() not in _BY_SUFFIX:
        raise TensorFileError(f"is none of the files that can be read: {READABLE}")
    return _BY_SUFFIX[path.suffix.lower()]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name too long, a folder that may not be entered: opening it says which
        return False


def _folder_format(path: Path) -> str:
    if (path / "Manifest.json").is_file():
        return "mlpackage"
    if path.suffix.lower() == ".mlmodelc":
        raise TensorFileError("is a compiled Core ML model; give the .mlpackage or .mlmodel that it was made of")
    raise TensorFileError(f"is a folder, but not an .mlpackage; give one of its files: {READABLE}")


def _zip_format(path: Path) -> str:
    from pytest_audioparity.weights.archive import Archive

    names = Archive(path).names
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner:
        return "torchscript"
    if "data.pkl" in inner:
        return "torch"
    if "Manifest.json" in inner:
        raise TensorFileError("is a zipped .mlpackage; unpack it")
    if not names or any(name.endswith(".npy") for name in names):
        return "npz"
    raise TensorFileError(f"is a zip archive, but none that can be read: {READABLE}")
