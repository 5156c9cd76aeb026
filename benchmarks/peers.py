"""What the benchmarks of arrays and files share: their tensors, and peers that may not be installed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pytest_audioparity.golden.file import write_golden
from pytest_audioparity.records import StageMeta, StageTensor

Array = np.ndarray[Any, Any]

HAS_TORCH = importlib.util.find_spec("torch") is not None
TORCH_NOTE = "torch runs on one thread, as numpy does" if HAS_TORCH else "torch is not installed and left out"
# Everything passes with them, the same for all peers.
RTOL = ATOL = 1e-3
_CHANNELS = 80


@dataclass(frozen=True, slots=True)
class Pair:
    """Two float32 arrays (1, channels, frames) in memory."""

    expected: Array
    actual: Array


def make_pair(megabytes: float) -> Pair:
    """Make noise, and the same noise with a gain error of 0.00009 dB, which passes every default."""
    frames = int(megabytes * 1e6) // (4 * _CHANNELS)
    expected: Array = np.empty((1, _CHANNELS, frames), np.float32)
    np.random.default_rng(0).standard_normal(dtype=np.float32, out=expected)
    return Pair(expected, expected * np.float32(1.00001))


def split(array: Array, stages: int) -> dict[str, Array]:
    """Cut an array along its last axis into equal stages."""
    frames = array.shape[-1] // stages
    return {f"stage/{i}": np.ascontiguousarray(array[..., i * frames : (i + 1) * frames]) for i in range(stages)}


def assert_allclose(pair: Pair) -> None:
    """Compare with `numpy.testing.assert_allclose`."""
    np.testing.assert_allclose(pair.actual, pair.expected, rtol=RTOL, atol=ATOL)


def assert_close(pair: Pair) -> None:
    """Compare with `torch.testing.assert_close`; torch shares the arrays' memory."""
    import torch

    # Two threads that wait for each other on cores with other work measure that work.
    torch.set_num_threads(1)
    actual, expected = torch.from_numpy(pair.actual), torch.from_numpy(pair.expected)
    torch.testing.assert_close(actual, expected, rtol=RTOL, atol=ATOL)


def without_absent(candidates: Mapping[str, Callable[..., object]]) -> dict[str, Callable[..., object]]:
    """Leave out what is named after torch where it is not installed."""
    return {name: function for name, function in candidates.items() if HAS_TORCH or "torch" not in name}


def save_golden(path: Path, stages: Mapping[str, Array]) -> None:
    """Write arrays as a golden: hashed, flushed to the disk, put in place atomically."""
    tensors = [StageTensor(StageMeta(name), array) for name, array in stages.items()]
    write_golden(path, tensors, settings={}, provenance={})


def sync(path: Path) -> None:
    """Flush a written file to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
