"""The phases of one attempt at a test: the judgement when its function has returned, and what follows from that."""

from __future__ import annotations

import os
import shlex
import traceback
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.failures import Failure, shape
from pytest_audioparity.golden.names import golden_name, shown_path
from pytest_audioparity.identity import test_id
from pytest_audioparity.options import FROM_JOB, is_job
from pytest_audioparity.report.properties import properties
from pytest_audioparity.runs import REPORT_KEY
from pytest_audioparity.session import path_of, run_of, spec_of
from pytest_audioparity.ticker import Ticker
from pytest_audioparity.trial import TRIAL
from pytest_audioparity.updates import EXPECTED_TO_FAIL, describe, drop, keep, owner_of, planned, refusal, write

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pytest_audioparity.recording import Recording
    from pytest_audioparity.results import ParityResult
    from pytest_audioparity.trial import Trial

_NOTHING_DONE = (
    ("parity", "records nothing", "stages"),
    ("codec_roundtrip", "sends nothing through a codec", "roundtrip"),
)


def conclude(item: pytest.Item) -> None:
    """Judge a test whose function returned. A failure is raised, or becomes a planned update.

    Raises
    ------
    ParityError : the stages do not pass and no update is possible; the message is the whole report
    """
    trial = item.stash.get(TRIAL, None)
    if trial is None:
        for mark, does, fixture in _NOTHING_DONE:
            if item.get_closest_marker(mark) is not None:
                raise Failure(f"the test is marked {mark} but {does}; use the fixture {fixture!r}")
        return
    recording, settings = trial.recording, run_of(item.config).settings
    result = trial.result = recording.finish(root=settings.root)
    if settings.calibrate or settings.mutants:
        from pytest_audioparity.auditing import audits_of

        trial.audits = audits_of(item, recording, result)
    if result.passed:
        if settings.update and _declares_more(item, trial):
            trial.update = planned(recording, settings)
        return
    # Only now: reading the stages that were not recorded may have shown that the golden is damaged.
    trial.refused = refusal(item, recording, failed=trial.failed, skipped=trial.skipped)
    asked = settings.update or (settings.create and recording.reference.is_new)
    if asked and trial.refused is None:
        trial.update, trial.unexplained = planned(recording, settings), True
        return
    keeps = not recording.proposal.is_empty
    # Not before it is known that the golden stays: nobody reads what a planned update would have been to blame for.
    ticker = Ticker(item.config, f"why {item.name} fails")
    explained = recording.steps.attributed(recording.causes.explained(result, ticker), ticker)
    ticker.close()
    accept, review = _ways_on(item, refused=trial.refused is not None, keeps=keeps)
    trial.result = result = replace(
        explained,
        accept=accept,
        review=review,
        owner=owner_of(recording) if recording.spec.port else None,
    )
    from pytest_audioparity.report.terminal import render

    raise Failure(render(result) + (f"\nnot updated: {trial.refusal}" if asked else ""))


def _declares_more(item: pytest.Item, trial: Trial) -> bool:
    """Whether a test that passes owns its golden, and says more of the stages than the golden does."""
    recording = trial.recording
    if recording.reference.target != recording.reference.base or not recording.proposal.newly_declared:
        return False
    return refusal(item, recording, failed=trial.failed, skipped=trial.skipped) is None


def settle(item: pytest.Item) -> None:
    """Write the golden of a test that passed in every phase, if an update was planned."""
    trial = item.stash.get(TRIAL, None)
    run = run_of(item.config)
    settings = run.settings
    if trial is not None and (late := _unjudged(trial)) is not None:
        raise Failure(late)
    if trial is not None and trial.update is not None and not settings.plan:
        from pytest_audioparity.golden.atomic import sync_folders

        is_first = not run.folders
        try:
            size = write(trial.recording, test=test_id(item), settings=settings, folders=run.folders)
        except AudioparityError as error:
            raise Failure(_below(settings.root, error)) from None
        if is_first:
            item.config.add_cleanup(partial(sync_folders, run.folders))
        trial.update.update(planned=False, size_bytes=size)
        trial.written = True


def _unjudged(trial: Trial) -> str | None:
    """Say what came after a test was judged that would have failed it, where a teardown swallowed the exception."""
    judged_well = trial.update is not None or (trial.result is not None and trial.result.passed)
    return trial.recording.doubts.failure if judged_well and not trial.failed else None


def annotate(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Note a failure of any phase or subtest, show misuse in one line, and let the report carry what became of it.

    A fault of ours fails the test and is shown with it: what comes from here would end the run of all other tests.
    """
    try:
        _annotate(item, call, report)
    except Exception as error:
        if (trial := item.stash.get(TRIAL, None)) is not None:
            trial.failed, trial.update = True, None
        where = "".join(traceback.format_exception(error)[1:])
        report.sections.append(("pytest-audioparity failed, please report this", where))
        report.outcome = "failed"
        report.longrepr = report.longrepr or "pytest-audioparity failed after this test, see below"


def _annotate(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    if call.excinfo is not None:
        shape(item, call.excinfo, report)
    trial = item.stash.get(TRIAL, None)
    if trial is not None:
        otherwise = report.failed and not isinstance(_error(call), Failure)
        if report.when == "call" and report.passed and trial.result is not None and trial.result.roundtrips:
            _add_scores(trial.result, report)
        if report.when == "call" and otherwise:
            _add_stages_so_far(trial.recording, report)
        trial.failed |= report.failed
        trial.failed_otherwise |= otherwise
        if report.skipped:
            _note_skipped(trial, report)
        if not report.passed and not trial.written:  # another plugin may fail a test after its teardown
            trial.update = None
        if trial.update is not None:
            setattr(report, REPORT_KEY, {"expects_update": True})
    if report.when == "teardown":
        if trial is not None:
            account = _account(item, trial)
            setattr(report, REPORT_KEY, account)
            # JUnit takes those of the last phase. Not into the item's list, in which those of reruns would pile up.
            report.user_properties.extend(properties(account))
        _forget(item, trial)


def _note_skipped(trial: Trial, report: pytest.TestReport) -> None:
    """Note that a subtest did not come to its end, after which the test goes on; of a whole test it does not matter."""
    trial.skipped = True
    if hasattr(report, "wasxfail"):
        trial.recording.doubts.refuse(EXPECTED_TO_FAIL, forcible=False)


def _account(item: pytest.Item, trial: Trial) -> dict[str, Any]:
    """Leave what was obtained for review, or remove what an earlier run left, and say what became of a test."""
    run, recording, test = run_of(item.config), trial.recording, test_id(item)
    ended = trial.result is not None
    result = recording.so_far() if trial.result is None else trial.result
    if trial.failed_otherwise and not trial.written:
        trial.refused = "this test failed otherwise as well" if ended else "this test failed otherwise, before its end"
    if trial.unexplained and not trial.written:  # what was only planned, or failed in its teardown, is reviewed
        result = recording.causes.explained(result)
    if run.settings.calibrate and not ended and trial.failed:  # one that is skipped has nothing to measure
        from pytest_audioparity.auditing import unfinished

        trial.audits = unfinished(item)
    account = describe(recording, result, test=test, settings=run.settings)
    account |= {"outcome": trial.outcome, "refused": trial.refusal, "change": trial.update, **trial.audits}
    try:
        if not trial.written and (trial.failed or trial.update is not None):
            left = keep(
                recording, result, test=test, refused=trial.refused, whole=ended, run=run.id, settings=run.settings
            )
            if left is not None:
                account["pending"] = str(shown_path(left, run.settings.root))
                displaced = run.room.take(left.stat().st_size)
                account["displaced"] = [str(shown_path(path, run.settings.root)) for path in displaced]
        elif ended and (result.passed or trial.written):
            drop(test, run.room.folder)
    except (OSError, AudioparityError) as error:
        account["warning"] = f"what {test} obtained could not be kept for review: {_below(run.settings.root, error)}"
    return account


def _below(root: Path, error: Exception) -> str:
    """Return what an error says, with paths as reports show them."""
    return str(error).replace(f"{root}{os.sep}", "")


def _error(call: pytest.CallInfo[None]) -> BaseException | None:
    return None if call.excinfo is None else call.excinfo.value


def _add_stages_so_far(recording: Recording, report: pytest.TestReport) -> None:
    """Show what was judged before a test failed for another reason: a crash is often the end of a divergence."""
    result = recording.so_far()
    if (recording.reference.golden is not None and result.stages) or result.roundtrips:
        from pytest_audioparity.report.terminal import render

        report.sections.append(("stages recorded before this failure", render(result)))


def _add_scores(result: ParityResult, report: pytest.TestReport) -> None:
    """Let `pytest -rP` show the scores of a codec that passes."""
    from pytest_audioparity.report.terminal import render

    report.sections.append(("round trip", render(result)))


def _forget(item: pytest.Item, trial: Trial | None) -> None:
    """Close the recording of a test that has ended, drop its tensors, and let the ports of its golden go on."""
    run = run_of(item.config)
    if run.settings.create and not (spec := spec_of(item)).port:
        run.claims.settle(path_of(item, spec), written=trial is not None and trial.update is not None)
    if trial is not None:
        trial.recording.close()
        del item.stash[TRIAL]


def _ways_on(item: pytest.Item, *, refused: bool, keeps: bool) -> tuple[str | None, str | None]:
    """Return the commands that accept and show what a test obtained, those that work where they are typed."""
    name, where = shlex.quote(golden_name(test_id(item))), FROM_JOB if is_job() else ""
    accept = None if refused else _update_command(item.config, test_id(item))
    if accept is not None and is_job():
        accept = f"audioparity golden accept {name}{where}" if keeps else None
    return accept, f"audioparity golden show {name}{where}" if keeps else None


def _update_command(config: pytest.Config, nodeid: str) -> str:
    """Return the command that updates the golden of a test, as typed where this run was started."""
    file, separator, test = nodeid.partition("::")
    started_in = config.invocation_params.dir
    if started_in != config.rootpath:
        file = os.path.relpath(config.rootpath / file, started_in)
    # What says which golden is meant; without it the command would write another one.
    given = [(flag, config.getoption(flag)) for flag in ("--golden-dir", "--golden-variant")]
    where = "".join(f" {flag} {shlex.quote(value)}" for flag, value in given if value)
    return f"pytest {shlex.quote(file + separator + test)} --update-golden{where}"
