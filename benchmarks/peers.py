"""What the benchmarks of arrays and files share: their tensors, and peers that may not be installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments import PEERS, is_installed
from pytest_audioparity.golden.file import write_golden
from pytest_audioparity.records import StageMeta, StageTensor

Array = np.ndarray[Any, Any]

# By the word that titles have.
_INSTALLED = {word: is_installed(word) for word in ("torch", "Polygraphy")}
# Megabytes beyond its input that a peer may take; the two arrays are beside that.
_MOST_MB = 8000
# Everything passes with them, the same for all peers.
RTOL = ATOL = 1e-3
CHANNELS = 80


@dataclass(frozen=True, slots=True)
class Pair:
    """Two float32 arrays (1, channels, frames) in memory."""

    expected: Array
    actual: Array


def make_pair(megabytes: float) -> Pair:
    """Make noise, and the same noise with a gain error of 0.00009 dB, which passes every default."""
    frames = int(megabytes * 1e6) // (4 * CHANNELS)
    expected: Array = np.empty((1, CHANNELS, frames), np.float32)
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


def assert_polygraphy(pair: Pair) -> None:
    """Compare with Polygraphy, which reports statistics and histograms of both sides and of the error as well."""
    if PEERS.exists() and str(PEERS) not in sys.path:
        sys.path.append(str(PEERS))
    from polygraphy.comparator import Comparator, IterationResult, RunResults, SimpleCompareFunc
    from polygraphy.logger import G_LOGGER

    # The report is worked out all the same, and not printed.
    G_LOGGER.module_severity = G_LOGGER.CRITICAL
    both = RunResults()
    for name, array in (("actual", pair.actual), ("expected", pair.expected)):
        both.add([IterationResult(outputs={"stage": array}, runner_name=name)], runner_name=name)
    assert bool(Comparator.compare_accuracy(both, compare_func=SimpleCompareFunc(rtol=RTOL, atol=ATOL)))


Candidates = Mapping[str, Callable[..., object]]


def without_absent(candidates: Candidates) -> dict[str, Callable[..., object]]:
    """Leave out what is named after a package that is not installed."""
    return {
        title: function
        for title, function in candidates.items()
        if all(there for word, there in _INSTALLED.items() if word in title)
    }


def affordable(
    candidates: Candidates, needs: Mapping[str, float], megabytes: float
) -> dict[str, Callable[..., object]]:
    """Leave out what takes too much memory, by the megabytes it `needs` for each of one array."""
    return {title: function for title, function in candidates.items() if needs.get(title, 0.0) * megabytes <= _MOST_MB}


def left_out(candidates: Candidates, measured: Candidates) -> str:
    """Say which candidates were not measured, and why."""
    present = without_absent(candidates)
    notes = ["torch runs on one thread, as numpy does"] if _INSTALLED["torch"] else []
    if absent := [title for title in candidates if title not in present]:
        notes.append(f"not installed and left out: {', '.join(absent)}")
    if dear := [title for title in present if title not in measured]:
        notes.append(f"left out, since they need more than {_MOST_MB // 1000} GB beside the arrays: {', '.join(dear)}")
    return "; ".join(notes)


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
