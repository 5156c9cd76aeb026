"""One record of the runs of several CI jobs: shards of a project, whatever cut them, or a matrix of platforms.

A partial set is never taken for the whole: every part must have ended, of one commit, every test file must have
been collected by some part, and every parity test that any part collected must have been run by some part.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_audioparity.checkout import changed_file, layouts_of
from pytest_audioparity.comparison.tolerances import PEAK_FACTOR
from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.orphans import ELSEWHERE, find_orphans, is_elsewhere
from pytest_audioparity.runs import OUTSIDE, Job, RunRecord
from pytest_audioparity.testfiles import is_within, uncovered_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# The worst first, last what is no result; a word that is not here is another version's, and might be worse than any.
_VERDICTS = ("fail", "not_measured", "pass")
_OUTCOMES = ("failed", "planned", "created", "updated", "passed", "skipped")
_SHOWN = 3
_FOLDERS = "the jobs have different golden folders"
_LAYOUTS = "every job changed on its command line what a test file is"
_UNCOLLECTED = "no job collected "


def merge(records: Mapping[str, RunRecord], root: Path) -> RunRecord:
    """Make one record of several.

    Of a test that several jobs ran, the worst result counts; it says under ``job`` whose it is. Orphans are looked for
    in the checkout, if the parts make a whole.

    Parameters
    ----------
    records : by name of the job
    root : root directory of a checkout of the commit that the jobs ran

    Raises
    ------
    AudioparityError : there are no records, or a golden that nobody claims cannot be read
    """
    if not records:
        raise AudioparityError("there is no record of a run to merge")
    parts = tuple(records.values())
    commits = {part.commit for part in parts}
    merged = RunRecord(
        id=secrets.token_hex(4),
        started=min(part.started for part in parts),
        finished=max((part.finished for part in parts if part.finished), default=None),
        commit=commits.pop() if len(commits) == 1 else None,
        golden_dir=parts[0].golden_dir,
        exit_status=max((part.exit_status for part in parts if part.exit_status is not None), default=None),
        broken=tuple(f"{name}: {reason}" for name, part in records.items() for reason in part.broken),
        layout=next(iter(layouts_of(parts, root)), None),
        paths=_union(part.paths for part in parts),
        collected=_collected(parts),
        seen=_union(part.seen for part in parts),
        run=_union(part.run for part in parts),
        claimed=_union(part.claimed for part in parts),
        tests=_tests(records),
        jobs=tuple(Job(name, part.id, part.commit, part.exit_status, part.complete) for name, part in records.items()),
    )
    left_out = _union(part.uncollected for part in parts)
    merged = replace(merged, uncollected=tuple(path for path in left_out if path not in merged.collected))
    merged = replace(merged, partial=tuple(_reasons(merged, records, root)))
    if merged.reasons:
        return merged
    try:
        return replace(merged, complete=True, orphans=find_orphans(merged, root))
    except OSError as error:
        raise AudioparityError(f"the goldens of {root} cannot be read: {error}") from None


def _reasons(merged: RunRecord, records: Mapping[str, RunRecord], root: Path) -> list[str]:
    """Say why parts do not make a whole."""
    reasons = list(_of_commits(records))
    if len(folders := {part.golden_dir for part in records.values()}) > 1:
        reasons.append(f"{_FOLDERS}: {_listed(folders)}")
    if is_elsewhere(merged.golden_dir, root):
        reasons.append(ELSEWHERE)
    if all(part.layout is None for part in records.values()):
        reasons.append(_LAYOUTS)
    if (file := changed_file(merged, root)) is not None:
        reasons.append(f"the tests of this checkout are not those that the jobs ran ({file})")
    layouts = layouts_of(records.values(), root)
    covered = (*merged.paths, *merged.uncollected)
    if missing := {file for layout in layouts for file in uncovered_files(root, layout, covered)}:
        reasons.append(f"{_UNCOLLECTED}{_listed(missing)}")
    if missing := set(merged.seen) - set(merged.run):
        reasons.append(f"no job ran {_listed(missing)}")
    for name, part in records.items():
        reasons += [f"{name}: {said}" for said in part.partial if said not in reasons and _stays(said, covered)]
    return reasons


def _stays(said: str, covered: tuple[str, ...]) -> bool:
    """Whether the other jobs cannot make good what a part says of itself, which may have been merged before."""
    if said.startswith(_UNCOLLECTED):  # of each layout that a job had, of which the merged record keeps one
        files = said.removeprefix(_UNCOLLECTED).partition(" and ")[0].split(", ")
        return not all(is_within(file, covered) for file in files)
    return any(text in said for text in (OUTSIDE, _FOLDERS, _LAYOUTS))


def _of_commits(records: Mapping[str, RunRecord]) -> Iterable[str]:
    # Of a part that was merged itself, the jobs' own: it has none where they differ.
    jobs = [(job.name, job.commit) for part in records.values() for job in part.jobs]
    jobs += [(name, part.commit) for name, part in records.items() if not part.jobs]
    commits = {commit for _, commit in jobs if commit is not None}
    # Where none is known the project is not in git, and nothing says that the jobs differ.
    if commits:
        yield from (f"the commit of {name} is unknown" for name, commit in jobs if commit is None)
    if len(commits) > 1:
        yield f"the jobs ran different commits: {_listed(commits)}"


def _collected(parts: Iterable[RunRecord]) -> Mapping[str, tuple[str, ...]]:
    files: dict[str, set[str]] = {}
    for part in parts:
        for file, tests in part.collected.items():
            files.setdefault(file, set()).update(tests)
    return {file: tuple(sorted(tests)) for file, tests in sorted(files.items())}


def _tests(records: Mapping[str, RunRecord]) -> tuple[Mapping[str, Any], ...]:
    worst: dict[str, Mapping[str, Any]] = {}
    for name, part in records.items():
        for test in part.tests:
            result = {"job": name, **test}
            worst[test["test"]] = min(worst.get(test["test"], result), result, key=_rank)
    return tuple(worst[test] for test in sorted(worst))


def _rank(test: Mapping[str, Any]) -> tuple[int, int, float]:
    # What became of a test goes before its verdict: stages of one that was skipped are not what they would have been.
    verdict, outcome = test.get("verdict"), test.get("outcome")
    return (
        _OUTCOMES.index(outcome) if outcome in _OUTCOMES else -1,
        _VERDICTS.index(verdict) if verdict in _VERDICTS else -1,
        -_needed_db(test),
    )


def _needed_db(test: Mapping[str, Any]) -> float:
    """Return the smallest `tol_db` with which all stages of a test would pass, infinite where none is known."""
    listed = test.get("stages")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    return max((_needed_of(row) for row in rows), default=0.0)


def _needed_of(row: Mapping[str, Any]) -> float:
    deviation, peak = row.get("deviation_db"), row.get("peak_db")
    if not isinstance(deviation, float):
        return 0.0 if row.get("verdict") == "pass" else math.inf
    return max(deviation, peak / PEAK_FACTOR if isinstance(peak, float) and row.get("peak_is_derived") else 0.0)


def _union(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({text for part in parts for text in part}))


def _listed(texts: Iterable[str]) -> str:
    """List a few of some texts and count the rest."""
    texts = sorted(texts)
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more
