"""Comparing two large arrays in memory, beside reading them once and beside other comparisons.

Reading an array once can mean three things, so three are measured: `np.sum` in float32 (what memory and SIMD can do),
`np.sum` in float64 (the same widening as any accurate statistic), and `np.fromfile` from the page cache (what a test
pays that loads its golden into memory).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.memory import HEAD, peak_cells
from benchmarks.peers import (
    ATOL,
    RTOL,
    TORCH_NOTE,
    Array,
    Pair,
    assert_allclose,
    assert_close,
    make_pair,
    without_absent,
)
from benchmarks.sizes import Sizes
from benchmarks.tables import megabytes, milliseconds, note, ratio, section, table
from benchmarks.timing import measure
from pytest_audioparity import compare

_WARM_UP_MB = 1.0


def sum_float32(pair: Pair) -> None:
    """Read both arrays once, as fast as numpy can."""
    np.sum(pair.expected)
    np.sum(pair.actual)


def sum_float64(pair: Pair) -> None:
    """Read both arrays once, accumulating in float64."""
    np.sum(pair.expected, dtype=np.float64)
    np.sum(pair.actual, dtype=np.float64)


def compare_linear(pair: Pair) -> None:
    """Compare as `tensor`: the default."""
    assert compare(pair.expected, pair.actual, axes="BCT").passed


def compare_log(pair: Pair) -> None:
    """Compare as `log_spectrum`, which needs the sum of absolute differences too."""
    assert compare(pair.expected, pair.actual, axes="BCT", kind="log_spectrum", unit="db", tol_db=0.1).passed


def compare_failing(pair: Pair) -> None:
    """Compare with a tolerance that fails, so that the causes and the numbers along both axes are worked out."""
    assert not compare(pair.expected, pair.actual, axes="BCT", tol_db=1e-6).passed


def allclose(pair: Pair) -> None:
    """Compare with `np.allclose`."""
    assert np.allclose(pair.actual, pair.expected, rtol=RTOL, atol=ATOL)


_SUM32, _SUM64, _FILE = "`np.sum`, float32", "`np.sum`, float64", "`np.fromfile`, page cache"
_CANDIDATES: dict[str, Callable[[Pair], None]] = {
    _SUM32: sum_float32,
    _SUM64: sum_float64,
    "`compare`, passes": compare_linear,
    "`compare`, passes, log_spectrum": compare_log,
    "`compare`, fails: causes, channels, time": compare_failing,
    "`np.allclose`": allclose,
    "`np.testing.assert_allclose`": assert_allclose,
    "`torch.testing.assert_close`": assert_close,
}


def run(sizes: Sizes) -> str:
    """Time everything on one pair of arrays, and measure the memory of each in a process of its own."""
    candidates = without_absent(_CANDIDATES)
    pair = make_pair(sizes.large_mb)
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / "expected.f32", Path(name) / "actual.f32"]
        pair.expected.tofile(paths[0])
        pair.actual.tofile(paths[1])
        calls: dict[str, Callable[[], object]] = {_FILE: partial(_read_both, paths)}
        calls |= {title: partial(function, pair) for title, function in candidates.items()}
        rounds = measure(calls, rounds=sizes.rounds)
    rows = []
    for title in rounds.names:
        cells = [title, milliseconds(rounds.median(title))]
        cells += [ratio(rounds.ratio(title, base)) for base in (_SUM32, _SUM64, _FILE)]
        if title in candidates:
            cells += peak_cells(title, partial(_prepare, sizes.large_mb), candidates[title])
        else:
            cells += [megabytes(2 * sizes.large_mb)] * 2
        rows.append(cells)
    head = ("", "ms", "/ sum float32", "/ sum float64", "/ fromfile", *HEAD)
    return section(f"kernel: two float32 arrays of {sizes.large_mb} MB each", table(head, rows), note(TORCH_NOTE))


def _prepare(large_mb: int, large: int) -> Pair:
    return make_pair(large_mb if large else _WARM_UP_MB)


def _read_both(paths: list[Path]) -> list[Array]:
    return [np.fromfile(path, np.float32) for path in paths]
