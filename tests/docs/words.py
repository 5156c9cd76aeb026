"""The words of a page that have to be spelled as the programs know them: options, ini names, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

_FLAG = re.compile(r"(?<![\w-])--[a-z][\w-]*")
_PART = re.compile(r"&&|\|\||[|;]")
# What may stand before the name of a program: the values of variables, a folder.
_PROGRAM = re.compile(r"^(?:\$ )?(?:!? ?\w+=\S* +)*(?:\S*/)?(pytest|audioparity(?: [a-z]+)*|python -m pytest)(?= |$)")
_INI = re.compile(r"\baudioparity_[a-z_]+\b(?!\.)")


@dataclass(frozen=True)
class Word:
    """A word with its place, and the command that it belongs to: of a span of code alone, none."""

    text: str
    line: int
    command: str = ""


@dataclass(frozen=True)
class Link:
    """A link to a file beside the page, or into a page."""

    target: str
    anchor: str
    line: int


def flags_of(text: str) -> Iterator[Word]:
    """Find the options of pytest and audioparity in commands, and all in spans of code that name no other program."""
    for token, line in _tokens(text):
        if token.type in {"fence", "html_block"}:
            for number, command in enumerate(token.content.splitlines(), line):
                for part in _PART.split(command.split("  #")[0]):
                    program = _PROGRAM.match(part.strip())
                    if program:
                        yield from (Word(flag, number, program[1]) for flag in _FLAG.findall(part))
        elif token.type == "code_inline":
            program = _PROGRAM.match(token.content)
            if program or token.content.startswith("-"):
                for flag in _FLAG.findall(token.content):
                    yield Word(flag, line, program[1] if program else "")


def ini_names_of(text: str) -> Iterator[Word]:
    """Find the ini options."""
    for line, content in enumerate(text.splitlines(), 1):
        yield from (Word(name, line) for name in _INI.findall(content))


def spans_of(text: str) -> set[str]:
    """Collect the spans of code of a page."""
    return {token.content for token, _ in _tokens(text) if token.type == "code_inline"}


def column_of(text: str, head: str) -> list[str]:
    """Collect the spans of code in the first column of the table whose first column has this head."""
    table = text.partition(f"\n| {head} |")[2].partition("\n\n")[0]
    return [span for row in table.splitlines()[2:] for span in re.findall(r"`(\w+)`", row.split("|")[1])]


def links_of(text: str) -> Iterator[Link]:
    """Find the links that do not lead to another site."""
    for token, line in _tokens(text):
        href = str(token.attrs.get("href") or token.attrs.get("src") or "")
        if href and not re.match(r"[a-z]+:", href):
            target, _, anchor = href.partition("#")
            yield Link(target, anchor, line)


def anchors_of(path: Path) -> set[str]:
    """Give the anchors of a page as GitHub makes them of its headings; MkDocs makes the same."""
    tokens = MarkdownIt().parse(path.read_text(encoding="utf-8"))
    titles = [tokens[at + 1] for at, token in enumerate(tokens) if token.type == "heading_open"]
    anchors: set[str] = set()
    for title in titles:
        shown = "".join(part.content for part in title.children or () if part.type in {"text", "code_inline"})
        anchor = re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")
        number = next(n for n in range(len(titles) + 1) if (f"{anchor}-{n}" if n else anchor) not in anchors)
        anchors.add(f"{anchor}-{number}" if number else anchor)
    return anchors


def _tokens(text: str) -> Iterator[tuple[Token, int]]:
    """Walk over all tokens, those inside of lines too, with the line where their block begins."""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        line = token.map[0] + 1 if token.map else 0
        yield token, line + (token.type == "fence")
        yield from ((child, line) for child in token.children or ())
