"""One attempt at a test: what is known of it, and what its fixtures are given.

The state lies in `item.stash` from the fixture to the end of the teardown.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.failures import Failure
from pytest_audioparity.session import is_parity, mark_problem_of, path_of, roundtrip_limits, run_of, spec_of
from pytest_audioparity.ticker import Ticker
from pytest_audioparity.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.audio.recognition import Recogniser
    from pytest_audioparity.recording import Recording
    from pytest_audioparity.results import ParityResult
    from pytest_audioparity.roundtrip.fixture import Roundtrip
    from pytest_audioparity.stages import Stages


@dataclass(slots=True)
class Trial:
    """One attempt at a test.

    Attributes
    ----------
    recording : its stages
    result : what they were judged to be, once the test function has returned
    failed : whether any phase or subtest failed
    failed_otherwise : whether one failed for another reason than its stages
    skipped : whether a subtest was skipped
    refused : why its golden may not be written
    update : what the summary will say of the golden that is to be written
    unexplained : whether no cause was looked for, since the golden was to be written
    written : whether that was done
    audits : what the audits found that were asked for
    """

    recording: Recording
    result: ParityResult | None = None
    failed: bool = False
    failed_otherwise: bool = False
    skipped: bool = False
    refused: str | None = None
    update: dict[str, Any] | None = None
    unexplained: bool = False
    written: bool = False
    audits: dict[str, Any] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """What became of the test, in one word."""
        if self.failed:
            return "failed"
        if self.update is None:
            return "passed" if self.result is not None and self.result.passed else "skipped"
        if not self.written:
            return "planned"
        return "created" if self.update["created"] else "updated"

    @property
    def refusal(self) -> str | None:
        """Why its golden may not be written, with the way round it where pytest has one."""
        if self.refused is None or self.refused != self.recording.doubts.objection:
            return self.refused
        return f"{self.refused}; if that is right: --force-golden --golden-reason TEXT"


TRIAL = pytest.StashKey[Trial]()


def is_judged(item: pytest.Item) -> bool:
    """Whether the hooks around a test concern it; the fixture may come by request.getfixturevalue as well."""
    return TRIAL in item.stash or is_parity(item)


def stages_for(item: pytest.Item) -> Stages:
    """Make what a test records its stages with."""
    from pytest_audioparity.stages import Stages

    return Stages(_recording_of(item))


def roundtrip_for(request: pytest.FixtureRequest) -> Iterator[Roundtrip]:
    """Make what a test sends speech through its codec with."""
    from pytest_audioparity.roundtrip.fixture import Roundtrip

    item = request.node
    ticker = Ticker(item.config, item.name)
    workspace, cache = Workspace(run_of(item.config).settings.root), None
    with suppress(OSError):  # where nothing may be written, nothing is kept
        workspace.ensure()
        cache = workspace.scores
    yield Roundtrip(
        _recording_of(item),
        roundtrip_limits(item),
        recogniser=lambda: request.getfixturevalue("recogniser"),
        cache=cache,
        progress=ticker,
    )
    ticker.close()


def default_recogniser_or_failure() -> Recogniser:
    """Return what recognises speech by default; without its package the test fails and says what to install."""
    from pytest_audioparity.audio.recognition import default_recogniser

    try:
        return default_recogniser()
    except AudioparityError as error:
        pytest.fail(str(error), pytrace=False)


def _recording_of(item: pytest.Item) -> Recording:
    """Return the recording of a test, which its fixtures share, opening its golden on first use."""
    trial = item.stash.get(TRIAL, None)
    if trial is None:
        trial = item.stash[TRIAL] = Trial(_recording_for(item))
    return trial.recording


def _recording_for(item: pytest.Item) -> Recording:
    from pytest_audioparity.golden.shelf import Shelf
    from pytest_audioparity.recording import Recording

    run = run_of(item.config)
    problem = mark_problem_of(item) or run.problems.get(item.nodeid)
    if problem is not None:
        raise Failure(problem)
    spec = spec_of(item)
    path = path_of(item, spec)
    settings = run.settings
    if settings.create and spec.port and run.claims.waits(path):
        pytest.skip("not run: its golden is being updated in this run; run it again afterwards")
    observe = None
    if settings.calibrate:
        from pytest_audioparity.auditing import observer_of

        observe = observer_of(item)
    return Recording(
        spec=spec,
        path=path,
        shelf=Shelf(settings.store, settings.cache, settings.offline),
        variants=settings.variants,
        new_variant=settings.variant,
        observe=observe,
        force=settings.force,
    )
