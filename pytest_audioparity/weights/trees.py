"""Tensors in the nested containers and objects of a checkpoint, by dotted names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.weights.pickles import Opaque
from pytest_audioparity.weights.storages import StoredTensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Containers that hold one another many times over would be walked for ever; a checkpoint nests about ten deep.
_MOST_DEPTH = 100
MOST_VISITS = 500_000
_OPTIMISER = frozenset(("state", "param_groups"))
# Where a pickled torch.nn.Module keeps its tensors and parts, which belong to no name.
_MODULE_PARTS = ("_parameters", "_buffers", "_modules")
_ARRAY_MAKERS = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
_SEARCHED_DEPTH = 4
# Characters of a name of the file that are shown.
_MOST_WORD = 80
# Anything else is a setting.
_HOLDERS = (StoredTensor, dict, list, tuple, Opaque)


class Tree:
    """A walk through what a checkpoint holds.

    Attributes
    ----------
    notes : what was left out, one line each, complete after the walk
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._visits = 0

    def tensors(self, value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, StoredTensor]]:
        """Yield every tensor with its dotted name.

        Raises
        ------
        TensorFileError : containers hold themselves, or too many
        """
        self._visits += 1
        if depth > _MOST_DEPTH or self._visits > MOST_VISITS:
            raise TensorFileError("nests its tensors too deep, or in containers that hold themselves")
        if isinstance(value, StoredTensor):
            yield name or "tensor", value
        elif isinstance(value, dict) and value.keys() >= _OPTIMISER:
            self.notes.append(f"{shown(name)} is the state of an optimiser and is left out")
        else:
            for key, item in self._parts(value, name):
                if isinstance(item, _HOLDERS):
                    yield from self.tensors(item, ".".join(filter(None, (name, key))), depth + 1)

    def _parts(self, value: Any, name: str) -> Iterable[tuple[str, Any]]:
        if isinstance(value, dict):
            return ((str(key), item) for key, item in value.items())
        if isinstance(value, list | tuple):
            return ((str(index), item) for index, item in enumerate(value))
        if isinstance(value, Opaque):
            return self._object_parts(value, name)
        return ()

    def _object_parts(self, value: Opaque, name: str) -> Iterable[tuple[str, Any]]:
        if isinstance(value.state, dict) and value.state.keys() >= set(_MODULE_PARTS):
            return (part for key in _MODULE_PARTS for part in self._parts(value.state[key], name))
        if value.maker in _ARRAY_MAKERS or _holds_tensor(value.arguments):
            self.notes.append(
                f"{shown(name)} is made by {value.maker[:_MOST_WORD]}, which is never called, and is left out"
            )
            return ()
        return self._parts(value.state, name)


def _holds_tensor(value: Any, depth: int = 0) -> bool:
    if isinstance(value, Opaque):
        value = value.arguments
    if isinstance(value, list | tuple) and depth < _SEARCHED_DEPTH:
        return any(_holds_tensor(item, depth + 1) for item in value[:_SEARCHED_DEPTH])
    return isinstance(value, StoredTensor)
