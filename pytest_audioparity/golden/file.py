"""Golden format 1: reading with every check, and writing."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from pytest_audioparity.errors import GoldenError, TensorFileError, shown
from pytest_audioparity.golden.atomic import replace_file
from pytest_audioparity.golden.declarations import declaration_problem
from pytest_audioparity.golden.document import (
    PAIRS,
    compose,
    encodable,
    mapping_in,
    parse_document,
    stages_in,
    stored,
)
from pytest_audioparity.golden.hashes import content_hash, hash_matches
from pytest_audioparity.records import DECLARED, StageMeta, StageTensor
from pytest_audioparity.tensorfile import Identity, TensorFile, name_from_dtype, release_pages, write_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np

    Array = np.ndarray[Any, Any]

METADATA_KEY = "audioparity"
# Pages of a mapped golden that may stay in memory after they were read. The system could take them back by itself, but
# a golden may be larger than what a container grants, and people look at the memory that a test run takes.
_RESIDENT_BYTES = 1 << 26
WAY_OUT = {
    "damaged": "restore it from version control, or delete it and run pytest --update-golden",
    "altered": "restore it from version control, or delete it and run pytest --update-golden",
    "lfs_pointer": "run: git lfs pull",
    "link": "fetch it (git annex get, dvc checkout), or mount where it is kept",
    "newer_format": "install a newer pytest-audioparity: pip install -U pytest-audioparity",
    "missing": "create it with: pytest --update-golden",
}


class Source(Protocol):
    """What holds a golden's document and tensors: the golden file, or a manifest with its store."""

    @property
    def document(self) -> Mapping[str, Any]:
        """See `golden.document`."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """All text entries beside the tensors."""

    @property
    def identity(self) -> Identity:
        """What tells the file that was opened from one that took its place."""

    @property
    def names(self) -> Sequence[str]:
        """Tensor names."""

    @property
    def size_bytes(self) -> int:
        """Size on disk, of the tensors too where they lie elsewhere."""

    def outline(self, name: str) -> Array:
        """Return an array of the tensor's dtype and shape; its values need not be there yet."""

    def tensor(self, name: str) -> Array:
        """Return the tensor as a read-only view."""

    def raw(self, name: str) -> memoryview:
        """Return the tensor's bytes, without copying."""

    def release(self) -> None:
        """Let the system take back the pages that were read; views stay valid."""

    def disown(self, name: str) -> None:
        """Deal with a tensor that does not have its hash; may raise an error that says more than the usual one."""


class _InFile(TensorFile):
    """A golden file as the source of its tensors."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._outlines: dict[str, Array] = {}

    @property
    def document(self) -> Mapping[str, Any]:
        text = self.metadata.get(METADATA_KEY)
        return {} if text is None else parse_document(text, what="audioparity metadata")

    def outline(self, name: str) -> Array:
        outline = self._outlines[name] = super().tensor(name)
        return outline

    def tensor(self, name: str) -> Array:
        # A boolean tensor is looked through when it is made, so it is made once.
        return self._outlines[name]

    def release(self) -> None:
        release_pages(self.data)

    def disown(self, name: str) -> None:
        pass


class Golden:
    """A golden, memory-mapped unless it is small. Each tensor is fetched, and its hash checked, when it is first read.

    Parameters
    ----------
    path : a safetensors file, with or without our metadata
    way_out : what to do about each `cause`, for the message; by default the advice for goldens
    source : opens something else than a safetensors file

    Attributes
    ----------
    path : the file that was read
    settings, provenance : as stored
    stages : what the golden declares of its stages, in data-flow order

    Raises
    ------
    GoldenError : see its `cause`
    """

    def __init__(
        self, path: Path, *, way_out: Mapping[str, str] = WAY_OUT, source: Callable[[Path], Source] = _InFile
    ) -> None:
        self.path = path
        self._way_out = way_out
        try:
            self._source = source(path)
            document = self._source.document
            self.settings: Mapping[str, Any] = mapping_in(document, "settings")
            self.provenance: Mapping[str, Any] = mapping_in(document, "provenance")
            self._described = _describe(document, self._source.names)
            self._outlines = {name: self._outline(name) for name in self._described}
            self.stages = tuple(outline.meta for outline in self._outlines.values())
        except TensorFileError as error:
            raise self._error(str(error), error.cause) from None
        self._stages: dict[str, StageTensor] = {}
        self._resident_bytes = 0

    @property
    def metadata(self) -> Mapping[str, str]:
        """All text entries of the file's metadata, ours among them."""
        return self._source.metadata

    @property
    def outlines(self) -> tuple[StageTensor, ...]:
        """The stages with arrays whose dtype and shape count, and no values: nothing is fetched for them."""
        return tuple(self._outlines.values())

    @property
    def size_bytes(self) -> int:
        """Size on disk, of the tensors too where they lie elsewhere."""
        return self._source.size_bytes

    @property
    def identity(self) -> Identity:
        """What tells the file that was opened from one that took its place."""
        return self._source.identity

    def __contains__(self, name: object) -> bool:
        return name in self._outlines

    def __iter__(self) -> Iterator[StageTensor]:
        return (self.read(name) for name in self._outlines)

    def read(self, name: str) -> StageTensor:
        """Return one stage as a read-only view of the file, its hash checked.

        Raises
        ------
        GoldenError : the tensor does not have its hash, or cannot be fetched
        """
        self._make_room(self._outlines[name].array.nbytes)
        stage = self._stages.get(name)
        if stage is None:
            try:
                self._verify(name)
                array = _as_stated(self._source.tensor(name), self._described[name].get("dtype"))
            except TensorFileError as error:
                raise self._error(str(error), error.cause) from None
            stage = self._stages[name] = StageTensor(self._outlines[name].meta, array)
        return stage

    def _make_room(self, size_bytes: int) -> None:
        self._resident_bytes += size_bytes
        if self._resident_bytes > _RESIDENT_BYTES:
            self._source.release()
            self._resident_bytes = size_bytes

    def hash_of(self, name: str) -> str:
        """Return the ``xxh3:`` hash of a tensor as stated, or computed where it is not."""
        stated = self._described[name].get("hash")
        if isinstance(stated, str) and stated.startswith("xxh3:"):
            return stated
        return content_hash(self._source.raw(name))

    def _verify(self, name: str) -> None:
        stated = self._described[name].get("hash")
        if stated is None:
            return
        matches = hash_matches(self._source.raw(name), stated) if isinstance(stated, str) else None
        if matches is None:
            raise TensorFileError(f"states a hash of stage {name!r} that is not xxh3: or sha256:")
        if not matches:
            self._source.disown(name)
            raise TensorFileError(f"was altered: stage {name!r} does not have its hash", cause="altered")

    def _outline(self, name: str) -> StageTensor:
        entry = self._described[name]
        array = _as_stated(self._source.outline(name), entry.get("dtype"))
        problem = declaration_problem(array, entry)
        if problem is not None:
            raise TensorFileError(f"describes stage {name!r} wrongly: {problem}")
        return StageTensor(StageMeta(name, *map(entry.get, (*DECLARED, "role"))), array)

    def _error(self, problem: str, cause: str) -> GoldenError:
        return GoldenError(f"golden {self.path} {problem}; {self._way_out[cause]}", cause=cause)


def _describe(document: Mapping[str, Any], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    listed = document.get("stages")
    described = stages_in([{"name": name} for name in names] if listed is None else listed)
    odd = sorted(set(described) ^ set(names))
    if odd:
        raise TensorFileError(f"lists other stages than it holds ({shown(odd[0])})")
    return described


def _as_stated(array: Array, stated: Any) -> Array:
    """Return a tensor of the file as the one that its stage describes: pairs become complex numbers."""
    if stated is None or stated in (array.dtype.name, name_from_dtype(array.dtype)):
        return array
    pair = PAIRS.get(stated) if isinstance(stated, str) else None
    if array.dtype.name != pair or array.shape[-1:] != (2,):
        raise TensorFileError(f"holds {array.dtype.name} of shape {array.shape} where it describes {shown(stated)}")
    whole: Array = array.view(stated).reshape(array.shape[:-1])
    return whole


def write_golden(
    path: Path,
    stages: Sequence[StageTensor],
    *,
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any],
    more: Mapping[str, str] | None = None,
    durable: bool = True,
    guard: Callable[[], AbstractContextManager[None]] = nullcontext,
    folders: set[Path] | None = None,
) -> int:
    """Write a golden atomically (see `replace_file`) and return its size in bytes.

    The same stages and settings give the same bytes apart from the provenance. `more` are further entries of the
    metadata; `durable=False` is for files that can be made again; `guard` is around the replacement; `folders` takes
    note of the folder that is to be flushed later.

    Raises
    ------
    StageError : a stage has a dtype that the format cannot hold, a name comes twice, the settings are no JSON
    GoldenError : the file system refused; the old file, if any, is as it was
    """
    tensors, described = [], []
    for stage in stages:
        array, entry = stored(stage)
        tensors.append((stage.meta.name, array))
        described.append(entry)
    document = compose(described, settings, provenance)
    metadata = {METADATA_KEY: encodable(json.dumps(document, ensure_ascii=False, allow_nan=False))}
    metadata |= {key: encodable(text) for key, text in (more or {}).items()}

    def write(file: BinaryIO) -> None:
        write_tensors(file, tensors, metadata)

    try:
        return replace_file(path, write, durable=durable, guard=guard, folders=folders)
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError, *, what: str = "") -> GoldenError:
    """Return the error of a golden that the file system did not take, or `what` of it."""
    reason = f"{what}: {error.strerror or error}" if what else error.strerror or error
    problem = f"could not be written: {reason}; nothing was changed"
    return GoldenError(f"golden {path} {problem}, make room or allow writing there", cause="unwritable")
