"""C code that may crash, in a process of its own: this side of it; `worker_process` is the other one.

A crash, or an answer that does not come, is an exception here and nothing else; the next question starts the process
again.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import threading
import weakref

from pytest_audioparity.audio.worker_process import HEAD

_START = "import sys; sys.path[:] = sys.argv[1:]; from {module} import main; main()"

# glibc gives large blocks back to the system at once, and takes them anew: measured, a tenth of PESQ's time. In this
# process, which does nothing else, it keeps them. Other C libraries do not read these.
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(128 * 2**20)}


class CrashedError(Exception):
    """The process ended, or did not answer in time."""


class Worker:
    """A process, started when it is needed first, and again after a crash or a fork; it answers bytes with bytes.

    Parameters
    ----------
    module : its function `main` calls `worker_process.serve`
    name : of the C code, for the message
    """

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        _ALL.add(self)

    def forget(self) -> None:
        """Leave the process to the parent of this fork, and a lock that nobody here may release."""
        self._lock, self._process = threading.Lock(), None

    def ask(self, question: bytes, *, patience_seconds: float) -> bytes:
        """Return the answer to one question.

        Raises
        ------
        CrashedError : the process ended without an answer, or was ended because it did not come in time
        """
        with self._lock:
            process = self._started()
            late = threading.Event()
            clock = threading.Timer(patience_seconds, _end_late, (process, late))
            clock.daemon = True
            clock.start()
            try:
                return _exchange(process, question)
            except (OSError, EOFError):
                self.close()
                if late.is_set():
                    raise CrashedError(f"{self._name} did not answer within {patience_seconds:.0f} s") from None
                status = process.returncode
                raise CrashedError(f"{self._name}'s C code ended its process (status {status})") from None
            except BaseException:  # interrupted: what is still in the pipes would be the answer to the next question
                self.close()
                raise
            finally:
                clock.cancel()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, "-c", _START.format(module=self._module), *sys.path]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**_KEEP_MEMORY, **os.environ},
            )
            atexit.register(self.close)
        assert self._process is not None
        return self._process

    def close(self) -> None:
        """End the process, if it is ours."""
        process, self._process = self._process, None
        atexit.unregister(self.close)
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()
        process.kill()
        process.wait()


_ALL: weakref.WeakSet[Worker] = weakref.WeakSet()


def _forget_all() -> None:
    for worker in list(_ALL):
        worker.forget()


if hasattr(os, "register_at_fork"):  # elsewhere there are no forks
    os.register_at_fork(after_in_child=_forget_all)


def _end_late(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _exchange(process: subprocess.Popen[bytes], question: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(HEAD.pack(len(question)) + question)
    process.stdin.flush()
    head = process.stdout.read(HEAD.size)
    if len(head) < HEAD.size:
        raise EOFError
    (size,) = HEAD.unpack(head)
    answer = process.stdout.read(size)
    if len(answer) < size:
        raise EOFError
    return answer
