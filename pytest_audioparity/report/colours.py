"""Which parts of a rendered result a terminal shows in colour; by its lines, since results travel and are kept as text.

The words are pytest's own: red fails, green passes, yellow is neither.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Markup = dict[str, bool]
_PLAIN: Markup = {}
_FAILS: Markup = {"red": True}
_FIRST: Markup = {"red": True, "bold": True}
_STRONG: Markup = {"bold": True}
# The state at the end of a row of the stage table, behind column 74 of which a name takes 15 at most, so that prose
# which ends in "ok" is none; and that of a check of a round trip.
_ROW = re.compile(r"(.{60,} )(ok|FAIL|FAIL<|inh\.|inh\.<|N/M|N/M<)$")
_CHECK = re.compile(r"(  \S+ +)(FAIL|N/M)(  .*)$")
_STATES: dict[str, Markup] = {"ok": {"green": True}, "FAIL": _FAILS, "inh.": {"yellow": True}, "N/M": {"yellow": True}}
# What comes first, the cause and the commands to copy.
_TITLE = re.compile(r".* \(first divergence\)$")
_LABEL = re.compile(r"(  finding    : [a-z_]+|accept: .*|review: .*)(.*)$")


def painted(line: str) -> Iterator[tuple[str, Markup]]:
    """Yield the parts of a line that is not the first, each with the markup that pytest's terminal takes."""
    if _TITLE.match(line):
        yield line, _FIRST
    elif row := _ROW.match(line):
        text, state = row.groups()
        is_first = state.endswith("<")  # the row of the first divergence stands out as a whole
        yield text, _FIRST if is_first else _PLAIN
        yield state, _FIRST if is_first else _STATES[state]
    elif check := _CHECK.match(line):
        name, state, message = check.groups()
        yield name, _PLAIN
        yield state, _STATES[state]
        yield message, _PLAIN
    elif label := _LABEL.match(line):
        yield label[1], _STRONG
        yield label[2], _PLAIN
    else:
        yield line, _PLAIN


def painted_first(line: str) -> Iterator[tuple[str, Markup]]:
    """Yield the same of the first line, which says what is wrong."""
    yield line, _FIRST
