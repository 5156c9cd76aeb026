"""Run the blocks of a page: ``python -m tests.docs.run PAGE [FOLDER]``, in a folder that is made for it otherwise.

The first block that does not do what the page says ends the run with ``PAGE:LINE: what was wrong`` and status 1.
"""

from __future__ import annotations

import argparse
import configparser
import doctest
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.docs.blocks import ROOT, RUN, Block, Page, PageError, read_page
from tests.docs.transcripts import Difference, first_difference, first_unprinted

try:
    import tomllib
except ImportError:  # Python 3.10, where pytest brings it
    import tomli as tomllib  # type: ignore[no-redef]

# A command that takes longer hangs; the slowest of the pages takes ten seconds on a busy machine.
_TIMEOUT_SECONDS = 240
_DOCTEST = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# Folder and exported variables are kept from one command to the next, as in a terminal.
_SCRIPT = """
. "$PAGE_STATE"
pip() { :; }
trap '{ export -p; printf "cd %q\\n" "$PWD"; } >"$PAGE_STATE"' EXIT
"""
_OURS = re.compile(r"(\w+=\S* +)*(\S*/)?(pytest|audioparity|python -m pytest)\b")
_FAILURE = re.compile(
    r"fail|error|garbled|silent|wrong_content|misaligned|clipped|degraded|level_changed", re.IGNORECASE
)
_FORBIDDEN = re.compile(r"PYTEST_|AUDIOPARITY|CI$|GITHUB_|COV_|FORCE_COLOR|PY_COLORS|NO_COLOR")


class Run:
    """The state of one page: its folder, its namespace, its shell."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page, self.folder = page, folder
        module = types.ModuleType("__main__")
        self.namespace: dict[str, Any] = module.__dict__
        own = folder.parent / f"{folder.name}.run"
        own.mkdir()
        self._state, self._code = own / "state.sh", own / "blocks.py"
        self._state.touch()
        self._code.touch()
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        kept = {name: value for name, value in os.environ.items() if not _FORBIDDEN.match(name)}
        self.environment = kept | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "80",
            "LC_ALL": "C.UTF-8",
            # Importing it takes a second of each run, and no user of ours has it for our sake.
            "PYTEST_ADDOPTS": "-p no:hypothesispytest",
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
            "PAGE_STATE": str(self._state),
            "REPOSITORY": str(ROOT),
            "BLOCKS": str(self._code),
        }  # fmt: skip

    def block(self, block: Block) -> None:
        """Do what a block asks for."""
        if block.reason:
            self.parse(block)
        elif block.file:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.source, encoding="utf-8")
            self.parse(block)
        elif block.hidden and block.language == "sh":
            self.shell(block, block.line, f"set -e\n{block.source}", (0,))
        elif block.command:
            printed = self.shell(block, block.line, block.command, (0, 1))
            self.compare(block.line, block.source, printed, first_unprinted)
        else:
            getattr(self, block.language, self.parse)(block)

    def python(self, block: Block) -> None:
        """Run code, or a session, in the namespace of the page."""
        if block.source.lstrip().startswith(">>>"):
            return self.session(block)
        if block.flags:
            return self.body(block)
        with self._code.open("a", encoding="utf-8") as code:
            code.write(block.source + "\n")
        compiled = self.compiled(block)
        try:
            exec(compiled, self.namespace)
        except BaseException as error:
            kept = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
            place = next((frame for frame in reversed(kept) if frame.filename == self.page.name), kept[-1])
            trace = "".join([*traceback.format_list(kept), *traceback.format_exception_only(error)])
            raise PageError(self.page.name, place.lineno or block.line, f"the block fails\n{trace}") from None
        return None

    def body(self, block: Block) -> None:
        """Run code as the body of a parity test, behind all code of the page before it; a test needs a stage."""
        self.compiled(block)
        file = self.folder / f"test_line_{block.line}.py"
        head = f"{self._code.read_text(encoding='utf-8')}\n\nfrom pytest_audioparity import parity\n\n\n@parity\n"
        body = textwrap.indent(f'{block.source}stages["end"] = [1.0]\n', "    ")
        file.write_text(f"{head}def test_body(stages):\n{body}", encoding="utf-8")
        self.shell(block, block.line, f"pytest {block.flags} {file.name}", (0,))

    def session(self, block: Block) -> None:
        """Compare an interactive session."""
        name = self.page.name
        test = doctest.DocTestParser().get_doctest(block.source, self.namespace, name, name, block.line - 1)
        runner, report = doctest.DocTestRunner(optionflags=_DOCTEST, verbose=False), io.StringIO()
        runner.run(test, out=report.write, clear_globs=False)
        self.namespace.update(test.globs)
        if runner.failures:
            line = re.search(r"line (\d+)", report.getvalue())
            raise PageError(name, int(line[1]) if line else block.line, f"the session differs\n{report.getvalue()}")

    def sh(self, block: Block) -> None:
        """Run each line."""
        commands = _lines(block)
        statuses = block.statuses or (0,) * len(commands)
        if len(statuses) != len(commands):
            raise PageError(self.page.name, block.line, f"{len(statuses)} exit statuses for {len(commands)} lines")
        for (line, command), status in zip(commands, statuses, strict=True):
            self.shell(block, line, command, (status,))

    def console(self, block: Block) -> None:
        """Run each command and compare what it prints."""
        commands = _commands(block)
        if not commands or not block.source.startswith("$ "):
            raise PageError(self.page.name, block.line, "a console block begins with '$ ' and a command")
        for line, command, shown in commands:
            statuses: tuple[int, ...] = (0, 1) if _OURS.match(command) and _FAILURE.search(shown) else (0,)
            if block.title:
                statuses = (int(block.title.split()[1]),)
            printed = self.shell(block, line, command, statuses)
            self.compare(line + 1 + command.count("\n"), shown, printed, first_difference)

    def shell(self, block: Block, line: int, command: str, statuses: tuple[int, ...]) -> str:
        """Run one command, in the folder where the one before it ended."""
        done = subprocess.run(
            ["bash", "-c", _SCRIPT + command], cwd=self.folder, env=self.environment, text=True, encoding="utf-8",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_TIMEOUT_SECONDS,
        )  # fmt: skip
        if done.returncode not in statuses:
            wanted = " or ".join(map(str, statuses))
            shown = "the hidden script" if block.hidden else command
            message = f"exit status {done.returncode}, not {wanted}: {shown}\n{_indented(done.stdout)}"
            raise PageError(self.page.name, line, message)
        return done.stdout

    def compare(self, line: int, shown: str, printed: str, by: Callable[[str, str], Difference | None]) -> None:
        """Fail at the first line that is not printed."""
        difference = by(shown, printed)
        if difference:
            lines = shown.splitlines()
            wanted = repr(lines[difference.line]) if difference.line < len(lines) else "no further line"
            message = f"the page says {wanted}, printed is {difference.instead}\n{_indented(printed)}"
            raise PageError(self.page.name, line + difference.line, message)

    def compiled(self, block: Block) -> types.CodeType:
        """Compile with the lines and the name of the page, so that a traceback leads there."""
        try:
            return compile("\n" * (block.line - 1) + block.source, self.page.name, "exec", dont_inherit=True)
        except SyntaxError as error:
            raise PageError(self.page.name, error.lineno or block.line, f"not Python: {error.msg}") from None

    def parse(self, block: Block) -> None:
        """Read a block without running it."""
        try:
            if block.language == "python" and not block.source.lstrip().startswith(">>>"):
                self.compiled(block)
            elif block.language in {"sh", "console"}:
                self.parse_shell(block)
            elif block.language in _PARSERS:
                _PARSERS[block.language](block.source)
        except (ValueError, configparser.Error, yaml.YAMLError) as error:
            raise PageError(self.page.name, block.line, f"not {block.language}: {error}") from None

    def parse_shell(self, block: Block) -> None:
        """Let bash read each command."""
        commands = [c[:2] for c in _commands(block)] if block.language == "console" else [(block.line, block.source)]
        for line, command in commands:
            done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True)
            if done.returncode:
                raise PageError(self.page.name, line, f"not for bash: {done.stderr.strip()}")


def _ini(source: str) -> None:
    configparser.ConfigParser(interpolation=None).read_string(source)


_PARSERS = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load, "ini": _ini}


def _lines(block: Block) -> list[tuple[int, str]]:
    """Split an sh block into commands with their lines; a backslash at the end joins two lines."""
    commands: list[tuple[int, str]] = []
    joined = False
    for line, text in enumerate(block.source.splitlines(), block.line):
        if joined:
            commands[-1] = commands[-1][0], f"{commands[-1][1]}\n{text}"
        elif text.strip() and not text.lstrip().startswith("#"):
            commands.append((line, text))
        else:
            continue
        joined = text.endswith("\\")
    return commands


def _commands(block: Block) -> list[tuple[int, str, str]]:
    """Split a console block: line, command, what the page says it prints."""
    commands: list[tuple[int, str, str]] = []
    joined = False
    for line, text in enumerate(block.source.splitlines(), block.line):
        if joined:
            place, command, shown = commands.pop()
            text = text.removeprefix("> ")
            commands.append((place, f"{command}\n{text}", shown))
        elif text.startswith("$ "):
            text = text[2:]
            commands.append((line, text, ""))
        elif commands:
            place, command, shown = commands.pop()
            commands.append((place, command, f"{shown}{text}\n"))
            continue
        joined = text.endswith("\\")
    return commands


def _indented(text: str) -> str:
    return textwrap.indent(text, "  | ")


def run_page(path: Path, folder: Path) -> str:
    """Run the blocks of a page in a folder, and say how many there were.

    Raises
    ------
    PageError
        A block does not do what the page says.
    """
    run = Run(read_page(path), folder)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(run.environment)
    sys.path[0] = str(folder)  # not the checkout: the installed package is what a reader has
    for block in run.page.blocks:
        run.block(block)
    read = sum(map(_is_only_read, run.page.blocks))
    return f"{run.page.name}: {len(run.page.blocks) - read} blocks run" + (f", {read} only parsed" if read else "")


def _is_only_read(block: Block) -> bool:
    return bool(block.reason) or not (block.file or block.command or block.hidden or block.language in RUN)


def main() -> int:
    """Run the page that is named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.docs.run", description=__doc__.splitlines()[0])
    parser.add_argument("page", metavar="PAGE", type=Path, help="such as docs/steps.md")
    parser.add_argument("folder", metavar="FOLDER", type=Path, nargs="?", help="an empty one; default a temporary one")
    given = parser.parse_args()
    if not given.page.is_file():
        parser.error(f"{given.page} is no file; give the path of a page")
    if given.folder is not None and not given.folder.is_dir():
        parser.error(f"{given.folder} is no folder; make it first, or leave it out")
    folder = given.folder or Path(tempfile.mkdtemp(prefix="page-"))
    try:
        sys.stdout.write(f"{run_page(given.page.resolve(), folder.resolve())}\n")
    except PageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
