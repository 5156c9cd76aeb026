"""The writing of goldens: when it is refused, how it is done, and what the summary says of it.

A golden is written after its test's teardown, so that a test which fails in any phase changes nothing, and by the
process that ran the test, so that pytest-xdist needs nothing special.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_audioparity.recording import Recording
    from pytest_audioparity.records import ParityResult
    from pytest_audioparity.settings import Settings

# What a report carries to the process that prints the summary; only plain types, since xdist serialises them.
REPORT_KEY = "audioparity"


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


def owner_of(recording: Recording) -> str | None:
    """Return the test that wrote a golden, where the golden says so."""
    owner = None if recording.golden is None else recording.golden.provenance.get("test")
    return owner if isinstance(owner, str) else None


def refusal(item: pytest.Item, recording: Recording, *, failed: bool) -> str | None:
    """Say why the golden of a test may not be written although that was asked for, or return None.

    Parameters
    ----------
    item : the test
    recording : its stages, which do not pass
    failed : whether a part of the test has failed otherwise, a subtest for example
    """
    if recording.spec.port:
        return "this test is a port and never writes a golden"
    if may_xfail(item):
        return "this test is expected to fail (xfail), so its output is no reference"
    if failed:
        return "this test failed otherwise as well"
    owner = owner_of(recording)
    if recording.spec.golden is not None and recording.golden is not None and owner != item.nodeid:
        return (
            f"its golden was written by {owner or 'something else than a test'}; "
            f"if this test only compares, give it port=True; "
            f"if it is the new owner, delete the golden first"
        )
    return recording.refusal()


def may_xfail(item: pytest.Item) -> bool:
    """Whether a mark expects the test to fail. A condition that pytest has to evaluate from text counts as true."""
    for mark in item.iter_markers("xfail"):
        conditions = mark.args or ((mark.kwargs["condition"],) if "condition" in mark.kwargs else (True,))
        if any(conditions):
            return True
    return False


def write(recording: Recording, result: ParityResult, *, test: str, settings: Settings) -> dict[str, Any]:
    """Write a golden and return what the summary says of it, in plain types.

    Raises
    ------
    GoldenError : a stage that stays cannot be read, or the file system refused; the old file is untouched
    """
    from pytest_audioparity.golden.file import write_golden
    from pytest_audioparity.golden.provenance import provenance
    from pytest_audioparity.report.terminal import change

    size = write_golden(
        recording.path,
        recording.new_golden(),
        settings=recording.golden.settings if recording.golden else {},
        provenance=provenance(test=test, root=settings.root, reason=settings.reason),
    )
    created = recording.golden is None
    return {
        "golden": str(shown(recording.path, settings.root)),
        "created": created,
        "size_bytes": size,
        "stages": [] if created else [[stage.name, change(stage)] for stage in result.stages if not stage.passed],
    }


def shown(path: Path, root: Path) -> Path:
    """Return a path as it is shown: relative to the root directory where it lies below it."""
    return path.relative_to(root) if path.is_relative_to(root) else path


def summary_lines(reports: Iterable[Any]) -> list[str]:
    """Describe the goldens that this run wrote, for the end of the terminal output."""
    lines = []
    for report in reports:
        written = getattr(report, REPORT_KEY, None)
        if not isinstance(written, dict) or "golden" not in written:
            continue
        word = "created" if written["created"] else "updated"
        lines.append(f"{word} {written['golden']} ({_size(written['size_bytes'])})")
        lines.extend(f"  {name}: {text}" for name, text in written["stages"])
    return lines


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
