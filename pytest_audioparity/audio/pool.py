"""Where jobs run: in processes of our own, on an executor that was given, or here.

Whatever becomes of a job, `result` returns it: a crash, a lost machine or a bug is the problem of that job.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import threading
from concurrent.futures import BrokenExecutor, Future
from typing import TYPE_CHECKING, Any, Protocol

from pytest_audioparity.audio.jobs import Job, Scored, run_job
from pytest_audioparity.errors import AudioparityError, StageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

# Jobs that wait for each of our processes, so that none is idle while the first of them takes long.
_AHEAD_PER_CORE = 4
# A cluster does not say how large it is: this keeps 64 cores busy for a while.
_GIVEN_AHEAD = 256
# How long a process may take to end by itself, so that it ends the one in which it runs PESQ.
_GRACE_SECONDS = 5.0
# Processes that end, as many as this before any has scored a pair: no pair is to blame.
_HOPELESS = 3
_ENDED = "the process that scored it ended: killed, or out of memory?"
_LOST = Scored(None, _ENDED)


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
    """Return where jobs run: on the executor, else in processes, else (of one core, or one pair) here."""
    if executor is not None:
        return Given(executor, ahead or _GIVEN_AHEAD)
    cores = core_count()
    if min(cores, cores if total is None else total) <= 1:
        return Here()
    return Processes(min(cores, total or cores), ahead)


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
    """In this process, one job after another."""

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
    """Processes of our own, each fed by a thread, so that it is known which job ended one.

    A pool of `concurrent.futures` is broken by the first process that ends, with all that it was given.
    """

    def __init__(self, count: int, ahead: int | None) -> None:
        self._threads = concurrent.futures.ThreadPoolExecutor(count)
        self._own = threading.local()
        self._running: list[_Process] = []
        self._lock = threading.Lock()
        self._closing = self._succeeded = False
        self._lost = 0
        self.ahead = ahead or _AHEAD_PER_CORE * count

    def submit(self, job: Job) -> Future[Scored]:
        """Hand a job over."""
        return self._threads.submit(self._run, job)

    def _run(self, job: Job) -> Scored:
        process = getattr(self._own, "process", None) or self._started()
        if process is None:
            return _LOST
        try:
            return process.ask(job)
        except (EOFError, OSError):
            self._own.process = None
            process.end()
            return _LOST

    def _started(self) -> _Process | None:
        with self._lock:
            if self._closing:  # nobody would end it
                return None
            self._own.process = process = _Process()
            self._running.append(process)
        return process

    def result(self, job: Job, future: Future[Scored]) -> Scored:  # noqa: ARG002
        """Wait for a job.

        Raises
        ------
        StageError : no process can be kept alive
        """
        done = future.result()
        self._lost += done is _LOST
        self._succeeded = self._succeeded or done is not _LOST
        if not self._succeeded and self._lost >= _HOPELESS:
            raise StageError(
                "the processes that score end at once; a script that calls score_many needs "
                "`if __name__ == '__main__':` around the call, or give an executor"
            )
        return done

    def close(self, *, finished: bool) -> None:
        """End the processes, whatever they do."""
        self._threads.shutdown(wait=finished, cancel_futures=True)
        with self._lock:
            self._closing = True
            if finished:  # else a thread may still read from a pipe
                for process in self._running:
                    process.release()
            for process in self._running:
                process.end(grace_seconds=_GRACE_SECONDS if finished else 0.0)
        self._threads.shutdown(wait=True)


class _Process:
    """One process that scores what it is sent, until the pipe is closed: by `end`, or by the end of this process."""

    def __init__(self) -> None:
        # Not forked: a fork of a process with threads may stand still for ever.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), daemon=True)
        try:
            self._process.start()
        finally:
            theirs.close()

    def ask(self, job: Job) -> Scored:
        self._pipe.send(job)
        done: Scored = self._pipe.recv()
        return done

    def release(self) -> None:
        """Let it end by itself."""
        self._pipe.close()

    def end(self, grace_seconds: float = 0.0) -> None:
        """End it, now or when its time is over."""
        self._process.join(grace_seconds)
        self._process.terminate()
        self._process.join()


def serve(pipe: Connection) -> None:
    """Score what comes out of a pipe."""
    # Ctrl-C reaches every process of a terminal; the one that started this answers for all.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send(attempt(pipe.recv()))


def core_count() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
