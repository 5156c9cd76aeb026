"""Scores of earlier calls, in a folder: what was scored once is not scored again.

A key is the hash of both sides, of what was asked for, and of all that the numbers depend on: the scorer's own source
code, and the packages that decode, resample and compute. So there is nothing to invalidate: after an update no old
entry is found any more, and the oldest ones go when room is needed.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.resources
import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_audioparity.audio import pesq
from pytest_audioparity.audio.stored import read_stored, stored_text
from pytest_audioparity.errors import StageError
from pytest_audioparity.golden.atomic import replace_bytes
from pytest_audioparity.golden.hashes import content_hash
from pytest_audioparity.room import make_room

if TYPE_CHECKING:
    import numpy as np

    from pytest_audioparity.audio.records import Score

    Array = np.ndarray[Any, Any]

# An entry takes 1.2 to 2 kB: room for more than 100 000 pairs.
LARGEST_BYTES = 256 * 2**20
# Entries lie in this many folders, each with its share of the room: one of them is looked through when an entry comes.
_FOLDERS = 256
_SUFFIX = ".score"
_PACKAGES = ("numpy", "soundfile", "soxr", "pesq")
_CODE = ("pytest_audioparity.audio", "pytest_audioparity.adapters")


class ScoreCache:
    """A folder of scores. Threads, processes and machines may share it.

    Parameters
    ----------
    folder : made when the first score is kept
    largest_bytes : when entries take more than this, those go that were not used for longest

    Raises
    ------
    StageError : there is a file of that name
    """

    def __init__(self, folder: str | os.PathLike[str], *, largest_bytes: int = LARGEST_BYTES) -> None:
        self._folder = Path(folder)
        self._share = largest_bytes // _FOLDERS
        if self._folder.exists() and not self._folder.is_dir():
            raise StageError(f"cache: {self._folder} is not a folder; name one in which scores may be kept")

    def get(self, key: str) -> Score | None:
        """Return the score of a key; None where there is none, or its entry is damaged."""
        path = self._path(key)
        try:
            score = read_stored(key, path.read_bytes())
        except OSError:
            return None
        if score is not None:
            with contextlib.suppress(OSError):
                os.utime(path)  # used: it goes later
        return score

    def put(self, key: str, score: Score) -> None:
        """Keep a score. Where that is not possible (a full disk, a folder that cannot be written) nothing is kept.

        What came of an accident, such as a crash of PESQ, is not kept either: it may go well the next time.
        """
        if any(pesq.is_accident(reason) for reason in score.not_measured.values()):
            return
        entry = stored_text(key, score)
        if entry is None:
            return
        path = self._path(key)
        with contextlib.suppress(OSError):
            replace_bytes(path, entry, durable=False)
            make_room(path.parent, self._share, _SUFFIX)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key[2:]}{_SUFFIX}"


def file_digest(content: bytes) -> str:
    """Return the hash of a file's content."""
    return f"file {content_hash(memoryview(content))}"


def array_digest(samples: Array) -> str:
    """Return the hash of an array in C order, with its type and shape."""
    content = content_hash(samples.reshape(-1).view("u1").data)
    return f"{samples.dtype.str} {samples.dtype.name} {samples.shape} {content}"


def cache_key(reference: str, estimate: str, *, sample_rate: int | None, pesq: bool) -> str:
    """Return the key of a score, a hash in hexadecimal, from the digests of both sides and what was asked for."""
    parts = [reference, estimate, sample_rate, pesq, fingerprint()]
    return content_hash(memoryview(json.dumps(parts).encode())).partition(":")[2]


@functools.lru_cache(maxsize=1)
def fingerprint() -> str:
    """Return the hash of all that scores depend on beside the audio: our code, the packages', the kind of machine."""
    from pytest_audioparity import __version__

    parts = [__version__, platform.machine(), *(f"{name} {_version(name)}" for name in _PACKAGES)]
    # The code itself: its version stays the same from one release to the next, whatever is changed in a checkout.
    for package in _CODE:
        for file in sorted(importlib.resources.files(package).iterdir(), key=lambda file: file.name):
            if file.name.endswith(".py"):
                parts.append(f"{file.name} {content_hash(memoryview(file.read_bytes()))}")
    return content_hash(memoryview("\n".join(parts).encode()))


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
