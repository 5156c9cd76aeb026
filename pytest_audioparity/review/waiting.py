"""What waits for a decision: reading it, with every doubt about files that may come from elsewhere."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from pytest_audioparity.errors import AudioparityError, GoldenError
from pytest_audioparity.golden.document import is_plain
from pytest_audioparity.golden.names import SUFFIX, any_golden_path, name_of, shown_path
from pytest_audioparity.golden.pending import find_pending, read_pending
from pytest_audioparity.golden.shelf import golden_files

if TYPE_CHECKING:
    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.golden.pending import Change, Pending
    from pytest_audioparity.project import Project


@dataclass(frozen=True, slots=True)
class Waiting:
    """One test's pending file.

    Attributes
    ----------
    name : the file's path below its folder, without suffix
    folder, path : the folder of pending files, and the file
    pending : what it says; its tensors are read only when they are needed
    golden : the golden that accepting writes, or None when it has no place here
    base : the golden that it was compared with
    shown : the golden's path as it is shown
    refused : why it cannot be accepted, or None
    forcible : whether it can be accepted all the same, by force and with a reason
    forced : what spoke against it before that was overridden
    is_new : whether that golden is not there yet
    changes : those of its changes that are to be decided
    """

    name: str
    folder: Path
    path: Path
    pending: Pending
    golden: Path | None
    base: Path | None
    shown: str
    refused: str | None
    is_new: bool
    changes: tuple[Change, ...]
    forcible: bool = False
    forced: str | None = None

    @property
    def by_force(self) -> Waiting:
        """The entry without the refusal, where that can be overridden, as it is where not."""
        return replace(self, refused=None, forcible=False, forced=self.refused) if self.forcible else self


def list_waiting(folder: Path, project: Project) -> tuple[list[Waiting], list[str]]:
    """Return what waits in a folder of pending files, by name, and for every damaged file what is wrong with it."""
    waiting, damaged = [], []
    for path in find_pending(folder):
        try:
            pending, _ = read_checked(path)
            waiting.append(_waiting(path, folder, pending, project))
        except (AudioparityError, OSError) as error:
            if getattr(error, "cause", None) != "missing":  # decided by someone else meanwhile
                damaged.append(str(error))
    return waiting, damaged


def read_checked(path: Path) -> tuple[Pending, Golden]:
    """Read a pending file as `read_pending` does, with the doubts that a file from anywhere deserves.

    Raises
    ------
    GoldenError : it cannot be used
    """
    pending, obtained = read_pending(path)
    if (problem := _problem(pending)) is not None:
        said = f"{path} is no pending file that can be used: {problem}; run the test again, or delete the file"
        raise GoldenError(said, cause="damaged")
    return pending, obtained


def _problem(pending: Pending) -> str | None:
    texts = [pending.golden, pending.base, *(change.text for change in pending.changes)]
    hashes = [change.was for change in pending.changes if change.was is not None]
    if not all(isinstance(text, str) for text in texts + hashes):
        return "a text is none"
    new = {change.name for change in pending.changes if change.has_tensor}
    if not new <= set(pending.order) or len(set(pending.order)) != len(pending.order):
        return "its order of stages is none"
    if not all(is_plain(value) for value in (pending.result, pending.settings, pending.provenance)):
        return "it holds an infinite number, or is nested too deeply"
    return None


def _waiting(path: Path, folder: Path, pending: Pending, project: Project) -> Waiting:
    golden = base = None
    problem = None
    shown = f"{pending.golden}{SUFFIX}"
    try:
        directory = _directory(pending, project)
        golden, base = any_golden_path(directory, pending.golden), any_golden_path(directory, pending.base)
        shown = shown_path(golden, project.root).as_posix()
    except GoldenError as error:
        problem = str(error)
    return Waiting(
        name=name_of(path, folder),
        folder=folder,
        path=path,
        pending=pending,
        golden=golden,
        base=base,
        shown=shown,
        refused=pending.refused or problem,
        is_new=golden is None or not golden_files(golden),
        changes=pending.changes,
        forcible=pending.refused is not None and pending.forcible and problem is None,
    )


def _directory(pending: Pending, project: Project) -> Path:
    """Return the golden directory: the one chosen here, else that of the run when it is the project's or a safe one.

    The file may come from anywhere, so its word counts only for a folder inside the project.

    Raises
    ------
    GoldenError : it has to be chosen
    """
    said = pending.golden_dir
    if project.is_chosen or said == shown_path(project.golden_dir, project.root).as_posix():
        return project.golden_dir
    if is_inside(said, project.root):
        return Path(os.path.normpath(project.root / said))
    raise GoldenError(f"its golden directory was {said!r}; say where that is here with --golden-dir DIR", cause="name")


def is_inside(said: str, root: Path) -> bool:
    """Whether a text names a folder inside the root, by any system's rules, and none that is hidden, as ``.git`` is."""
    if not said or not said.isprintable() or PurePosixPath(said).is_absolute() or "\\" in said:
        return False
    if PureWindowsPath(said).drive or any(part.startswith(".") for part in PurePosixPath(said).parts):
        return False
    try:
        # A symbolic link of the project's own may lead anywhere.
        return (root / said).resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):  # RuntimeError: links that go in circles, before Python 3.13
        return False
