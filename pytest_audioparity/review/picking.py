"""Picking from what waits: by the names of goldens and tests, by the names of stages and hyper-parameters."""

from __future__ import annotations

import os
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pytest_audioparity.comparison.tolerances import matches, nearest, unmatched
from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.golden.names import SUFFIX, golden_name, name_of, shown_path
from pytest_audioparity.golden.pending import find_pending
from pytest_audioparity.golden.shelf import find_goldens

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from pytest_audioparity.golden.pending import Change
    from pytest_audioparity.project import Project
    from pytest_audioparity.review.waiting import Waiting
    from pytest_audioparity.runs import RunRecord


def pick(
    waiting: Sequence[Waiting], names: Sequence[str], project: Project, record: RunRecord | None
) -> tuple[list[Waiting], list[str]]:
    """Return what some names mean, all of it without a name, and the names for which nothing waits any more.

    Parameters
    ----------
    waiting : what there is
    names : pending names, goldens by name or path, node ids, or globs of these; folders and test files of such
    project, record : whose goldens and tests may be named without anything waiting, since a command that was
        interrupted is repeated as it was

    Raises
    ------
    AudioparityError : a name means nothing; the message has the nearest that means something
    """
    picked, idle = [entry for entry in waiting if not names], []
    for name in names:
        found = _matching(waiting, name, project)
        picked.extend(entry for entry in found if entry not in picked)
        if not found and _rank(name, _known(project, record)) is None:
            raise AudioparityError(_unknown(name, waiting))
        if not found:
            idle.append(name)
    return picked, idle


def is_known(name: str, project: Project, record: RunRecord | None) -> bool:
    """Whether a name means goldens of a project, or tests of its last run, whether or not anything waits for them."""
    waiting = {name_of(path, project.workspace.pending) for path in find_pending(project.workspace.pending)}
    return _rank(name, _known(project, record) | waiting) is not None


def _matching(waiting: Sequence[Waiting], name: str, project: Project) -> list[Waiting]:
    """Return what a name means best."""
    ranks = [(_rank(name, _keys(entry, project)), entry) for entry in waiting]
    best = min((rank for rank, _ in ranks if rank is not None), default=None)
    return [entry for rank, entry in ranks if rank is not None and rank == best]


def _rank(name: str, keys: Iterable[str]) -> int | None:
    """Tell how a name means one of some keys: as it is, as a glob, as the folder or file they are in, or not at all."""
    keys = tuple(keys)
    if any(key in (name, name.removesuffix(SUFFIX)) for key in keys):
        return 0
    # Node ids have brackets, which a glob takes for a set of characters; they are tried as what they are, too.
    if any(fnmatchcase(key, glob) for glob in {name, name.replace("[", "[[]")} for key in keys):
        return 1
    within = (f"{name.rstrip('/')}/", f"{name}::")
    return 2 if any(key.startswith(within) for key in keys) else None


def _known(project: Project, record: RunRecord | None) -> set[str]:
    """Return what a name may mean beside what waits: goldens by name and path, tests of the run."""
    goldens = find_goldens(project.golden_dir)
    tests = () if record is None else record.seen
    paths = {path for golden in goldens for path in (str(golden), shown_path(golden, project.root).as_posix())}
    paths |= {_from_here(golden) for golden in goldens} | {name_of(golden, project.golden_dir) for golden in goldens}
    return paths | {path.removesuffix(SUFFIX) for path in paths} | {*tests, *map(golden_name, tests)}


def _keys(entry: Waiting, project: Project) -> set[str]:
    pending = entry.pending
    paths = {str(entry.path), _from_here(entry.path), shown_path(entry.path, project.root).as_posix(), entry.shown}
    if entry.golden is not None:
        paths |= {str(entry.golden), _from_here(entry.golden)}
    return {entry.name, pending.golden, pending.test} | paths | {path.removesuffix(SUFFIX) for path in paths}


def _from_here(path: Path) -> str:
    try:
        return os.path.relpath(path)
    except ValueError:  # on another drive
        return str(path)


def _unknown(name: str, waiting: Sequence[Waiting]) -> str:
    if not waiting:
        return f"{name!r} matches nothing: no test has anything pending"
    known = [key for entry in waiting for key in (entry.name, entry.pending.test, entry.shown)]
    near = nearest(name, known)
    hint = f"did you mean {near!r}?" if near else f"pending are {', '.join(entry.name for entry in waiting[:5])}"
    return f"{name!r} matches nothing that is pending; {hint}"


def narrow(
    waiting: Iterable[Waiting], record: RunRecord | None, *, stages: Sequence[str], settings: Sequence[str]
) -> list[Waiting]:
    """Return what waits with only the changes that some globs mean, leaving out what has none; without globs all.

    Stages and hyper-parameters that do not wait, of these tests or of those of a run, may be meant without effect.

    Parameters
    ----------
    waiting : what there is
    record : of the run that left it
    stages, settings : globs; those of the one kind mean nothing of the other

    Raises
    ------
    AudioparityError : a glob means nothing; the message has the nearest
    """
    entries = list(waiting)
    if not (entries and (stages or settings)):
        return entries
    orders = {name for entry in entries for name in entry.pending.order}
    declared = {name for entry in entries for name in entry.pending.settings}
    _check_globs("stage", stages, entries, orders | _recorded(record, "stages"))
    _check_globs("setting", settings, entries, declared | _recorded(record, "settings"))

    def is_meant(change: Change) -> bool:
        return any(matches(change.name, glob) for glob in (settings if change.is_setting else stages))

    kept = (replace(entry, changes=tuple(filter(is_meant, entry.changes))) for entry in entries)
    return [entry for entry in kept if entry.changes]


def _check_globs(what: str, globs: Sequence[str], entries: Sequence[Waiting], others: Collection[str]) -> None:
    changes = [change for entry in entries for change in entry.changes]
    names = dict.fromkeys(change.name for change in changes if change.is_setting == (what == "setting"))
    doubtful = [glob for glob in globs if not any(matches(name, glob) for name in others)]
    if (problem := unmatched(doubtful, names or others, what=what)) is not None:
        raise AudioparityError(f"--{what} {problem}")


def _recorded(record: RunRecord | None, key: str) -> set[str]:
    """Return the names of the stages or settings of a run's tests; the record may come from anywhere."""
    listed = [test.get(key) for test in (record.tests if record is not None else ())]
    rows = [row for rows in listed if isinstance(rows, list) for row in rows if isinstance(row, dict)]
    return {row["name"] for row in rows if isinstance(row.get("name"), str)}
