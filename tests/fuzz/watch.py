"""What a reader does beside returning: seconds, memory, code, processes, network, files outside of its folder.

An audit hook cannot be taken off again, so all of this happens in a process of its own (see `tests.fuzz.running`).
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# What one input may take: seconds of processor time, and bytes beside four times its own size. A healthy input of a few
# kilobytes takes milliseconds and less than a megabyte.
SECONDS = 2.0
MEMORY_BYTES = 256 << 20
MEMORY_FACTOR = 4
# Texts by which an error shows that memory ran out, where a reader took that for damage.
OUT_OF_MEMORY = ("Unable to allocate", "MemoryError", "Cannot allocate memory")
_MEMORY = Path("/proc/self/statm")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Events whose arguments begin with so many paths, which are changed.
_CHANGES = {
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
    "os.remove": 1,
    "os.mkdir": 1,
    "os.rmdir": 1,
    "os.truncate": 1,
    "os.chmod": 1,
    "os.chown": 1,
    "os.utime": 1,
    "os.setxattr": 1,
    "shutil.rmtree": 1,
}
# What no reader of a file does: a program, a library, a connection, an object that a pickle names.
_NEVER = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.startfile",
    "pty.spawn",
    "subprocess.Popen",
    "pickle.find_class",
    "ctypes.dlopen",
    "ctypes.dlsym",
    "socket.",
    "urllib.Request",
    "ftplib.",
    "http.client.",
    "webbrowser.open",
    "code.__new__",
    "marshal.loads",
    "sys.addaudithook",
)
_IMPORTING = "<frozen importlib._bootstrap"


class Violation(BaseException):
    """Something that no input may bring about; no reader's `except Exception` may catch it."""


class Watch:
    """An audit hook that is armed while a reader runs.

    Parameters
    ----------
    readable : folders in which files may be read beside the one that is given to `armed`
    """

    def __init__(self, readable: tuple[Path, ...]) -> None:
        self._readable = tuple(str(path.resolve()) for path in readable)
        self._folder: str | None = None
        self._programs: tuple[str, ...] = ()
        self.found: list[str] = []
        sys.dont_write_bytecode = True
        sys.addaudithook(self._hook)
        sys.unraisablehook = self._unraisable

    @contextmanager
    def armed(self, folder: Path, programs: tuple[str, ...] = ()) -> Iterator[None]:
        """Refuse what leaves a folder, but for the programs that are named; what was refused is kept in `found`."""
        self.found, self._programs, self._folder = [], programs, str(folder.resolve())
        try:
            yield
        finally:
            self._folder = None

    def _unraisable(self, unraisable: Any) -> None:
        """Note what would be a traceback on the terminal: an error where C called Python."""
        self.found.append(f"a traceback of {unraisable.exc_value!r}"[:300])

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._folder is None:
            return
        folder, self._folder = self._folder, None  # what the hook itself does is not watched
        try:
            problem = self._problem(event, arguments, folder)
        finally:
            self._folder = folder
        if problem is not None:
            self.found.append(problem)
            raise Violation(problem)

    def _problem(self, event: str, arguments: tuple[Any, ...], folder: str) -> str | None:
        if event == "open":
            return self._opened(folder, *arguments)
        if event in _CHANGES:
            wrong = [path for path in arguments[: _CHANGES[event]] if not _is_below(path, (folder,))]
            return f"{event} of {wrong[0]!r}" if wrong else None
        if event == "subprocess.Popen" and Path(os.fsdecode(arguments[0])).name in self._programs:
            return None
        if event.startswith(_NEVER) and not (event == "os.posix_spawn" and self._programs):
            return None if _is_importing() else f"{event}{arguments!r}"[:300]
        if event == "exec" and not _is_importing():
            return f"exec of {arguments[0]!r}"
        return None

    def _opened(self, folder: str, path: Any, mode: str | None, flags: int) -> str | None:
        if isinstance(path, int) or path == os.devnull or str(path).startswith("/proc/"):
            return None
        if (flags or 0) & _WRITING:
            return None if _is_below(path, (folder,)) else f"open({path!r}, {mode!r}) to write"
        return None if _is_below(path, (folder, *self._readable)) else f"open({path!r}, {mode!r}) to read"


def _is_below(path: Any, folders: tuple[str, ...]) -> bool:
    if isinstance(path, int):  # an open file or folder, which was looked at when it was opened
        return True
    real = os.path.realpath(os.fsdecode(path))
    return any(real == folder or real.startswith(folder + os.sep) for folder in folders)


def _is_importing() -> bool:
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORTING):
            return True
        frame = frame.f_back
    return False


@contextmanager
def bounded(size_bytes: int, found: list[str]) -> Iterator[None]:
    """Bound the processor time and the memory of what runs inside; `Violation`, noted too, where the time is over."""
    import resource  # not on Windows

    def over(_signal: int, _frame: object) -> None:
        found.append(f"it takes more than {SECONDS:g} s of processor time")
        raise Violation(found[-1])

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if _MEMORY.exists():  # on Linux, which is also what keeps to the limit
        now = int(_MEMORY.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY_BYTES + MEMORY_FACTOR * size_bytes, hard))
    signal.signal(signal.SIGPROF, over)
    # A loop in C never comes to that handler: the system ends the process, a second later at most.
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + SECONDS + 0.5), most))
    # Again and again, should something have swallowed the first.
    signal.setitimer(signal.ITIMER_PROF, SECONDS, SECONDS / 4)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
