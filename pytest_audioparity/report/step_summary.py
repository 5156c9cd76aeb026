"""A run as the Markdown that GitHub Actions shows as the summary of a step."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from pytest_audioparity.report.brief import (
    allowed,
    audio_verdict,
    by_weight,
    cause,
    deviation,
    first_stage,
    own_deviation,
)
from pytest_audioparity.report.numbers import counted, cut
from pytest_audioparity.report.plain_text import clean_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_audioparity.report.brief import Failure

# What does not fit is left out by whole rows, so that what is shown stays readable.
_ROWS = (100, 30, 10, 0)
_CELL = 240
_COLUMNS = ("test", "first divergence", "off by", "own part", "allowed", "why", "audio")
# What Markdown or its GitHub dialect reads as more than a character. As an entity it is one.
_MARKS = re.compile(r"[\\`*{}\[\]|~@#$!]|(?<![^\W_])_|_(?![^\W_])")


def step_summary(
    failures: Sequence[Failure],
    *,
    tests: int,
    goldens: Sequence[str] = (),
    broken: Sequence[str] = (),
    fetch: str | None = None,
    limit: int,
) -> str | None:
    """Return what a run has to tell: one line where all is well; None where not even that fits.

    Parameters
    ----------
    failures : the parity tests that failed
    tests : how many there were
    goldens : what the terminal says of goldens
    broken : what kept the run from its end, so that tests which were to fail may not have run
    fetch : the command that downloads what the run left, where one is known
    limit : bytes that the text may have, in UTF-8
    """
    for rows in _ROWS:
        text = "\n".join(_lines(failures, tests, (goldens, broken), fetch, rows)) + "\n"
        if len(text.encode(errors="replace")) <= limit:
            return text
    return None


def _lines(
    failures: Sequence[Failure],
    tests: int,
    around: tuple[Sequence[str], Sequence[str]],
    fetch: str | None,
    rows: int,
) -> Iterator[str]:
    goldens, broken = around
    if not (failures or goldens or broken):
        yield f"**audioparity**: {counted(tests, 'parity test')}, none failed"
        yield ""
        return
    failed = f"{len(failures)} of {counted(tests, 'parity test')} failed" if failures else "no parity test failed"
    yield f"### audioparity: {failed}"
    yield ""
    if broken:
        yield f"Not all was tested: {_text('; '.join(broken))}"
        yield ""
    if failures and rows:
        yield _row(_COLUMNS)
        yield _row("---" for _ in _COLUMNS)
        yield from (_row(_cells(failure)) for failure in by_weight(failures)[:rows])
        yield ""
    if (more := len(failures) - rows) > 0:
        yield f"{more} more are in the log."
        yield ""
    if goldens:
        # Indented by four, lines are shown as they are whatever they hold, which no fence can promise.
        yield from (f"    {clean_line(line)[:_CELL]}" for line in cut(list(goldens), rows))
        yield ""
    if any(failure.account and failure.account.get("pending") for failure in failures):
        yield from _way_on(fetch)


def _way_on(fetch: str | None) -> Iterator[str]:
    yield "To review this without running a model, in a checkout, if the job keeps `.audioparity` as an artifact:"
    yield ""
    folder = "parity"
    yield f"    {fetch} --dir {folder}" if fetch else f"    # download the artifact into the folder {folder}"
    yield f"    audioparity golden pending --from {folder}"
    yield f"    audioparity golden show --from {folder} NAME"
    yield ""


def _cells(failure: Failure) -> Iterator[str]:
    account = failure.account or {}
    stage = first_stage(account)
    yield _code(failure.test)
    yield "" if stage is None else _code(stage["name"])
    yield deviation(stage)
    yield own_deviation(stage)
    yield allowed(stage)
    yield _text(cause(failure))
    yield _text((audio_verdict(account) or "").replace("_", " "))


def _row(cells: Iterator[str] | Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _text(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line; a long one cut."""
    line = clean_line(text)
    line = line if len(line) <= _CELL else f"{line[: _CELL - 1]}…"
    return _MARKS.sub(lambda mark: f"&#{ord(mark[0])};", html.escape(line, quote=False))
