"""How much faster many small parity tests are in two processes of pytest-xdist than in one."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.per_test import COMMON, SUITES
from benchmarks.pytest_process import PYTEST, WITH_XDIST, children_seconds, make_root, run_python
from benchmarks.sizes import Sizes
from benchmarks.tables import note, ratio, section, table
from benchmarks.timing import measure_by

# What a test of a real model does besides: some ten milliseconds of arithmetic.
_MODEL = """
@each
def test_model(stages, number):
    np.sin(np.linspace(0, 1000 + number, 10**6))
    for name, tensor in tensors(number):
        stages[name] = tensor
"""
_SUITES = {"bare": SUITES["bare"], "parity": SUITES["parity"], "model": _MODEL}
_TITLES = {"bare": "bare tests", "parity": "parity tests", "model": "a fifth of them, each with 10 ms of a model"}
_SHARES = {"bare": 1, "parity": 1, "model": 5}
_WAYS = {"one process": PYTEST, "`-n 2`": (*WITH_XDIST, "-n", "2")}


def run(sizes: Sizes) -> str:
    """Run tests of four stages, and the same tests without us, in one process and in two."""
    tests = sizes.shared_tests
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_root(folder)
        given = {suite: {"TESTS": str(tests // share)} for suite, share in _SHARES.items()}
        for suite, text in _SUITES.items():
            folder.joinpath(f"test_{suite}.py").write_text(COMMON + text)
            run_python(folder, (*PYTEST, f"test_{suite}.py", "--update-golden"), given[suite])
        candidates = {
            f"{title}, {way}": partial(
                run_python, folder, (*arguments, f"test_{suite}.py"), {**given[suite], "GAIN": "1.00001"}
            )
            for suite, title in _TITLES.items()
            for way, arguments in _WAYS.items()
        }
        wall, used = measure_by(
            (time.perf_counter, children_seconds), candidates, rounds=max(1, sizes.many_rounds), warm_up=0
        )
    rows = []
    for name in wall.names:
        alone = f"{name.rpartition(', ')[0]}, {next(iter(_WAYS))}"
        faster, more = ratio(1 / wall.ratio(name, alone)), ratio(used.ratio(name, alone))
        rows.append((name, f"{wall.median(name):.1f}", f"{used.median(name):.1f}", faster, more))
    return section(
        f"workers: {tests} tests with four float32 stages of 80x100 that pass",
        table(("", "wall s", "CPU s", "times as fast as one process", "CPU / one process"), rows),
        note("whole pytest processes, their start included; wall time says something on two idle cores only"),
    )
