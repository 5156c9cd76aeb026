"""Write the pages of options and commands from the code: ``python website/listings.py`` after either has changed."""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_audioparity import cli, options

FOLDER = Path(__file__).parents[1] / "docs" / "reference"


def pages() -> dict[Path, str]:
    """Give the text of each page."""
    return {FOLDER / "options.md": flags(), FOLDER / "command-line.md": commands()}


def flags() -> str:
    """Write the page of pytest's flags, ini options and marks."""
    lines = ["# Options, ini and marks", "", "## Flags of pytest", "", "| flag | |", "|---|---|"]
    for flag, (_, metavar, text) in options.FLAGS.items():
        lines.append(f"| `{flag}{f' {metavar}' if metavar else ''}` | {_cell(text)} |")
    lines += ["", "## Ini options", "", "| option | |", "|---|---|"]
    parser = _IniParser()
    options.add_options(parser)  # type: ignore[arg-type]
    lines += [f"| `{name}` | {_cell(text)} |" for name, text in parser.options.items()]
    lines += ["", "## Marks", ""]
    for mark in options.MARKERS:
        call, _, text = mark.rpartition("): ")
        lines += [f"`@{call})`", "", f"{text[:1].upper()}{text[1:]}.", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


class _IniParser:
    """Take the ini options that the plugin registers."""

    def __init__(self) -> None:
        self.options: dict[str, str] = {}

    def getgroup(self, *_: object) -> _IniParser:
        return self

    def addoption(self, *_: object, **__: object) -> None:
        pass

    def addini(self, name: str, text: str, **_: object) -> None:
        self.options[name] = text


def commands() -> str:
    """Write the page of the command line, a section for each command."""
    lines = ["# Command line", ""]
    for parser in _leaves(cli._parser()):
        places = [_place(action) for action in parser._actions if not action.option_strings]
        lines += [f"## {parser.prog}", "", *_prose(parser.description)]
        lines += ["```text", " ".join([parser.prog, *places, "[options]"]), "```", ""]
        rows = [action for action in parser._actions if action.help and not isinstance(action, argparse._HelpAction)]
        if rows:
            lines += ["| | |", "|---|---|", *(_row(action) for action in rows), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _leaves(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """List the parsers that are commands, and do not only choose among others."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return [leaf for choice in action.choices.values() for leaf in _leaves(choice)]
    return [parser]


def _row(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.choices is not None and action.metavar is None:
        metavar = "{" + ",".join(map(str, action.choices)) + "}"
    names = ", ".join(action.option_strings)
    shown = metavar if not names else names if action.nargs == 0 else f"{names} {metavar}"
    shown = shown.replace("|", " or ")  # a table of GitHub ends its cell there, between backticks too
    text = (action.help or "") % {**vars(action), "prog": "audioparity"}
    return f"| `{shown}` | {_cell(text)} |"


def _place(action: argparse.Action) -> str:
    name = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    return {"*": f"[{name} ...]", "+": f"{name} ...", "?": f"[{name}]"}.get(str(action.nargs), name)


def _prose(text: str | None) -> list[str]:
    if not text:
        return []
    text = text.strip()
    return [
        f"{text[0].upper()}{text[1:]}{'' if text.endswith('.') else '.'}".replace("<", "&lt;").replace("*", "\\*"),
        "",
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
