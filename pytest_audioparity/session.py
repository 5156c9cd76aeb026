"""One run and its tests: what their marks ask for, which golden each has, and who owns it.

The state of a run lies in `config.stash`.
"""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_audioparity.claims import Claims
from pytest_audioparity.golden.names import SUFFIX, golden_name, golden_path, shown_path
from pytest_audioparity.identity import records, test_id
from pytest_audioparity.room import Room
from pytest_audioparity.roundtrip.limits import Limits, limits_of, problem_with_limits
from pytest_audioparity.settings import Settings, read_settings
from pytest_audioparity.spec import Spec, mark_problem, resolve
from pytest_audioparity.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(slots=True)
class _Run:
    """What one process knows of its run.

    `room` is that of what waits for review, `problems` are those of tests that cannot be reported at collection,
    `folders` hold goldens that were written and are flushed once, at the end.
    """

    settings: Settings
    id: str
    room: Room
    claims: Claims = field(default_factory=Claims)
    problems: dict[str, str] = field(default_factory=dict)
    folders: set[Path] = field(default_factory=set)


_RUN = pytest.StashKey[_Run]()
_PARITY, _ROUNDTRIP = "parity", "codec_roundtrip"


def run_of(config: pytest.Config) -> _Run:
    """Return the state of this run, reading the settings on first use."""
    run = config.stash.get(_RUN, None)
    if run is None:
        worker = getattr(config, "workerinput", {})
        shared = worker.get("audioparity_run")
        settings = read_settings(config)
        room = Room(Workspace(settings.root).pending, settings.pending_bytes, SUFFIX, worker.get("workercount", 1))
        run = config.stash[_RUN] = _Run(settings, shared or secrets.token_hex(4), room)
    return run


def problems_of(items: Iterable[pytest.Item]) -> list[str]:
    """Say what is wrong with the marks of collected tests, once for all parameters of a test."""
    problems: dict[str, str] = {}
    for item in items:
        if (problem := mark_problem_of(item)) is not None:
            problems.setdefault(item.nodeid.partition("[")[0], problem)
    return list(problems.values())


def is_parity(item: pytest.Item) -> bool:
    """Whether a test has one of the marks, or uses a fixture without it, which means the mark's defaults."""
    return records(item) or any(item.get_closest_marker(name) for name in (_PARITY, _ROUNDTRIP))


def spec_of(item: pytest.Item) -> Spec:
    """Resolve the marks of a test as they are now: other plugins and the test itself may add some."""
    return _resolved(item, _marks(item))


def _resolved(item: pytest.Item, marks: list[pytest.Mark]) -> Spec:
    own = sum(mark in item.own_markers for mark in marks)
    return resolve(run_of(item.config).settings.project, [mark.kwargs for mark in marks], own=own)


def roundtrip_limits(item: pytest.Item) -> Limits:
    """Resolve the marks `codec_roundtrip` of a test as they are now."""
    return limits_of([mark.kwargs for mark in _marks(item, _ROUNDTRIP)])


def path_of(item: pytest.Item, spec: Spec) -> Path:
    """Return where the golden of a test lies, whether it exists or not."""
    return golden_path(run_of(item.config).settings.golden_dir, spec.golden or golden_name(test_id(item)))


def arrange(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check that no golden has two owners, and let owners run before ports when goldens are being updated.

    Raises
    ------
    pytest.UsageError : two tests claim one golden and neither is a port, or a mark that was added late is wrong
    """
    run = run_of(config)
    ports = set()
    for item in filter(is_parity, items):
        if (problem := mark_problem_of(item)) is not None:
            _refuse(config, problem, item.nodeid)
        elif spec_of(item).port:
            ports.add(item)
        else:
            _claim(item)
    if run.settings.create and ports:
        items.sort(key=lambda item: item in ports)


def _claim(item: pytest.Item) -> None:
    path = path_of(item, spec_of(item))
    # Test files outside the root directory that have one name have one node id, so the file is part of who claims.
    claimed = run_of(item.config).claims.claim(path, (item.nodeid, item.path))
    if claimed != (item.nodeid, item.path):
        both = (claimed, (item.nodeid, item.path))
        owners = [f"{file}::{item.name}" if claimed[0] == item.nodeid else test for test, file in both]
        problem = (
            f"two tests claim the golden {shown_path(path, item.config.rootpath)}: {owners[0]} and {owners[1]}; "
            f"give the one that only compares port=True, or another golden="
        )
        _refuse(item.config, problem, claimed[0], item.nodeid)


def _refuse(config: pytest.Config, problem: str, *tests: str) -> None:
    # A worker of pytest-xdist that stops here is an internal error, so there the tests report the problem themselves.
    if not hasattr(config, "workerinput"):
        raise pytest.UsageError(problem)
    run_of(config).problems.update(dict.fromkeys(tests, problem))


def mark_of(item: pytest.Item) -> dict[str, Any]:
    """Return the keywords of the closest parity mark of a test, with the `stages` that count, none without one."""
    marks = _marks(item)
    stages = next(({"stages": mark.kwargs["stages"]} for mark in marks if "stages" in mark.kwargs), {})
    return {**marks[0].kwargs, **stages} if marks else {}


def _marks(item: pytest.Item, name: str = _PARITY) -> list[pytest.Mark]:
    """Return the marks of a test, the closest first.

    pytest puts those of a parameter behind the function's, and those of a class behind its base classes'.
    """
    marks = list(item.iter_markers(name))
    if len(marks) < 2:  # nearly always; and each test is asked often
        return marks
    near = dict.fromkeys(map(id, marks_of_parameter(item, name)), 0)
    marks = []
    for node in reversed(item.listchain()):
        own = [mark for mark in node.own_markers if mark.name == name]
        places = _places(node.obj) if len(own) > 1 and isinstance(node, pytest.Class) else near
        marks += sorted(own, key=lambda mark: places.get(id(mark), sys.maxsize))
    return marks


def _places(cls: type) -> dict[int, int]:
    """Return how far each mark of a class and of its base classes stands from it, by identity."""
    stored = [one.__dict__.get("pytestmark", ()) for one in cls.__mro__]
    listed = [marks if isinstance(marks, list | tuple) else [marks] for marks in stored]
    return {id(getattr(mark, "mark", mark)): place for place, marks in enumerate(listed) for mark in marks}


def marks_of_parameter(item: pytest.Item, name: str = _PARITY) -> list[pytest.Mark]:
    """Return the marks that stand on a parameter of a test, as `pytest.param(..., marks=...)` has them."""
    marks = getattr(getattr(item, "callspec", None), "marks", ())
    return [mark for mark in marks if mark.name == name]


def mark_problem_of(item: pytest.Item) -> str | None:
    """Say what is wrong with the marks of a test, or return None."""
    marks = _marks(item)
    for mark in marks:
        if (problem := mark_problem(mark.args, mark.kwargs)) is not None:
            return f"{item.nodeid}: mark parity: {problem}"
    for mark in _marks(item, _ROUNDTRIP):
        if (problem := problem_with_limits(mark.args, mark.kwargs)) is not None:
            return f"{item.nodeid}: mark codec_roundtrip: {problem}"
    if marks:  # nothing else can say port=True
        spec = _resolved(item, marks)
        if spec.port and spec.golden is None:
            return f"{item.nodeid}: mark parity: port=True needs golden=, the name of the golden that another test owns"
    return None
