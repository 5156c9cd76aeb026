"""Layers that MLX quantised: `X.weight` of packed integers, with `X.scales` and `X.biases` of each group of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.tensorfile import open_file, parse_json
from pytest_audioparity.weights.quantised import unpack
from pytest_audioparity.weights.records import Weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    Array = np.ndarray[Any, Any]

# What mlx.core.quantize takes: https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.quantize.html
_BITS = (2, 3, 4, 5, 6, 8)
_GROUPS = (32, 64, 128)
_WORD_BITS = 32
# mlx-lm writes how a model was quantised here, beside its weights.
_CONFIG = "config.json"
_CONFIG_KEYS = ("quantization", "quantization_config")
_MOST_CONFIG_BYTES = 10_000_000
_FLOATS = ("float16", "bfloat16", "float32")


@dataclass(frozen=True, slots=True)
class _Layer:
    """One quantised layer: its tensors, and the product of bits and group size that their shapes tell."""

    name: str
    packed: Weight
    scales: Weight
    biases: Weight
    product: int


def dequantised(weights: Iterable[Weight], path: Path) -> tuple[list[Weight], list[str]]:
    """Replace the tensors of quantised layers by their values.

    Parameters
    ----------
    weights : of a model
    path : its file, whose folder may have the `config.json` that says how many bits an integer has

    Returns
    -------
    The weights, and a note for each layer whose bits cannot be known: its tensors are left as they are.
    """
    named = {weight.name: weight for weight in weights}
    layers = [layer for name in named if (layer := _layer(named, name)) is not None]
    notes = []
    config = _config(path) if layers else {}
    for layer in layers:
        options = _options(layer, config)
        if len(options) != 1:
            notes.append(_unknown(layer, options))
            continue
        named[f"{layer.name}.weight"] = _values(layer, options[0])
        del named[layer.scales.name], named[layer.biases.name]
    return list(named.values()), notes


def _unknown(layer: _Layer, options: list[int]) -> str:
    ways = " or ".join(f"{bits} bits in groups of {layer.product // bits}" for bits in options) or "no known way"
    return (
        f"{shown(layer.name)} is quantised by MLX with {ways}; it is left as integers, which the config.json of "
        "the model beside its file would make values"
    )


def _layer(named: Mapping[str, Weight], name: str) -> _Layer | None:
    stem = name.removesuffix(".weight")
    packed, scales, biases = named[name], named.get(f"{stem}.scales"), named.get(f"{stem}.biases")
    if stem == name or packed.dtype != "uint32" or scales is None or biases is None:
        return None
    alike = scales.shape == biases.shape and scales.shape[:-1] == packed.shape[:-1]
    if not alike or scales.dtype not in _FLOATS or not scales.shape or not scales.shape[-1]:
        return None
    product, rest = divmod(packed.shape[-1] * _WORD_BITS, scales.shape[-1])
    return _Layer(stem, packed, scales, biases, product) if product and not rest else None


def _options(layer: _Layer, config: Mapping[str, Any]) -> list[int]:
    """Return the numbers of bits that the shapes allow, only the declared one where the model declares it."""
    possible = [bits for bits in _BITS if layer.product in (bits * group for group in _GROUPS)]
    own = config.get(layer.name)
    declared = own if isinstance(own, dict) else config
    if declared.get("mode", "affine") != "affine":
        return []
    if not {"bits", "group_size"} <= declared.keys():
        return possible
    bits, group = declared["bits"], declared["group_size"]
    are_numbers = type(bits) is int and type(group) is int
    return [bits] if are_numbers and bits in possible and bits * group == layer.product else []


def _config(path: Path) -> Mapping[str, Any]:
    try:
        with open_file(path.with_name(_CONFIG)) as file:
            config = parse_json(file.read(_MOST_CONFIG_BYTES).decode("utf-8"))
        found: Any = next((config[key] for key in _CONFIG_KEYS if key in config), {})
    except (TensorFileError, ValueError, RecursionError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _values(layer: _Layer, bits: int) -> Weight:
    rows, columns = layer.packed.shape[:-1], layer.packed.shape[-1] * _WORD_BITS // bits
    shape = (*rows, columns)

    def read() -> Array:
        packed = np.ascontiguousarray(layer.packed.read(), "<u4").reshape(-1).view(np.uint8)
        groups = (*rows, layer.scales.shape[-1])
        integers = unpack(packed, bits, int(np.prod(shape))).reshape(*groups, layer.product // bits)
        scale, bias = (one.read().astype(np.float32)[..., None] for one in (layer.scales, layer.biases))
        with np.errstate(all="ignore"):  # see dequantise
            values: Array = (integers * scale + bias).reshape(shape)
        return values

    return Weight(layer.packed.name, shape, "float32", read, f"uint{bits}")
