"""One self-contained HTML page of a run: what differs, where, how it looks and how it sounds."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from pytest_audioparity.errors import AudioparityError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_audioparity.project import Project
    from pytest_audioparity.runs import RunRecord

PAGE = "index.html"
# What tells our pages from others, and how much of a page has to be read for it.
GENERATOR = "pytest-audioparity, page of a run"
_HEAD_BYTES = 2000
# The record of the run, not named as in .audioparity: an artifact that has both is one job's to merge.
RECORD = "parity.json"


def write_page(
    folder: Path,
    project: Project,
    record: RunRecord,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Path:
    """Write the page of a run and return its path; no model is run.

    Parameters
    ----------
    folder : gets ``index.html``; made if it is not there. Outside of ``.audioparity`` it gets the run's record as well
    project : where goldens and what tests obtained lie
    record : the run
    progress : told of each test before it is drawn: its name, how many are done, how many there are

    Raises
    ------
    OSError : the file system refused
    AudioparityError : the folder has a page of somebody else
    """
    import numpy as np

    from pytest_audioparity.golden.atomic import replace_bytes
    from pytest_audioparity.page.document import render
    from pytest_audioparity.page.gathering import gather
    from pytest_audioparity.runs import write_run

    # What a project makes of warnings and of numpy's errors is meant for its tests; huge numbers and NaN are drawn.
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        text = render(gather(project, record), progress)
    folder.mkdir(parents=True, exist_ok=True)
    _spare_others(folder)
    replace_bytes(folder / PAGE, text.encode())
    if folder != project.workspace.report:
        write_run(folder / RECORD, record)
    return folder / PAGE


def _spare_others(folder: Path) -> None:
    """Replace no page that another program wrote: a folder such as docs or public may have one."""
    page = folder / PAGE
    if not page.exists():
        return
    with page.open("rb") as file:
        if GENERATOR.encode() not in file.read(_HEAD_BYTES):
            raise AudioparityError(f"{page} is there already, and is no page of a run; name another folder")
