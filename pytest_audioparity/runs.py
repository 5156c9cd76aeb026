"""The record of a run: which parity tests there were, what became of each, and whether that was the whole project.

It is the JSON document ``.audioparity/run.json``, written by the process that the user started. Knows nothing of
pytest. `merging` makes one record of those of several jobs.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import AudioparityError, shown
from pytest_audioparity.golden.atomic import replace_bytes
from pytest_audioparity.report.json import plain
from pytest_audioparity.testfiles import Layout

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA = 1
# The attribute by which a report carries what became of a test to the process that records it; only plain types, since
# it travels as JSON from a worker of pytest-xdist.
REPORT_KEY = "audioparity"
UNFINISHED = "the run did not end"
# Each ** of a pattern multiplies the folders that are looked through by how deep they lie.
_MAX_DEEP = 2
_MAX_DEEP_IN_ALL = 50
OUTSIDE = "tests lie outside the root directory, where nothing is looked for"
_AGAIN = "run pytest again to write a new one"
_TEXTS = ("partial", "broken", "paths", "uncollected", "seen", "run", "claimed")


@dataclass(frozen=True, slots=True)
class Orphan:
    """A golden that no collected test owns.

    Attributes
    ----------
    golden : its name, below the golden directory, without suffix, with its variant
    hash : of its content (see `orphans.fingerprint`), so that nothing else is deleted in its place
    """

    golden: str
    hash: str


@dataclass(frozen=True, slots=True)
class Job:
    """One of the runs that a merged record was made of."""

    name: str
    id: str
    commit: str | None
    exit_status: int | None
    complete: bool


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What one run saw and did. Tests are node ids, goldens are names, paths are relative to the root directory.

    Attributes
    ----------
    id : tells runs apart
    started, finished : UTC, ISO 8601; a run that has not finished, or was killed, has no `finished`
    commit : what was checked out, None when unknown
    golden_dir : relative to the root directory where it lies inside it
    exit_status : pytest's
    complete : whether every test that may own a golden was collected and every parity test was run or skipped
    partial : why tests may be missing that other jobs may have run
    broken : what went wrong, so that no other job makes up for it
    layout : where the project keeps its tests, None when the command line changed that
    paths : folders and test files of which every test was collected
    collected : the tests collected, by file, without the file's name in front, also those that were then left out; a
        file may have none
    uncollected : files and folders that were skipped at collection
    seen : parity tests that were collected, also those that were then left out
    run : parity tests that were run or skipped
    claimed : goldens that a parity test owns or compares with
    tests : what each parity test delivered, see `REPORT_KEY`
    orphans : goldens that no test owns, of a complete run
    jobs : of a merged record
    """

    id: str
    started: str
    finished: str | None = None
    commit: str | None = None
    golden_dir: str = "golden"
    exit_status: int | None = None
    complete: bool = False
    partial: tuple[str, ...] = ()
    broken: tuple[str, ...] = (UNFINISHED,)
    layout: Layout | None = None
    paths: tuple[str, ...] = ()
    collected: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    uncollected: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    tests: tuple[Mapping[str, Any], ...] = ()
    orphans: tuple[Orphan, ...] = ()
    jobs: tuple[Job, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why this is not the record of a whole run, worst first."""
        return self.broken + self.partial


def document(record: RunRecord) -> dict[str, Any]:
    """Return a record as a dictionary of what JSON has, tuples, and numbers that may be infinite."""
    # By hand: dataclasses.asdict copies every number of every test.
    said = {key: getattr(record, key) for key in RunRecord.__dataclass_fields__}
    said["layout"] = None if record.layout is None else _shallow(record.layout)
    said["orphans"] = [_shallow(orphan) for orphan in record.orphans]
    said["jobs"] = [_shallow(job) for job in record.jobs]
    return {"schema": SCHEMA, **said}


def _shallow(one: Orphan | Job | Layout) -> dict[str, Any]:
    return {key: getattr(one, key) for key in one.__dataclass_fields__}


def write_run(path: Path, record: RunRecord) -> None:
    """Write a record, atomically.

    Raises
    ------
    OSError : the file system refused; the old record is as it was
    """
    said = document(record)
    # ASCII, so that a node id with half of a surrogate pair can be written too.
    try:
        text = json.dumps(said, allow_nan=False)
    except ValueError:  # an infinity, which is rare; to look for one takes ten times as long as to write
        text = json.dumps(plain(said), allow_nan=False)
    replace_bytes(path, text.encode("ascii"), durable=False)


def read_run(path: Path) -> RunRecord:
    """Read a record.

    Raises
    ------
    AudioparityError : there is none, it is damaged, or a newer version wrote it
    """
    try:
        said = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise AudioparityError(f"there is no record of a run, {path}: run pytest first") from None
    except OSError as error:
        raise AudioparityError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise AudioparityError(f"{path} is no record of a run: it is not JSON; {_AGAIN}") from None
    schema = said.get("schema") if isinstance(said, dict) else None
    if type(schema) is not int or schema < 1:
        raise AudioparityError(f"{path} is no record of a run: it has no schema; {_AGAIN}")
    if schema > SCHEMA:
        raise AudioparityError(
            f"{path} has schema {schema}, this version reads {SCHEMA}: pip install -U pytest-audioparity"
        )
    try:
        return confined(_record(said))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AudioparityError(f"{path} is no record of a run that can be used: {error}; {_AGAIN}") from None


def confined(record: RunRecord) -> RunRecord:
    """Return a record without the paths that lead out of the root directory; it is then not of a whole project.

    A record may come from another machine, and must not send anyone looking through this one.
    """
    layout = record.layout
    kept = replace(
        record,
        layout=None if layout is None else replace(layout, testpaths=_inside(layout.testpaths)),
        paths=_inside(record.paths),
        collected={file: tests for file, tests in record.collected.items() if _is_inside(file)},
        uncollected=_inside(record.uncollected),
    )
    return record if kept == record else replace(kept, complete=False, partial=(*record.partial, OUTSIDE), orphans=())


def _inside(paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(path for path in paths if _is_inside(path))


def _is_inside(path: str) -> bool:
    """Whether a path is relative and without ``..``, by any system's rules."""
    windows = PureWindowsPath(path)
    return not (PurePosixPath(path).is_absolute() or windows.drive or windows.root or ".." in windows.parts)


def _record(said: Mapping[str, Any]) -> RunRecord:
    """Build a record from its document, refusing values of another type: it may come from another machine."""
    layout = said["layout"]
    _refuse_paths(said)
    fields: dict[str, Any] = {key: _of(str, said, key) for key in ("id", "started", "golden_dir")}
    fields |= {key: _of(str | None, said, key) for key in ("finished", "commit")}
    fields |= {key: _texts(said[key], key) for key in _TEXTS}
    return RunRecord(
        **fields,
        exit_status=_of(int | None, said, "exit_status"),
        complete=_of(bool, said, "complete"),
        layout=None if layout is None else Layout(**{key: _texts(value, key) for key, value in layout.items()}),
        collected={file: _texts(tests, "collected") for file, tests in said["collected"].items()},
        tests=tuple({**test, "test": _of(str, test, "test")} for test in said["tests"]),
        orphans=tuple(Orphan(_of(str, orphan, "golden"), _of(str, orphan, "hash")) for orphan in said["orphans"]),
        jobs=tuple(Job(**job) for job in said["jobs"]),
    )


def _refuse_paths(said: Mapping[str, Any]) -> None:
    """Refuse what no run writes: paths that are none, and patterns that would take for ever to follow."""
    testpaths = (said["layout"] or {}).get("testpaths", ())
    paths = (said["golden_dir"], *testpaths, *said["paths"], *said["collected"], *said["uncollected"])
    if any("\0" in path for path in paths):
        raise ValueError("a path holds the character NUL")
    deep = [path.split("/").count("**") for path in testpaths]
    if max(deep, default=0) > _MAX_DEEP or sum(deep) > _MAX_DEEP_IN_ALL:
        raise ValueError("its testpaths have too many '**'")


def _of(kind: Any, said: Mapping[str, Any], key: str) -> Any:
    if not isinstance(said[key], kind):
        raise TypeError(f"{key!r} is {shown(said[key])}")
    return said[key]


def _texts(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise TypeError(f"{key!r} is no list of texts")
    return tuple(value)
