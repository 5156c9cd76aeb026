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
    CHANNELS,
    RTOL,
    Array,
    Candidates,
    Pair,
    affordable,
    assert_allclose,
    assert_close,
    assert_polygraphy,
    left_out,
    make_pair,
    without_absent,
)
from benchmarks.sizes import Sizes
from benchmarks.tables import megabytes, milliseconds, note, ratio, section, table
from benchmarks.timing import Rounds, measure
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
_BASES = (_SUM32, _SUM64, _FILE)
_MAPPED = "`compare` of two `np.memmap`, passes"
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
# Takes minutes for what others do in a second, so it runs less often.
_SLOW: dict[str, Callable[[Pair], None]] = {"Polygraphy, `compare_accuracy`": assert_polygraphy}
_SLOW_SHARE = 4
# Megabytes beyond the two arrays, for each of one array, as measured with arrays of 200 MB.
_NEEDS = {
    "`np.allclose`": 3.0,
    "`np.testing.assert_allclose`": 5.5,
    "`torch.testing.assert_close`": 4.1,
    "Polygraphy, `compare_accuracy`": 5.3,
}


def run(sizes: Sizes) -> str:
    """Time everything on one pair of arrays, and measure the memory of each in a process of its own."""
    wanted = {**_CANDIDATES, **_SLOW}
    candidates = affordable(without_absent(wanted), _NEEDS, sizes.large_mb)
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / "expected.f32", Path(name) / "actual.f32"]
        timings = _timed(candidates, paths, sizes)
        prepare = partial(_prepare, sizes.large_mb)
        peaks = {title: peak_cells(title, prepare, candidates[title]) for title in candidates}
        peaks[_MAPPED] = peak_cells(_MAPPED, partial(_map_large, paths), compare_linear)
    peaks[_FILE] = (megabytes(2 * sizes.large_mb),) * 2
    rows = []
    for title, rounds in timings.items():
        ratios = [ratio(rounds.ratio(title, base)) for base in _BASES]
        rows.append([title, milliseconds(rounds.median(title)), *ratios, *peaks[title]])
    head = ("", "ms", "/ sum float32", "/ sum float64", "/ fromfile", *HEAD)
    title = f"kernel: two float32 arrays of {sizes.large_mb} MB each"
    return section(title, table(head, rows), note(left_out(wanted, candidates)))


def _timed(candidates: Candidates, paths: list[Path], sizes: Sizes) -> dict[str, Rounds]:
    """Time everything; the arrays are gone when it returns, since memory is measured in other processes."""
    pair = make_pair(sizes.large_mb)
    for side, path in zip((pair.expected, pair.actual), paths, strict=True):
        side.tofile(path)
    calls: dict[str, Callable[[], object]] = {_FILE: partial(_read_both, paths)}
    calls |= {title: partial(function, pair) for title, function in candidates.items()}
    calls[_MAPPED] = partial(compare_linear, _map(paths))
    slow = {title: calls.pop(title) for title in _SLOW if title in calls}
    rounds = measure(calls, rounds=sizes.rounds)
    bases = {title: calls[title] for title in _BASES}
    rarely = measure({**bases, **slow}, rounds=max(1, sizes.rounds // _SLOW_SHARE), warm_up=0 if slow else 1)
    return dict.fromkeys(rounds.names, rounds) | dict.fromkeys(slow, rarely)


def _prepare(large_mb: int, large: int) -> Pair:
    return make_pair(large_mb if large else _WARM_UP_MB)


def _map_large(paths: list[Path], large: int) -> Pair:
    return _map(paths) if large else make_pair(_WARM_UP_MB)


def _map(paths: list[Path]) -> Pair:
    return Pair(*(np.memmap(path, np.float32, "r").reshape(1, CHANNELS, -1) for path in paths))


def _read_both(paths: list[Path]) -> list[Array]:
    return [np.fromfile(path, np.float32) for path in paths]
