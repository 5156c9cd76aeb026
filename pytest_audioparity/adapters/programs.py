"""Programs in other languages: run with a time limit, given where to write, and what they wrote read back.

The contract with them is two environment variables. `AUDIOPARITY_DUMP` is a path in a folder of their own at which
nothing is: they write a file of any format there, or make it a folder of files, or write files beside it.
`AUDIOPARITY_INPUTS` is a safetensors file of the golden's inputs; it is not set where there are none.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pytest_audioparity.adapters.arrays import first_line
from pytest_audioparity.adapters.dumps import declared, load_dump
from pytest_audioparity.errors import StageError
from pytest_audioparity.golden.file import write_golden

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from pytest_audioparity.adapters.declaring import Declaring
    from pytest_audioparity.records import StageTensor

DUMP = "AUDIOPARITY_DUMP"
INPUTS = "AUDIOPARITY_INPUTS"
# A model of some GB is loaded and run on a CPU in less; a program that waits for something does not hold up CI for an
# hour. It is an argument of its own for those that take longer.
TIMEOUT_SECONDS = 600.0
# As many lines as a panic with its backtrace, or a Python traceback, usually has.
_SHOWN_LINES = 20
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Program:
    """A program as a test asks for it.

    Attributes
    ----------
    command : the program and its arguments
    timeout : seconds after which it is killed
    cwd : its working directory, that of the tests if None; a relative path of the program is relative to it
    env : environment variables beside those of the tests
    """

    command: Sequence[str | os.PathLike[str]]
    timeout: float = TIMEOUT_SECONDS
    cwd: str | os.PathLike[str] | None = None
    env: Mapping[str, str] | None = None

    @property
    def problem(self) -> str | None:
        """What is wrong with how it was asked for, or None."""
        words = self.command
        if isinstance(words, str | bytes | os.PathLike):
            return f"the command is a list of words, as in ['./trace', '--text', 'hello'], for no shell, not {words!r}"
        if not words or not all(isinstance(word, str | os.PathLike) for word in words):
            return f"the command is a list of one or more texts and paths, not {words!r}"
        if (
            isinstance(self.timeout, bool)
            or not isinstance(self.timeout, int | float)
            or not 0 < self.timeout < math.inf
        ):
            return f"timeout={self.timeout!r} is not a number of seconds"
        if not isinstance(self.env, Mapping | None) or not all(
            isinstance(text, str) for item in (self.env or {}).items() for text in item
        ):
            return f"env={self.env!r} is not a mapping of texts"
        if self.cwd is not None and not Path(self.cwd).is_dir():
            return f"cwd={str(self.cwd)!r} is no folder"
        return None

    @property
    def words(self) -> list[str]:
        """The command as texts."""
        return [os.fspath(word) for word in self.command]

    @property
    def shown(self) -> str:
        """The command as one would type it."""
        return shlex.join(self.words)


@contextlib.contextmanager
def stages_of(
    program: Program,
    inputs: Sequence[StageTensor],
    declaring: Declaring,
) -> Iterator[tuple[subprocess.CompletedProcess[str], list[StageTensor]]]:
    """Run a program and give what it printed and the stages that it wrote, which are there as long as the context is.

    Parameters
    ----------
    program : which
    inputs : are written for it to read
    declaring : other names and declarations, as for `dumps.load`

    Raises
    ------
    StageError : it cannot be run, failed, took too long, or wrote nothing; the message has the end of what it printed
    TensorFileError : what it wrote cannot be read
    """
    if (problem := program.problem) is not None:
        raise StageError(f"run: {problem}")
    # What it left mapped is deleted all the same, but on Windows, where that waits for a later clean-up.
    with tempfile.TemporaryDirectory(prefix="audioparity-", ignore_cleanup_errors=True) as folder:
        dump = Path(folder, "dump", "dump.safetensors")
        dump.parent.mkdir()
        environment = {**os.environ, **(program.env or {}), DUMP: str(dump)}
        environment.pop(INPUTS, None)
        if inputs:
            environment[INPUTS] = str(Path(folder, "inputs.safetensors"))
            write_golden(Path(environment[INPUTS]), inputs, settings={}, provenance={}, durable=False)
        done = _run(program, environment)
        stages = load_dump(dump)
        if not stages:
            raise StageError(
                f"{program.shown} wrote no stage; it should write a file to the path in {DUMP}{_ending(done)}"
            )
        yield done, declared(stages, declaring, program.words[0])


def _run(program: Program, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    # Into files: a pipe would be held open, and waited for, by whatever the program leaves running.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = None
        try:
            with _uninterrupted():
                process = _started(program, environment, out, err)
            status: int | None = process.wait(program.timeout)
        except subprocess.TimeoutExpired:
            status = None
        finally:  # Ctrl-C ends what was started as well, and so does the end of a program what it left behind
            if process is not None:
                _kill(process)
        assert process is not None  # what keeps it from starting is raised
        done = subprocess.CompletedProcess(program.words, process.returncode, _text(out), _text(err))
    if status is None:
        raise StageError(f"{program.shown} was killed: it ran longer than timeout={program.timeout:g} s{_ending(done)}")
    if status:
        raise StageError(f"{program.shown} failed with {_status_text(status)}{_ending(done)}")
    return done


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let a Ctrl-C wait: a program that has begun and that nobody knows yet would go on without end."""
    known = signal.getsignal(signal.SIGINT)
    if not callable(known) or threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, known)
        if came:
            known(*came[0])


def _started(program: Program, environment: Mapping[str, str], out: BinaryIO, err: BinaryIO) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            program.words,
            cwd=program.cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,  # a process group of its own, which can be killed as a whole
        )
    except FileNotFoundError:
        hint = "; paths are relative to cwd=" if program.cwd is not None else ""
        raise StageError(f"run: there is no program {program.words[0]!r}; build it, or give its path{hint}") from None
    except (OSError, ValueError) as error:  # not executable, of another machine, a NUL character
        reason = getattr(error, "strerror", None) or first_line(error)
        raise StageError(f"run: {program.words[0]!r} cannot be run: {reason}") from None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started in its group; on Windows, the program."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS forbids it of a group of zombies
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _status_text(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _ending(done: subprocess.CompletedProcess[Any]) -> str:
    """Return the last lines that a program printed, for the end of a message: its errors, or else its output."""
    for name, text in (("stderr", done.stderr), ("stdout", done.stdout)):
        if lines := text.rstrip().splitlines():
            cut = f" (last {_SHOWN_LINES} of {len(lines)} lines)" if len(lines) > _SHOWN_LINES else ""
            return "\n".join([f"; its {name}{cut}:", *(f"  {_plain(line)}" for line in lines[-_SHOWN_LINES:])])
    return "; it printed nothing"


def _plain(line: str) -> str:
    """Return a line without what colours it, or could move the cursor."""
    return "".join(c if c.isprintable() else " " for c in _ESCAPES.sub("", line))
