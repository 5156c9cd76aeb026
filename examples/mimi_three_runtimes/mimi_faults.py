"""The bugs that can be switched on, and which runtimes can have them."""

from __future__ import annotations

import importlib
from typing import Any

from mimi_codec import Codec

__all__ = ["FAULTS", "RUNTIMES", "make_codec"]

RUNTIMES = {
    "torch": ("mimi_torch", "TorchCodec"),
    "mlx": ("mimi_mlx", "MlxCodec"),
    "rust": ("mimi_rust", "RustCodec"),
}

# What each is for a codec, and the runtimes that are built so. The last two are in the published packages.
FAULTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "streaming_reset": ({"forgetful": True}, ("torch", "mlx", "rust")),
    "codebook_count": ({"codebooks": 4}, ("torch", "mlx", "rust")),
    "no_causal_mask": ({"published": True}, ("mlx",)),
    "half_reset": ({"half_reset": True}, ("mlx", "rust")),
}


def make_codec(runtime: str, fault: str | None) -> Codec:
    """Return the codec in one runtime, with a fault if that runtime can have it.

    Raises
    ------
    ValueError : there is no fault of that name
    """
    if fault and fault not in FAULTS:
        raise ValueError(f"no fault {fault!r}; there are {', '.join(FAULTS)}")
    module, name = RUNTIMES[runtime]
    options, runtimes = FAULTS[fault] if fault else ({}, ())
    return getattr(importlib.import_module(module), name)(**options if runtime in runtimes else {})
