"""Texts from files that others made, made safe to show."""

from __future__ import annotations


def clean(text: str) -> str:
    """Return a text with what could move the cursor, recolour the screen or reverse the writing made visible.

    Line breaks stay.
    """
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


def clean_line(text: str) -> str:
    """Return a text as `clean` does, on one line."""
    return clean(text).replace("\n", "\\n")


def _escaped(character: str) -> str:
    return " " if character == "\t" else repr(character)[1:-1]
