"""Deleting what nobody owns: goldens without a test, leftovers of killed writes, pending files of tests that are gone.

Nothing is deleted on a guess: a complete run must have said so, and what it saw must still be what lies there.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_audioparity.errors import AudioparityError, GoldenError
from pytest_audioparity.golden.names import any_golden_path, golden_name, shown_path
from pytest_audioparity.golden.pending import remove_pending
from pytest_audioparity.golden.shelf import golden_files
from pytest_audioparity.orphans import ELSEWHERE, Owners, fingerprint, is_elsewhere
from pytest_audioparity.review.waiting import is_inside, list_waiting
from pytest_audioparity.room import is_abandoned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_audioparity.project import Project
    from pytest_audioparity.runs import Orphan, RunRecord


@dataclass(frozen=True, slots=True)
class Prunable:
    """What may go.

    Attributes
    ----------
    golden_dir : the only folder of goldens that is touched
    orphans : goldens that no test owns, by path, with the hash that the run saw
    kept : goldens that the run listed and that stay, with why
    unfinished : what killed writes left
    pending : the pending files of tests that are gone
    left : folders that an earlier call, which was killed, may have left empty
    """

    golden_dir: Path
    orphans: tuple[tuple[Path, str], ...]
    kept: tuple[str, ...]
    unfinished: tuple[Path, ...]
    pending: tuple[Path, ...]
    left: tuple[Path, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """Everything that may go."""
        return (*(path for path, _ in self.orphans), *self.unfinished, *self.pending)


def find_prunable(record: RunRecord, project: Project) -> Prunable:
    """Find what may go after a complete run.

    Parameters
    ----------
    record : of the last run, which must be complete
    project : whose goldens these are

    Raises
    ------
    AudioparityError : the goldens of the run are not those of this project
    """
    directory = _golden_dir(record, project)
    orphans, kept, left = [], [], []
    for orphan in record.orphans:
        try:
            path, problem = _judge(orphan, directory)
        except (GoldenError, OSError) as error:
            kept.append(f"{orphan.golden}: {error}")
            continue
        if problem is None:
            orphans.append((path, orphan.hash))
        elif not problem:
            left.append(path.parent)
        else:
            kept.append(f"{shown_path(path, project.root)}: {problem}")
    waiting, _ = list_waiting(project.workspace.pending, project)
    seen, ran, owners = set(record.seen), set(record.run), Owners(record, project.root)
    gone = [
        entry.path
        for entry in waiting
        if ((test := entry.pending.test) not in seen and not owners.may_have_test(test, entry.pending.provenance))
        # What merging left under the name of a job, and no later failure of the test replaces.
        or (entry.pending.run != record.id and entry.name != golden_name(test) and test in ran)
    ]
    # A golden directory that is the root itself holds files of everybody.
    folders = [project.workspace.pending, *([directory] if directory != project.root else [])]
    unfinished = tuple(path for folder in folders for path in _unfinished(folder))
    return Prunable(directory, tuple(orphans), tuple(kept), unfinished, tuple(gone), tuple(left))


def delete(prunable: Prunable, project: Project) -> Iterator[tuple[Path, str | None]]:
    """Delete it, and the folders that this leaves empty.

    Yields
    ------
    (Path, str or None) : what was deleted, or was not, and why
    """
    for folder in prunable.left:
        _remove_empty(folder, prunable.golden_dir)
    for path, seen in prunable.orphans:
        yield path, _delete_golden(path, seen, prunable.golden_dir)
    for path in prunable.unfinished:
        yield path, _problem(path.unlink)
        _remove_empty(path.parent, prunable.golden_dir)
    for path in prunable.pending:
        yield path, _problem(partial(remove_pending, project.workspace.pending, path))


def _golden_dir(record: RunRecord, project: Project) -> Path:
    said = record.golden_dir
    directory = Path(os.path.normpath(project.root / said))
    configured = directory == project.golden_dir and not project.is_chosen
    if not (configured or is_inside(said, project.root)):
        raise AudioparityError(
            f"the goldens of the last run lie in {said!r}, outside {project.root}; nothing is deleted"
        )
    if any(is_elsewhere(place, project.root) for place in (said, str(directory))):
        raise AudioparityError(f"{said!r}: {ELSEWHERE}; nothing is deleted")
    if project.is_chosen and directory != project.golden_dir:
        raise AudioparityError(f"the last run used the goldens in {said!r}, not --golden-dir {project.golden_dir}")
    return directory


def _judge(orphan: Orphan, directory: Path) -> tuple[Path, str | None]:
    """Return an orphan's path and why it stays, None if it does not; an empty text when it is gone already.

    Raises
    ------
    GoldenError : its name leads out of the directory
    OSError : it cannot be read
    """
    path = any_golden_path(directory, orphan.golden)
    if not golden_files(path):
        return path, ""
    if not path.parent.resolve().is_relative_to(directory.resolve()):
        return path, "a symbolic link leads out of the golden directory"
    return path, None if fingerprint(path) == orphan.hash else "it changed since the run"


def _delete_golden(path: Path, seen: str, directory: Path) -> str | None:
    try:
        if golden_files(path) and fingerprint(path) != seen:
            return "it changed since the run"
        for file in golden_files(path):
            file.unlink(missing_ok=True)
    except OSError as error:
        return error.strerror or str(error)
    _remove_empty(path.parent, directory)
    return None


def _problem(unlink: Callable[[], object]) -> str | None:
    try:
        unlink()
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.strerror or str(error)
    return None


def _unfinished(folder: Path) -> Iterator[Path]:
    """Find leftovers of killed writes, without following symbolic links."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            with contextlib.suppress(OSError):
                if is_abandoned(path, path.lstat()):
                    yield path


def _remove_empty(folder: Path, top: Path) -> None:
    """Remove a folder and those above it, as far as they are empty and lie below the top."""
    with contextlib.suppress(OSError):
        while folder != top and folder.is_relative_to(top) and not folder.is_symlink():
            if folder.is_dir():
                folder.rmdir()
            folder = folder.parent
