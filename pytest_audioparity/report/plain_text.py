"""Texts from files that others made, made safe to show, and texts set by the cells that they take in a terminal."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# What texts are made for, whatever the width of the terminal.
WIDTH = 80
# The label column of `labelled`, which the usual labels fit.
_LABEL = 10
# What a terminal with few characters gets in place of ours; everything else is written as its number.
_SUBSTITUTES = str.maketrans(
    {
        "\N{HORIZONTAL ELLIPSIS}": "...",
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{MULTIPLICATION SIGN}": "x",
        "\N{MIDDLE DOT}": "*",
        "\N{PLUS-MINUS SIGN}": "+-",
        "\N{RIGHTWARDS ARROW}": "->",
        "\N{GREEK SMALL LETTER EPSILON}": "eps",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
    }
)


def clean(text: str) -> str:
    """Return a text with what could move the cursor, recolour the screen or reverse the writing made visible.

    Line breaks stay.
    """
    if text.isprintable():  # as nearly all are
        return text
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


def clean_line(text: str) -> str:
    """Return a text as `clean` does, on one line."""
    return clean(text).replace("\n", "\\n")


def encodable(text: str, encoding: str | None) -> str:
    """Return a text that an encoding has all characters of: the usual signs spelt out, others as their numbers."""
    encoding = encoding or "utf-8"
    for attempt in (text, text.translate(_SUBSTITUTES)):
        try:
            attempt.encode(encoding)
        except UnicodeEncodeError:
            continue
        return attempt
    return "".join(c if _has(encoding, c) else _substitute(c, encoding) for c in text)


def cells(text: str) -> int:
    """Return how many cells of a terminal a text takes: two for wide characters, none for marks that are put on others.

    The widths are those of Unicode's standard annex 11; ambiguous characters are narrow, as terminals have them outside
    of East Asian locales.
    """
    return len(text) if text.isascii() else sum(map(_width, text))


def padded(text: str, width: int) -> str:
    """Return a text with as many spaces behind it as it takes to fill a column."""
    return text + " " * (width - cells(text))


def shortened(text: str, width: int) -> str:
    """Return as much of a text from its beginning as fits into some cells."""
    taken = 0
    for place, character in enumerate(text):
        taken += _width(character)
        if taken > width:
            return text[:place]
    return text


def wrapped(text: str, width: int, *, taken: int = 0) -> list[str]:
    """Break a text into lines at its spaces; a word that is longer than a line is left whole.

    Parameters
    ----------
    text : without a meaning of its line breaks
    width : cells of a line
    taken : cells of the first line that something else takes already
    """
    lines: list[str] = []
    line, room, is_open = "", width - taken, taken == 0
    for word in text.replace("\n", " ").split(" "):
        longer = f"{line} {word}" if line else word
        # An empty line takes any word, unless what is taken of it is the reason that the word does not fit.
        if cells(longer) <= room or (is_open and not line):
            line = longer
        else:
            lines.append(line.rstrip())
            line, room, is_open = word, width, True
    return [*lines, line.rstrip()]


def hanging(line: str, width: int) -> list[str]:
    """Break one line like ``  label : text`` so that the text stands below itself, and any other indented by four."""
    if cells(line) <= width:
        return [line]
    start = len(line) - len(line.lstrip(" "))
    label, colon, _ = line.partition(": ")
    indent = cells(label + colon) if colon and cells(label) < width // 2 else start + 4
    first, *rest = wrapped(line[start:], width - indent, taken=start - indent)
    return [" " * start + first, *(" " * indent + one for one in rest)]


def behind(label: str, text: str, width: int, indent: int) -> Iterator[str]:
    """Write a text behind a label, its further lines indented; a label longer than that takes from the first line."""
    first, *rest = wrapped(text, width - indent, taken=cells(label) - indent)
    yield f"{label}{first}"
    yield from (f"{'':<{indent}}{line}" for line in rest)


def labelled(label: str, text: str, widest: int = _LABEL) -> Iterator[str]:
    """Write ``  label : text`` as a row of a block, with the texts of all rows below one another."""
    yield from behind(f"  {padded(label, widest)} : ", text, WIDTH, widest + len("   : "))


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _substitute(character: str, encoding: str) -> str:
    return character.translate(_SUBSTITUTES).encode(encoding, "backslashreplace").decode(encoding)


def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escaped(character: str) -> str:
    return " " if character == "\t" else repr(character)[1:-1]
