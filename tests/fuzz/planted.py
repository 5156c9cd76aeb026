"""Readers with a fault each, to show that the watch sees it: ``python -m tests.fuzz.planted`` prints what it saw."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import soundfile

from pytest_audioparity.errors import TensorFileError
from tests.fuzz import seeds, watch
from tests.fuzz.readers import READERS, Reader
from tests.fuzz.running import run


def _raise(error: Exception) -> None:
    raise error


def _swallow(does: Callable[[Path], object]) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        try:
            does(folder)
        except BaseException:
            raise TensorFileError("is damaged") from None

    return read


class _Seeks:
    """A file that raises where libsndfile calls it."""

    read = tell = seek = lambda *_: _raise(OSError("in a callback"))


def _call_back(folder: Path) -> None:
    try:
        soundfile.SoundFile(_Seeks())
    except soundfile.SoundFileError:
        raise TensorFileError("is no sound") from None


FAULTS: dict[str, Callable[[Path], object]] = {
    "another error": lambda _: {}["missing"],
    "a message of two lines": lambda _: _raise(TensorFileError("one\ntwo")),
    "a long message": lambda _: _raise(TensorFileError("x" * 5000)),
    "a warning": lambda _: warnings.warn("overflow", RuntimeWarning, stacklevel=1),
    "a loop": _swallow(lambda _: [None for _ in itertools.repeat(0) if _]),
    "a loop in C": lambda _: any(iter(int, 1)),
    "a gigabyte": lambda _: bytearray(1 << 30),
    "a death": lambda _: os.kill(os.getpid(), signal.SIGSEGV),
    "a file elsewhere": _swallow(lambda folder: (folder.parent / "other").write_text("x")),
    "a folder elsewhere": _swallow(lambda folder: (folder.parent / "others").mkdir()),
    "a deletion elsewhere": _swallow(lambda folder: (folder.parent / "outside.bin").unlink()),
    "a look elsewhere": _swallow(lambda folder: (folder.parent / "outside.bin").read_bytes()),
    "a link elsewhere": _swallow(lambda folder: (folder / "link").symlink_to("/etc")),
    "a shell": _swallow(lambda _: os.system("true")),
    "a program": _swallow(lambda _: subprocess.run(["true"], check=False)),
    "a connection": _swallow(lambda _: socket.socket().connect(("127.0.0.1", 9))),
    "a pickle": _swallow(lambda _: pickle.loads(pickle.dumps(Path("x")))),
    "an expression": _swallow(lambda _: eval("1 + 1")),
    "a traceback on the terminal": _call_back,
}
HEALTHY = "nothing"


def main() -> None:
    """Print for each fault what was seen of it."""
    watch.SECONDS = 0.3  # as good as more for what never ends
    for name, read in {**FAULTS, HEALTHY: lambda folder: next(folder.iterdir()).read_bytes()}.items():
        armed = [False]

        def once(folder: Path, read: Callable[[Path], object] = read, armed: list[bool] = armed) -> object:
            # The first call is that on the valid file, which has to be read.
            was, armed[0] = armed[0], True
            return read(folder) if was else None

        READERS[name] = Reader(once, (seeds.npy,), (TensorFileError,))
        outcome = run(name, 1, 1)
        print(json.dumps([name, [defect.problem for defect in outcome.defects]]), flush=True)  # noqa: T201 - its job


if __name__ == "__main__":
    sys.exit(main())
