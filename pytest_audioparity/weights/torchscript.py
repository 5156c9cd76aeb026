"""TorchScript archives: parameters, buffers and other tensors by attribute path, and the constants of the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.errors import shown
from pytest_audioparity.weights.archive import Archive
from pytest_audioparity.weights.checkpoint import ArchivedStorages, byteorder, root_of, unpickled
from pytest_audioparity.weights.records import WeightFile
from pytest_audioparity.weights.storages import weight
from pytest_audioparity.weights.trees import Tree

if TYPE_CHECKING:
    from pathlib import Path

_CONSTANTS = "constants.pkl"
_ATTRIBUTES = "data.pkl"


def read(path: Path) -> WeightFile:
    """Read an archive of ``torch.jit.save``.

    Raises
    ------
    TensorFileError : missing or damaged
    """
    archive = Archive(path)
    root = root_of(archive, _CONSTANTS)
    order = byteorder(archive, root)
    tree = Tree()
    attributes = tree.tensors(unpickled(archive, root + _ATTRIBUTES))
    storages = ArchivedStorages(archive, f"{root}data/", order)
    weights = [weight(name, tensor, storages) for name, tensor in attributes]
    constants = tree.tensors(unpickled(archive, root + _CONSTANTS))
    storages = ArchivedStorages(archive, f"{root}constants/", order)
    # The code calls them by these names.
    weights += [weight(f"CONSTANTS.c{name}", tensor, storages) for name, tensor in constants]
    empty = [f"{shown(one.name)} is empty and is left out" for one in weights if 0 in one.shape]
    return WeightFile(path, "torchscript", tuple(one for one in weights if 0 not in one.shape), (*tree.notes, *empty))
