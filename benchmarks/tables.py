"""Markdown: the tables and notes that the benchmarks print."""

from __future__ import annotations

from collections.abc import Sequence

# In place of a number that noise hides.
LOST = "–"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is text, the others are numbers."""
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def section(title: str, *parts: str) -> str:
    """Return a heading with what belongs under it."""
    return "\n\n".join((f"## {title}", *(part for part in parts if part)))


def note(text: str) -> str:
    """Return one line in italics."""
    return f"*{text}*"


def ratio(value: float) -> str:
    """Write a ratio with three significant digits, or ``<0.001``; what is not above 0 is lost in noise."""
    if value <= 0:
        return LOST
    if value < 0.001:
        return "<0.001"
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def milliseconds(seconds: float) -> str:
    """Write seconds as milliseconds."""
    value = seconds * 1e3
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"


def megabytes(value: float) -> str:
    """Write megabytes, with a decimal below 10."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"
