"""Whether a run was that of the whole project: what it collected, what went wrong, and which tests may be missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_audioparity.selection import covered_paths, layout_of, left_out_file, selection_reasons

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_audioparity.collected import Collected
    from pytest_audioparity.runs import RunRecord

STOPS = {
    pytest.ExitCode.INTERRUPTED: "the run was interrupted",
    pytest.ExitCode.INTERNAL_ERROR: "pytest had an internal error",
    pytest.ExitCode.USAGE_ERROR: "pytest was used wrongly",
}


def with_collection(
    record: RunRecord, config: pytest.Config, collected: Collected, reported: Iterable[str]
) -> RunRecord:
    """Return a record that says what was collected, and what of it was run.

    Parameters
    ----------
    record : of the run, with what its tests delivered
    config : of the process that the user started
    collected : what was collected
    reported : node ids of the tests that any report came of
    """
    files, uncollected = collected.files(), tuple(collected.with_outcome("skipped"))
    claimed = collected.claimed | {str(test["golden"]) for test in record.tests}
    delivered = {str(test["test"]) for test in record.tests}
    return replace(
        record,
        layout=layout_of(config),
        paths=covered_paths(config, (*files, *uncollected)),
        collected=files,
        uncollected=uncollected,
        seen=tuple(sorted(collected.seen | delivered)),
        run=tuple(sorted((collected.seen & collected.ids(reported)) | delivered)),
        claimed=tuple(sorted(claimed)),
    )


def broken_by(session: pytest.Session, collected: Collected, noted: Iterable[str]) -> tuple[str, ...]:
    """Say what went wrong in a run that is ending, in addition to what was noted while it ran."""
    reasons = {*noted, *(f"collection failed: {node}" for node in collected.with_outcome("failed"))}
    if (stop := session.shouldfail or session.shouldstop) and not isinstance(stop, bool):
        reasons.add(f"the run stopped early: {stop}")
    status = int(session.exitstatus)
    if status in STOPS:
        reasons.add(STOPS[pytest.ExitCode(status)])
    return tuple(sorted(reasons))


def partial_by(config: pytest.Config, collected: Collected, record: RunRecord) -> tuple[str, ...]:
    """Say why tests may be missing from a record that says what was collected, without looking for any."""
    from pytest_audioparity.orphans import ELSEWHERE, is_elsewhere

    reasons = [*selection_reasons(config), *sorted(collected.reasons)]
    if missing := set(record.seen) - set(record.run):
        reasons.append(f"parity tests that were collected and did not run: {len(missing)}")
    if is_elsewhere(record.golden_dir, config.rootpath):
        reasons.append(ELSEWHERE)
    return (*record.partial, *reasons)


def partial_by_paths(config: pytest.Config, record: RunRecord) -> tuple[str, ...]:
    """Look through the project for test files that were not asked for, if there is any golden that they may own."""
    from pytest_audioparity.orphans import unclaimed_goldens

    if not unclaimed_goldens(record, config.rootpath):
        return ()
    file = left_out_file(config)
    return () if file is None else (f"the paths given leave out {file}",)
