"""Valid weight files, damaged at random: what the readers make of them is weights or a TensorFileError.

The suite damages each a few hundred times; ``python -m tests.weights.fuzz 10000`` does so as often as asked, from
another seed each time, within a limit on memory, and prints the seed of what went wrong; names choose among the files.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.weights.dtypes import dtype_named
from pytest_audioparity.weights.files import open_weights
from tests.weights.samples import WRITERS

# The files are a few kilobytes: one that claims so much is one that would take the machine's memory.
MOST_BYTES = 1 << 22
_SPECIAL = (0, 1, 0x7F, 0x80, 0xFF)


def damage(data: bytes, random: np.random.Generator) -> bytes:
    """Change, cut, repeat or remove a few places."""
    damaged = bytearray(data)
    for _ in range(int(random.integers(1, 5))):
        place = int(random.integers(0, max(len(damaged), 1)))
        length = int(2 ** random.uniform(0, 6))
        kind = int(random.integers(0, 7))
        if kind == 0:
            damaged[place : place + 1] = bytes([int(random.choice(_SPECIAL))])
        elif kind == 1:
            damaged[place : place + 1] = bytes([int(random.integers(0, 256))])
        elif kind == 2:
            damaged[place : place + length] = bytes([int(random.choice(_SPECIAL))]) * length
        elif kind == 3:
            del damaged[place : place + length]
        elif kind == 4:
            damaged[place:place] = damaged[place : place + length]
        elif kind == 5 and damaged:
            damaged[place] ^= 1 << int(random.integers(0, 8))
        elif kind == 6 and random.random() < 0.2:
            del damaged[place:]
    return bytes(damaged)


def check(path: Path) -> bool:
    """Read all of a file; tell whether it could be read. Anything but a TensorFileError is a defect and is raised."""
    try:
        for weight in open_weights(path).weights:
            assert math.prod(weight.shape) * dtype_named(weight.dtype).itemsize <= MOST_BYTES, weight
            values = weight.read()
            assert (values.shape, values.dtype.name) == (weight.shape, weight.dtype), weight
    except TensorFileError as error:
        problem = str(error)
    else:
        return True
    assert len(problem.splitlines()) == 1, problem
    return False


def fuzz(name: str, folder: Path, seed: int, turns: int) -> int:
    """Damage the file of that name so many times; return how often it could still be read."""
    random = np.random.default_rng(seed)
    path = folder / name
    WRITERS[name](path)
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    valid = {one: one.read_bytes() for one in files}
    assert check(path)
    readable = 0
    for _ in range(turns):
        one = files[int(random.integers(0, len(files)))]
        one.write_bytes(damage(valid[one], random))
        readable += check(path)
        one.write_bytes(valid[one])
    return readable


if __name__ == "__main__":
    import resource  # not on Windows

    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    for name in sys.argv[2:] or WRITERS:
        seed, start = time.time_ns() % 2**32, time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            try:
                count = fuzz(name, Path(folder), seed, int(sys.argv[1]))
            except BaseException:
                print(f"{name}, seed {seed}")  # noqa: T201 - its job
                raise
        print(f"{name}: {count} of {sys.argv[1]} could be read, {time.perf_counter() - start:.1f} s")  # noqa: T201
