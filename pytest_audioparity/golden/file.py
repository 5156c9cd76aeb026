"""Golden format 1: reading with every check, and atomic writing."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import GoldenError, StageError, TensorFileError
from pytest_audioparity.records import KINDS, StageMeta, StageTensor
from pytest_audioparity.tensorfile import (
    TensorFile,
    content_hash,
    hash_matches,
    name_from_dtype,
    raw_bytes,
    write_tensors,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FORMAT = 1
METADATA_KEY = "audioparity"
# safetensors has no complex128 and few readers know its complex64, so complex stages are stored as pairs
# (real, imaginary) in a last dimension of two, and the stage's metadata says so.
_PAIRS = {"complex64": ("float32", "complex64"), "complex128": ("float64", "complex128")}
_WAY_OUT = {
    "damaged": "restore it from version control, or delete it and run pytest --update-golden",
    "altered": "restore it from version control, or delete it and run pytest --update-golden",
    "lfs_pointer": "run: git lfs pull",
    "newer_format": "install a newer pytest-audioparity: pip install -U pytest-audioparity",
    "missing": "create it with: pytest --update-golden",
}


def golden_error(path: Path, problem: str, cause: str) -> GoldenError:
    """Make the one-line error of a golden that cannot be used: where, what, and the way out."""
    return GoldenError(f"golden {path} {problem}; {_WAY_OUT[cause]}", cause=cause)


class Golden:
    """A golden file, memory-mapped. Each tensor's hash is checked when the tensor is first read.

    Parameters
    ----------
    path : a safetensors file, with or without our metadata

    Raises
    ------
    GoldenError : see its `cause`
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = TensorFile(path)
        except TensorFileError as error:
            raise golden_error(path, str(error), error.cause) from None
        document = self._document()
        self.settings: Mapping[str, Any] = _mapping(document.get("settings"))
        self.provenance: Mapping[str, Any] = _mapping(document.get("provenance"))
        self._described = self._describe(document)
        self.stages = tuple(self._meta(name) for name in self._described)
        self._checked: dict[str, StageTensor] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._described

    def meta(self, name: str) -> StageMeta | None:
        """Return what the golden declares of a stage, or None when it has no such stage."""
        return self._meta(name) if name in self._described else None

    def read(self, name: str) -> StageTensor:
        """Return one stage as a read-only view of the file, its hash checked."""
        stage = self._checked.get(name)
        if stage is None:
            stage = self._checked[name] = self._read(name)
        return stage

    def __iter__(self) -> Iterator[StageTensor]:
        return (self.read(name) for name in self._described)

    def stored_hash(self, name: str) -> str | None:
        """Return the hash that the file states for a stage."""
        value = self._described[name].get("hash")
        return value if isinstance(value, str) else None

    def _read(self, name: str) -> StageTensor:
        entry = self._described[name]
        if "hash" in entry:
            stated = entry["hash"]
            matches = hash_matches(self._file.raw(name), stated) if isinstance(stated, str) else None
            if matches is None:
                raise self._damaged(f"states a hash of stage {name!r} that is not xxh3: or sha256:")
            if not matches:
                raise golden_error(self.path, f"was altered: stage {name!r} does not have its hash", "altered")
        array = self._file.tensor(name)
        if "dtype" in entry:
            pair = _PAIRS.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
            if pair is None or array.dtype.name != pair[0] or array.shape[-1:] != (2,):
                raise self._damaged(f"does not hold the {entry['dtype']} tensor it describes as stage {name!r}")
            array = array.view(pair[1]).reshape(array.shape[:-1])
        return StageTensor(self._meta(name), array)

    def _document(self) -> dict[str, Any]:
        text = self._file.metadata.get(METADATA_KEY)
        if text is None:
            return {"format": FORMAT}
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._damaged(f"has unreadable audioparity metadata: {error}") from None
        version = document.get("format") if isinstance(document, dict) else None
        if type(version) is not int or version < 1:
            raise self._damaged("has audioparity metadata without a format number")
        if version > FORMAT:
            raise golden_error(self.path, f"has format {version}, this version reads {FORMAT}", "newer_format")
        return dict(document)

    def _describe(self, document: dict[str, Any]) -> dict[str, dict[str, Any]]:
        listed = document.get("stages")
        if listed is None:
            return {name: {} for name in self._file.names}
        described: dict[str, dict[str, Any]] = {}
        entries: list[Any] = listed if isinstance(listed, list) else [None]
        for entry in entries:
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or name in described:
                raise self._damaged("has a stage list with a missing or repeated name")
            described[name] = entry
        if set(described) != set(self._file.names):
            odd = sorted(set(described) ^ set(self._file.names))[0]
            raise self._damaged(f"lists other stages than it holds ({odd!r})")
        return described

    def _meta(self, name: str) -> StageMeta:
        entry = self._described[name]
        try:
            return StageMeta(
                name,
                kind=_choice(entry, "kind", KINDS),
                axes=_text(entry, "axes"),
                unit=_text(entry, "unit"),
                sample_rate=_number(entry, "sample_rate"),
                frame_rate=_number(entry, "frame_rate"),
            )
        except ValueError as error:
            raise self._damaged(f"describes stage {name!r} wrongly: {error}") from None

    def _damaged(self, problem: str) -> GoldenError:
        return golden_error(self.path, problem, "damaged")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(entry: dict[str, Any], key: str) -> str | None:
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} is not text")
    return value


def _choice(entry: dict[str, Any], key: str, allowed: tuple[str, ...]) -> str | None:
    value = _text(entry, key)
    if value is not None and value not in allowed:
        raise ValueError(f"{key} {value!r} is none of {', '.join(allowed)}")
    return value


def _number(entry: dict[str, Any], key: str) -> float | None:
    value = entry.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{key} is not a positive number")
    return value


def write_golden(
    path: Path, stages: Sequence[StageTensor], *, settings: Mapping[str, Any], provenance: Mapping[str, Any]
) -> int:
    """Write a golden atomically and return its size in bytes.

    The new file is written beside the target, flushed to the disk and put in its place: a kill at any moment leaves
    the old file or the new one.

    Raises
    ------
    StageError : a stage has a dtype that the format cannot hold
    GoldenError : the file system refused
    """
    tensors, described = [], []
    for stage in stages:
        array, entry = _stored(stage)
        tensors.append((stage.meta.name, array))
        described.append(entry)
    document: dict[str, Any] = {"format": FORMAT, "stages": described}
    if settings:
        document["settings"] = dict(settings)
    document["provenance"] = dict(provenance)
    metadata = {METADATA_KEY: json.dumps(document, ensure_ascii=False, allow_nan=False)}
    try:
        return _replace(path, tensors, metadata)
    except OSError as error:
        problem = f"could not be written: {error.strerror or error}; the old file is untouched"
        raise GoldenError(f"golden {path} {problem}", cause="missing") from None


def _stored(stage: StageTensor) -> tuple[np.ndarray[Any, Any], dict[str, Any]]:
    array, meta = stage.array, stage.meta
    entry = {
        key: value
        for key, value in (
            ("name", meta.name),
            ("kind", meta.kind),
            ("unit", meta.unit),
            ("axes", meta.axes),
            ("sample_rate", meta.sample_rate),
            ("frame_rate", meta.frame_rate),
        )
        if value is not None
    }
    if array.dtype.name in _PAIRS:
        entry["dtype"] = array.dtype.name
        array = np.frombuffer(raw_bytes(array), _PAIRS[array.dtype.name][0]).reshape(*array.shape, 2)
    if name_from_dtype(array.dtype) is None:
        raise StageError(f"stage {meta.name!r} has dtype {array.dtype}, which a safetensors file cannot hold")
    entry["hash"] = content_hash(raw_bytes(array))
    return array, entry


def _replace(path: Path, tensors: Sequence[tuple[str, np.ndarray[Any, Any]]], metadata: Mapping[str, str]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.stem[:60]}-", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            write_tensors(file, tensors, metadata)
            file.flush()
            os.fchmod(file.fileno(), _mode(path)) if hasattr(os, "fchmod") else None
            os.fsync(file.fileno())
            size = file.tell()
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    _sync_folder(path.parent)
    return size


def _mode(path: Path) -> int:
    """Permissions for the new file: those of the old one, or what the user's umask gives (mkstemp makes it private)."""
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself durable; file systems and platforms that cannot, order it well enough."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
