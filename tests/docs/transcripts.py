"""Comparing what a page says a command prints with what it printed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Lines in which pytest describes the machine; a page may show them or leave them out.
_HEADER = re.compile(r"(platform |rootdir: |configfile: |plugins: |cachedir: |hypothesis profile |\d+ workers \[)")
_DURATION = re.compile(r"\b(in|\+) ?\d+(\.\d+)? ?s\b( \(\d+:\d\d:\d\d\))?")
# Below 1e-5 is what rounding leaves, and a processor with other instructions rounds elsewhere.
_TINY = re.compile(r"\s*\b\d(\.\d+)?e-(0?[6-9]|[1-9]\d)\b")
# pytest fills the line with them, so that their number follows from the duration.
_RULE = re.compile(r"={3,}")


@dataclass(frozen=True)
class Difference:
    """The line of the page, from 0, that was not printed, and what stands in its place."""

    line: int
    instead: str


def lines_of(text: str) -> list[tuple[int, str]]:
    """Find the lines that count with their numbers, without what differs from run to run."""
    lines = []
    for number, line in enumerate(text.splitlines()):
        if _HEADER.match(line):
            continue
        if _DURATION.search(line):
            line = _RULE.sub("===", _DURATION.sub("in 0s", line))
        lines.append((number, line.rstrip()))
    while lines and not lines[-1][1]:
        lines.pop()
    return lines


def first_difference(expected: str, actual: str) -> Difference | None:
    """Compare line by line; a line ``...`` stands for any lines, ``...`` inside a line for any text."""
    printed = [line for _, line in lines_of(actual)]
    runs = _runs(lines_of(expected))
    at = 0
    for index, run in enumerate(runs):
        begins: Iterable[int] = range(at, len(printed) + 1)
        if index == 0:
            begins = [0]
        elif index == len(runs) - 1:  # what ends the block ends the output
            begins = [max(at, len(printed) - len(run))]
        matched, begin = max((_fit(run, printed, begin), -begin) for begin in begins)  # the earliest of the best
        if matched < len(run):
            return Difference(run[matched][0], _line(printed, matched - begin))
        at = len(run) - begin
    if at < len(printed):
        return Difference(len(expected.splitlines()), _line(printed, at))
    return None


def first_unprinted(expected: str, actual: str) -> Difference | None:
    """Compare a shortened form: each of its lines is printed, in this order, with anything between."""
    printed = [line for _, line in lines_of(actual)]
    at = 0
    for number, line in lines_of(expected):
        if not line or line == "...":
            continue
        found = next((place for place in range(at, len(printed)) if _same(line, printed[place])), None)
        if found is None:
            return Difference(number, "no such line after the one before")
        at = found + 1
    return None


def _runs(shown: list[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    """Split at the lines ``...``."""
    runs: list[list[tuple[int, str]]] = [[]]
    for number, line in shown:
        if line.strip() == "...":
            runs.append([])
        else:
            runs[-1].append((number, line))
    return runs


def _fit(run: list[tuple[int, str]], printed: list[str], begin: int) -> int:
    """How many lines of a run stand in what was printed, from a line on."""
    for index, (_, line) in enumerate(run):
        if begin + index >= len(printed) or not _same(line, printed[begin + index]):
            return index
    return len(run)


def _same(shown: str, printed: str) -> bool:
    return _fits(shown, printed) or _fits(_TINY.sub(" tiny", shown), _TINY.sub(" tiny", printed))


def _fits(shown: str, printed: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in shown.split("...")), printed) is not None


def _line(printed: list[str], index: int) -> str:
    return repr(printed[index]) if index < len(printed) else "nothing more"
