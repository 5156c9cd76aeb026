"""Many pairs, scored on all cores or a cluster, each at most once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_audioparity.audio.cache import ScoreCache
from pytest_audioparity.audio.jobs import job_of
from pytest_audioparity.audio.pool import workers_for
from pytest_audioparity.audio.signals import rate_of
from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from pytest_audioparity.audio.jobs import Job, Scored
    from pytest_audioparity.audio.pool import Executor, Workers
    from pytest_audioparity.audio.records import Score

# Clips in memory that wait to be scored: no more than these, beside one pair.
_AHEAD_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Item:
    """One pair: its score, or why there is none.

    Attributes
    ----------
    name : what the caller calls it, else the estimate's path, else its place in the order, from 0
    result : the score; None where there is a problem
    problem : what is wrong with the pair, in one line
    from_cache : whether the score was there already
    """

    name: str
    result: Score | None
    problem: str | None = None
    from_cache: bool = False


def score_many(
    pairs: Iterable[tuple[Any, ...]],
    *,
    sample_rate: float | None = None,
    pesq: bool = True,
    executor: Executor | None = None,
    cache: str | os.PathLike[str] | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
    ahead: int | None = None,
) -> Iterator[Item]:
    """Score many pairs of clips, on all cores or on any executor, and yield the results in the order of the pairs.

    Pairs are taken as they are needed: a generator of a million is never in memory. What is wrong with a pair is its
    `problem`, and the others are scored all the same; that holds for a process that crashes, too.

    Parameters
    ----------
    pairs : (reference, estimate) or (name, reference, estimate); each side a path of an audio file, or an array as
        `score` takes it, of which a copy is made
    sample_rate : of arrays, Hz. Files have their own; where both are there they must agree
    pesq : as in `score`
    executor : a `concurrent.futures.Executor`, or what has its `submit`: a pool of threads or processes,
        ``dask.distributed.Client(...).get_executor()``, ``mpi4py.futures.MPIPoolExecutor()``. The package must be
        installed where it runs, and paths must mean the same there. It is not shut down. Default: processes of our own,
        one for each core, which a script must not start on import (``if __name__ == "__main__":``)
    cache : a folder in which scores are kept and looked up; only this process reads and writes it. Nothing is written
        unless it is given
    progress : told after each pair: its name, how many are done, how many there are (None for a generator)
    ahead : how many pairs to hand over before the first of them is done; default four for each core, or 256 with an
        executor, and never more than 256 MiB of arrays

    Yields
    ------
    Item

    Raises
    ------
    StageError : no usable sample rate, arrays without one, something that is no pair; `cache` is a file; no process
        can be started

    Examples
    --------
    >>> import numpy as np
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> tone = np.sin(np.arange(16_000) * 0.17) * np.hanning(16_000)
    >>> pairs = ((f"gain {gain}", tone, gain * tone) for gain in (0.5, 1.0))
    >>> with ThreadPoolExecutor(2) as executor:
    ...     for item in score_many(pairs, sample_rate=16_000, pesq=False, executor=executor):
    ...         print(item.name, item.result.verdict)
    gain 0.5 level_changed
    gain 1.0 ok
    """
    rate = None if sample_rate is None else rate_of(sample_rate)
    if ahead is not None and ahead < 1:
        raise StageError(f"score_many: ahead={ahead} is less than one pair")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise StageError(f"score_many: executor={executor!r} has no submit(); give a concurrent.futures.Executor")
    folder = None if cache is None else ScoreCache(cache)
    total = len(pairs) if isinstance(pairs, Sized) else None
    workers = workers_for(executor, ahead, total)
    items = _items(_jobs(pairs, rate, pesq, keyed=folder is not None), workers, folder)
    return _told(items, progress, total)


def _told(
    items: Iterator[Item], progress: Callable[[str, int, int | None], None] | None, total: int | None
) -> Iterator[Item]:
    for done, item in enumerate(items, 1):
        if progress is not None:
            progress(item.name, done, total)
        yield item


def _jobs(
    pairs: Iterable[tuple[Any, ...]], rate: int | None, pesq: bool, *, keyed: bool
) -> Iterator[tuple[str, Job | Item]]:
    """Make jobs of pairs, or an item at once of what is no audio."""
    for index, pair in enumerate(pairs):
        name, reference, estimate = _parts(pair, index)
        try:
            job = job_of(reference, estimate, sample_rate=rate, pesq=pesq, keyed=keyed)
        except StageError as error:
            yield name, Item(name, None, str(error))
            continue
        if job.lacks_rate:
            raise StageError("score_many: arrays have no sample rate of their own: give sample_rate=")
        yield name, job


def _parts(pair: Any, index: int) -> tuple[str, Any, Any]:
    """Return name, reference and estimate of an entry."""
    parts = tuple(pair) if isinstance(pair, tuple | list) else ()
    if len(parts) == 3 and isinstance(parts[0], str):
        return parts
    if len(parts) != 2:
        raise StageError(
            f"score_many: entry {index} of pairs is no (reference, estimate) or (name, reference, estimate)"
        )
    reference, estimate = parts
    return str(estimate) if isinstance(estimate, str | os.PathLike) else str(index), reference, estimate


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A pair on its way: its item, where there is one already, or what will give it."""

    name: str
    job: Job | None
    outcome: Item | Future[Scored]

    @property
    def is_done(self) -> bool:
        return isinstance(self.outcome, Item) or self.outcome.done()


def _items(jobs: Iterator[tuple[str, Job | Item]], workers: Workers, cache: ScoreCache | None) -> Iterator[Item]:
    waiting: deque[_Waiting] = deque()
    held = 0
    finished = False
    try:
        for name, job in jobs:
            waiting.append(_begun(name, job, workers, cache))
            held += _bytes_of(waiting[-1])
            while waiting and (waiting[0].is_done or len(waiting) >= workers.ahead or held > _AHEAD_BYTES):
                held -= _bytes_of(waiting[0])
                yield _item(waiting.popleft(), workers, cache)
        while waiting:
            yield _item(waiting.popleft(), workers, cache)
        finished = True
    finally:
        for entry in waiting:
            if not isinstance(entry.outcome, Item):
                entry.outcome.cancel()
        workers.close(finished=finished)


def _begun(name: str, job: Job | Item, workers: Workers, cache: ScoreCache | None) -> _Waiting:
    if isinstance(job, Item):
        return _Waiting(name, None, job)
    key = job.key() if cache is not None else None
    found = cache.get(key) if cache is not None and key is not None else None
    if found is not None:
        return _Waiting(name, None, Item(name, found, from_cache=True))
    return _Waiting(name, job, workers.submit(job))


def _bytes_of(entry: _Waiting) -> int:
    return 0 if entry.job is None else entry.job.size_bytes


def _item(entry: _Waiting, workers: Workers, cache: ScoreCache | None) -> Item:
    if isinstance(entry.outcome, Item):
        return entry.outcome
    assert entry.job is not None
    done = workers.result(entry.job, entry.outcome)
    if cache is not None and done.key is not None and done.result is not None:
        cache.put(done.key, done.result)
    return Item(entry.name, done.result, done.problem)
