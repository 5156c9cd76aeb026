"""Timing of candidates against each other.

The machine's speed drifts within seconds, so times of different moments say little about each other. All candidates
run once per round, in an order that is turned around every other round; ratios are taken within a round, and their
median over the rounds is what is reported.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


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
    names = list(candidates)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for index in range(-warm_up, rounds):
        for name in names if index % 2 else reversed(names):
            start = clock()
            candidates[name]()
            stop = clock()
            if index >= 0:
                seconds[name].append(stop - start)
    return Rounds(seconds)
