"""Tensors of torch's own files: views, with strides and an offset, of storages that several may share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.tensorbytes import are_sizes
from pytest_audioparity.weights.dtypes import dtype_named
from pytest_audioparity.weights.mapped import span_bytes
from pytest_audioparity.weights.pickles import Global, set_items
from pytest_audioparity.weights.quantised import along, dequantise
from pytest_audioparity.weights.records import Weight

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Array = np.ndarray[Any, Any]

_STORAGE_DTYPES = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "ComplexDouble": "complex128",
    "ComplexFloat": "complex64",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "QInt8": "int8",
    "QUInt8": "uint8",
    "QInt32": "int32",
    "Untyped": "uint8",
}
_QUANTISED = {"QInt8": "qint8", "QUInt8": "quint8", "QInt32": "qint32"}
# What a tensor of whose values something is still to be done carries beside its storage.
_PENDING = ("conj", "neg")


@dataclass(frozen=True, slots=True)
class Storage:
    """One buffer of a checkpoint: its key, torch's name of its type, and how many numbers it has."""

    key: str
    kind: str
    count: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its numbers; bytes where torch leaves it open."""
        return dtype_named(_STORAGE_DTYPES[self.kind])


class Storages(Protocol):
    """Where the bytes of storages are."""

    byteorder: str
    size_bytes: int  # of the whole file: no tensor can have more

    def size(self, storage: Storage) -> int:
        """Return how many bytes a storage has."""

    def view(self, storage: Storage) -> Array:
        """Return the bytes of a storage as a read-only array of uint8."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """A tensor as a checkpoint describes it; offset and strides count numbers. `affine`: scale, zero point, axis."""

    storage: Storage
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    affine: tuple[Any, Any, int] | None = None


def storage_from_id(identifier: Any) -> Any:
    """Make the object of a persistent id: a storage, or the class of a module that was pickled with its source."""
    if isinstance(identifier, tuple) and len(identifier) > 1 and identifier[0] == "module":
        return identifier[1]
    match identifier:
        case ("storage", Global(name=kind), str(key), _, int(count), *view) if not any(view):
            word = kind.rpartition(".")[2].removesuffix("Storage")
            if word in _STORAGE_DTYPES and are_sizes((count,)):
                return Storage(key, word, count)
    # What it is cannot be shown: tuples that hold one another many times over would be written for ever.
    raise TensorFileError("refers to a storage in a way that is not read")


def _rebuild(arguments: tuple[Any, ...]) -> Any:
    """``_rebuild_tensor(storage, offset, shape, strides)`` and ``_v2``, which adds what does not matter here."""
    storage, offset, shape, strides = arguments[:4]
    metadata = arguments[6] if len(arguments) > 6 else None
    if isinstance(metadata, dict) and any(metadata.get(key) for key in _PENDING):
        raise TensorFileError("holds a tensor that is a conjugate or negative view; save its clone")
    return _tensor(storage, storage.dtype, offset, shape, strides)


def _rebuild_typed(arguments: tuple[Any, ...]) -> Any:
    """``_rebuild_tensor_v3(storage, offset, shape, strides, requires_grad, hooks, dtype)`` of an untyped storage."""
    storage, offset, shape, strides, _, _, dtype = arguments[:7]
    return _tensor(storage, dtype_named(dtype.name.rpartition(".")[2]), offset, shape, strides)


def _rebuild_quantised(arguments: tuple[Any, ...]) -> Any:
    """``_rebuild_qtensor(storage, offset, shape, strides, quantiser)``, per tensor or per channel."""
    storage, offset, shape, strides, quantiser = arguments[:5]
    scheme, scale, zero_point, *axis = quantiser
    if scheme.name not in ("torch.per_tensor_affine", "torch.per_channel_affine"):
        raise TensorFileError(f"holds a tensor quantised as {shown(scheme.name)}, which is not read")
    scale, zero_point = (one if isinstance(one, StoredTensor) else float(one) for one in (scale, zero_point))
    return _tensor(storage, storage.dtype, offset, shape, strides, (scale, zero_point, int(axis[0]) if axis else 0))


def _tensor(storage: Storage, dtype: Any, offset: Any, shape: Any, strides: Any, affine: Any = None) -> StoredTensor:
    if len(shape) != len(strides) or not are_sizes((offset, *shape, *strides)):
        raise TensorFileError("describes a tensor with impossible numbers")
    return StoredTensor(storage, dtype, offset, tuple(shape), tuple(strides), affine)


def _rebuild_subclass(arguments: tuple[Any, ...]) -> Any:
    """``_rebuild_from_type_v2(function, type, arguments, state)``: a tensor with attributes, or of a subclass."""
    return CALLS[arguments[0].name](arguments[2])


def _first(arguments: tuple[Any, ...]) -> Any:
    return arguments[0]


def _ordered(arguments: tuple[Any, ...]) -> Any:
    """``OrderedDict()``, which is filled later, or in files of Python 2 the pairs that fill it."""
    return set_items({}, [part for key, value in arguments[0] for part in (key, value)]) if arguments else {}


# Everything a checkpoint may call. A name that is not here is never called.
CALLS: Mapping[str, Callable[[tuple[Any, ...]], Any]] = {
    "collections.OrderedDict": _ordered,
    "torch.Size": _first,
    "torch._utils._rebuild_tensor": _rebuild,
    "torch._utils._rebuild_tensor_v2": _rebuild,
    "torch._utils._rebuild_tensor_v3": _rebuild_typed,
    "torch._utils._rebuild_qtensor": _rebuild_quantised,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._tensor._rebuild_from_type_v2": _rebuild_subclass,
    "torch.jit._pickle.build_intlist": _first,
    "torch.jit._pickle.build_boollist": _first,
    "torch.jit._pickle.build_doublelist": _first,
    "torch.jit._pickle.build_tensorlist": _first,
    "torch.jit._pickle.restore_type_tag": _first,
}


def weight(name: str, tensor: StoredTensor, storages: Storages) -> Weight:
    """Return a tensor as a weight.

    Raises
    ------
    TensorFileError : it reaches beyond its storage, or claims more values than the file could hold
    """
    _check(name, tensor, storages)
    if tensor.affine is None:
        return Weight(name, tensor.shape, tensor.dtype.name, lambda: _values(tensor, storages))
    for parameter in tensor.affine[:2]:
        if isinstance(parameter, StoredTensor):
            _check(name, parameter, storages)
    stored = _QUANTISED.get(tensor.storage.kind, tensor.dtype.name)
    return Weight(name, tensor.shape, "float32", lambda: _dequantised(tensor, storages), stored)


def _check(name: str, tensor: StoredTensor, storages: Storages) -> None:
    itemsize = tensor.dtype.itemsize
    size = span_bytes(name, tensor.dtype, tensor.shape)
    last = sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True))
    if size and (tensor.offset + last + 1) * itemsize > storages.size(tensor.storage):
        raise TensorFileError(f"is damaged: tensor {shown(name)} reaches beyond its storage")
    if size > storages.size_bytes:  # a stride of 0 repeats values, and could repeat them without end
        raise TensorFileError(f"claims more values for tensor {shown(name)} than the file holds")


def _values(tensor: StoredTensor, storages: Storages) -> Array:
    if 0 in tensor.shape:
        return np.zeros(tensor.shape, tensor.dtype)
    swapped = storages.byteorder == "big" and tensor.dtype.itemsize > 1
    dtype = np.dtype(f">u{tensor.dtype.itemsize}") if swapped and tensor.dtype.kind == "V" else tensor.dtype
    if swapped and tensor.dtype.kind != "V":
        dtype = dtype.newbyteorder(">")
    strides = tuple(stride * dtype.itemsize for stride in tensor.strides)
    data = storages.view(tensor.storage)
    array: Array = np.ndarray(tensor.shape, dtype, data.data, tensor.offset * dtype.itemsize, strides)
    if dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:
        raise TensorFileError("holds bytes other than 0 and 1 in a BOOL tensor")
    if swapped and tensor.dtype.kind == "V":  # numpy swaps no bfloat16
        return array.astype(dtype.newbyteorder("<")).view(tensor.dtype)
    return array


def _dequantised(tensor: StoredTensor, storages: Storages) -> Array:
    assert tensor.affine is not None
    *parameters, axis = tensor.affine
    scale, zero_point = (
        _values(value, storages) if isinstance(value, StoredTensor) else np.asarray(value, np.float64)
        for value in parameters
    )
    shape = tensor.shape
    return dequantise(_values(tensor, storages), along(scale, shape, axis), along(zero_point, shape, axis))
