"""One line in a terminal that says what takes so long, where there is a terminal to say it in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pytest_audioparity.report.plain_text import clean_line, shortened

if TYPE_CHECKING:
    import pytest

# What is done sooner needs no line; and how often the line changes after that.
_PATIENCE_S = 2.0
_PAUSE_S = 0.2


class Ticker:
    """Rewrites one line, beginning after two seconds; leaves nothing behind.

    Parameters
    ----------
    config : of the run; in workers of pytest-xdist and without a terminal nothing is shown
    title : what is going on
    """

    def __init__(self, config: pytest.Config, title: str) -> None:
        reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        self._capture: Any = config.pluginmanager.get_plugin("capturemanager")
        is_seen = reporter is not None and reporter.isatty and self._capture is not None
        self._reporter: Any = reporter if is_seen else None
        self._width = config.get_terminal_writer().fullwidth if is_seen else 0
        self._title = title
        self._next = time.monotonic() + _PATIENCE_S
        self._is_shown = False

    def __call__(self, what: str) -> None:
        """Say what is being done now."""
        if self._reporter is None or time.monotonic() < self._next:
            return
        self._write(f"{self._title}: {what}")
        self._next = time.monotonic() + _PAUSE_S

    def close(self) -> None:
        """Take the line away."""
        if self._is_shown:
            self._write("")

    def _write(self, text: str) -> None:
        with self._capture.global_and_fixture_disabled():
            if not self._is_shown:
                self._reporter.ensure_newline()
                self._is_shown = True
            self._reporter.rewrite(shortened(clean_line(text), self._width - 1), erase=True)
