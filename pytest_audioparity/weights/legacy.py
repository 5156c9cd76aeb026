"""Checkpoints of torch.save before 1.6: five pickles in a row, none unpickled, and the storages one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.weights.mapped import Mapped
from pytest_audioparity.weights.pickles import Interpreter
from pytest_audioparity.weights.records import WeightFile
from pytest_audioparity.weights.storages import CALLS, Storage, storage_from_id, weight
from pytest_audioparity.weights.trees import Tree

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    Array = np.ndarray[Any, Any]

_COUNT_BYTES = 8
_PROTOCOL = 1001


class SerialStorages:
    """Storages that follow one another in a file, each after its count of numbers; see `storages.Storages`."""

    def __init__(self, mapped: Mapped, byteorder: str) -> None:
        self.byteorder = byteorder
        self.size_bytes = len(mapped)
        self._mapped = mapped
        self._places: dict[str, tuple[int, int]] = {}

    def locate(self, keys: list[Any], itemsizes: dict[str, int], position: int) -> None:
        """Find where each storage starts.

        Raises
        ------
        TensorFileError : the file ends before, or holds a storage that no tensor has
        """
        for key in keys:
            if key not in itemsizes:
                raise TensorFileError(f"is damaged: no tensor has its storage {shown(key)}")
            count = int.from_bytes(self._mapped.bytes(position, position + _COUNT_BYTES), self.byteorder, signed=True)  # type: ignore[arg-type]
            position += _COUNT_BYTES
            self._mapped.check(key, position, count * itemsizes[key])
            self._places[key] = (position, count * itemsizes[key])
            position += count * itemsizes[key]

    def size(self, storage: Storage) -> int:
        """Return how many bytes a storage has."""
        if storage.key not in self._places:
            raise TensorFileError(f"is truncated: it lacks the storage {shown(storage.key)}")
        return self._places[storage.key][1]

    def view(self, storage: Storage) -> Array:
        """Return the bytes of a storage as a read-only array of uint8."""
        return self._mapped.view(*self._places[storage.key])


def read(path: Path) -> WeightFile:
    """Read a checkpoint.

    Raises
    ------
    TensorFileError : missing or damaged
    """
    mapped = Mapped(path)
    itemsizes: dict[str, int] = {}

    def persistent(identifier: Any) -> Any:
        found = storage_from_id(identifier)
        if isinstance(found, Storage):
            itemsizes[found.key] = found.dtype.itemsize
        return found

    file = mapped.file()
    _, protocol, system, root, keys = (Interpreter(CALLS, persistent).run(file) for _ in range(5))
    if protocol != _PROTOCOL or not isinstance(system, dict) or not _are_names(keys):
        raise TensorFileError("is not a checkpoint of torch, though it starts as one")
    storages = SerialStorages(mapped, "little" if system.get("little_endian", True) else "big")
    storages.locate(keys, itemsizes, file.tell())
    tree = Tree()
    weights = tuple(weight(name, tensor, storages) for name, tensor in tree.tensors(root))
    return WeightFile(path, "torch", weights, tuple(tree.notes))


def _are_names(keys: Any) -> bool:
    return isinstance(keys, list) and all(isinstance(key, str) for key in keys)
