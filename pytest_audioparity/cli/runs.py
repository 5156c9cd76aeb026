"""The commands on the records of runs: merge, recheck, report."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_audioparity.cli.terminal import FAILED, PASSED, Progress, add_examples, say, say_json
from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.report.numbers import counted, cut

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from pytest_audioparity.review.jobs import Merged
    from pytest_audioparity.review.recheck import RejudgedTest

_SCHEMA = 1
# Of reasons and tests on the terminal; --json has all.
_SHOWN = 10
# What becomes of a test that a run passes with, whatever its stages were: xfail is skipped, an update was written.
_GREEN = ("passed", "created", "updated", "skipped")


def add_run(parser: argparse.ArgumentParser) -> None:
    """Declare `run` and its actions."""
    parser.description = "Put the records of runs together, and judge them again."
    add_examples(parser, "run report", "run recheck --tol-db 0.05", "run merge artifacts/")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    merge = actions.add_parser("merge", help="make one run of what several CI jobs left")
    merge.description = (
        "Make one run of what several CI jobs left: their records and pending files replace those of this project. "
        "Exit 0 if together they are a whole run of which every test passed, 1 if not."
    )
    merge.add_argument("folders", metavar="DIR", type=Path, nargs="+", help="what one job left, or several below it")
    merge.add_argument("--into", metavar="DIR", type=Path, help="the folder that gets .audioparity (default: the root)")
    add_examples(
        merge,
        "run merge artifacts/",
        "run merge job-1 job-2 --into merged",
    )
    merge.set_defaults(run=_merge)
    recheck = actions.add_parser("recheck", help="judge the stored numbers of the last run with another tolerance")
    recheck.description = "Judge the stored numbers of the last run again. Exit 0 if every test would pass, 1 if not."
    recheck.add_argument("--tol-db", metavar="X", type=float, required=True, help="largest deviation in dB")
    add_examples(
        recheck,
        "run recheck --tol-db 0.05",
    )
    recheck.set_defaults(run=_recheck)
    report = actions.add_parser("report", help="write a page with pictures and sound of what differed in the last run")
    report.description = "Write one self-contained HTML page of the last run, without running a model."
    report.add_argument("--dir", metavar="DIR", type=Path, help="gets index.html (default: .audioparity/report)")
    add_examples(
        report,
        "run report",
        "run report --dir build/parity",
    )
    report.set_defaults(run=_report)
    for action in (merge, recheck, report):
        action.add_argument("--root", metavar="DIR", help="the project's root directory (default: found from here up)")
    for action in (merge, recheck):
        action.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def _merge(parsed: argparse.Namespace) -> int:
    from pytest_audioparity.project import find_project
    from pytest_audioparity.review.jobs import find_jobs, merge_jobs
    from pytest_audioparity.workspace import FOLDER, Workspace

    project = find_project(Path.cwd(), root=parsed.root)
    jobs = find_jobs(parsed.folders)
    into = project.root if parsed.into is None else parsed.into
    workspace = Workspace(into.absolute().parent if into.name == FOLDER else into.absolute())
    progress = Progress()
    try:
        merged = merge_jobs(jobs, project.root, workspace, progress.counted)
    finally:
        progress.end()
    failed = _failed(merged)
    if parsed.json:
        say_json(_merged_document(merged, failed))
    else:
        for text in merged.damaged:
            say(text, error=True)
        where = "" if parsed.into is None else f" --from {shlex.quote(str(parsed.into))}"
        say("\n".join(_merged_lines(merged, failed, workspace.folder, where)))
    whole = merged.record.complete and not (merged.damaged or merged.differing)
    return PASSED if whole and not failed and merged.record.exit_status in (0, None) else FAILED


def _report(parsed: argparse.Namespace) -> int:
    from pytest_audioparity.page import write_page
    from pytest_audioparity.project import find_project
    from pytest_audioparity.runs import read_run

    project = find_project(Path.cwd(), root=parsed.root)
    record = read_run(project.workspace.run_file)
    progress = Progress()
    try:
        page = write_page(parsed.dir or project.workspace.report, project, record, progress.counted)
    finally:
        progress.end()
    say(str(page))
    return PASSED


def _failed(merged: Merged) -> list[str]:
    """Return the tests that failed; of one whose outcome is unknown the verdict counts."""
    tests = merged.record.tests
    return [
        test["test"]
        for test in tests
        if test.get("outcome") == "failed"
        or (test.get("outcome") not in _GREEN and test.get("verdict") not in ("pass", None))
    ]


def _merged_document(merged: Merged, failed: Sequence[str]) -> dict[str, Any]:
    record = merged.record
    return {
        "schema": _SCHEMA,
        "complete": record.complete,
        "reasons": list(record.reasons),
        "jobs": [job.name for job in record.jobs],
        "tests": len(record.tests),
        "failed": list(failed),
        "pending": merged.pending,
        "differing": {test: list(jobs) for test, jobs in merged.differing.items()},
        "damaged": list(merged.damaged),
        "orphans": [orphan.golden for orphan in record.orphans],
    }


def _merged_lines(merged: Merged, failed: Sequence[str], folder: Path, where: str) -> Iterator[str]:
    record = merged.record
    numbers = f"{counted(len(record.tests), 'test')}, {len(failed)} failed, {merged.pending} pending"
    yield f"merged {counted(len(record.jobs), 'job')} into {folder}: {numbers}"
    yield from cut([f"failed {test}" for test in failed], _SHOWN)
    for test, jobs in merged.differing.items():
        yield f"{test}: {' and '.join(jobs)} did not obtain the same, so neither can be accepted"
    if record.complete:
        yield "together the jobs are a complete run"
        yield from cut([f"orphan {orphan.golden} (no collected test owns it)" for orphan in record.orphans], _SHOWN)
    else:
        yield "together the jobs are no complete run:"
        yield from cut([f"  {reason}" for reason in record.reasons], _SHOWN)
    if merged.pending:
        yield f"review: audioparity golden pending{where}"


def _recheck(parsed: argparse.Namespace) -> int:
    from pytest_audioparity.comparison.tolerances import problem_with
    from pytest_audioparity.project import find_project
    from pytest_audioparity.review.recheck import recheck
    from pytest_audioparity.runs import read_run

    if (problem := problem_with({"tol_db": parsed.tol_db})) is not None:
        raise AudioparityError(problem)
    project = find_project(Path.cwd(), root=parsed.root)
    record = read_run(project.workspace.run_file)
    tests = recheck(record, parsed.tol_db)
    if not tests:
        raise AudioparityError("the last run compared nothing, so there is nothing to judge again")
    passing = sum(test.after == "pass" for test in tests)
    if parsed.json:
        say_json({"schema": _SCHEMA, "tol_db": parsed.tol_db, "tests": [_test_document(test) for test in tests]})
    else:
        say(f"with tol_db={parsed.tol_db:g}, {passing} of {counted(len(tests), 'test')} would pass")
        for test in tests:
            if text := _test_line(test):
                say(text)
        if not record.complete:
            say(f"the run was not complete: {'; '.join(record.reasons)}")
    return PASSED if passing == len(tests) else FAILED


def _test_document(test: RejudgedTest) -> dict[str, Any]:
    stages = [
        {"name": stage.name, "before": stage.before, "after": stage.after, "deviation_db": stage.deviation_db}
        for stage in test.stages
    ]
    return {"test": test.test, "before": test.before, "after": test.after, "reason": test.reason, "stages": stages}


def _test_line(test: RejudgedTest) -> str | None:
    from pytest_audioparity.report.numbers import decibel

    if test.after == "pass":
        return None if test.before == "pass" else f"would pass {test.test}"
    word = "would fail" if test.before == "pass" else "still fails"
    over = [stage for stage in test.stages if stage.after != "pass"]
    shown = [f"{stage.name!r} {stage.reason or f'{decibel(stage.deviation_db)} dB'}" for stage in over[:3]]
    more = f" and {len(over) - 3} more" if len(over) > 3 else ""
    return f"{word} {test.test}: {test.reason or ', '.join(shown) + more}"
