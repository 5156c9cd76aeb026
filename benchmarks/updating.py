"""Writing many small goldens, as a run of `pytest --update-golden` does, beside writing them with safetensors."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import safetensors.numpy

from benchmarks.peers import Array, sync
from benchmarks.sizes import Sizes
from benchmarks.tables import milliseconds, note, ratio, section, table
from benchmarks.timing import measure
from pytest_audioparity.golden.atomic import sync_folders
from pytest_audioparity.golden.provenance import provenance
from pytest_audioparity.golden.shelf import save_golden
from pytest_audioparity.records import StageMeta, StageTensor

_STAGES, _SHAPE = 4, (80, 100)
Stages = dict[str, Array]


def save_files(paths: list[Path], stages: Stages) -> None:
    """Write with the safetensors library: not flushed, so a power failure may lose all of them."""
    for path in paths:
        safetensors.numpy.save_file(stages, path)


def save_files_synced(paths: list[Path], stages: Stages) -> None:
    """Write with the safetensors library, and flush each file."""
    for path in paths:
        safetensors.numpy.save_file(stages, path)
        sync(path)


def save_goldens(paths: list[Path], stages: Stages) -> None:
    """Write goldens as an update does: described, hashed, each flushed and put in place, and at last their folder."""
    tensors = [StageTensor(StageMeta(name), array) for name, array in stages.items()]
    folders: set[Path] = set()
    for path in paths:
        made_by = provenance(test=f"test_model.py::{path.stem}", root=path.parent, reason=None)
        save_golden(path, tensors, settings={}, provenance=made_by, since=None, folders=folders)
    sync_folders(folders)


_PLAIN, _SYNCED = "`save_file`", "`save_file` + fsync"
_CANDIDATES: dict[str, Callable[[list[Path], Stages], None]] = {
    _PLAIN: save_files,
    _SYNCED: save_files_synced,
    "goldens, as `--update-golden` writes them": save_goldens,
}


def run(sizes: Sizes) -> str:
    """Time all of them in one run: the wall, which waits for the disk, and the processor, which does not."""
    rng = np.random.default_rng(0)
    stages: Stages = {f"stage/{i}": rng.standard_normal(_SHAPE, np.float32) for i in range(_STAGES)}
    rows = []
    with tempfile.TemporaryDirectory() as name:
        numbers = itertools.count()
        calls = {
            title: partial(_in_a_new_folder, Path(name), numbers, sizes.goldens, stages, function)
            for title, function in _CANDIDATES.items()
        }
        wall = measure(calls, rounds=sizes.many_rounds)
        processor = measure(calls, rounds=sizes.many_rounds, warm_up=0, clock=time.process_time)
    for title in wall.names:
        cells = [ratio(wall.ratio(title, base)) for base in (_PLAIN, _SYNCED)]
        used = [milliseconds(processor.median(title)), ratio(processor.ratio(title, _SYNCED))]
        rows.append((title, milliseconds(wall.median(title)), *cells, *used))
    head = ("", "ms", f"/ {_PLAIN}", f"/ {_SYNCED}", "CPU ms", f"CPU / {_SYNCED}")
    return section(
        f"updating: {sizes.goldens} goldens of {_STAGES} float32 stages of 80x100",
        table(head, rows),
        note("`save_file` without fsync leaves to the system when, and whether, the files reach the disk"),
    )


def _in_a_new_folder(
    root: Path, numbers: itertools.count[int], count: int, stages: Stages, write: Callable[[list[Path], Stages], None]
) -> None:
    folder = root / str(next(numbers))
    folder.mkdir()
    write([folder / f"test_{i}.safetensors" for i in range(count)], stages)
