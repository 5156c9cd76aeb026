"""Golden format 1: reading with every check, and writing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import GoldenError, StageError, TensorFileError
from pytest_audioparity.golden.atomic import replace_file
from pytest_audioparity.golden.declarations import declaration_problem, is_stage_name
from pytest_audioparity.golden.hashes import content_hash, hash_matches
from pytest_audioparity.records import DECLARED, StageMeta, StageTensor
from pytest_audioparity.tensorfile import TensorFile, name_from_dtype, parse_json, raw_bytes, shown, write_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    Array = np.ndarray[Any, Any]

FORMAT = 1
METADATA_KEY = "audioparity"
# safetensors has no complex128 and few readers know its complex64, so complex stages are stored as pairs
# (real, imaginary) in a last dimension of two, and the stage's metadata says so.
_PAIRS = {"complex64": "float32", "complex128": "float64"}
WAY_OUT = {
    "damaged": "restore it from version control, or delete it and run pytest --update-golden",
    "altered": "restore it from version control, or delete it and run pytest --update-golden",
    "lfs_pointer": "run: git lfs pull",
    "newer_format": "install a newer pytest-audioparity: pip install -U pytest-audioparity",
    "missing": "create it with: pytest --update-golden",
}


class Golden:
    """A golden file, memory-mapped. Each tensor's hash is checked when the tensor is first read.

    Parameters
    ----------
    path : a safetensors file, with or without our metadata
    way_out : what to do about each `cause`, for the message; by default the advice for goldens

    Raises
    ------
    GoldenError : see its `cause`
    """

    def __init__(self, path: Path, *, way_out: Mapping[str, str] = WAY_OUT) -> None:
        self.path = path
        self._way_out = way_out
        try:
            self._file = TensorFile(path)
        except TensorFileError as error:
            raise self._error(str(error), error.cause) from None
        document = self._document()
        self.settings: Mapping[str, Any] = self._mapping(document, "settings")
        self.provenance: Mapping[str, Any] = self._mapping(document, "provenance")
        self._described = self._describe(document)
        self._tensors = {name: self._tensor(name) for name in self._described}
        self._verified: set[str] = set()

    @property
    def stages(self) -> tuple[StageMeta, ...]:
        """What the golden declares of its stages, in data-flow order."""
        return tuple(stage.meta for stage in self._tensors.values())

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def __iter__(self) -> Iterator[StageTensor]:
        return (self.read(name) for name in self._tensors)

    def read(self, name: str) -> StageTensor:
        """Return one stage as a read-only view of the file, its hash checked.

        Raises
        ------
        GoldenError : the tensor does not have its hash
        """
        if name not in self._verified:
            self._verify(name)
            self._verified.add(name)
        return self._tensors[name]

    def _verify(self, name: str) -> None:
        stated = self._described[name].get("hash")
        if stated is None:
            return
        matches = hash_matches(self._file.raw(name), stated) if isinstance(stated, str) else None
        if matches is None:
            raise self._error(f"states a hash of stage {name!r} that is not xxh3: or sha256:", "damaged")
        if not matches:
            raise self._error(f"was altered: stage {name!r} does not have its hash", "altered")

    def _document(self) -> dict[str, Any]:
        text = self._file.metadata.get(METADATA_KEY)
        if text is None:
            return {}
        try:
            document = parse_json(text)
        except (ValueError, RecursionError) as error:
            raise self._error(f"has unreadable audioparity metadata: {error}", "damaged") from None
        version = document.get("format") if isinstance(document, dict) else None
        if type(version) is not int or version < 1:
            raise self._error("has audioparity metadata without a format number", "damaged")
        if version > FORMAT:
            raise self._error(f"has format {shown(version)}, this version reads {FORMAT}", "newer_format")
        return dict(document)

    def _mapping(self, document: dict[str, Any], key: str) -> Mapping[str, Any]:
        value = document.get(key)
        if value is not None and not isinstance(value, dict):
            raise self._error(f"has {key} that are not a JSON object", "damaged")
        return value or {}

    def _describe(self, document: dict[str, Any]) -> dict[str, dict[str, Any]]:
        listed = document.get("stages")
        if listed is None:
            listed = [{"name": name} for name in self._file.names]
        described: dict[str, dict[str, Any]] = {}
        entries: list[Any] = listed if isinstance(listed, list) else [None]
        for entry in entries:
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or name in described:
                raise self._error("has a stage list with a missing or repeated name", "damaged")
            if not is_stage_name(name):
                raise self._error(f"holds {shown(name)}, which is no stage name: it must be printable text", "damaged")
            described[name] = entry
        odd = sorted(set(described) ^ set(self._file.names))
        if odd:
            raise self._error(f"lists other stages than it holds ({shown(odd[0])})", "damaged")
        return described

    def _tensor(self, name: str) -> StageTensor:
        entry = self._described[name]
        try:
            array = _as_stated(self._file.tensor(name), entry.get("dtype"))
            problem = declaration_problem(array, entry)
        except TensorFileError as error:
            raise self._error(str(error), "damaged") from None
        if problem is not None:
            raise self._error(f"describes stage {name!r} wrongly: {problem}", "damaged")
        return StageTensor(StageMeta(name, **{key: entry.get(key) for key in DECLARED}), array)

    def _error(self, problem: str, cause: str) -> GoldenError:
        return GoldenError(f"golden {self.path} {problem}; {self._way_out[cause]}", cause=cause)


def _as_stated(array: Array, stated: Any) -> Array:
    """Return a tensor of the file as the one that its stage describes: pairs become complex numbers."""
    if stated is None or stated in (array.dtype.name, name_from_dtype(array.dtype)):
        return array
    pair = _PAIRS.get(stated) if isinstance(stated, str) else None
    if array.dtype.name != pair or array.shape[-1:] != (2,):
        raise TensorFileError(f"holds {array.dtype.name} of shape {array.shape} where it describes {shown(stated)}")
    whole: Array = array.view(stated).reshape(array.shape[:-1])
    return whole


def write_golden(
    path: Path, stages: Sequence[StageTensor], *, settings: Mapping[str, Any], provenance: Mapping[str, Any]
) -> int:
    """Write a golden atomically (see `replace_file`) and return its size in bytes.

    The same stages and settings give the same bytes apart from the provenance.

    Raises
    ------
    StageError : a stage has a dtype that the format cannot hold, a name comes twice, the settings are no JSON
    GoldenError : the file system refused; the old file, if any, is as it was
    """
    tensors, described = [], []
    for stage in stages:
        array, entry = _stored(stage)
        tensors.append((stage.meta.name, array))
        described.append(entry)
    document: dict[str, Any] = {"format": FORMAT, "stages": described}
    if settings:
        document["settings"] = _sorted_json(settings)
    document["provenance"] = dict(provenance)
    metadata = {METADATA_KEY: _encodable(json.dumps(document, ensure_ascii=False, allow_nan=False))}
    try:
        return replace_file(path, lambda file: write_tensors(file, tensors, metadata))
    except OSError as error:
        problem = f"could not be written: {error.strerror or error}; nothing was changed"
        raise GoldenError(f"golden {path} {problem}, make room or allow writing there", cause="unwritable") from None


def _sorted_json(settings: Mapping[str, Any]) -> Any:
    """Return settings with sorted keys, so that the order in which a test names them does not show in the bytes."""
    try:
        return json.loads(json.dumps(settings, sort_keys=True, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise StageError(f"settings must be finite numbers, texts, lists and mappings of them: {error}") from None


def _encodable(text: str) -> str:
    """Replace what UTF-8 cannot hold: file names on disk, and so node ids, need not be text."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _stored(stage: StageTensor) -> tuple[Array, dict[str, Any]]:
    array, meta = stage.array, stage.meta
    entry: dict[str, Any] = {"name": meta.name}
    for key in DECLARED:
        value = getattr(meta, key)
        if value is not None:
            # One spelling of a rate, 24000, whether it was declared as 24000 or 24000.0.
            entry[key] = int(value) if isinstance(value, float) and value.is_integer() else value
    pair = _PAIRS.get(array.dtype.name)
    if pair is not None:
        entry["dtype"] = array.dtype.name
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        array = little.reshape(-1).view(f"<f{array.dtype.itemsize // 2}").reshape(*array.shape, 2)
    entry["hash"] = content_hash(raw_bytes(array))
    return array, entry
