"""Tensors of a .safetensors file, of a sharded one through its index, and of MLX's quantised layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.tensorfile import TensorFile, open_file, parse_json
from pytest_audioparity.weights.folders import path_inside
from pytest_audioparity.weights.mapped import Pages
from pytest_audioparity.weights.mlx_layers import dequantised
from pytest_audioparity.weights.records import Weight, WeightFile

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    Array = np.ndarray[Any, Any]

_SUFFIX = ".safetensors"
# An index names each tensor once; one of 100 MB would name a million.
_MOST_INDEX_BYTES = 100_000_000


def read(path: Path) -> WeightFile:
    """Read a .safetensors file, or all shards that an index names.

    Raises
    ------
    TensorFileError : missing or damaged, or an index that does not agree with its shards
    """
    weights = _sharded(path) if path.name.endswith(".json") else _single(path)
    weights, notes = dequantised(weights, path)
    return WeightFile(path, "safetensors", tuple(weights), tuple(notes))


def _single(path: Path) -> list[Weight]:
    file = TensorFile(path)
    pages = Pages(file.data)
    return [_weight(file, name, pages) for name in file.names]


def _weight(file: TensorFile, name: str, pages: Pages) -> Weight:
    view = file.tensor(name)  # nothing but the layout is looked at here

    def read_tensor() -> Array:
        pages.ask(view.nbytes)
        return view

    return Weight(name, view.shape, view.dtype.name, read_tensor)


def _sharded(path: Path) -> list[Weight]:
    """Return the tensors of all shards in the order of their names; the index must agree with them."""
    with open_file(path) as file:
        text = file.read(_MOST_INDEX_BYTES)
    try:
        places = parse_json(text.decode("utf-8"))["weight_map"].items()
        shards = {shard for _, shard in places}
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        raise TensorFileError("is not the index of a sharded model: it has no weight_map that can be read") from None
    if wrong := [shard for shard in shards if not isinstance(shard, str) or not shard.endswith(_SUFFIX)]:
        raise TensorFileError(f"names the shard {shown(wrong[0])}, which is no {_SUFFIX} file")
    weights = {(weight.name, shard): weight for shard in sorted(shards) for weight in _shard(path, shard)}
    for place in places:
        if place not in weights:
            raise TensorFileError(f"expects tensor {shown(place[0])} in {shown(place[1])}, which does not have it")
    return list(weights.values())


def _shard(path: Path, shard: str) -> list[Weight]:
    try:
        return _single(path_inside(path.parent, shard))
    except TensorFileError as error:
        raise TensorFileError(f"names the shard {shown(shard)}, which {error}", cause=error.cause) from None
