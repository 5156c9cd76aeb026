"""Checkpoints of torch.save since 1.6: an archive of one pickle, never unpickled, and one member per storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.weights.archive import Archive
from pytest_audioparity.weights.pickles import Interpreter
from pytest_audioparity.weights.records import WeightFile
from pytest_audioparity.weights.storages import CALLS, Storage, storage_from_id, weight
from pytest_audioparity.weights.trees import Tree

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    Array = np.ndarray[Any, Any]

_PICKLE = "data.pkl"
# The tensors are beside the pickle, which is a few hundred bytes for each.
_MOST_PICKLE_BYTES = 200_000_000


class ArchivedStorages:
    """The storages of one folder of a checkpoint's archive, see `storages.Storages`."""

    def __init__(self, archive: Archive, folder: str, byteorder: str) -> None:
        self.byteorder = byteorder
        self.size_bytes = sum(archive.size(name) for name in archive.names)
        self._archive = archive
        self._folder = folder

    def size(self, storage: Storage) -> int:
        """Return how many bytes a storage has."""
        return self._archive.size(self._folder + storage.key)

    def view(self, storage: Storage) -> Array:
        """Return the bytes of a storage as a read-only array of uint8."""
        return self._archive.view(self._folder + storage.key)


def read(path: Path) -> WeightFile:
    """Read a checkpoint.

    Raises
    ------
    TensorFileError : missing or damaged
    """
    archive = Archive(path)
    root = root_of(archive, _PICKLE)
    tree = Tree()
    storages = ArchivedStorages(archive, f"{root}data/", byteorder(archive, root))
    found = tree.tensors(unpickled(archive, root + _PICKLE))
    weights = tuple(weight(name, tensor, storages) for name, tensor in found)
    return WeightFile(path, "torch", weights, tuple(tree.notes))


def root_of(archive: Archive, member: str) -> str:
    """Return the folder of an archive, with its slash, in which torch put a member.

    Raises
    ------
    TensorFileError : there is none
    """
    roots = [name.removesuffix(member) for name in archive.names if name.partition("/")[2] == member]
    if not roots:
        raise TensorFileError(f"lacks the member {shown(member)}")
    return roots[0]


def byteorder(archive: Archive, root: str) -> str:
    """Return "little" or "big"; torch before 2.1 did not say it and wrote little.

    Raises
    ------
    TensorFileError : it is another word
    """
    if f"{root}byteorder" not in archive.names:
        return "little"
    word = archive.start(f"{root}byteorder", 16).decode("ascii", "replace")
    if word not in ("little", "big"):
        raise TensorFileError(f"has bytes in the order {shown(word)}")
    return word


def unpickled(archive: Archive, member: str) -> Any:
    """Return what a pickle of the archive holds, without unpickling it.

    Raises
    ------
    TensorFileError : it is damaged
    """
    if archive.size(member) > _MOST_PICKLE_BYTES:
        raise TensorFileError(f"holds a pickle of {archive.size(member)} bytes")
    return Interpreter(CALLS, storage_from_id).run(archive.view(member).tobytes())
