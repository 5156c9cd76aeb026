"""Where jobs run: in processes of our own, on an executor that was given, or here.

Whatever becomes of a job, `result` returns it: a crash, a lost machine or a bug is the problem of that job.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
from concurrent.futures import BrokenExecutor, Future
from typing import TYPE_CHECKING, Any, Protocol

from pytest_audioparity.audio.jobs import Job, Scored, run_job
from pytest_audioparity.errors import AudioparityError, StageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ProcessPoolExecutor

# Jobs that wait for each of our processes, so that none is idle while the first of them takes long.
_AHEAD_PER_CORE = 4
# Processes that end before any has scored a pair, alone and one after another: no pair is to blame any more.
_HOPELESS = 3
_ENDED = "the process that scored it ended: killed, or out of memory?"


class Executor(Protocol):
    """What is needed of a `concurrent.futures.Executor`."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]: ...  # noqa: D102


class Workers(Protocol):
    """Where jobs run."""

    @property
    def ahead(self) -> int:
        """How many jobs to hand over before the first of them is done."""

    def submit(self, job: Job) -> Future[Scored]:
        """Hand a job over."""

    def result(self, job: Job, future: Future[Scored]) -> Scored:
        """Wait for a job."""

    def close(self, *, finished: bool) -> None:
        """End what was started here; at once, unless all is finished."""


def workers_for(executor: Executor | None, ahead: int | None, total: int | None) -> Workers:
    """Return where jobs run: on the executor, else in processes on all cores, else here where there is one of either."""
    if executor is not None:
        return Given(executor, ahead or GIVEN_AHEAD)
    cores = core_count()
    if min(cores, cores if total is None else total) <= 1:
        return Here()
    return Processes(min(cores, total or cores), ahead)


# A cluster does not say how large it is: this keeps 64 cores busy for a while, and few clips in memory.
GIVEN_AHEAD = 256


def attempt(job: Job) -> Scored:
    """Score a pair; what is wrong with it is its problem."""
    try:
        return run_job(job)
    except AudioparityError as error:
        return Scored(None, str(error))
    except Exception as error:  # one clip never stops the rest, whatever the cause
        return Scored(None, f"scoring it failed: {_told(error)}")


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).splitlines()[:1])}".removesuffix(": ")


class Here:
    """This process, one job after another."""

    ahead = 1

    def submit(self, job: Job) -> Future[Scored]:
        """Score it."""
        future: Future[Scored] = Future()
        future.set_result(attempt(job))
        return future

    def result(self, job: Job, future: Future[Scored]) -> Scored:  # noqa: ARG002
        """Return it."""
        return future.result()

    def close(self, *, finished: bool) -> None:
        """Do nothing: nothing was started."""


class Given:
    """An executor of the caller's, which is left running."""

    def __init__(self, executor: Executor, ahead: int) -> None:
        self._executor = executor
        self.ahead = ahead

    def submit(self, job: Job) -> Future[Scored]:
        """Hand a job over; an executor that takes none any more is the job's problem."""
        try:
            return self._executor.submit(attempt, job)
        except (BrokenExecutor, RuntimeError) as error:
            refused: Future[Scored] = Future()
            refused.set_result(Scored(None, f"the executor takes no work any more: {_told(error)}"))
            return refused

    def result(self, job: Job, future: Future[Scored]) -> Scored:  # noqa: ARG002
        """Wait for a job; what the executor raises is its problem."""
        try:
            done = future.result()
        except BrokenExecutor:
            return Scored(None, _ENDED)
        except (Exception, concurrent.futures.CancelledError) as error:  # executors have their own exceptions
            return Scored(None, f"the executor failed: {_told(error)}")
        return done

    def close(self, *, finished: bool) -> None:
        """Leave it to its owner."""


class Processes:
    """Processes of our own, started when the first job comes and again when one of them ends."""

    def __init__(self, count: int, ahead: int | None) -> None:
        self._count = count
        self._pool: ProcessPoolExecutor | None = None
        self._succeeded = False
        self._lost = 0
        self.ahead = ahead or _AHEAD_PER_CORE * count

    def submit(self, job: Job) -> Future[Scored]:
        """Hand a job over, to new processes where the old ones are gone."""
        if self._pool is not None:
            with contextlib.suppress(BrokenExecutor):
                return self._pool.submit(attempt, job)
            self.close(finished=False)
        self._pool = _pool(self._count)
        return self._pool.submit(attempt, job)

    def result(self, job: Job, future: Future[Scored]) -> Scored:
        """Wait for a job. One that was in flight when a process ended is tried again alone: it may not be to blame.

        Raises
        ------
        StageError : no process can be kept alive
        """
        try:
            done = future.result()
        except BrokenExecutor:
            done = self._alone(job)
        except Exception as error:  # it cannot be sent, or its result cannot
            return Scored(None, f"scoring it failed: {_told(error)}")
        self._succeeded = self._succeeded or done.result is not None
        return done

    def _alone(self, job: Job) -> Scored:
        pool = _pool(1)
        finished = False
        try:
            done = pool.submit(attempt, job).result()
            finished = True
        except BrokenExecutor:
            self._lost += 1
            if not self._succeeded and self._lost >= _HOPELESS:
                raise StageError(
                    "the processes that score end at once; a script that calls score_many needs "
                    "`if __name__ == '__main__':` around the call, or give an executor"
                ) from None
            return Scored(None, _ENDED)
        finally:
            _end(pool, finished=finished)
        return done

    def close(self, *, finished: bool) -> None:
        """End the processes."""
        pool, self._pool = self._pool, None
        if pool is not None:
            _end(pool, finished=finished)


def _pool(count: int) -> ProcessPoolExecutor:
    # Not forked: a fork of a process with threads may stand still for ever. Ctrl-C reaches every process of a terminal;
    # this one answers for all.
    return concurrent.futures.ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )


def _end(pool: ProcessPoolExecutor, *, finished: bool) -> None:
    """Wait for the end of a pool; of one that is not finished, end what it still does."""
    # Python 3.14 has `terminate_workers` for it; what is not there is waited for, a clip at most.
    processes = [] if finished else list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    pool.shutdown(wait=True)


def core_count() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
