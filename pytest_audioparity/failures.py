"""How a failed test is shown: the report or the misuse alone, pointing at the test, without frames of this package.

The process that the user started colours it, with pytest's own markup: a worker of pytest-xdist has no terminal.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_audioparity.errors import AudioparityError, ParityError
from pytest_audioparity.golden.names import shown_path

if TYPE_CHECKING:
    from _pytest.outcomes import Failed as _PytestFailed
else:
    # pytest exports this class only as an attribute. Deriving from it makes pytest print our text and nothing else.
    _PytestFailed = pytest.fail.Exception


class Failure(ParityError, _PytestFailed):  # noqa: N818 - it is renamed below
    """A parity failure, shown as its text alone."""

    __module__ = "builtins"

    def __init__(self, message: str) -> None:
        _PytestFailed.__init__(self, message, pytrace=False)


# On reports of failures that are shown as a text of ours.
_OURS_KEY = "audioparity_ours"
Failure.__name__ = Failure.__qualname__ = "ParityError"


def shape(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException], report: pytest.TestReport) -> None:
    """Let a failure point at the test, and show the misuse of a recorder as one line without our own frames."""
    error = excinfo.value
    if isinstance(error, AudioparityError):
        place = _place(item, excinfo)
        prefix = "" if place is None else f"{shown_path(place[0], item.config.rootpath).as_posix()}:{place[1]}: "
        if not str(error).startswith(prefix):
            error.args = (f"{prefix}{error}",)
        representation = excinfo.getrepr(style="value", chain=False)
        crash = representation.reprcrash
        if crash is not None:
            crash.message = f"{type(error).__name__}: {error}"
            if place is not None:
                crash.path, crash.lineno = str(place[0]), place[1]
        report.longrepr = representation
        setattr(report, _OURS_KEY, True)
    elif isinstance(error, Failure):
        setattr(report, _OURS_KEY, True)
        # What tools for annotations read would be the line here that raised.
        crash = getattr(report.longrepr, "reprcrash", None)
        if crash is not None:
            crash.path, crash.lineno = str(item.path), (item.location[1] or 0) + 1
            # In CI pytest does not cut the message for its short summary, and would print the report a second time.
            crash.message = crash.message.partition("\n")[0]


def paint(config: pytest.Config, report: pytest.TestReport) -> None:
    """Let the terminal show a text of ours in colours, and not at all where each failure is to be one line.

    Whoever else asks for the text, as the XML of JUnit does, gets what there was.
    """
    shown: Any = report.longrepr
    if report.__dict__.pop(_OURS_KEY, False) and hasattr(shown, "toterminal"):
        plain, text = shown.toterminal, str(shown)

        def show(writer: Any) -> None:
            if not config.pluginmanager.has_plugin("terminalreporter") or writer is not config.get_terminal_writer():
                plain(writer)
            elif config.getoption("tbstyle") != "line":  # pytest itself writes the line
                _write(writer, text)

        shown.toterminal = show


def _write(writer: Any, text: str) -> None:
    from pytest_audioparity.report.colours import painted, painted_first
    from pytest_audioparity.report.plain_text import encodable

    first, *rest = encodable(text, encoding_of(writer)).split("\n")
    for parts in (painted_first(first), *map(painted, rest)):
        for part, markup in parts:
            writer.write(part, **markup)
        writer.write("\n")


def encoding_of(writer: Any) -> str | None:
    """Return the encoding that pytest writes in; a line that lacks characters there it writes as Python's escapes."""
    return getattr(getattr(writer, "_file", None), "encoding", None)


def _place(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]) -> tuple[Path, int] | None:
    """Return file and line of the deepest frame in the test's file, else in a file of the project, if there is one."""
    frames = [(Path(entry.path), entry.lineno + 1) for entry in excinfo.traceback]
    package, root = Path(__file__).parent, item.config.rootpath
    own = [frame for frame in frames if frame[0] == item.path]
    near = [
        (path, line)
        for path, line in frames
        if path.is_relative_to(root) and package not in path.parents and "site-packages" not in path.parts
    ]
    return next(reversed(own or near), None)
