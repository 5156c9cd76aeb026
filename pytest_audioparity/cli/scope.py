"""What a command that reviews is about: which project, which folder of pending files, which of these."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_audioparity.cli.terminal import say
from pytest_audioparity.errors import AudioparityError

if TYPE_CHECKING:
    import argparse

    from pytest_audioparity.project import Project
    from pytest_audioparity.review.waiting import Waiting
    from pytest_audioparity.runs import RunRecord


@dataclass(frozen=True, slots=True)
class Scope:
    """What a command is about.

    Attributes
    ----------
    project : whose goldens are meant
    source : the folder from elsewhere that is reviewed, as it was given
    record : of the run that left what waits, where it can be read
    waiting, damaged : what waits there, and what is wrong with files that cannot be read
    picked, idle : what was named of it, and names for which nothing waits
    """

    project: Project
    source: str | None
    record: RunRecord | None
    waiting: tuple[Waiting, ...]
    picked: tuple[Waiting, ...]
    idle: tuple[str, ...]
    damaged: tuple[str, ...]

    def command(self, action: str, name: str = "") -> str:
        """Return the command line that does something to an entry."""
        words = ["audioparity", "golden", action, *([name] if name else [])]
        return shlex.join([*words, *(["--from", self.source] if self.source else [])])


def scope_of(parsed: argparse.Namespace) -> Scope:
    """Find out what a command is about.

    Raises
    ------
    AudioparityError : a name means nothing, or there is not one folder to review
    """
    from pytest_audioparity.project import find_project
    from pytest_audioparity.review.artifacts import Leavings, find_leavings
    from pytest_audioparity.review.decisions import disagreements
    from pytest_audioparity.review.picking import pick
    from pytest_audioparity.review.waiting import list_waiting

    project = find_project(
        Path.cwd(), root=parsed.root, golden_dir=parsed.golden_dir, store=getattr(parsed, "store", None)
    )
    names, source = _source(parsed, project)
    place = project.workspace
    if source is None:
        found = [Leavings(place.folder, place.pending, place.run_file)]
    elif not (found := find_leavings(Path(source))):
        raise AudioparityError(f"{source} holds nothing that a run left, no pending files and no run record")
    if len(found) > 1:
        listed = ", ".join(str(one.folder) for one in found)
        raise AudioparityError(f"{source} holds {len(found)} runs; name one of {listed}, or see: audioparity run merge")
    waiting, damaged = list_waiting(found[0].pending, project)
    if getattr(parsed, "force", False):
        waiting = [entry.by_force for entry in waiting]
    rivals = disagreements(waiting)
    waiting = [replace(entry, refused=entry.refused or rivals.get(entry.name)) for entry in waiting]
    record = _record(found[0].run_file)
    picked, idle = pick(waiting, names, project, record)
    return Scope(project, source, record, tuple(waiting), tuple(picked), tuple(idle), tuple(damaged))


def _source(parsed: argparse.Namespace, project: Project) -> tuple[list[str], str | None]:
    """Split what was given into names and the folder to review, which may stand among the names.

    A folder that bears the name of goldens or tests of this project, as ``tests`` does, is meant as such.
    """
    from pytest_audioparity.review.artifacts import holds_pending
    from pytest_audioparity.review.picking import is_known

    record = _record(project.workspace.run_file)
    folders = [
        name
        for name in parsed.names
        if _is_folder(name) and holds_pending(Path(name)) and not is_known(name, project, record)
    ]
    for name in folders if parsed.source is None and len(folders) == 1 else ():
        say(f"reviewing the folder {name} (--from {name})", error=True)
    sources = [*folders, *([parsed.source] if parsed.source is not None else [])]
    if len(sources) > 1:
        raise AudioparityError(f"one folder at a time can be reviewed, not {' and '.join(sources)}")
    return [name for name in parsed.names if name not in folders], sources[0] if sources else None


def _is_folder(name: str) -> bool:
    """Whether a name is that of a folder; the id of a test may be longer than any file's name."""
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):
        return False


def _record(path: Path | None) -> RunRecord | None:
    from pytest_audioparity.runs import read_run

    try:
        return None if path is None else read_run(path)
    except AudioparityError:  # it is of use here, but not needed
        return None
