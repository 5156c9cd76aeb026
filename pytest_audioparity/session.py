"""One run: which golden a test has, what follows from its result, and the writing of goldens.

This is the only place that writes goldens. A golden is written after the test's teardown, so that a test which fails
in any phase changes nothing, and by the process that ran the test, so that pytest-xdist needs nothing special.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_audioparity.errors import AudioparityError, ParityError
from pytest_audioparity.golden.names import golden_name, golden_path
from pytest_audioparity.options import read_settings
from pytest_audioparity.spec import Spec, mark_problem, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _pytest.outcomes import Failed as _PytestFailed

    from pytest_audioparity.recording import Recording
    from pytest_audioparity.records import ParityResult
    from pytest_audioparity.settings import Settings
    from pytest_audioparity.stages import Stages
else:
    # pytest exports this class only as an attribute. Deriving from it makes pytest print our text and nothing else.
    _PytestFailed = pytest.fail.Exception


@dataclass(slots=True)
class _Run:
    """What one process knows of its run."""

    settings: Settings
    specs: dict[str, Spec] = field(default_factory=dict)
    owner_of: dict[Path, str] = field(default_factory=dict)
    updated: set[Path] = field(default_factory=set)


_RUN = pytest.StashKey[_Run]()
_RECORDING = pytest.StashKey["Recording"]()
_PLANNED = pytest.StashKey["ParityResult"]()
# What a report carries to the process that prints the summary; only plain types, since xdist serialises them.
REPORT_KEY = "audioparity"


class _Failure(ParityError, _PytestFailed):  # noqa: N818 - it is renamed below
    """A parity failure or a misuse inside a test, shown as its text alone: our own frames would help nobody."""

    __module__ = "builtins"

    def __init__(self, message: str) -> None:
        _PytestFailed.__init__(self, message, pytrace=False)


_Failure.__name__ = _Failure.__qualname__ = "ParityError"


def run_of(config: pytest.Config) -> _Run:
    """Return the state of this run, reading the settings on first use."""
    run = config.stash.get(_RUN, None)
    if run is None:
        run = config.stash[_RUN] = _Run(read_settings(config))
    return run


def problem_of(item: pytest.Item) -> str | None:
    """Say what is wrong with the marks of a collected test, or return None."""
    for mark in item.iter_markers("parity"):
        if (problem := mark_problem(mark.args, mark.kwargs)) is not None:
            return f"{item.nodeid}: mark parity: {problem}"
    if item.get_closest_marker("codec_roundtrip") is not None:
        return f"{item.nodeid}: mark codec_roundtrip is not built yet; remove it, or use @parity on the stages"
    if is_parity(item) and spec_of(item).port and spec_of(item).golden is None:
        return f"{item.nodeid}: mark parity: port=True needs golden=, the name of the golden that another test owns"
    return None


def is_parity(item: pytest.Item) -> bool:
    """Whether a test has the mark, or uses the fixture without it, which means the mark's defaults."""
    return item.get_closest_marker("parity") is not None or "stages" in getattr(item, "fixturenames", ())


def spec_of(item: pytest.Item) -> Spec:
    """Resolve the marks of a test."""
    run = run_of(item.config)
    spec = run.specs.get(item.nodeid)
    if spec is None:
        spec = resolve(run.settings.project, [mark.kwargs for mark in item.iter_markers("parity")])
        run.specs[item.nodeid] = spec
    return spec


def path_of(item: pytest.Item) -> Path:
    """Return where the golden of a test lies, whether it exists or not."""
    name = spec_of(item).golden or golden_name(item.nodeid)
    return golden_path(run_of(item.config).settings.golden_dir, name)


def arrange(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check that no golden has two owners, and let owners run before ports when goldens are being updated.

    Raises
    ------
    pytest.UsageError : two tests claim one golden and neither is a port
    """
    parity = [item for item in items if is_parity(item)]
    if not parity:
        return
    run = run_of(config)
    for item in parity:
        if spec_of(item).port:
            continue
        path = path_of(item)
        owner = run.owner_of.setdefault(path, item.nodeid)
        if owner != item.nodeid:
            raise pytest.UsageError(
                f"two tests claim the golden {_shown(path, config)}: {owner} and {item.nodeid}; "
                f"give the one that only compares port=True, or another golden="
            )
    if run.settings.update:
        items.sort(key=lambda item: is_parity(item) and spec_of(item).port)


def stages_for(item: pytest.Item) -> Stages:
    """Make the recorder of a test, opening its golden."""
    from pytest_audioparity.recording import Recording
    from pytest_audioparity.stages import Stages

    _skip_port_of_updated(item)
    recording = Recording(spec=spec_of(item), path=path_of(item))
    item.stash[_RECORDING] = recording
    return Stages(recording)


def conclude(item: pytest.Item) -> None:
    """Judge a test whose function returned. A failure is raised, or becomes a planned update.

    Raises
    ------
    ParityError : the stages do not pass and no update is possible; the message is the whole report
    """
    recording = item.stash.get(_RECORDING, None)
    if recording is None:
        if item.get_closest_marker("parity") is not None:
            raise _Failure("the test is marked parity but records nothing; use the fixture 'stages'")
        return
    result = recording.finish(shown_path=_shown(recording.path, item.config), accept=_accept(item, recording))
    if result.passed:
        return
    from pytest_audioparity.report.terminal import render

    refusal = _refusal(item, recording)
    if refusal is None:
        item.stash[_PLANNED] = result
        return
    raise _Failure(render(result) + (f"\nnot updated: {refusal}" if refusal else ""))


def as_failure(item: pytest.Item, error: AudioparityError) -> BaseException:
    """Turn the misuse of a recorder inside a test into a failure of one line, with the line of the test."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == item.path:
            place = f"{item.nodeid.partition('::')[0]}:{trace.tb_lineno}: "
        trace = trace.tb_next
    return _Failure(f"{place}{error}")


def write_planned(item: pytest.Item) -> dict[str, Any] | None:
    """Write the golden of a test that passed in every phase, and return the line of the summary."""
    result = item.stash.get(_PLANNED, None)
    recording = item.stash.get(_RECORDING, None)
    forget(item)
    if result is None or recording is None:
        return None
    from pytest_audioparity.golden.file import write_golden
    from pytest_audioparity.golden.provenance import provenance

    settings = run_of(item.config).settings
    size = write_golden(
        recording.path,
        recording.new_golden(),
        settings=recording.golden.settings if recording.golden else {},
        provenance=provenance(test=item.nodeid, root=settings.root, reason=settings.reason),
    )
    run_of(item.config).updated.add(recording.path)
    return {
        "golden": str(_shown(recording.path, item.config)),
        "created": recording.golden is None,
        "size_bytes": size,
        "stages": [] if recording.golden is None else _changes(result),
    }


def forget(item: pytest.Item) -> None:
    """Drop what was kept of a test, its tensors above all."""
    if _RECORDING in item.stash:
        del item.stash[_RECORDING]
    if _PLANNED in item.stash:
        del item.stash[_PLANNED]


def is_planned(item: pytest.Item) -> bool:
    """Whether the test's golden will be written after its teardown."""
    return _PLANNED in item.stash


def refuse_in_ci(config: pytest.Config) -> None:
    """Refuse to update goldens where nobody looks at them.

    Raises
    ------
    pytest.UsageError : --update-golden under CI without --update-golden-in-ci
    """
    in_ci = os.environ.get("CI", "").lower() not in ("", "0", "false", "no")
    if in_ci and not config.getoption("--update-golden-in-ci"):
        raise pytest.UsageError(
            "--update-golden is refused in CI (the environment variable CI is set): a golden that changes there is "
            "reviewed by nobody; update on your machine and commit, or add --update-golden-in-ci"
        )


def summary_lines(reports: Iterable[Any]) -> list[str]:
    """Describe the goldens that this run wrote, for the end of the terminal output."""
    lines = []
    for report in reports:
        change = getattr(report, REPORT_KEY, None)
        if not isinstance(change, dict) or "golden" not in change:
            continue
        word = "created" if change["created"] else "updated"
        lines.append(f"{word} {change['golden']} ({_size(change['size_bytes'])})")
        lines.extend(f"  {name}: {text}" for name, text in change["stages"])
    return lines


def _refusal(item: pytest.Item, recording: Recording) -> str | None:
    """Say why a failing test is not updated: an empty string when no update was asked for, None when it can be."""
    if not run_of(item.config).settings.update:
        return ""
    if recording.spec.port:
        return "this test is a port and never writes a golden"
    if item.get_closest_marker("xfail") is not None:
        return "this test is expected to fail (xfail), so its output is no reference"
    return recording.refusal()


def _skip_port_of_updated(item: pytest.Item) -> None:
    """Do not run a port against a golden that this run rewrites: its owner decides first, then the port is due again.

    Under pytest-xdist the owner may run in another process, so there the port waits whenever its owner is in the run.
    """
    run = run_of(item.config)
    if not (run.settings.update and spec_of(item).port):
        return
    path = path_of(item)
    elsewhere = "PYTEST_XDIST_WORKER" in os.environ and path in run.owner_of
    if path in run.updated or elsewhere:
        pytest.skip("not run: its golden is being updated in this run; run it again afterwards")


def _accept(item: pytest.Item, recording: Recording) -> str:
    if not recording.spec.port:
        return f"pytest {shlex.quote(item.nodeid)} --update-golden"
    owner = recording.golden.provenance.get("test") if recording.golden else None
    if isinstance(owner, str):
        return f"pytest {shlex.quote(owner)} --update-golden (the golden's owner; this test is a port)"
    return "update the golden with the test that owns it; this test is a port"


def _shown(path: Path, config: pytest.Config) -> Path:
    return path.relative_to(config.rootpath) if path.is_relative_to(config.rootpath) else path


def _changes(result: ParityResult) -> list[list[str]]:
    from pytest_audioparity.report.terminal import change

    return [[stage.name, change(stage)] for stage in result.stages if not stage.passed]


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
