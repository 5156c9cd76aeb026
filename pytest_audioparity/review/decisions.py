"""Accepting and rejecting what waits, such that a kill at any moment and a repetition end as one run would have.

The golden is written first and the pending file shrinks afterwards; what the golden has already counts as done.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import AudioparityError, GoldenError
from pytest_audioparity.golden.names import shown_path
from pytest_audioparity.golden.pending import REMOVED, remove_pending, stages_left, state_of, write_pending
from pytest_audioparity.golden.revision import revised
from pytest_audioparity.golden.shelf import golden_files, open_golden, save_golden
from pytest_audioparity.review.waiting import read_checked

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence
    from pathlib import Path

    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.golden.pending import Change, Pending
    from pytest_audioparity.golden.shelf import Shelf
    from pytest_audioparity.project import Project
    from pytest_audioparity.review.waiting import Waiting

# A decision on one test takes as long as writing its golden; whoever holds the lock for longer has stopped.
_LOCK_SECONDS = 120
_LOCK_POLL_SECONDS = 0.05
_AS_IS = "as it is"


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one test's pending changes.

    Attributes
    ----------
    entry : what was to be decided
    done : the changes that were decided
    size_bytes : size of the golden that was written, or None when it had these changes already, or none was asked for
    problem : why nothing was decided, or what went wrong afterwards
    """

    entry: Waiting
    done: tuple[Change, ...] = ()
    size_bytes: int | None = None
    problem: str | None = None


def accept(entry: Waiting, project: Project, shelf: Shelf, *, reason: str | None = None) -> Decision:
    """Make the chosen changes of a pending file to its golden.

    Parameters
    ----------
    entry : which file, which changes
    project, shelf : where goldens lie
    reason : why, for the provenance

    Returns
    -------
    Decision with a `problem` where the file may not be accepted, the golden was changed since, or cannot be written
    """
    if entry.refused is not None:
        return Decision(entry, problem=entry.refused)

    def apply(pending: Pending, obtained: Golden, changes: Sequence[Change]) -> int | None:
        return _write(replace(entry, pending=pending), obtained, changes, project, shelf, reason)

    return _decide(entry, project, apply)


def reject(entry: Waiting, project: Project) -> Decision:
    """Drop the chosen changes of a pending file; its golden stays as it is."""
    return _decide(entry, project, lambda *_: None)


def _decide(
    entry: Waiting, project: Project, apply: Callable[[Pending, Golden, Sequence[Change]], int | None]
) -> Decision:
    done: tuple[Change, ...] = ()
    size: int | None = None
    try:
        with _alone(project):
            pending, obtained = read_checked(entry.path)
            changes = _still_chosen(entry, pending)
            size = apply(pending, obtained, changes)
            done = changes
            _shrink(entry, pending, obtained, done)
    except (AudioparityError, OSError) as error:
        if getattr(error, "cause", None) == "missing" and not entry.path.exists():  # someone else decided meanwhile
            return Decision(entry)
        if not done:
            return Decision(entry, problem=str(error))
        left = f"that is done, but its pending file stays: {error}; repeat the command once it can be changed"
        return Decision(entry, done, size, left)
    return Decision(entry, done, size)


def _still_chosen(entry: Waiting, pending: Pending) -> tuple[Change, ...]:
    """Return what is left of the chosen changes; the file may have shrunk, but must not be of another run."""
    listed = entry.pending
    if replace(pending, changes=()) != replace(listed, changes=()) or not set(pending.changes) <= set(listed.changes):
        raise AudioparityError(f"{entry.name} was obtained anew while this was being decided; look at it again")
    return tuple(change for change in pending.changes if change in entry.changes)


def _write(
    entry: Waiting,
    obtained: Golden,
    changes: Sequence[Change],
    project: Project,
    shelf: Shelf,
    reason: str | None,
) -> int | None:
    assert entry.golden is not None
    assert entry.base is not None
    golden = open_golden(entry.golden, shelf) if golden_files(entry.golden) else None
    start, path = golden, entry.golden
    if golden is None and entry.base != entry.golden:  # a variant begins as what it differs from
        start, path = open_golden(entry.base, shelf) if golden_files(entry.base) else None, entry.base
    needed = _needed(start, obtained, changes, shown=shown_path(path, project.root).as_posix())
    if not needed:
        return None
    stages = revised(
        start,
        order=entry.pending.order,
        new={change.name: obtained.read(change.name) for change in needed if change.has_tensor},
        removed={change.name for change in needed if change.change == REMOVED and not change.is_setting},
    )
    if not stages and start is None:
        raise AudioparityError(f"{entry.shown} does not exist; accept stages of it with its settings")
    settings = _revised_settings(start, obtained, {change.name for change in needed if change.is_setting})
    given = {"reason": reason, "forced": entry.forced}
    said = {**entry.pending.provenance, **{key: text for key, text in given.items() if text}}
    return save_golden(entry.golden, stages, settings=settings, provenance=said, shelf=shelf, since=golden)


def _revised_settings(start: Golden | None, obtained: Golden, decided: Container[str]) -> dict[str, Any]:
    """Return the hyper-parameters of a golden after those of some names became what was obtained, which may be none."""
    held = {} if start is None else start.settings
    kept = {name: value for name, value in held.items() if name not in decided}
    return kept | {name: value for name, value in obtained.settings.items() if name in decided}


def _needed(start: Golden | None, obtained: Golden, changes: Sequence[Change], *, shown: str) -> list[Change]:
    """Return the changes that the golden does not have yet.

    Raises
    ------
    AudioparityError : a part of the golden is neither what it was when it was compared nor what it is to be
    """
    needed = []
    for change in changes:
        now = state_of(start, change)
        if now == state_of(obtained, change):
            continue
        if now != change.was:
            what = f"{change.subject} of {shown} was changed" if start is not None else f"{shown} was deleted"
            raise AudioparityError(f"{what} since; run the test again")
        needed.append(change)
    return needed


def _shrink(entry: Waiting, pending: Pending, obtained: Golden, done: Sequence[Change]) -> None:
    """Leave of a pending file what is not decided."""
    left = pending.without(done)
    if left.changes:
        write_pending(entry.path, left, stages_left(left, obtained))
    else:
        remove_pending(entry.folder, entry.path)


@contextlib.contextmanager
def _alone(project: Project) -> Iterator[None]:
    """Keep other reviews of this project out. The system lets go of the lock of a process that is killed."""
    handle = None
    with contextlib.suppress(OSError, ImportError):
        # No such lock on Windows, and none where nothing can be written. Two reviews at the same moment may then lose
        # one of two changes to one golden, which the next run of its test says.
        import fcntl

        handle = (project.workspace.ensure() / "review.lock").open("ab")
    if handle is None:
        yield
        return
    with handle:
        until = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise AudioparityError("another review of this project is at work; end it first") from None
                time.sleep(_LOCK_POLL_SECONDS)
            except OSError:  # a file system without locks
                break
        yield


def disagreements(waiting: Sequence[Waiting]) -> dict[str, str]:
    """Return, by the names of what waits, why two tests that would change one golden cannot both be accepted.

    Parameters
    ----------
    waiting : everything that waits, also what is not asked for now
    """
    rivals: dict[Path, list[Waiting]] = {}
    for entry in waiting:
        if entry.refused is None and entry.golden is not None:
            rivals.setdefault(entry.golden, []).append(entry)
    found: dict[str, str] = {}
    for entries in rivals.values():
        if len(entries) < 2:
            continue
        if (name := _differing(entries)) is not None:
            tests = " and ".join(entry.pending.test for entry in entries)
            said = f"{tests} disagree on {name} of {entries[0].shown}; reject all but one of them first"
            found.update((entry.name, said) for entry in entries)
    return found


def _differing(entries: Sequence[Waiting]) -> str | None:
    """Return what two tests say differently of one golden, or None.

    What one changes and the other recorded without a change is none: that may have been accepted from the other before.
    """
    for one, other in itertools.combinations([_said(entry) for entry in entries], 2):
        for name in one.keys() & other.keys():
            pair = (one[name], other[name])
            if pair[0] != pair[1] and (_AS_IS not in pair or None in pair):
                return name
    return None


def _said(entry: Waiting) -> dict[str, Any]:
    """Return what a test would have a golden hold: fingerprints by stage and hyper-parameter, None for what goes."""
    try:
        pending, obtained = read_checked(entry.path)
        said: dict[str, Any] = {f"stage {name!r}": _AS_IS for name in pending.order}
        said |= {f"setting {name!r}": _AS_IS for name in pending.settings}
        return said | {change.subject: state_of(obtained, change) for change in pending.changes}
    except GoldenError:  # gone meanwhile, or damaged, which accepting it will say
        return {}
