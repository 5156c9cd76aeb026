"""What commands share: the exit statuses, and printing that no text from a file can turn against the terminal."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from pytest_audioparity.report.numbers import counted, size_text
from pytest_audioparity.report.plain_text import WIDTH, clean, encodable, hanging, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PASSED, FAILED, WRONG_USE = 0, 1, 2
# What shells report of a command that Ctrl-C ended: 128 and the number of the signal.
INTERRUPTED = 130
_EXAMPLES = "examples:"
# A progress line comes when a command takes long enough to make one wonder, and changes no faster than one reads.
_SILENT_SECONDS = 0.5
_TERMINAL_SECONDS = 0.2
_PLAIN_SECONDS = 10.0


class _Help(argparse.HelpFormatter):
    """Wraps every text but examples, which are to be copied as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith(_EXAMPLES) else super()._fill_text(text, width, indent)


def add_examples(parser: argparse.ArgumentParser, *commands: str) -> None:
    """Let the help of a command end with command lines as one types them."""
    parser.formatter_class = _Help
    parser.epilog = "\n".join([_EXAMPLES, *(f"  audioparity {command}" for command in commands)])


def say(text: str, *, error: bool = False) -> None:
    """Print a text, cleaned, also where the terminal lacks its characters."""
    stream = sys.stderr if error else sys.stdout
    print(encodable(clean(text), stream.encoding), file=stream, flush=True)


def say_wrapped(text: str) -> None:
    """Print a text as `say` does, its long lines broken; for prose, since what is broken cannot be copied."""
    say("\n".join(part for line in text.split("\n") for part in hanging(line, WIDTH)))


def say_json(document: Any) -> None:
    """Print a JSON document; what a terminal would obey is written as JSON's own escapes, which say the same."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    safe = "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
    encoding = sys.stdout.encoding or "utf-8"
    try:
        safe.encode(encoding)
    except UnicodeEncodeError:
        safe = json.dumps(document, indent=1, allow_nan=False)
    print(safe, flush=True)


def is_interactive() -> bool:
    """Whether somebody sits there: both ends are a terminal."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def ask(question: str) -> bool:
    """Ask in the terminal; everything but a yes is a no."""
    print(f"{clean(question)} [y/N] ", end="", flush=True)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):  # the end of the input: its line is not ended by the echo
        print()
    return answer.strip().lower() in ("y", "yes")


class Progress:
    """A line of progress on stderr, for work that may take long: rewritten in a terminal, now and then elsewhere."""

    def __init__(self) -> None:
        self._rewrites = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._next = time.monotonic() + (_SILENT_SECONDS if self._rewrites else _PLAIN_SECONDS)
        self._shown = False

    def __call__(self, label: str, done: int, total: int) -> None:
        """Say how far a piece of work is, unless that was said a moment ago.

        Parameters
        ----------
        label : what is worked on
        done, total : bytes
        """
        self._say(label, done, total, size_text(total))

    def counted(self, label: str, done: int, total: int | None) -> None:
        """Say the same of a number of things; None where nobody knows how many there are."""
        self._say(label, done, total or 0, "?" if total is None else str(total))

    def _say(self, label: str, done: int, total: int, total_text: str) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        share = f"{100 * done // total:3d} %" if total else "  - %"
        text = clean(f"{share} of {total_text}  {label}").replace("\n", " ")
        if self._rewrites:
            self._next, self._shown = now + _TERMINAL_SECONDS, True
            sys.stderr.write(f"\r\x1b[K{encodable(shortened(text, _width()), sys.stderr.encoding)}")
            sys.stderr.flush()
        else:
            self._next = now + _PLAIN_SECONDS
            say(text, error=True)

    def end(self) -> None:
        """Wipe the line, for what is said next."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def told(names: Sequence[str], verb: str) -> Iterator[str]:
    """Pass names on one by one, with a line of progress that says what is being done to each and goes at the end."""
    progress = Progress()
    try:
        for done, name in enumerate(names):
            progress.counted(f"{verb} {name}", done, len(names))
            yield name
    finally:
        progress.end()


def _width() -> int:
    """Return the cells of a line of the terminal, less one: some terminals begin a new line behind the last."""
    return shutil.get_terminal_size().columns - 1


def age_text(moment: str) -> str:
    """Say how long ago a time was, given in ISO 8601; a text that is no time is shown as it is."""
    try:
        then = datetime.fromisoformat(moment.replace("Z", "+00:00"))
        seconds = (datetime.now(timezone.utc) - then).total_seconds()
    except (ValueError, TypeError, OverflowError):  # TypeError: a time without its zone
        return f"at {moment}"
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return f"{counted(int(seconds // length), unit)} ago"
    return "just now" if seconds > -60 else f"at {moment}"
