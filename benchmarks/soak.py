"""Thousands of failing tests: what they take of memory and of the disk, in one process and with pytest-xdist."""

from __future__ import annotations

import importlib.util
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.pytest_process import PYTEST, WITH_XDIST, run_python
from benchmarks.sizes import Sizes
from benchmarks.tables import megabytes, note, section, table
from pytest_audioparity.golden.names import golden_name, golden_path

# What each process notes after so many of its tests, and when it ends. A conftest.py of the soaked project.
_MARKS = (10, 25, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
_CONFTEST = """
import atexit
import json
import os
import resource
import sys
import time
from pathlib import Path

MARKS = {marks!r}
UNIT = 2**20 if sys.platform == "darwin" else 2**10
FOLDER = Path(__file__).parent
seen = 0

def pytest_runtest_logreport(report):
    global seen
    if report.when == "teardown":
        seen += 1
        if seen in MARKS:
            note(seen)

def note(when):
    used = resource.getrusage(resource.RUSAGE_SELF)
    disk = sum(path.stat().st_size for path in files())
    said = dict(
        name=os.environ.get("PYTEST_XDIST_WORKER", "pytest"),
        when=when,
        peak_mb=used.ru_maxrss / UNIT,
        own_mb=own(),
        cpu=used.ru_utime + used.ru_stime,
        seconds=time.monotonic(),
        disk_mb=disk / 1e6,
    )
    with open(FOLDER / f"noted-{{os.getpid()}}.jsonl", "a") as stream:
        stream.write(json.dumps(said) + "\\n")

def own():
    "The memory that no file gives, as it is now; on Linux only."
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), None)

def files():
    for path in (FOLDER / ".audioparity" / "pending").rglob("*.safetensors"):
        if path.exists():
            yield path

def pytest_sessionfinish():
    note("last")

atexit.register(lambda: note("end"))
"""
# The tests of a project; each fails. The cause is simple: looking for others would take most of the time.
_COMMON = """
import os
import numpy as np
import pytest

SIZE = int(float(os.environ["SOAK_MB"]) * 1e6) // 8
each = pytest.mark.parametrize("number", range(int(os.environ["SOAK_TESTS"])))

def tensors(number):
    for name in ("encoder", "mel"):
        tensor = np.random.default_rng(number).standard_normal((80, max(1, SIZE // 80)), np.float32)
        yield name, tensor * np.float32(os.environ["SOAK_GAIN"])
"""
_SUITES = {
    "stages": """
@each
def test_model(stages, number):
    for name, tensor in tensors(number % 8):
        stages[name] = tensor
""",
    "roundtrips": """
SECONDS = np.arange(16_000) / 16_000
TONE = np.sin(2 * np.pi * (300 + 200 * SECONDS) * SECONDS) * np.hanning(16_000)

@each
@pytest.mark.codec_roundtrip
def test_codec(roundtrip, number):
    roundtrip(encode=lambda x: x, decode=lambda x: x[::-1] * 0.5, sample_rate=16_000, clips={"tone": TONE})
""",
}


# Tests that have stages and goldens of their own; the others have those of one of them.
_SHARED = 8


@dataclass(frozen=True, slots=True)
class Soaked:
    """What a run left and noted.

    Attributes
    ----------
    notes : of each process, by name: what it noted, by "last", "end" or the number of its tests
    left : pending files there are
    pending_mb, record_mb, page_mb : sizes of all pending files, of run.json and of the page
    said : the lines of the terminal about what was removed
    """

    notes: Mapping[str, Mapping[Any, Mapping[str, Any]]]
    left: tuple[str, ...]
    pending_mb: float
    record_mb: float
    page_mb: float
    said: tuple[str, ...]

    def peak(self, name: str, when: Any) -> float:
        """Return the largest resident memory of a process until then, in MB."""
        return float(self.notes[name][when]["peak_mb"])

    @property
    def largest_disk_mb(self) -> float:
        """What all pending files took at most, whenever a process looked."""
        return max(each["disk_mb"] for notes in self.notes.values() for each in notes.values())


def run(sizes: Sizes) -> str:
    """Soak each suite in one process, and with two workers where pytest-xdist is there."""
    parts = []
    for suite in _SUITES:
        for workers in (0, 2) if importlib.util.find_spec("xdist") else (0,):
            with tempfile.TemporaryDirectory() as name:
                soaked = soak(Path(name), suite, tests=sizes.soak_tests, mb=sizes.soak_mb, workers=workers)
                parts += [table(_head(sizes), list(_rows(f"{suite}, -n {workers}", soaked, sizes))), _left(soaked)]
    title = f"soak: {sizes.soak_tests} failing tests, stages of {sizes.soak_mb} MB each test"
    return section(title, *parts)


def soak(
    folder: Path, suite: str, *, tests: int, mb: float, workers: int = 0, pending_mb: float | None = None
) -> Soaked:
    """Run so many failing tests, each with stages of so many MB, and say what they took.

    Parameters
    ----------
    folder : empty; goldens are one file with many names, so that they take no more than one
    suite : "stages" or "roundtrips"
    workers : of pytest-xdist; 0 for one process without it
    pending_mb : the limit of what waits for review; default a tenth of what the tests obtain
    """
    limit = pending_mb or max(1.0, tests * mb / 10)
    folder.joinpath("pytest.ini").write_text(f"[pytest]\naudioparity_pending_mb = {limit}\n")
    folder.joinpath("conftest.py").write_text(_CONFTEST.format(marks=_MARKS))
    folder.joinpath("test_soak.py").write_text(_COMMON + _SUITES[suite])
    if suite == "stages":
        _make_goldens(folder, tests, mb)
    with_workers = ("-n", str(workers)) if workers else ()
    said = _pytest(folder, tests, mb, 1.1, "--parity-report", "--tb=no", "-rN", *with_workers)
    return _soaked(folder, said)


def _pytest(folder: Path, tests: int, mb: float, gain: float, *arguments: str) -> str:
    environment = {"SOAK_TESTS": str(tests), "SOAK_MB": str(mb), "SOAK_GAIN": str(gain)}
    started = WITH_XDIST if "-n" in arguments else PYTEST
    return run_python(folder, (*started, *arguments), environment, fails="--update-golden" not in arguments)


def _make_goldens(folder: Path, tests: int, mb: float) -> None:
    """Write the goldens of some tests, which the others share."""
    _pytest(folder, min(tests, _SHARED), mb, 1.0, "--update-golden")
    names = [golden_name(f"test_soak.py::test_model[{number}]") for number in range(tests)]
    paths = [golden_path(folder / "golden", name) for name in names]
    for number, path in enumerate(paths[_SHARED:]):
        os.link(paths[number % _SHARED], path)
    for noted in folder.glob("noted-*"):
        noted.unlink()


def _soaked(folder: Path, said: str) -> Soaked:
    notes: dict[str, dict[Any, Any]] = {}
    for path in folder.glob("noted-*.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        notes[lines[0]["name"]] = {line["when"]: line for line in lines}
    workspace = folder / ".audioparity"
    left = [path for path in workspace.joinpath("pending").rglob("*.safetensors") if path.is_file()]
    return Soaked(
        notes=notes,
        left=tuple(path.stem for path in sorted(left, key=lambda path: path.stat().st_mtime_ns)),
        pending_mb=sum(path.stat().st_size for path in left) / 1e6,
        record_mb=(workspace / "run.json").stat().st_size / 1e6,
        page_mb=sum(path.stat().st_size for path in workspace.joinpath("report").glob("*.html")) / 1e6,
        said=tuple(line for line in said.splitlines() if "audioparity_pending_mb" in line),
    )


def _head(sizes: Sizes) -> tuple[str, ...]:
    return ("", *(f"peak MB after {mark}" for mark in _MARKS if mark <= sizes.soak_tests), "last", "end", "s after")


def _rows(title: str, soaked: Soaked, sizes: Sizes) -> Iterator[tuple[str, ...]]:
    for name, notes in sorted(soaked.notes.items()):
        marks = [mark for mark in _MARKS if mark <= sizes.soak_tests]
        cells = [_memory(notes.get(mark)) for mark in (*marks, "last", "end")]
        yield f"{title}: {name}", *cells, f"{notes['end']['cpu'] - notes['last']['cpu']:.1f}"


def _memory(noted: Mapping[str, Any] | None) -> str:
    if noted is None:  # a worker has some of the tests
        return "–"
    own = "" if noted["own_mb"] is None else f" ({megabytes(noted['own_mb'])})"
    return megabytes(noted["peak_mb"]) + own


def _left(soaked: Soaked) -> str:
    said = " / ".join(soaked.said) or "nothing about room"
    return note(
        "peak: largest resident memory, mapped files included; in brackets what is not of files, at that time; "
        f"pending: {megabytes(soaked.largest_disk_mb)} MB at most, {megabytes(soaked.pending_mb)} MB in "
        f"{len(soaked.left)} files at the end; run.json {megabytes(soaked.record_mb)} MB, page "
        f"{megabytes(soaked.page_mb)} MB; the terminal says: {said}; s after: processor seconds of the summary and page"
    )
