"""The code blocks of a page and the comments that say how they run.

A page is one project: its blocks run from top to bottom, in a fresh folder with ``git init``.

    ```python title="tests/test_x.py"   is written to that file; so is any other language with a title
    ```python                           is run, all of a page in one namespace; a ``>>>`` session is compared
    ```console                          commands after ``$ ``, and what they print; ``...`` stands for anything.
                                        title="exit 2": with this status, where it is neither 0 nor a failure shown
    ```sh                               each line is run
    ```text, json, toml, yaml, ini      is not run, only parsed

In comments, which no reader of the page sees, stands what a block needs or why it is not run. Commands find the
checkout in ``$REPOSITORY`` and all Python of the page up to there in the file ``$BLOCKS``; pip does nothing, since all
is there.

    <!-- run: python …            -->   run before what follows, as a python block would be
    <!-- run: sh …                -->   the same by bash, as one script that stops at the first error
    <!-- output of: COMMAND       -->   the next text block is a shortened form of what the command prints
    <!-- in a test: FLAGS         -->   the next python block is the body of a test, which pytest runs with these flags
    <!-- not run: REASON          -->   the next block is only parsed; the reason is one of REASONS
    <!-- exit: 0 1                -->   the exit statuses of the lines of the next sh block, where one is not 0
    <!-- needs: torch, onnx       -->   packages without which the page is skipped
"""

from __future__ import annotations

import collections
import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]

REASONS = (
    "needs a Mac",
    "needs another compiler",
    "needs the network",
    "run by CI itself",
    "takes minutes",
    "shortened",
)
RUN = ("python", "console", "sh")
PARSED = ("json", "toml", "yaml", "ini", "text")
# Compilers for these are not everywhere; a page says so, or writes them to a file that a command then compiles.
FOREIGN = ("c", "go", "js", "rust", "swift")

_COMMENT = re.compile(r"\s*<!--\s*(?P<word>[a-z ]+?)(?::\s(?P<rest>.*?))?\s*-->\s*", re.DOTALL)
_ATTRIBUTE = re.compile(r'\s*(\w+)="([^"]*)"')
_ATTRIBUTES = {"title", "hl_lines", "linenums"}


class PageError(Exception):
    """A page that is wrong, with the place: ``docs/steps.md:12: what is wrong``."""

    def __init__(self, page: str, line: int, message: str) -> None:
        super().__init__(f"{page}:{line}: {message}")


@dataclass(frozen=True)
class Block:
    """A block of code, or a comment that is run.

    Parameters
    ----------
    language : the first word after the fence
    source : the code
    line : of the page, where the source begins; from 1
    title : a file name, or ``exit N``
    hidden : whether it is a comment
    reason : why it is not run, if it is not
    command : what prints it, for a text block that is shown to be true
    flags : of pytest, for the body of a test
    statuses : the exit statuses of its lines, where one is not 0
    """

    language: str
    source: str
    line: int
    title: str = ""
    hidden: bool = False
    reason: str = ""
    command: str = ""
    flags: str | None = None
    statuses: tuple[int, ...] = ()

    @property
    def file(self) -> str:
        """The name of the file that the block is, if it is one."""
        return "" if self.title.startswith("exit ") else self.title


@dataclass(frozen=True)
class Page:
    """The blocks of a page in order, and the packages that it needs."""

    name: str
    blocks: tuple[Block, ...]
    needs: tuple[str, ...]


def page_paths() -> list[Path]:
    """Every page whose blocks are run."""
    return [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("examples/*/README.md"))]


def not_run() -> str:
    """How many blocks of all pages run, and how many do not, per reason."""
    blocks = [block for path in page_paths() for block in read_page(path).blocks if not block.hidden]
    reasons = collections.Counter(block.reason for block in blocks if block.reason)
    run = sum((block.language in RUN and not block.reason) or bool(block.command) for block in blocks)
    listed = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    return f"documentation: {run} blocks run; not run: {listed or 'none'}"


def read_page(path: Path) -> Page:
    """Read the blocks of a page.

    Raises
    ------
    PageError
        A language that is not known, a comment that says nothing of what is above, a block that says nothing of why it
        cannot be run.
    """
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    blocks: list[Block] = []
    needs: list[str] = []
    said: dict[str, str] = {}  # by the comments directly before a block
    for token in MarkdownIt().parse(path.read_text(encoding="utf-8")):
        if token.map is None or token.type not in {"html_block", "fence", "code_block", "paragraph_open"}:
            continue
        line = token.map[0] + 1
        if token.type == "fence":
            blocks.append(_block(name, line, token.info, token.content, said))
            said = {}
        elif token.type == "html_block" and token.content.lstrip().startswith("<!--"):
            word, rest, begins = _comment(name, line, token.content)
            if word.startswith("run "):
                blocks.append(Block(word[4:], rest, begins, hidden=True))
            elif word == "needs":
                needs += [package.strip() for package in rest.split(",")]
            else:
                said[word] = rest
        elif token.type == "code_block":
            raise PageError(name, line, "a block by indentation: it has no language, write it between fences")
        elif said:
            raise PageError(name, line, f"the comment {next(iter(said))!r} stands directly before a block, not here")
    return Page(name, tuple(blocks), tuple(needs))


def _comment(name: str, line: int, content: str) -> tuple[str, str, int]:
    """Read what a comment asks for, its text, and the line where that begins."""
    match = _COMMENT.fullmatch(content)
    word, rest = (match["word"], match["rest"] or "") if match else ("", "")
    if word == "run":
        language, _, code = re.match(r"(\w*)(\s*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
        if language not in {"python", "sh"}:
            raise PageError(name, line, f"run: python or sh, not {language!r}")
        return f"run {language}", code + "\n", line + content[: content.index(code)].count("\n") if code else line
    if word not in {"output of", "in a test", "not run", "exit", "needs"} or not rest:
        raise PageError(name, line, "a comment that says nothing: run, output of, in a test, not run, exit or needs")
    if word == "not run" and rest not in REASONS:
        raise PageError(name, line, f"not run: {rest!r} is none of: {', '.join(REASONS)}")
    return word, rest, line


def _block(name: str, line: int, info: str, source: str, said: dict[str, str]) -> Block:
    """Read a fence; ``line`` is that of the fence itself."""
    language, _, rest = info.strip().partition(" ")
    attributes = dict(_ATTRIBUTE.findall(rest))
    if set(attributes) - _ATTRIBUTES or _ATTRIBUTE.sub("", rest).strip():
        raise PageError(name, line, f"only title, hl_lines and linenums may follow the language, not {rest!r}")
    statuses = tuple(int(status) for status in said.get("exit", "").split())
    title = attributes.get("title", "")
    block = Block("python" if language == "pycon" else language, source, line + 1, title, False,
                  said.get("not run", ""), said.get("output of", ""), said.get("in a test"), statuses)  # fmt: skip
    if block.file:
        return block
    if language not in {*RUN, "pycon", *PARSED, *FOREIGN}:
        raise PageError(name, line, f"the language {language!r} is not known; a block without one is text")
    if language in FOREIGN and not block.reason:
        raise PageError(name, line, f"{language} needs a title, or a comment such as <!-- not run: {REASONS[1]} -->")
    if (block.command and language != "text") or (statuses and language != "sh"):
        raise PageError(name, line, "output of: is for text blocks, exit: for sh")
    return block
