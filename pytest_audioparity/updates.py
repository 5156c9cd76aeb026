"""The writing of goldens: when it is refused, how it is done, what the summary says of it, what is left for review.

A golden is written after its test's teardown, so that a test which fails in any phase changes nothing, and by the
process that ran the test, so that pytest-xdist needs nothing special.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from pytest_audioparity.golden.names import golden_name, golden_path, name_of, shown_path
from pytest_audioparity.identity import test_id
from pytest_audioparity.options import refuses_updates
from pytest_audioparity.report.attribution import settings_problem
from pytest_audioparity.report.headline import headline
from pytest_audioparity.report.json import (
    compact,
    compact_roundtrips,
    document,
    first_finding,
    jump_document,
    passing_roundtrips,
)
from pytest_audioparity.report.roundtrips import roundtrip_problem
from pytest_audioparity.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_audioparity.recording import Recording
    from pytest_audioparity.results import ParityResult
    from pytest_audioparity.settings import Settings


EXPECTED_TO_FAIL = "this test is expected to fail (xfail), so its output is no reference"


def refuse_in_ci(config: pytest.Config) -> None:
    """Refuse to update goldens where nobody looks at them. A plan writes nothing, so it is fine there.

    Raises
    ------
    pytest.UsageError : an update under CI without --update-golden-in-ci; --force-golden without a reason or an update
    """
    _check_force(config)
    allowed = config.getoption("--update-golden-in-ci") or config.getoption("--golden-plan")
    for flag in ("--update-golden", "--update-golden-missing"):
        if config.getoption(flag) and refuses_updates() and not allowed:
            raise pytest.UsageError(
                f"{flag} is refused in CI (the environment variable CI is set): a golden that changes there is "
                f"reviewed by nobody; update on your machine and commit, or add --update-golden-in-ci"
            )


def _check_force(config: pytest.Config) -> None:
    if not config.getoption("--force-golden"):
        return
    if not (config.getoption("--golden-reason") or "").strip():
        raise pytest.UsageError('--force-golden needs --golden-reason "why"; it is stored in the goldens')
    if not (config.getoption("--update-golden") or config.getoption("--golden-plan")):
        raise pytest.UsageError("--force-golden goes with --update-golden or --golden-plan")


def owner_of(recording: Recording) -> str | None:
    """Return the test that wrote a golden, where the golden says so, as it may be shown."""
    from pytest_audioparity.report.plain_text import clean_line

    owner = None if recording.reference.golden is None else recording.reference.golden.provenance.get("test")
    return clean_line(owner) if isinstance(owner, str) else None


def refusal(item: pytest.Item, recording: Recording, *, failed: bool, skipped: bool) -> str | None:
    """Say why the golden of a test may not be written although that was asked for, or return None.

    Parameters
    ----------
    item : the test
    recording : its stages, which do not pass
    failed : whether a part of the test has failed otherwise, a subtest for example
    skipped : whether a part was skipped, in which missing stages may have been to come
    """
    if recording.spec.port:
        from pytest_audioparity.golden.pending import IS_PORT

        return IS_PORT
    if may_xfail(item):
        return EXPECTED_TO_FAIL
    if failed:
        return "this test failed otherwise as well"
    if skipped and (gone := recording.proposal.gone):
        return f"a part of this test was skipped, and stage {gone[0]!r} is missing"
    if recording.reference.golden is not None and _is_of_another(item, recording):
        return (
            f"its golden was written by {owner_of(recording) or 'something else than a test'}; if this test only "
            "compares, give it port=True; if it is the new owner, delete the golden first"
        )
    return recording.refusal()


def _is_of_another(item: pytest.Item, recording: Recording) -> bool:
    """Whether another test wrote a golden.

    A golden under a test's own name may have been moved along with the test; it is another's only if that one's file
    is there beside this one's.
    """
    owner = owner_of(recording)
    if recording.spec.golden is not None:
        return owner != test_id(item)
    file, separator, _ = (owner or "").partition("::")
    here = test_id(item).partition("::")[0]
    return bool(separator) and file != here and (item.config.rootpath / file).is_file()


def may_xfail(item: pytest.Item) -> bool:
    """Whether a mark expects the test to fail. A condition that pytest has to evaluate from text counts as true."""
    for mark in item.iter_markers("xfail"):
        conditions = (mark.kwargs["condition"],) if "condition" in mark.kwargs else mark.args or (True,)
        if any(conditions):
            return True
    return False


def describe(recording: Recording, result: ParityResult, *, test: str, settings: Settings) -> dict[str, Any]:
    """Return what the record of a run says of a test, in plain types: its golden and the numbers that decided."""
    passed = result.passed
    return {
        "test": test,
        "golden": name_of(recording.reference.path, settings.golden_dir),
        "port": recording.spec.port,
        "variant": _variant(recording),
        "verdict": result.verdict,
        "reason": None if passed else result.reason or settings_problem(result) or roundtrip_problem(result),
        "first_divergence": None if passed else result.first_divergence,
        "second_jump": None if passed else jump_document(result),
        "headline": None if passed else headline(result),
        "finding": None if passed else first_finding(result),
        "pending": None,
        "warning": None,
        "settings": [{"name": setting.name, "verdict": setting.verdict} for setting in result.settings],
        "stages": [compact(stage) for stage in result.stages],
        "checks": [
            {"roundtrip": trip.name, "name": check.name, "verdict": check.verdict}
            for trip in result.roundtrips
            for check in trip.checks
        ],
        "roundtrips": compact_roundtrips(result),
        "passing_roundtrips": passing_roundtrips(result),
    }


def _variant(recording: Recording) -> dict[str, Any] | None:
    """Return the variant of the golden that was compared with, and how far it is from the golden itself."""
    if recording.reference.variant is None:
        return None
    farthest, _ = recording.reference.distance
    stage, deviation_db = (None, None) if farthest is None else (farthest.name, farthest.deviation_db)
    return {"name": recording.reference.variant, "stage": stage, "deviation_db": deviation_db}


def planned(recording: Recording, settings: Settings) -> dict[str, Any]:
    """Return what the summary says of a golden that is about to be written, in plain types."""
    proposal = recording.proposal
    created = recording.reference.is_new or recording.reference.target != recording.reference.base
    old = None if recording.reference.golden is None else recording.reference.golden.size_bytes
    return {
        "golden": str(shown_path(recording.reference.target, settings.root)),
        "to_push": settings.store is not None,
        "created": created,
        "planned": True,
        "size_bytes": sum(stage.array.nbytes for stage in proposal.new_golden()) if settings.plan else 0,
        "size_before": None if created else old,
        "stages": [
            [change.label, change.text]
            for change in proposal.changes(whole=True)
            if not (created and change.is_setting)  # the stages of a new golden are counted
        ]
        + [list(told) for told in proposal.declarations()],
    }


def write(recording: Recording, *, test: str, settings: Settings, folders: set[Path]) -> int:
    """Write a golden and return its size on disk in bytes; its folder is noted, to be flushed when the run ends.

    Raises
    ------
    GoldenError : a stage that stays cannot be read, someone else changed the golden meanwhile, or the file system
        refused; the golden is what it was
    """
    from pytest_audioparity.golden.shelf import save_golden

    return save_golden(
        recording.reference.target,
        recording.proposal.new_golden(),
        settings=recording.proposal.new_settings(whole=True),
        provenance=_provenance(recording, test, settings),
        shelf=recording.reference.shelf,
        since=recording.reference.golden if recording.reference.target == recording.reference.base else None,
        folders=folders,
    )


def keep(
    recording: Recording,
    result: ParityResult,
    *,
    test: str,
    refused: str | None,
    whole: bool,
    run: str,
    settings: Settings,
) -> Path | None:
    """Leave what a failing test obtained for review, and return where; None when there is nothing that differs.

    Parameters
    ----------
    recording : the stages, which do not pass
    result : as it was reported
    test : node id
    refused : why it may not become the golden, or None
    whole : whether the test ran to its end
    run : id of this run

    Raises
    ------
    GoldenError, OSError : the file system refused
    """
    from pytest_audioparity.golden.pending import Pending, write_pending
    from pytest_audioparity.report.terminal import render

    proposal = recording.proposal
    changes = proposal.changes(whole=whole)
    if not changes:
        return None
    folder = settings.golden_dir
    pending = Pending(
        test=test,
        golden=name_of(recording.reference.target, folder),
        base=name_of(recording.reference.base, folder),
        golden_dir=shown_path(folder, settings.root).as_posix(),
        refused=refused,
        forcible=refused is not None and refused == recording.doubts.objection,
        run=run,
        obtained=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        order=proposal.order,
        changes=tuple(changes),
        result=document(result),
        report=render(result),
        settings=proposal.new_settings(whole=whole),
        provenance=_provenance(recording, test, settings),
    )
    workspace = Workspace(settings.root)
    workspace.ensure()
    path = _left(test, workspace.pending)
    write_pending(path, pending, proposal.obtained())
    return path


def _provenance(recording: Recording, test: str, settings: Settings) -> dict[str, Any]:
    """Return where a golden comes from, with the objection that --force-golden overrides."""
    from pytest_audioparity.golden.provenance import provenance

    forced = recording.doubts.objection if recording.doubts.force else None
    return provenance(test=test, root=settings.root, reason=settings.reason, forced=forced)


def drop(test: str, pending: Path) -> None:
    """Remove what an earlier failure of a test left in the folder of what waits for review.

    Raises
    ------
    OSError : the file system refused
    """
    # Whether there is the folder is asked in a tenth of the time that the path of a golden takes.
    if pending.exists() and (path := _left(test, pending)).exists():
        from pytest_audioparity.golden.pending import remove_pending

        remove_pending(pending, path)


def _left(test: str, pending: Path) -> Path:
    """Return the file of what a test left for review. Its name is that of a golden; most tests have left nothing."""
    return golden_path(pending, golden_name(test))
