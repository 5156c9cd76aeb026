"""Timing of candidates against each other.

The machine's speed drifts within seconds, so times of different moments say little about each other. All candidates
run once per round, in an order that is turned around every other round; ratios are taken within a round, and their
median over the rounds is what is reported.
"""

from __future__ import annotations

import contextlib
import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Rounds:
    """Seconds of every candidate, one per round."""

    seconds: Mapping[str, Sequence[float]]

    @property
    def names(self) -> tuple[str, ...]:
        """The candidates in the order they were given."""
        return tuple(self.seconds)

    def median(self, name: str) -> float:
        """Return the median seconds of one candidate."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, base: str) -> float:
        """Return the median over the rounds of one candidate's seconds by another's."""
        return statistics.median(a / b for a, b in zip(self.seconds[name], self.seconds[base], strict=True))

    def added(self, name: str, base: str) -> float:
        """Return the median over the rounds of one candidate's seconds less another's."""
        return statistics.median(a - b for a, b in zip(self.seconds[name], self.seconds[base], strict=True))


def measure(
    candidates: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Rounds:
    """Run all candidates `rounds` times, interleaved.

    Parameters
    ----------
    candidates : what to run, by name
    rounds : how often each is timed
    warm_up : untimed runs of each beforehand
    clock : seconds at the time of the call; wall time unless told
    """
    return measure_by((clock,), candidates, rounds=rounds, warm_up=warm_up)[0]


def measure_by(
    clocks: Sequence[Callable[[], float]],
    candidates: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warm_up: int = 1,
) -> tuple[Rounds, ...]:
    """Do the same by several clocks at once; return what each of them says."""
    names = list(candidates)
    seconds: list[dict[str, list[float]]] = [{name: [] for name in names} for _ in clocks]
    for index in range(-warm_up, rounds):
        for name in names if index % 2 else reversed(names):
            start = [clock() for clock in clocks]
            candidates[name]()
            used = [clock() - began for clock, began in zip(clocks, start, strict=True)]
            if index >= 0:
                for each, value in zip(seconds, used, strict=True):
                    each[name].append(value)
    return tuple(Rounds(each) for each in seconds)


def processor_seconds() -> float:
    """Return the processor time (user and system) of this process and of all that it started.

    What still runs is counted on Linux only, in steps of 10 ms; elsewhere, what has ended.
    """
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used) + sum(_running(child) for child in _children("self"))


def _running(process: str) -> float:
    """Return the processor time of a process that runs, with what it started; 0 where it has just ended."""
    with contextlib.suppress(OSError):
        # Behind the name: user, system, and the same of children that ended, are numbers 12 to 15.
        numbers = Path("/proc", process, "stat").read_text().rpartition(")")[2].split()[11:15]
        own = sum(map(int, numbers)) / os.sysconf("SC_CLK_TCK")
        return own + sum(_running(child) for child in _children(process))
    return 0.0


def _children(process: str) -> list[str]:
    children: list[str] = []
    for path in Path("/proc", process, "task").glob("*/children"):
        with contextlib.suppress(OSError):
            children += path.read_text().split()
    return children
