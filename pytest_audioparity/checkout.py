"""Whether the tests of a checkout are those that a run saw: only then does its record say who owns a golden there."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pytest_audioparity.golden.provenance import is_as_committed, tracked_files
from pytest_audioparity.project import read_layout
from pytest_audioparity.testfiles import uncovered_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_audioparity.runs import RunRecord
    from pytest_audioparity.testfiles import Layout

# It says what is collected and with which parameters, as a test file does.
_CONFTEST = "conftest.py"


def changed_file(record: RunRecord, root: Path) -> str | None:
    """Return a test file of a checkout that may not be as a run saw it, or None.

    A file is as it was if git tracks it and the run was of the commit that is checked out, without changes both times.
    Else it must be older than the run.

    Parameters
    ----------
    record : its `commit`, `started`, `layout` and `collected` count
    root : root directory of the checkout
    """
    began = _seconds(record.started)
    same = record.commit is not None and is_as_committed(root, record.commit)
    kept = (tracked_files(root) if same else None) or frozenset()
    for file in sorted(_test_files(record, root)):
        if file not in kept and _changed(root / file, is_known=file in record.collected) > began:
            return file
    return None


def layouts_of(records: Iterable[RunRecord], root: Path) -> list[Layout]:
    """Return where the tests of a checkout may be, what its ini options say first, then what runs said otherwise."""
    said = [read_layout(root), *(record.layout for record in records)]
    return list(dict.fromkeys(layout for layout in said if layout is not None))


def _test_files(record: RunRecord, root: Path) -> set[str]:
    files = {file for file in record.collected if (root / file).is_file()}
    for layout in layouts_of([record], root):
        looked_for = replace(layout, python_files=(*layout.python_files, _CONFTEST))
        files.update(uncovered_files(root, looked_for, ()))
    return files


def _changed(path: Path, *, is_known: bool) -> float:
    try:
        status = path.stat()
    except OSError:
        return math.inf
    # A file that the run did not collect may be an old one that was moved here since.
    return status.st_mtime if is_known else max(status.st_mtime, status.st_ctime)


def _seconds(moment: str) -> float:
    """Return a time in ISO 8601 as seconds since 1970; what is no time lies before every file."""
    try:
        then = datetime.fromisoformat(moment.replace("Z", "+00:00"))
        return (then if then.tzinfo else then.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError):
        return -math.inf
