"""Reading and writing goldens, beside the safetensors library."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import safetensors.numpy
import xxhash

from benchmarks.peers import Array, make_pair, save_golden, split, sync
from benchmarks.sizes import Sizes
from benchmarks.tables import milliseconds, note, ratio, section, table
from benchmarks.timing import Rounds, measure
from pytest_audioparity.golden.file import Golden

_STAGES = 16


def read_golden(path: Path) -> None:
    """Open a golden and read every stage, its hash checked."""
    assert len(list(Golden(path))) == _STAGES


def load_file(path: Path) -> dict[str, Array]:
    """Read every tensor with the safetensors library, which copies and checks nothing."""
    return safetensors.numpy.load_file(path)


def load_file_hashed(path: Path) -> None:
    """Read every tensor with the safetensors library and hash it."""
    for array in load_file(path).values():
        xxhash.xxh3_128_hexdigest(array.data)


def save_file(path: Path, stages: dict[str, Array]) -> None:
    """Write with the safetensors library: in place, not flushed."""
    safetensors.numpy.save_file(stages, path)


def save_file_synced(path: Path, stages: dict[str, Array]) -> None:
    """Write with the safetensors library and flush to the disk."""
    save_file(path, stages)
    sync(path)


def run(sizes: Sizes) -> str:
    """Compare for a golden as a TTS test has it, and for a large one."""
    return section(
        f"golden: one file of {_STAGES} float32 stages",
        _tables(sizes.small_mb, sizes.small_rounds),
        _tables(sizes.large_mb, sizes.rounds),
        note("goldens are hashed, flushed to the disk and put in place atomically; `save_file` does none of that"),
    )


def _tables(size_mb: int, rounds: int) -> str:
    stages = split(make_pair(size_mb).expected, _STAGES)
    with tempfile.TemporaryDirectory() as name:
        target = Path(name) / "golden.safetensors"
        save_golden(target, stages)
        reading = {
            "`load_file`": load_file,
            "`load_file` + hash": load_file_hashed,
            "`Golden`, all stages, hashes checked": read_golden,
        }
        writing: dict[str, Callable[[Path, dict[str, Array]], object]] = {
            "`save_file`": save_file,
            "`save_file` + fsync": save_file_synced,
            "`write_golden`": save_golden,
        }
        read = measure({title: partial(function, target) for title, function in reading.items()}, rounds=rounds)
        # A file each: an overwritten file and a replaced one cost the file system different things.
        paths = {title: Path(name) / f"{index}.safetensors" for index, title in enumerate(writing)}
        calls = {title: partial(function, paths[title], stages) for title, function in writing.items()}
        written = measure(calls, rounds=rounds)
    return f"{_table(f'read {size_mb} MB', read)}\n\n{_table(f'write {size_mb} MB', written)}"


def _table(title: str, rounds: Rounds) -> str:
    bases = rounds.names[:2]
    rows = [
        (name, milliseconds(rounds.median(name)), *(ratio(rounds.ratio(name, base)) for base in bases))
        for name in rounds.names
    ]
    return table((title, "ms", *(f"/ {base}" for base in bases)), rows)
