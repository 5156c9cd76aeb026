"""Goldens that no test owns any more: what may be deleted after a run of the whole project.

A golden is kept whenever in doubt. What no parity test claims is an orphan only if its provenance names a test that
is gone from a file that was collected, or a file that is gone. A file that exists and was not collected, for want of a
module for example, may own it still, or hold a port that compares with it; a file that was collected may have other
tests on the platform, or with the packages, that the golden was made with. A golden of ours that names no test is an
orphan only if its folder has the name of a test file that is gone; a file of others never is.
"""

from __future__ import annotations

import importlib.util
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.golden.file import METADATA_KEY
from pytest_audioparity.golden.hashes import content_hash
from pytest_audioparity.golden.names import LIKE_HASHED, VARIANT_SIGN, file_key, name_of
from pytest_audioparity.golden.provenance import device_in_use, platform_in_use
from pytest_audioparity.golden.shelf import Shelf, find_goldens, golden_files, manifest_path, open_golden
from pytest_audioparity.runs import Orphan
from pytest_audioparity.testfiles import Layout, looks_like_test, uncovered_files
from pytest_audioparity.workspace import FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.runs import RunRecord

# A manifest says whose a golden is, so its tensors may be in any store and stay there.
_ANY_STORE = Shelf(store="", offline=True)
ELSEWHERE = "the golden folder lies outside the root directory, where other projects may use it"


def unclaimed_goldens(record: RunRecord, root: Path) -> dict[str, list[Path]]:
    """Find the goldens that no parity test of a run claims, each with its variants: nothing else can be an orphan."""
    folder = root / record.golden_dir
    if is_elsewhere(record.golden_dir, root):
        return {}
    claimed = {file_key(name) for name in record.claimed}
    unclaimed: dict[str, list[Path]] = {}
    for path in find_goldens(folder):
        name = name_of(path, folder)
        if FOLDER not in name.split("/") and file_key(shared := _shared(name)) not in claimed:
            unclaimed.setdefault(shared, []).append(path)
    return unclaimed


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
    owners = Owners(record, root)
    orphans = []
    for shared, paths in unclaimed_goldens(record, root).items():
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


def is_elsewhere(golden_dir: str, root: Path) -> bool:
    """Whether the golden folder of a record lies outside the root directory, symbolic links followed."""
    try:
        return not (root / golden_dir).resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):  # RuntimeError: links that go in circles, before Python 3.13
        return True


class Owners:
    """What a run knows of who may own a golden, or what waits for one.

    Parameters
    ----------
    record : its `collected` and `layout` count
    root : the root directory
    """

    def __init__(self, record: RunRecord, root: Path) -> None:
        self._root = root
        self._tests = {file: frozenset(tests) for file, tests in record.collected.items()}
        self._layout = record.layout or Layout()

    def may_have(self, path: Path, shared: str) -> bool:
        """Whether a golden that nobody claims may have an owner: a test that was collected, or was not looked at."""
        try:
            golden = open_golden(path, _ANY_STORE)
        except AudioparityError:
            return True
        test = golden.provenance.get("test")
        if isinstance(test, str):
            return self.may_have_test(test, golden.provenance)
        return not _is_ours(golden, path) or self._folder_may_have(shared.rpartition("/")[0])

    def may_have_test(self, test: str, made_with: Mapping[str, Any]) -> bool:
        """Whether there may be a test.

        Parameters
        ----------
        test : its node id
        made_with : provenance of what it left; with other packages or on another platform, it may exist there alone
        """
        file, separator, name = test.partition("::")
        if file in self._tests:
            return name in self._tests[file] or _is_from_elsewhere(made_with)
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
        paths = (self._root / file for file in files)
        return [path.read_text(encoding="utf-8", errors="replace") for path in paths if path.is_file()]

    def _folder_may_have(self, folder: str) -> bool:
        file = f"{folder}.py"
        is_hashed = any(LIKE_HASHED.search(part) for part in folder.split("/"))  # which does not tell the file
        return is_hashed or not looks_like_test(file, self._layout.python_files) or self._exists(file)

    def _exists(self, file: str) -> bool:
        try:
            return (self._root / file).exists()
        except (OSError, ValueError):  # no possible path
            return True


def _is_ours(golden: Golden, path: Path) -> bool:
    return METADATA_KEY in golden.metadata or manifest_path(path) in golden_files(path)


def _is_from_elsewhere(made_with: Mapping[str, Any]) -> bool:
    """Whether something was made on another platform or device than this, or with a package that is not here."""
    here = {"platform": platform_in_use(), "device": device_in_use()}
    if any(made_with.get(key) not in (None, value) for key, value in here.items()):
        return True
    packages = made_with.get("packages")
    return isinstance(packages, dict) and not all(map(_is_installed, packages))


def _is_installed(package: str) -> bool:
    try:
        return package.isidentifier() and importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # ValueError: a module that was put together by hand has no specification
        return package.isidentifier()


def _shared(name: str) -> str:
    """Return the name of the golden that a variant stands beside."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(VARIANT_SIGN)[0]
