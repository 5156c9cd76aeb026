"""One run and its tests: which golden a test has, what is judged when it ends, and what follows from that.

The state of a run lies in `config.stash`, that of a test in `item.stash` from its fixture to the end of its teardown.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_audioparity.claims import Claims
from pytest_audioparity.failures import Failure, shape
from pytest_audioparity.golden.names import golden_name, golden_path
from pytest_audioparity.settings import Settings, read_settings
from pytest_audioparity.spec import Spec, mark_problem, resolve
from pytest_audioparity.updates import REPORT_KEY, owner_of, refusal, shown, write

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_audioparity.recording import Recording
    from pytest_audioparity.records import ParityResult
    from pytest_audioparity.stages import Stages


@dataclass(slots=True)
class _Run:
    """What one process knows of its run. `problems` are those of tests that cannot be reported at collection."""

    settings: Settings
    claims: Claims = field(default_factory=Claims)
    problems: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Trial:
    """One attempt at a test: its recording, whether any part of it failed, and the update that is planned."""

    recording: Recording
    failed: bool = False
    planned: ParityResult | None = None
    written: dict[str, Any] | None = None


_RUN = pytest.StashKey[_Run]()
_TRIAL = pytest.StashKey[_Trial]()


def run_of(config: pytest.Config) -> _Run:
    """Return the state of this run, reading the settings on first use."""
    run = config.stash.get(_RUN, None)
    if run is None:
        run = config.stash[_RUN] = _Run(read_settings(config))
    return run


def problems_of(items: Iterable[pytest.Item]) -> list[str]:
    """Say what is wrong with the marks of collected tests, once for all parameters of a test."""
    problems: dict[str, str] = {}
    for item in items:
        if (problem := _problem_of(item)) is not None:
            problems.setdefault(item.nodeid.partition("[")[0], problem)
    return list(problems.values())


def is_parity(item: pytest.Item) -> bool:
    """Whether a test has the mark, or uses the fixture without it, which means the mark's defaults."""
    return item.get_closest_marker("parity") is not None or "stages" in getattr(item, "fixturenames", ())


def is_judged(item: pytest.Item) -> bool:
    """Whether the hooks around a test concern it; the fixture may come by request.getfixturevalue as well."""
    return is_parity(item) or _TRIAL in item.stash


def spec_of(item: pytest.Item) -> Spec:
    """Resolve the marks of a test as they are now: other plugins and the test itself may add some."""
    marks = _marks(item)
    own = sum(mark in item.own_markers for mark in marks)
    return resolve(run_of(item.config).settings.project, [mark.kwargs for mark in marks], own=own)


def path_of(item: pytest.Item, spec: Spec) -> Path:
    """Return where the golden of a test lies, whether it exists or not."""
    return golden_path(run_of(item.config).settings.golden_dir, spec.golden or golden_name(item.nodeid))


def arrange(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check that no golden has two owners, and let owners run before ports when goldens are being updated.

    Raises
    ------
    pytest.UsageError : two tests claim one golden and neither is a port, or a mark that was added late is wrong
    """
    run = run_of(config)
    ports = set()
    for item in filter(is_parity, items):
        if (problem := _problem_of(item)) is not None:
            _refuse(config, problem, item.nodeid)
        elif spec_of(item).port:
            ports.add(item)
        else:
            _claim(item)
    if run.settings.update and ports:
        items.sort(key=lambda item: item in ports)


def _claim(item: pytest.Item) -> None:
    path = path_of(item, spec_of(item))
    # Test files outside the root directory that have one name have one node id, so the file is part of who claims.
    claimed = run_of(item.config).claims.claim(path, (item.nodeid, item.path))
    if claimed != (item.nodeid, item.path):
        both = (claimed, (item.nodeid, item.path))
        owners = [f"{file}::{item.name}" if claimed[0] == item.nodeid else test for test, file in both]
        problem = (
            f"two tests claim the golden {shown(path, item.config.rootpath)}: {owners[0]} and {owners[1]}; "
            f"give the one that only compares port=True, or another golden="
        )
        _refuse(item.config, problem, claimed[0], item.nodeid)


def _refuse(config: pytest.Config, problem: str, *tests: str) -> None:
    # A worker of pytest-xdist that stops here is an internal error, so there the tests report the problem themselves.
    if not hasattr(config, "workerinput"):
        raise pytest.UsageError(problem)
    run_of(config).problems.update(dict.fromkeys(tests, problem))


def stages_for(item: pytest.Item) -> Stages:
    """Make the recorder of a test, opening its golden."""
    from pytest_audioparity.recording import Recording
    from pytest_audioparity.stages import Stages

    run = run_of(item.config)
    problem = _problem_of(item) or run.problems.get(item.nodeid)
    if problem is not None:
        raise Failure(problem)
    spec = spec_of(item)
    path = path_of(item, spec)
    if run.settings.update and spec.port and run.claims.waits(path):
        pytest.skip("not run: its golden is being updated in this run; run it again afterwards")
    recording = Recording(spec=spec, path=path)
    item.stash[_TRIAL] = _Trial(recording)
    return Stages(recording)


def conclude(item: pytest.Item) -> None:
    """Judge a test whose function returned. A failure is raised, or becomes a planned update.

    Raises
    ------
    ParityError : the stages do not pass and no update is possible; the message is the whole report
    """
    trial = item.stash.get(_TRIAL, None)
    if trial is None:
        if item.get_closest_marker("parity") is not None:
            raise Failure("the test is marked parity but records nothing; use the fixture 'stages'")
        return
    recording, settings = trial.recording, run_of(item.config).settings
    result = recording.finish(shown_path=shown(recording.path, settings.root))
    if result.passed:
        return
    # Only now: reading the stages that were not recorded may have shown that the golden is damaged.
    refused = refusal(item, recording, failed=trial.failed)
    if settings.update and refused is None:
        trial.planned = result
        return
    result = replace(
        result,
        accept=None if refused else _update_command(item.config, item.nodeid),
        owner=owner_of(recording) if recording.spec.port else None,
    )
    from pytest_audioparity.report.terminal import render

    raise Failure(render(result) + (f"\nnot updated: {refused}" if settings.update else ""))


def settle(item: pytest.Item) -> None:
    """Write the golden of a test that passed in every phase, if an update was planned."""
    trial = item.stash.get(_TRIAL, None)
    if trial is not None and trial.planned is not None and not trial.failed:
        settings = run_of(item.config).settings
        trial.written = write(trial.recording, trial.planned, test=item.nodeid, settings=settings)


def annotate(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Note a failure of any phase or subtest, show misuse in one line, and let the report carry what was written."""
    if report.failed and call.excinfo is not None:
        shape(item, call.excinfo, report)
    trial = item.stash.get(_TRIAL, None)
    if trial is not None and report.when == "call" and report.failed and not isinstance(_error(call), Failure):
        _add_stages_so_far(trial.recording, report)
    if trial is not None:
        trial.failed |= report.failed
        if not report.passed:
            trial.planned = None
        if trial.written is not None:
            setattr(report, REPORT_KEY, trial.written)
        elif trial.planned is not None:
            setattr(report, REPORT_KEY, {"planned": True})
    if report.when == "teardown":
        _forget(item, trial)


def _error(call: pytest.CallInfo[None]) -> BaseException | None:
    return None if call.excinfo is None else call.excinfo.value


def _add_stages_so_far(recording: Recording, report: pytest.TestReport) -> None:
    """Show what was judged before a test failed for another reason: a crash is often the end of a divergence."""
    result = recording.so_far()
    if recording.golden is not None and result.stages:
        from pytest_audioparity.report.terminal import render

        report.sections.append(("stages recorded before this failure", render(result)))


def _forget(item: pytest.Item, trial: _Trial | None) -> None:
    """Close the recording of a test that has ended, drop its tensors, and let the ports of its golden go on."""
    run = run_of(item.config)
    if run.settings.update and is_parity(item) and not (spec := spec_of(item)).port:
        written = trial is not None and trial.written is not None
        run.claims.settle(path_of(item, spec), written=written)
    if trial is not None:
        trial.recording.close()
        del item.stash[_TRIAL]


def _marks(item: pytest.Item) -> list[pytest.Mark]:
    """Return the parity marks of a test, the closest first. pytest puts those of a parameter behind the function's."""
    of_parameter = [id(mark) for mark in getattr(getattr(item, "callspec", None), "marks", ())]
    return sorted(item.iter_markers("parity"), key=lambda mark: id(mark) not in of_parameter)


def _problem_of(item: pytest.Item) -> str | None:
    for mark in _marks(item):
        if (problem := mark_problem(mark.args, mark.kwargs)) is not None:
            return f"{item.nodeid}: mark parity: {problem}"
    if item.get_closest_marker("codec_roundtrip") is not None:
        return f"{item.nodeid}: mark codec_roundtrip is not built yet; remove it, or use @parity on the stages"
    if is_parity(item):
        spec = spec_of(item)
        if spec.port and spec.golden is None:
            return f"{item.nodeid}: mark parity: port=True needs golden=, the name of the golden that another test owns"
    return None


def _update_command(config: pytest.Config, nodeid: str) -> str:
    """Return the command that updates the golden of a test, as typed where this run was started."""
    file, separator, test = nodeid.partition("::")
    started_in = config.invocation_params.dir
    if started_in != config.rootpath:
        file = os.path.relpath(config.rootpath / file, started_in)
    directory = config.getoption("--golden-dir")
    there = f" --golden-dir {shlex.quote(directory)}" if directory else ""
    return f"pytest {shlex.quote(file + separator + test)} --update-golden{there}"
