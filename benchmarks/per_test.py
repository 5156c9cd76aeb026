"""What a test that records four stages costs beside the same test without us."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from benchmarks.environments import PEERS, is_installed
from benchmarks.pytest_process import PYTEST, WITHOUT_PLUGIN, children_seconds, make_root, run_python
from benchmarks.sizes import Sizes
from benchmarks.tables import LOST, milliseconds, note, ratio, section, table
from benchmarks.timing import Rounds, measure

# Every test makes the same four tensors of 80 x 100; GAIN keeps them from being equal to what is stored.
COMMON = """
import os
from pathlib import Path
import numpy as np
import pytest

NAMES = ("encoder", "ode", "mel", "decoder")
BASE = np.random.default_rng(0).standard_normal((4, 80, 100), np.float32)
GAIN = np.float32(os.environ.get("GAIN", "1"))
each = pytest.mark.parametrize("number", range(int(os.environ["TESTS"])))

def tensors(number):
    return zip(NAMES, (BASE + np.float32(number)) * GAIN)
"""
SUITES = {
    "bare": """
@each
def test_model(number):
    for name, tensor in tensors(number):
        pass
""",
    "allclose": """
STORED = Path("stored")
STORED.mkdir(exist_ok=True)

@each
def test_model(number):
    for name, tensor in tensors(number):
        path = STORED / f"{number}-{name}.npy"
        if "WRITE" in os.environ:
            np.save(path, tensor)
        np.testing.assert_allclose(tensor, np.load(path), rtol=1e-3, atol=1e-3)
""",
    "parity": """
@each
def test_model(stages, number):
    for name, tensor in tensors(number):
        stages[name] = tensor
""",
    # What each of them offers for arrays; one file per test, as ours.
    "regressions": """
@each
def test_model(ndarrays_regression, number):
    ndarrays_regression.check(dict(tensors(number)), default_tolerance={"rtol": 1e-3, "atol": 1e-3})
""",
    "torch": """
import torch
torch.set_num_threads(1)
# Its golden is named after the function: parameters would share one.
numbers = range(int(os.environ["TESTS"]))
named = [pytest.param(number, marks=pytest.mark.torch_golden(str(number))) for number in numbers]

@pytest.mark.parametrize("number", named)
def test_model(golden, number):
    found = {name: torch.from_numpy(tensor) for name, tensor in tensors(number)}
    golden.check(found, rtol=1e-3, atol=1e-3)
""",
}
_BARE, _BLOCKED = "bare", "bare, plugin blocked"
_REGRESSIONS = "pytest-regressions, `ndarrays_regression`"
_TORCH = "pytest-torch, `golden`"
_CANDIDATES = {
    _BARE: ("bare", ()),
    _BLOCKED: ("bare", WITHOUT_PLUGIN),
    "`np.load` + `assert_allclose`, four `.npy`": ("allclose", ()),
    "recording four stages": ("parity", ()),
    _REGRESSIONS: ("regressions", (*WITHOUT_PLUGIN, "-p", "pytest_datadir.plugin", "-p", "pytest_regressions.plugin")),
    _TORCH: ("torch", (*WITHOUT_PLUGIN, "-p", "pytest_torch.plugin")),
}
# suite -> the distributions it needs, and its flag that stores what the tests make.
_PEERS = {
    "regressions": (("pytest-regressions",), "--regen-all"),
    "torch": (("pytest-torch", "torch"), "--torch-update-golden"),
}


def run(sizes: Sizes) -> str:
    """Compare suites of the two sizes; the slope is the cost of a test, the rest is paid once per run."""
    few, many = sizes.tests
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make_suites(folder, many)
        candidates = {title: what for title, what in _CANDIDATES.items() if _is_available(what[0])}
        runs = {
            f"{title} {tests}": partial(_run_suite, folder, suite, tests, arguments)
            for title, (suite, arguments) in candidates.items()
            for tests in (few, many)
        }
        rounds = measure(runs, rounds=sizes.suite_rounds, warm_up=0, clock=children_seconds)
    per_test, once = _split(rounds, list(candidates), few, many)
    rows = [_row(title, per_test, once) for title in per_test.names]
    hidden = f"; {LOST} where noise hides it" if any(LOST in row for row in rows) else ""
    return section(
        "per_test: tests with four float32 tensors of 80x100 that pass",
        table(("", "CPU ms per test", "added ms per test", "ratio", "added ms once per run"), rows),
        note(f"whole pytest processes of {few} and {many} tests; per test is the slope between them{hidden}"),
    )


def _row(title: str, per_test: Rounds, once: Rounds) -> tuple[str, ...]:
    """Write what a suite costs; a test takes time, so that a slope that is not above 0 says nothing."""
    slope, base = per_test.median(title), per_test.median(_BARE)
    return (
        title,
        milliseconds(slope) if slope > 0 else LOST,
        milliseconds(per_test.added(title, _BARE)) if min(slope, base) > 0 else LOST,
        ratio(slope / base) if base > 0 else LOST,
        milliseconds(once.added(title, _BARE)),
    )


def _make_suites(folder: Path, tests: int) -> None:
    """Write the suites and what they compare with, and run each once, so that all are compiled."""
    make_root(folder)
    for name, text in SUITES.items():
        folder.joinpath(f"test_{name}.py").write_text(COMMON + text)
    _run_suite(folder, "bare", tests, ())
    _run_suite(folder, "parity", tests, ("--update-golden",), {"GAIN": "1"})
    _run_suite(folder, "allclose", tests, (), {"GAIN": "1", "WRITE": "1"})
    for suite, arguments in _CANDIDATES.values():
        if suite in _PEERS and _is_available(suite):
            _run_suite(folder, suite, tests, (*arguments, _PEERS[suite][1]), {"GAIN": "1"})


def _is_available(suite: str) -> bool:
    return all(map(is_installed, _PEERS[suite][0])) if suite in _PEERS else True


def _run_suite(
    folder: Path, suite: str, tests: int, arguments: tuple[str, ...], environment: dict[str, str] | None = None
) -> None:
    given = {"TESTS": str(tests), "GAIN": "1.00001", **(environment or {})}
    if suite in _PEERS:
        # Found beside our environment, and only what is named: the others there would load themselves.
        given |= {"PYTHONPATH": str(PEERS), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    run_python(folder, (*PYTEST, f"test_{suite}.py", *arguments), given)


def _split(rounds: Rounds, titles: list[str], few: int, many: int) -> tuple[Rounds, Rounds]:
    """Return the seconds per test and those once per run, round by round."""
    per_test: dict[str, list[float]] = {}
    once: dict[str, list[float]] = {}
    for title in titles:
        pairs = list(zip(rounds.seconds[f"{title} {few}"], rounds.seconds[f"{title} {many}"], strict=True))
        per_test[title] = [(high - low) / (many - few) for low, high in pairs]
        once[title] = [low - slope * few for (low, _), slope in zip(pairs, per_test[title], strict=True)]
    return Rounds(per_test), Rounds(once)
