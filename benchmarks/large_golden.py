"""A pytest run that compares 500 stages with one large golden: the time beside reading it once, and the memory.

The test makes each stage anew, as a model does, with an error as of rounding, and keeps none. What it takes by itself
is measured by the same test without the comparison.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
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
_BASES = (_READ, _LOAD, _SUM)
_ALONE = "the test alone, one stage compared"
_CASES = {_ALONE: "alone", "all 500 pass": "right", "one of 500 is wrong": "wrong"}


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
        rounds = measure(calls, rounds=max(1, sizes.rounds // 4))
    return section(
        f"large_golden: a golden of {sizes.large_mb} MB in {_STAGES} stages, in the page cache",
        table(
            ("", "ms", "added ms", *(f"added / {base}" for base in _BASES), "peak MB", "added MB"),
            [
                *((title, milliseconds(rounds.median(title)), *[""] * 6) for title in _BASES),
                *(_row(rounds, title, peaks) for title in _CASES),
            ],
        ),
        note("ms of whole pytest processes; what is added reads the golden, and as much that the test has made"),
    )


def _row(rounds: Rounds, title: str, peaks: Mapping[str, int]) -> tuple[str, ...]:
    peak = peaks[_CASES[title]] / 1e6
    if title == _ALONE:
        return (title, milliseconds(rounds.median(title)), *[""] * 4, megabytes(peak), "")
    added = rounds.added(title, _ALONE)
    shares = [ratio(added / rounds.median(base)) for base in _BASES]
    more = peak - peaks[_CASES[_ALONE]] / 1e6
    return title, milliseconds(rounds.median(title)), milliseconds(added), *shares, megabytes(peak), megabytes(more)


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
