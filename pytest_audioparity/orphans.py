"""Goldens that no test owns any more: what may be deleted after a run of the whole project.

A golden is kept whenever in doubt. What no parity test claims is an orphan only if its provenance names a test that
is gone from a file that was collected, or a file that is gone; without provenance, its folder counts as the name of
the file. A file that exists and was not collected, for want of a module for example, may own it still, or hold a port
that compares with it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.golden.hashes import content_hash
from pytest_audioparity.golden.names import VARIANT_SIGN, golden_name, name_of
from pytest_audioparity.golden.shelf import Shelf, find_goldens, golden_files, open_golden
from pytest_audioparity.runs import Orphan
from pytest_audioparity.testfiles import Layout, looks_like_test, uncovered_files
from pytest_audioparity.workspace import FOLDER

if TYPE_CHECKING:
    from pytest_audioparity.runs import RunRecord

# A manifest says whose a golden is, so its tensors may be in any store and stay there.
_ANY_STORE = Shelf(store="", offline=True)
ELSEWHERE = "the golden folder lies outside the root directory, where other projects may use it"
# A folder whose name may be replaced characters and their hash (see `golden.names`) does not tell the file.
_LIKE_HASHED = re.compile(r"-[0-9a-f]{8}(/|$)")


def find_orphans(record: RunRecord, root: Path) -> tuple[Orphan, ...]:
    """Find the goldens that no test of a run owns. Whether the run was the whole project is for the caller to know.

    Parameters
    ----------
    record : its `golden_dir`, `claimed`, `collected` and `layout` count
    root : the root directory

    Raises
    ------
    OSError : a golden that nobody claims cannot be read
    """
    folder = root / record.golden_dir
    if is_elsewhere(record.golden_dir):
        return ()
    claimed = {_key(name) for name in record.claimed}
    groups: dict[str, list[Path]] = {}
    for path in find_goldens(folder):
        name = name_of(path, folder)
        if FOLDER not in name.split("/") and _key(shared := _shared(name)) not in claimed:
            groups.setdefault(shared, []).append(path)
    owners = _Owners(record, root)
    orphans = []
    for shared, paths in groups.items():
        if not any(owners.may_have(path, shared) for path in paths) and not owners.mention(shared):
            orphans += [Orphan(name_of(path, folder), fingerprint(path)) for path in paths]
    return tuple(orphans)


def fingerprint(path: Path) -> str:
    """Return the hash of a golden's files, by the path of its safetensors file.

    Raises
    ------
    OSError : one cannot be read
    """
    return content_hash(memoryview(b"".join(file.read_bytes() for file in golden_files(path))))


def is_elsewhere(golden_dir: str) -> bool:
    """Whether the golden folder of a record lies outside the root directory."""
    return Path(golden_dir).is_absolute() or golden_dir.split("/")[0] == ".."


class _Owners:
    """What a run knows of who may own a golden."""

    def __init__(self, record: RunRecord, root: Path) -> None:
        self._root = root
        self._tests = {file: frozenset(tests) for file, tests in record.collected.items()}
        self._folders = {golden_name(f"{file}::_").rpartition("/")[0] for file in self._tests}
        self._layout = record.layout or Layout()

    def may_have(self, path: Path, shared: str) -> bool:
        """Whether a golden that nobody claims may have an owner: a test that was collected, or was not looked at."""
        try:
            test = open_golden(path, _ANY_STORE).provenance.get("test")
        except AudioparityError:
            return True
        if not isinstance(test, str):
            return self._folder_may_have(shared.rpartition("/")[0])
        file, separator, name = test.partition("::")
        if file in self._tests:
            return name in self._tests[file]
        return not separator or self._exists(file)  # anything may stand there, if another program wrote it

    def mention(self, shared: str) -> bool:
        """Whether a test file that was not collected names the golden's folder: it may hold a port of it.

        The folder and not the name, which may be put together of parts.
        """
        folder, slash, name = shared.rpartition("/")
        return any((folder + slash or name) in text for text in self._not_collected)

    @cached_property
    def _not_collected(self) -> list[str]:
        files = uncovered_files(self._root, self._layout, self._tests)
        return [(self._root / file).read_text(encoding="utf-8", errors="replace") for file in files]

    def _folder_may_have(self, folder: str) -> bool:
        if folder in self._folders:
            return False
        file = f"{folder}.py"
        unknown = _LIKE_HASHED.search(folder) or not looks_like_test(file, self._layout.python_files)
        return bool(unknown) or self._exists(file)

    def _exists(self, file: str) -> bool:
        try:
            return (self._root / file).exists()
        except (OSError, ValueError):  # no possible path
            return True


def _shared(name: str) -> str:
    """Return the name of the golden that a variant stands beside."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(VARIANT_SIGN)[0]


def _key(name: str) -> str:
    """Two names that some file system takes for one have one key."""
    return unicodedata.normalize("NFC", name).casefold()
