"""Matching the weights of two files, from path to verdict."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import safetensors.numpy

from benchmarks.memory import HEAD, peak_cells
from benchmarks.sizes import Sizes
from benchmarks.tables import milliseconds, ratio, section, table
from benchmarks.timing import measure
from pytest_audioparity import cli

_TENSORS = 100
_COLUMNS = 512
_WARM_UP_MB = 1.0
_REFERENCE = "reference.safetensors"


def load_both(folder: Path) -> list[object]:
    """Load the reference and its renamed copy with the safetensors library."""
    return [safetensors.numpy.load_file(folder / name) for name in (_REFERENCE, "renamed.safetensors")]


def match(kind: str, folder: Path) -> None:
    """Run `audioparity weights` in this process; the copies of a kind must pass, the fine-tuned one must not."""
    with contextlib.redirect_stdout(io.StringIO()):
        status = cli.main(["weights", str(folder / _REFERENCE), str(folder / f"{kind}.safetensors")])
    assert status == int(kind == "tuned")


_LOAD = "`load_file` twice, no comparison"
_CANDIDATES: dict[str, Callable[[Path], object]] = {
    _LOAD: load_both,
    "`audioparity weights`, renamed": partial(match, "renamed"),
    "`audioparity weights`, renamed and float16": partial(match, "half"),
    "`audioparity weights`, renamed and transposed": partial(match, "transposed"),
    "`audioparity weights`, fine-tuned (all different)": partial(match, "tuned"),
}


def run(sizes: Sizes) -> str:
    """Time everything on files of one size, and measure the memory of each in a process of its own."""
    with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as large:
        folders = (Path(small), Path(large))
        _write(folders[0], _WARM_UP_MB)
        _write(folders[1], sizes.large_mb)
        rounds = measure(
            {title: partial(function, folders[1]) for title, function in _CANDIDATES.items()}, rounds=sizes.rounds
        )
        peaks = {title: peak_cells(title, folders.__getitem__, _CANDIDATES[title]) for title in _CANDIDATES}
    rows = [
        (title, milliseconds(rounds.median(title)), ratio(rounds.ratio(title, _LOAD)), *peaks[title])
        for title in rounds.names
    ]
    return section(
        f"weights: two files of {sizes.large_mb} MB in {_TENSORS} tensors, in the page cache",
        table(("", "ms", "/ load_file", *HEAD), rows),
    )


def _write(folder: Path, megabytes: float) -> None:
    rng = np.random.default_rng(0)
    rows = max(4, int(megabytes * 1e6 / 4 / _TENSORS / _COLUMNS))
    model = {f"{n}.weight": rng.standard_normal((rows, _COLUMNS), np.float32) for n in range(_TENSORS)}
    renamed = {f"t{place}": values for place, values in enumerate(model.values())}
    files = {
        _REFERENCE: model,
        "renamed.safetensors": renamed,
        "half.safetensors": {name: values.astype(np.float16) for name, values in renamed.items()},
        "transposed.safetensors": {name: np.ascontiguousarray(values.T) for name, values in renamed.items()},
        "tuned.safetensors": {name: values * np.float32(1.01) + np.float32(1e-3) for name, values in model.items()},
    }
    for name, tensors in files.items():
        safetensors.numpy.save_file(tensors, folder / name)
