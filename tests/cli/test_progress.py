"""The line of progress of commands that may take long: in a terminal only as wide as that, and gone when done."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from pytest_audioparity.cli import terminal
from pytest_audioparity.report.plain_text import cells


class Screen(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def screen(monkeypatch):
    """Stand in for a terminal of 30 columns, with a command that has no patience."""
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "xterm")
    for name in ("_SILENT_SECONDS", "_TERMINAL_SECONDS", "_PLAIN_SECONDS"):
        monkeypatch.setattr(terminal, name, 0)
    # Not sys.stderr itself, which pytest puts back between a fixture and its test.
    stand_in = SimpleNamespace(stderr=Screen(), stdout=sys.stdout)
    monkeypatch.setattr(terminal, "sys", stand_in)
    return stand_in.stderr


def test_names_are_told_one_by_one_and_the_line_goes(screen):
    """Nothing is left but what the command says itself."""
    assert list(terminal.told(["a", "b"], "comparing")) == ["a", "b"]
    assert screen.getvalue() == "\r\x1b[K  0 % of 2  comparing a\r\x1b[K 50 % of 2  comparing b\r\x1b[K"


def test_the_line_goes_also_where_the_work_fails(screen):
    """The message stands on a line of its own."""
    names = terminal.told(["a", "b"], "comparing")
    assert next(names) == "a"
    with pytest.raises(ValueError, match="no"):
        names.throw(ValueError("no"))
    assert screen.getvalue().endswith("\r\x1b[K")


def test_a_line_is_no_wider_than_the_terminal(screen):
    """One that wraps could not be taken back; wide characters take two cells."""
    list(terminal.told(["デコーダ出力" * 5], "comparing"))
    (line,) = [part for part in screen.getvalue().split("\r\x1b[K") if part]
    assert 28 <= cells(line) <= 29


def test_a_terminal_that_takes_no_codes_gets_none(screen, monkeypatch):
    """TERM=dumb, as in Emacs: lines now and then, as in a log."""
    monkeypatch.setenv("TERM", "dumb")
    list(terminal.told(["a"], "comparing"))
    assert screen.getvalue() == "  0 % of 1  comparing a\n"


def test_quick_work_says_nothing(screen, monkeypatch):
    """Half a second passes without a line."""
    monkeypatch.setattr(terminal, "_SILENT_SECONDS", 60)
    list(terminal.told(["a"], "comparing"))
    assert screen.getvalue() == ""
