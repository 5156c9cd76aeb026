"""Failing tests as workflow commands of GitHub Actions, which shows them on the lines of the tests.

https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.report.brief import (
    audio_verdict,
    by_weight,
    finding,
    first_stage,
    headline,
    own_deviation,
    second_jump,
)
from pytest_audioparity.report.numbers import counted
from pytest_audioparity.report.plain_text import clean, clean_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_audioparity.report.brief import Failure

# So many of one step are shown, and no more; notices are counted apart.
_SHOWN = 10
# A title is one line of a narrow box. What is longer is in the log.
_TITLE, _MESSAGE = 160, 1000
_ESCAPES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_ESCAPES_OF_PROPERTIES = _ESCAPES | str.maketrans({":": "%3A", ",": "%2C"})


def annotation_lines(failures: Sequence[Failure]) -> list[str]:
    """Return the lines that make GitHub annotate failing tests, those that tell most first, and count the rest."""
    lines = [_annotation(failure) for failure in by_weight(failures)[:_SHOWN]]
    if (more := len(failures) - _SHOWN) > 0:
        said = f"{counted(more, 'parity test')} more failed; GitHub shows {_SHOWN} errors of a step: see the log"
        lines.append(_command("notice", {"title": "audioparity"}, said))
    return lines


def _annotation(failure: Failure) -> str:
    place = {} if failure.file is None else {"file": failure.file, "line": failure.line}
    title = clean_line(failure.said)
    return _command("error", {**place, "title": _shortened(title, _TITLE)}, "\n".join(_lines(failure)))


def _lines(failure: Failure) -> Iterator[str]:
    account = failure.account or {}
    yield failure.test
    stage = first_stage(account)
    if stage is not None:
        said = "" if failure.is_by_stages else f", {headline(account)}"
        yield f"first divergence: {stage['name']}{said}"
    if own := own_deviation(stage):
        yield f"own part: {own}"
    if jump := second_jump(account):
        yield f"a second jump: {jump}"
    if found := finding(account):
        yield f"finding: {found}"
    if (audio := audio_verdict(account)) not in (None, "ok"):
        yield f"audio: {str(audio).replace('_', ' ')}"
    if account.get("golden"):
        yield f"golden: {account['golden']}"


def _command(name: str, properties: Mapping[str, str | int | None], message: str) -> str:
    said = (
        f"{key}={str(value).translate(_ESCAPES_OF_PROPERTIES)}"
        for key, value in properties.items()
        if value is not None
    )
    return f"::{name} {','.join(said)}::{_shortened(clean(message), _MESSAGE).translate(_ESCAPES)}"


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
