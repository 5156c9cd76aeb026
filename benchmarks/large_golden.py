"""A pytest run that compares 500 stages with one large golden: the time beside reading it once, and the memory.

The test makes each stage anew, as a model does, with an error as of rounding, and keeps none. What it takes by itself
is measured by the same test without the comparison.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.peers import save_golden
from benchmarks.pytest_process import PYTEST, make_root, run_python
from benchmarks.sizes import Sizes
from benchmarks.tables import megabytes, milliseconds, note, ratio, section, table
from benchmarks.timing import Rounds, measure
from pytest_audioparity.tensorfile import TensorFile

_STAGES = 500
_WRONG = 250
_TEST = f"""
import os
import numpy as np
from pytest_audioparity import parity

@parity(only=["stage/0"] if os.environ["CASE"] == "alone" else None)
def test_model(stages):
    noise = np.random.default_rng(0).standard_normal(int(os.environ["SIZE"]) + {_STAGES}, np.float32)
    for i in range({_STAGES}):
        stage = noise[i : len(noise) - {_STAGES} + i] * np.float32(1.000001)
        if i == {_WRONG} and os.environ["CASE"] == "wrong":
            stage[len(stage) // 2 :] *= 1.1
        if i == 0 or os.environ["CASE"] != "alone":
            stages[f"stage/{{i}}"] = stage
"""
# Read in the process itself: what the system says of an ended one includes its parent.
_CONFTEST = """
import os
from pathlib import Path
from benchmarks.memory import resident_peak

def pytest_unconfigure():
    Path("peak").write_text(str(resident_peak()))
"""
_READ, _LOAD, _SUM = "`readinto`", "`np.fromfile`", "`np.sum`, float64"
_FROM_DISK = ", from the disk"
_BASES = (_READ, _LOAD, _SUM, _READ + _FROM_DISK)
_ALONE = "the test alone, one stage compared"
_CASES = {_ALONE: "alone", "all 500 pass": "right", "one of 500 is wrong": "wrong"}
# Where the system lets a program say that it will not need a file again, and so what is in the page cache: on Linux.
_FORGETS = hasattr(os, "posix_fadvise")


def read_into(path: Path, size: int) -> None:
    """Read a file once, as `cat` does, a stage at a time."""
    buffer = memoryview(bytearray(4 * size))
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def load(path: Path, size: int) -> None:
    """Read a file once into new arrays, a stage at a time."""
    with path.open("rb") as file:
        while np.fromfile(file, np.float32, size).size:
            pass


def sum_float64(path: Path, _: int) -> None:
    """Read every stage where it lies, accumulating in float64."""
    mapped = TensorFile(path)
    for name in mapped.names:
        np.sum(mapped.tensor(name), dtype=np.float64)


def from_disk(golden: Path, call: Callable[[], object]) -> None:
    """Call what reads a file that is on the disk alone, as after a checkout on a machine with little memory."""
    handle = os.open(golden, os.O_RDONLY)
    try:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)
    call()


def run(sizes: Sizes) -> str:
    """Time all of them interleaved, and take the peaks of the last round."""
    size = sizes.large_mb * 10**6 // (4 * _STAGES)
    with tempfile.TemporaryDirectory() as name:
        root, peaks = Path(name), {}
        golden = root / "golden/test_model/test_model.safetensors"
        _prepare(root, golden, size)
        calls: dict[str, Callable[[], object]] = {
            title: partial(function, golden, size)
            for title, function in ((_READ, read_into), (_LOAD, load), (_SUM, sum_float64))
        }
        calls |= {title: partial(_run_test, root, case, size, peaks) for title, case in _CASES.items()}
        if _FORGETS:
            calls |= {title + _FROM_DISK: partial(from_disk, golden, calls[title]) for title in (_READ, *_CASES)}
        rounds = measure(calls, rounds=max(1, sizes.rounds // 4))
    bases = [title for title in _BASES if title in calls]
    return section(
        f"large_golden: a golden of {sizes.large_mb} MB in {_STAGES} stages, in the page cache unless told",
        table(
            ("", "ms", "added ms", *(f"added / {base}" for base in bases), "peak MB", "added MB"),
            [
                *((title, milliseconds(rounds.median(title)), *[""] * (3 + len(bases))) for title in bases),
                *(_row(rounds, title, bases, peaks) for title in calls if title.removesuffix(_FROM_DISK) in _CASES),
            ],
        ),
        note("ms of whole pytest processes; what is added reads the golden, and as much that the test has made"),
    )


def _row(rounds: Rounds, title: str, bases: Sequence[str], peaks: Mapping[str, int]) -> tuple[str, ...]:
    case = title.removesuffix(_FROM_DISK)
    whole, peak = milliseconds(rounds.median(title)), peaks[_CASES[case]] / 1e6
    if case == _ALONE:
        return (title, whole, *[""] * (1 + len(bases)), megabytes(peak), "")
    added = rounds.added(title, _ALONE + title.removeprefix(case))
    # What is read from the disk is held against that alone, and the other way round.
    shares = [
        ratio(added / rounds.median(base)) if base.endswith(_FROM_DISK) == title.endswith(_FROM_DISK) else ""
        for base in bases
    ]
    return title, whole, milliseconds(added), *shares, megabytes(peak), megabytes(peak - peaks[_CASES[_ALONE]] / 1e6)


def _prepare(root: Path, golden: Path, size: int) -> None:
    make_root(root)
    (root / "test_model.py").write_text(_TEST)
    (root / "conftest.py").write_text(_CONFTEST)
    # Views of one piece of noise: as many different stages as are asked for, in the memory of one.
    noise = np.random.default_rng(0).standard_normal(size + _STAGES, np.float32)
    save_golden(golden, {f"stage/{i}": noise[i : size + i] for i in range(_STAGES)})


def _run_test(root: Path, case: str, size: int, peaks: dict[str, int]) -> None:
    environment = {"CASE": case, "SIZE": str(size), "PYTHONPATH": str(Path(__file__).parents[1])}
    run_python(root, PYTEST, environment, fails=case == "wrong")
    peaks[case] = int((root / "peak").read_text())
