"""Many inputs for one reader, in processes of their own: what kills one of them is found, and the others go on."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import site
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest_audioparity
from tests.fuzz.damage import damaged
from tests.fuzz.readers import READERS, Reader
from tests.fuzz.watch import OUT_OF_MEMORY, Violation, Watch, bounded

# A message is one line for a terminal and a log; names that it shows are cut at 80 characters each.
MOST_CHARACTERS = 1500
# So many inputs are read by one process, so that what one of them leaves behind does not bear on all others.
_BATCH = 500
READ, REFUSED = "read", "refused"


@dataclass(frozen=True)
class Defect:
    """What an input did that none may. `python -m tests.fuzz READER --seed SEED --input NUMBER` does it again."""

    reader: str
    seed: int
    number: int
    problem: str


@dataclass(frozen=True)
class Outcome:
    """What became of the inputs of a reader."""

    read: int
    refused: int
    defects: tuple[Defect, ...]


class Inputs:
    """Valid folders of a reader, and what becomes of them."""

    def __init__(self, name: str, seed: int, folder: Path) -> None:
        self.name, self.seed, self.folder = name, seed, folder
        self.reader: Reader = READERS[name]
        self.files: list[tuple[Path, list[Path]]] = []
        for index, write in enumerate(self.reader.seeds):
            root = folder / f"seed{index}"
            root.mkdir()
            write(root)
            found = {path for glob in self.reader.targets for path in root.glob(glob) if path.is_file()}
            self.files.append((root, sorted(found)))
        (folder / "outside.bin").write_bytes(b"what no input may lead to")
        (folder / "outside.safetensors").write_bytes((0).to_bytes(8, "little"))
        self.valid = {path: path.read_bytes() for _, paths in self.files for path in paths}

    def make(self, number: int) -> tuple[Path, Path, bytes]:
        """Return the folder of an input, its file that is damaged, and what that then holds."""
        random = Random(f"{self.seed} {number}")
        root, paths = random.choice(self.files)
        path, other = random.choice(paths), random.choice(list(self.valid.values()))
        return root, path, damaged(self.valid[path], other, random)

    def run(self, number: int, watch: Watch | None, work: Path) -> str:
        """Read an input; return whether it was read or refused, or what is wrong."""
        root, path, content = self.make(number)
        place = root
        if self.reader.changes:
            place = work / "changed"
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(root, place)
        target = place / path.relative_to(root)
        target.write_bytes(content)
        try:
            return self._judged(place, len(content), watch)
        finally:
            if place is root:
                path.write_bytes(self.valid[path])

    def _judged(self, place: Path, size: int, watch: Watch | None) -> str:
        if watch is None:
            return self._read(place)
        with watch.armed(place, self.reader.programs), bounded(size, watch.found):
            result = self._read(place)
        return watch.found[0] if watch.found else result

    def _read(self, place: Path) -> str:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # one that a reader lets out is none of its user's doing
                self.reader.read(place)
        except self.reader.errors as error:
            return message_problem(str(error)) or REFUSED
        except (Exception, Violation) as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            return f"{type(error).__name__}: {str(error)[:200]} ({Path(where.filename).name}:{where.lineno})"
        return READ


def message_problem(text: str) -> str | None:
    """Say what is wrong with the message of an error, or return None."""
    if len(text.splitlines()) != 1:
        return f"a message of {len(text.splitlines())} lines: {text[:200]!r}"
    if len(text) > MOST_CHARACTERS:
        return f"a message of {len(text)} characters: {text[:200]!r}"
    if any(word in text for word in OUT_OF_MEMORY):
        return f"memory ran out: {text[:200]!r}"
    return None


def readable() -> tuple[Path, ...]:
    """Return where Python and its packages lie, which readers import from."""
    own = Path(pytest_audioparity.__file__).parent
    prefixes = {Path(one) for one in (sys.prefix, sys.base_prefix, *site.getsitepackages())}
    return (own, Path(__file__).parents[2], *prefixes)


def run(name: str, seed: int, count: int) -> Outcome:
    """Read so many inputs of a reader."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        inputs = Inputs(name, seed, Path(folder).resolve())
        for root, _ in inputs.files:
            copy = Path(folder, "valid", root.name)
            shutil.copytree(root, copy)
            inputs.reader.read(copy)  # which must be possible
        results: list[str] = []
        defects: list[Defect] = []
        for number, result in _results(inputs, count):
            results.append(result)
            if result not in (READ, REFUSED):
                defects.append(Defect(name, seed, number, result))
        return Outcome(results.count(READ), results.count(REFUSED), tuple(defects))


def _results(inputs: Inputs, count: int) -> Iterator[tuple[int, str]]:
    """Yield the result of each input; one that kills its process has that for a result."""
    at = mmap.mmap(-1, 8)
    start = 0
    while start < count:
        stop = min(start + _BATCH, count)
        source, sink = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(source)
            _work(inputs, start, stop, at, sink)
        os.close(sink)
        with os.fdopen(source, encoding="utf-8") as lines:
            told = [json.loads(line) for line in lines if line.endswith("\n")]
        _, status = os.waitpid(child, 0)
        yield from ((number, result) for number, result in told)
        start = stop
        if status:
            start = int.from_bytes(at[:8], "little") + 1
            said = (inputs.folder / "stderr").read_text(errors="replace").strip().splitlines()
            yield start - 1, f"its process ended with {os.waitstatus_to_exitcode(status)}: {' '.join(said[-1:])}"


def _work(inputs: Inputs, start: int, stop: int, at: mmap.mmap, sink: int) -> None:
    """Read some inputs, and end the process: nothing of the parent's may be run here."""
    status = 1
    try:
        said = os.open(inputs.folder / "stderr", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 2)  # decoders of C tell the terminal what they think of a file
        work = inputs.folder / "work"
        work.mkdir(exist_ok=True)
        watch = Watch(readable())
        with os.fdopen(sink, "w", encoding="utf-8") as lines:
            for number in range(start, stop):
                at[:8] = number.to_bytes(8, "little")
                print(json.dumps([number, inputs.run(number, watch, work)]), file=lines, flush=True)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
