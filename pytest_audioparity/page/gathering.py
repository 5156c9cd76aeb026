"""From the record of a run, its pending files and the goldens to what the page shows; no model is run."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.golden.shelf import Shelf, open_golden
from pytest_audioparity.page.records import Gallery, Shown
from pytest_audioparity.review.waiting import list_waiting, read_checked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pytest_audioparity.project import Project
    from pytest_audioparity.review.waiting import Waiting
    from pytest_audioparity.runs import RunRecord

_ORDER = {"fail": 0, "not_measured": 1}


def gather(project: Project, record: RunRecord) -> Gallery:
    """Put together what is known of every parity test of a run.

    Parameters
    ----------
    project : where goldens and pending files lie
    record : the run
    """
    waiting, _ = list_waiting(project.workspace.pending, project)
    by_test = {entry.pending.test: entry for entry in waiting if entry.pending.run == record.id or record.jobs}
    shelf = Shelf(project.store, project.cache)
    tests = [_shown(account, by_test.get(str(account["test"])), shelf) for account in record.tests]
    tests.sort(key=lambda shown: _ORDER.get(shown.verdict, len(_ORDER)))
    return Gallery(project.root.name, record, tuple(tests))


def _shown(account: Mapping[str, Any], entry: Waiting | None, shelf: Shelf) -> Shown:
    if entry is None:
        return Shown(account)
    try:
        pending, obtained = read_checked(entry.path)
    except (AudioparityError, OSError) as error:
        return Shown(account, problem=str(error))
    problem = expected = None
    try:
        expected = None if entry.base is None else open_golden(entry.base, shelf)
    except AudioparityError as error:
        problem = None if getattr(error, "cause", None) == "missing" else str(error)
    name = shlex.quote(entry.name)
    commands = [f"audioparity golden show {name}"]
    if entry.refused is None:
        commands.append(f"audioparity golden accept {name} --reason TEXT")
    return Shown(account, pending.result, pending.report, expected, obtained, tuple(commands), problem)
