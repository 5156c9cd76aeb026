"""What several CI jobs left, made into what one run would have left: one record, one pending file per test.

Everything is read before anything is replaced, and the record comes last, so that a merge that was killed is repeated
with the same end.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.golden.document import is_plain
from pytest_audioparity.golden.names import golden_name, golden_path, shown_path, variant_path
from pytest_audioparity.golden.pending import (
    find_pending,
    remove_pending,
    stages_left,
    state_of,
    write_pending,
)
from pytest_audioparity.merging import merge
from pytest_audioparity.review.artifacts import find_leavings
from pytest_audioparity.review.waiting import read_checked
from pytest_audioparity.runs import RunRecord, read_run, write_run
from pytest_audioparity.workspace import FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_audioparity.review.artifacts import Leavings
    from pytest_audioparity.workspace import Workspace

_UNSAFE = re.compile(r"[^a-z0-9_.-]+")
_MAX_SLUG = 24


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge made.

    Attributes
    ----------
    record : of all jobs
    pending : how many tests wait
    differing : tests whose jobs did not obtain the same, with the names of the jobs
    damaged : what could not be read
    """

    record: RunRecord
    pending: int
    differing: Mapping[str, tuple[str, ...]]
    damaged: tuple[str, ...]


def find_jobs(folders: Iterable[Path]) -> dict[str, Leavings]:
    """Return what the jobs left, by their names.

    Raises
    ------
    AudioparityError : a folder holds nothing that a run left
    """
    found: list[tuple[str, Leavings]] = []
    for folder in folders:
        held = find_leavings(folder)
        if not held:
            raise AudioparityError(f"{folder} holds nothing that a run left, no pending files and no run record")
        found += [(_job(one.folder), one) for one in held if all(one.folder != other.folder for _, other in found)]
    names = Counter(name for name, _ in found)
    return {name if names[name] == 1 else str(one.folder): one for name, one in found}


def _job(folder: Path) -> str:
    """Name a job after its artifact, the folder around ``.audioparity``."""
    absolute = folder.absolute()
    return (absolute.parent if absolute.name == FOLDER else absolute).name or str(absolute)


def merge_jobs(
    jobs: Mapping[str, Leavings],
    root: Path,
    workspace: Workspace,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Merged:
    """Merge what jobs left into the folder of a project, in place of what is there.

    Parameters
    ----------
    jobs, root, workspace : what they left, the project, the folder that gets it
    progress : told of each test that left something: its name, how many are done, how many there are

    Raises
    ------
    AudioparityError : no job has a record, or a job is what would be replaced
    GoldenError, OSError : the file system refused
    """
    into = workspace.folder
    for name, job in jobs.items():
        if job.folder.resolve() == into.resolve() or into.resolve() in job.folder.resolve().parents:
            raise AudioparityError(f"{name} lies where the result goes, {into}; say where else with --into DIR")
    records, unreadable = _records(jobs)
    record = merge(records, root)
    tests, damaged = _gather(jobs)
    workspace.ensure()
    differing: dict[str, tuple[str, ...]] = {}
    places: dict[tuple[str, str], Path] = {}
    for done, (name, found) in enumerate(tests.items()):
        progress(name, done, len(tests))
        files = _one_or_all(name, found, workspace.pending)
        if len(files) > 1:
            differing[found[0].test] = tuple(one.job for one in found)
        for path, one in files.items():
            _copy(one, path, record.id, differing.get(one.test))
            places |= {(held.test, held.job): path for held in (found if len(files) == 1 else (one,))}
    kept = set(places.values())
    for path in find_pending(workspace.pending):
        if path not in kept:
            remove_pending(workspace.pending, path)
    record = replace(record, tests=tuple(_placed(test, places, root) for test in record.tests))
    write_run(workspace.run_file, record)
    return Merged(record, len(tests), differing, (*unreadable, *damaged))


def _placed(test: Mapping[str, Any], places: Mapping[tuple[str, str], Path], root: Path) -> Mapping[str, Any]:
    """Return what the record says of a test, with where that lies now which its job obtained."""
    path = places.get((test["test"], test["job"]))
    return test if path is None else {**test, "pending": str(shown_path(path, root))}


def _records(jobs: Mapping[str, Leavings]) -> tuple[dict[str, RunRecord], list[str]]:
    """Read the records. A job without one counts as a run that did not end, so that the whole is not called whole."""
    records: dict[str, RunRecord] = {}
    problems: dict[str, str] = {}
    for name, job in jobs.items():
        try:
            if job.run_file is None:
                raise AudioparityError(f"{job.folder} has no run record")
            record = read_run(job.run_file)
            if not is_plain([dict(test) for test in record.tests]):
                raise AudioparityError(f"{job.run_file} is no record of a run: it is infinite, or nested too deeply")
            records[name] = record
        except AudioparityError as error:
            problems[name] = str(error)
    if not records:
        raise AudioparityError(next(iter(problems.values()), "there is nothing to merge"))
    model = next(iter(records.values()))
    blank = RunRecord(id="", started=model.started, commit=model.commit, golden_dir=model.golden_dir)
    records |= {name: replace(blank, broken=("its run record cannot be read",)) for name in problems}
    return {name: records[name] for name in jobs}, list(problems.values())


@dataclass(frozen=True, slots=True)
class _Found:
    """A pending file of one job."""

    job: str
    test: str
    path: Path
    says: Any


def _gather(jobs: Mapping[str, Leavings]) -> tuple[dict[str, list[_Found]], list[str]]:
    """Return the pending files by the names of their tests. What a file is called elsewhere does not count."""
    tests: dict[str, list[_Found]] = {}
    damaged = []
    for name, job in jobs.items():
        for path in find_pending(job.pending):
            try:
                pending, obtained = read_checked(path)
                changes = {change.subject: state_of(obtained, change) for change in pending.changes}
            except (AudioparityError, OSError) as error:
                damaged.append(str(error))
                continue
            says = (pending.golden, pending.base, pending.golden_dir, pending.refused, changes)
            tests.setdefault(golden_name(pending.test), []).append(_Found(name, pending.test, path, says))
    return tests, damaged


def _one_or_all(name: str, found: Sequence[_Found], folder: Path) -> dict[Path, _Found]:
    """Return where the files of one test go: one where they agree, else each under the name of its job."""
    path = golden_path(folder, name)
    if all(one.says == found[0].says for one in found):
        return {path: found[0]}
    slugs = [_UNSAFE.sub("-", one.job.lower()).strip(".-")[:_MAX_SLUG] or "job" for one in found]
    unique = [slug if slugs.count(slug) == 1 else f"{slug}-{place}" for place, slug in enumerate(slugs, 1)]
    return {variant_path(path, slug): one for slug, one in zip(unique, found, strict=True)}


def _copy(one: _Found, path: Path, run: str, jobs: Sequence[str] | None) -> None:
    pending, obtained = read_checked(one.path)
    refused, forcible = pending.refused, pending.forcible
    if jobs is not None:
        # No force makes one of them right.
        refused, forcible = f"the jobs {', '.join(jobs)} did not obtain the same, this is what {one.job} has", False
    copied = replace(pending, run=run, refused=refused, forcible=forcible)
    write_pending(path, copied, stages_left(pending, obtained))
