"""Peak memory of one call beyond what was there before it, measured in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tables import megabytes

_STATUS = Path("/proc/self/status")


HEAD = ("extra MB resident", "extra MB allocated")


@dataclass(frozen=True, slots=True)
class Peak:
    """Megabytes (10^6 bytes) at the peak of a call, less those before it.

    `resident` counts all pages the process touched, mapped files included, whoever allocated them; `allocated` what
    Python and numpy asked for, which mapped files and torch's own memory are no part of.
    """

    resident: float
    allocated: float


def extra_peak(prepare: Callable[[int], Any], run: Callable[[Any], object]) -> Peak:
    """Measure ``run(prepare(1))`` after a warm-up with ``run(prepare(0))``.

    Parameters
    ----------
    prepare : makes the input, large for 1 and small for 0; what it allocates is not counted. Both functions must be
        importable, or partials of such
    run : what is measured
    """
    # Spawned: a forked child would inherit our own pages and their peak.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, prepare, run).result()


def peak_cells(title: str, prepare: Callable[[int], Any], run: Callable[[Any], object]) -> tuple[str, str]:
    """Return the cells under `HEAD` of one candidate. What torch allocates cannot be seen, only that it is resident."""
    peak = extra_peak(prepare, run)
    return megabytes(peak.resident), "–" if "torch" in title else megabytes(peak.allocated)


def _measure(prepare: Callable[[int], Any], run: Callable[[Any], object]) -> Peak:
    run(prepare(0))
    given = prepare(1)
    before = resident_peak()
    run(given)
    resident = resident_peak() - before
    tracemalloc.start()
    run(given)
    _, allocated = tracemalloc.get_traced_memory()
    return Peak(resident / 1e6, allocated / 1e6)


def resident_peak() -> int:
    """Return the bytes that this process had resident at its peak."""
    # Linux hands ru_maxrss of the parent down to a new program, so the kernel's own figure is read where it exists.
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
