"""A numpy array as another object of the type that a model was given: the way back from `as_array`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.adapters.arrays import BITS, is_from, type_name
from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]
    Maker = Callable[[Array], Any]


def likeness(value: Any, dtype: np.dtype[Any]) -> Maker:
    """Return what makes a new object such as `value` from an array: of its runtime, dtype and device.

    Parameters
    ----------
    value : numpy, torch, MLX, JAX, OrtValue, a list or a numpy number; it is not kept alive
    dtype : its dtype as numpy has it (see `as_array`)

    Returns
    -------
    A function of an array, which raises StageError for an array whose values that dtype does not have: floats for
    integers, integers that are too large. Floats are rounded

    Raises
    ------
    StageError : nothing can be made of this type
    """
    for module, maker in _RUNTIMES.items():
        if is_from(value, module):
            make = maker(value)
            break
    else:
        make = _plain(value)
    return lambda array: make(_cast(array, dtype))


def _plain(value: Any) -> Maker:
    if isinstance(value, np.ndarray):
        order: Any = "F" if value.flags.fnc else "C"
        return lambda array: np.array(array, order=order)
    if isinstance(value, np.generic):
        return lambda array: array[()]
    if isinstance(value, list):
        return lambda array: array.tolist()
    raise StageError(f"no {type_name(value)} can be made from the golden's values")


def _torch(value: Any) -> Maker:
    torch = sys.modules["torch"]
    dtype, device, wants_grad = value.dtype, value.device, value.requires_grad
    is_leaf, is_inference = value.is_leaf, value.is_inference()

    def make(array: Array) -> Any:
        with torch.inference_mode(is_inference), torch.set_grad_enabled(not is_inference):
            tensor = torch.from_numpy(_bits(array, copy=True)).to(device)
            if array.dtype.name in BITS:
                tensor = tensor.view(dtype)
            if wants_grad:
                # What a layer returned may be changed in place by the next; a leaf that wants gradients may not.
                tensor = tensor.requires_grad_() if is_leaf else tensor.requires_grad_().clone()
            return tensor

    return make


def _mlx(value: Any) -> Maker:
    core, dtype = sys.modules["mlx.core"], value.dtype

    def make(array: Array) -> Any:
        if array.dtype.name in BITS:
            return core.array(_bits(array)).view(dtype)
        return core.array(array, dtype=dtype)

    return make


def _jax(value: Any) -> Maker:
    jax, sharding = sys.modules["jax"], value.sharding
    # A copy: on the CPU jax may go on using the memory that it is given, here a mapped golden.
    return lambda array: jax.device_put(np.array(array), sharding)


def _onnxruntime(value: Any) -> Maker:
    runtime, device = sys.modules["onnxruntime"], value.device_name()

    def make(array: Array) -> Any:
        if array.dtype.name in BITS:
            raise StageError(f"no OrtValue of {array.dtype.name} can be made from the golden's values")
        return runtime.OrtValue.ortvalue_from_numpy(np.array(array, order="C"), device)

    return make


_RUNTIMES: dict[str, Callable[[Any], Maker]] = {
    "torch": _torch,
    "mlx": _mlx,
    "jax": _jax,
    "jaxlib": _jax,
    "onnxruntime": _onnxruntime,
}


def _bits(array: Array, *, copy: bool = False) -> Array:
    """Return an array as runtimes take it from numpy: contiguous, types that numpy lacks as integers of their size."""
    whole = np.array(array, order="C", copy=True) if copy else np.ascontiguousarray(array)
    carrier = BITS.get(array.dtype.name)
    return whole if carrier is None else whole.view(carrier)


def _cast(array: Array, dtype: np.dtype[Any]) -> Array:
    if array.dtype == dtype:
        return array
    problem = f"the golden has {array.dtype.name} where the argument is {dtype.name}"
    if _family(array.dtype) != _family(dtype):
        raise StageError(problem)
    with np.errstate(all="ignore"):
        cast: Array = array.astype(dtype)
    if _family(dtype) == "integer" and not np.array_equal(cast, array):
        raise StageError(f"{problem}, with values that it does not hold")
    return cast


def _family(dtype: np.dtype[Any]) -> str:
    # numpy counts the types of ml_dtypes as void, so floats are what is left.
    return {"i": "integer", "u": "integer", "b": "integer", "c": "complex"}.get(dtype.kind, "float")
