"""From the record of a run, its pending files and the goldens to what the page shows; no model is run."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.golden.names import shown_path
from pytest_audioparity.golden.shelf import Shelf, open_golden
from pytest_audioparity.page.records import BAD, STATES, Gallery, Shown
from pytest_audioparity.review.waiting import list_waiting, read_checked

if TYPE_CHECKING:
    from pytest_audioparity.project import Project
    from pytest_audioparity.review.waiting import Waiting
    from pytest_audioparity.runs import RunRecord

_REMOVED = "what it obtained made room for that of later tests (ini audioparity_pending_mb)"
_GONE = "what it obtained is not there any more: it was accepted or rejected, or another run replaced it"


def gather(project: Project, record: RunRecord) -> Gallery:
    """Put together what is known of every parity test of a run.

    Parameters
    ----------
    project : where goldens and pending files lie
    record : the run
    """
    waiting, damaged = list_waiting(project.workspace.pending, project)
    runs = {record.id, *(job.id for job in record.jobs)}
    # After a merge several jobs may have left something of one test; the record says which of them it tells of.
    left = {
        (entry.pending.test, str(shown_path(entry.path, project.root)) if record.jobs else None): entry
        for entry in waiting
        if entry.pending.run in runs
    }
    shelf = Shelf(project.store, project.cache)
    tests = sorted(map(Shown, record.tests), key=lambda shown: tuple(STATES).index(shown.state))

    def opened(shown: Shown) -> Shown:
        entry = left.get((shown.test, shown.account.get("pending") if record.jobs else None))
        return _shown(shown, entry, shelf, _again(shown.test, record))

    return Gallery(project.root.name, record, tuple(tests), opened, tuple(damaged))


def _shown(plain: Shown, entry: Waiting | None, shelf: Shelf, again: str) -> Shown:
    """Return a test with what was kept of it, and with the golden that it was compared with."""
    account = plain.account
    if entry is None:
        gone = _GONE if account.get("pending") else _REMOVED if account.get("removed") else None
        return replace(plain, commands=(again,) if plain.state in BAD else (), problem=gone)
    try:
        pending, obtained = read_checked(entry.path)
    except (AudioparityError, OSError) as error:
        return replace(plain, commands=(again,), problem=str(error))
    problem = expected = None
    try:
        expected = None if entry.base is None else open_golden(entry.base, shelf)
    except (AudioparityError, OSError) as error:
        problem = None if getattr(error, "cause", None) == "missing" else str(error)
    compared = {change.name: change.was for change in pending.changes if not change.is_setting}
    return Shown(
        account,
        pending.result,
        pending.report,
        expected,
        obtained,
        compared,
        (*_decisions(entry), again),
        problem,
    )


def _decisions(entry: Waiting) -> list[str]:
    name = shlex.quote(entry.name)
    commands = [f"audioparity golden show {name}"]
    if entry.refused is None:
        commands.append(f"audioparity golden accept {name} --reason TEXT")
    return commands


def _again(test: str, record: RunRecord) -> str:
    folder = "" if record.golden_dir == "golden" else f" --golden-dir {shlex.quote(record.golden_dir)}"
    return f"pytest {shlex.quote(test)}{folder}"
