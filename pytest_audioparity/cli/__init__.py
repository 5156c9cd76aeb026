"""The command `audioparity`: files compared in any language's stead, goldens reviewed, runs put together.

Exit status: 0 pass, 1 fail, 2 wrong use (one line on stderr, no traceback). What a command needs is imported when it
runs: `--help` and mistakes are answered at once.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import TYPE_CHECKING, NoReturn

from pytest_audioparity.cli import files, goldens, runs, scores, starting, weights
from pytest_audioparity.cli.terminal import FAILED, INTERRUPTED, WRONG_USE, say
from pytest_audioparity.errors import AudioparityError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parsed = _parser().parse_args(arguments)
    title = " ".join(word for word in ("audioparity", parsed.command, getattr(parsed, "action", None)) if word)
    try:
        return int(parsed.run(parsed))
    except AudioparityError as error:
        say(f"{title}: {_one_line(error)}", error=True)
        return WRONG_USE
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        with contextlib.suppress(OSError):
            sys.stderr.close()
        return FAILED
    except OSError as error:  # the disk is full, or a file that was just there is not any more
        say(f"{title}: {_one_line(error)}", error=True)
        return FAILED
    except KeyboardInterrupt:
        say(f"\n{title}: interrupted; repeat it to go on", error=True)
        return INTERRUPTED


def _one_line(error: Exception) -> str:
    return " ".join(str(error).splitlines())


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every command does, and where to read more."""

    def error(self, message: str) -> NoReturn:
        """Say it and exit; argparse would write the whole usage before it."""
        say(f"{self.prog}: {message}; see: {self.prog} --help", error=True)
        raise SystemExit(WRONG_USE)


def _parser() -> argparse.ArgumentParser:
    from pytest_audioparity import __version__

    parser = _Parser(
        prog="audioparity",
        description="Compare the stages of audio models across frameworks and languages, and review their goldens.",
        epilog="COMMAND --help has examples; exit status: 0 pass, 1 fail, 2 wrong use",
    )
    parser.add_argument("--version", action="version", version=f"audioparity {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    starting.add_init(commands.add_parser("init", help="write a first parity test, and say what to do next"))
    files.add_compare(commands.add_parser("compare", help="compare the stages of two files"))
    files.add_inspect(commands.add_parser("inspect", help="show what a golden or tensor file holds"))
    scores.add_score(commands.add_parser("score", help="say whether audio is still speech, of files or folders"))
    weights.add_weights(
        commands.add_parser("weights", help="say whether a converted model has its reference's weights")
    )
    goldens.add_golden(commands.add_parser("golden", help="review, prune and store goldens"))
    runs.add_run(commands.add_parser("run", help="put records of runs together, judge them again"))
    return parser
