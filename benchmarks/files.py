"""Comparing two safetensors files, from path to verdict."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import safetensors.numpy

from benchmarks.memory import HEAD, peak_cells
from benchmarks.peers import (
    Array,
    Pair,
    assert_allclose,
    assert_close,
    left_out,
    make_pair,
    save_golden,
    split,
    without_absent,
)
from benchmarks.sizes import Sizes
from benchmarks.tables import milliseconds, note, ratio, section, table
from benchmarks.timing import measure
from pytest_audioparity import cli

_STAGES = 16
_WARM_UP_MB = 1.0
_GOLDENS = ("expected.golden.safetensors", "actual.golden.safetensors")
_PLAIN = ("expected.safetensors", "actual.safetensors")


def compare_goldens(folder: Path) -> None:
    """Run `audioparity compare` in this process on two goldens, whose hashes are checked."""
    _command(folder, _GOLDENS)


def compare_plain(folder: Path) -> None:
    """Run `audioparity compare` on two files of another program, which state no hashes."""
    _command(folder, _PLAIN)


def load_both(folder: Path) -> list[dict[str, Array]]:
    """Load both files with the safetensors library, which copies and checks no hash."""
    return [safetensors.numpy.load_file(folder / name) for name in _PLAIN]


def load_and_assert_allclose(folder: Path) -> None:
    """Load both files and compare them with numpy."""
    _each_stage(folder, assert_allclose)


def load_and_assert_close(folder: Path) -> None:
    """Load both files and compare them with torch."""
    _each_stage(folder, assert_close)


_LOAD = "`load_file` twice, no comparison"
_CANDIDATES: dict[str, Callable[[Path], object]] = {
    _LOAD: load_both,
    "`audioparity compare`, hashes checked": compare_goldens,
    "`audioparity compare`, files without hashes": compare_plain,
    "`load_file` twice + `np.testing.assert_allclose`": load_and_assert_allclose,
    "`load_file` twice + `torch.testing.assert_close`": load_and_assert_close,
}


def run(sizes: Sizes) -> str:
    """Time everything on one pair of files, and measure the memory of each in a process of its own."""
    candidates = without_absent(_CANDIDATES)
    with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as large:
        _write(Path(small), _WARM_UP_MB)
        _write(Path(large), sizes.large_mb)
        rounds = measure(
            {title: partial(function, Path(large)) for title, function in candidates.items()}, rounds=sizes.rounds
        )
        folders = (Path(small), Path(large))
        peaks = {title: peak_cells(title, folders.__getitem__, candidates[title]) for title in candidates}
    rows = [
        (title, milliseconds(rounds.median(title)), ratio(rounds.ratio(title, _LOAD)), *peaks[title])
        for title in rounds.names
    ]
    return section(
        f"files: two files of {sizes.large_mb} MB in {_STAGES} stages, in the page cache",
        table(("", "ms", "/ load_file", *HEAD), rows),
        note(left_out(_CANDIDATES, candidates)),
    )


def _write(folder: Path, megabytes_each: float) -> None:
    pair = make_pair(megabytes_each)
    for side, golden, plain in zip((pair.expected, pair.actual), _GOLDENS, _PLAIN, strict=True):
        stages = split(side, _STAGES)
        save_golden(folder / golden, stages)
        safetensors.numpy.save_file(stages, folder / plain)


def _command(folder: Path, names: tuple[str, str]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        status = cli.main(["compare", *(str(folder / name) for name in names)])
    assert status == 0


def _each_stage(folder: Path, check: Callable[[Pair], None]) -> None:
    expected, actual = load_both(folder)
    for name, array in expected.items():
        check(Pair(array, actual[name]))
