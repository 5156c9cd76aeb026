"""Make the reference of the site from the code: docstrings, the tables of options, and the parser of the command."""

from __future__ import annotations

import argparse
import inspect

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import pytest_audioparity
from pytest_audioparity import cli, options

# What a reader looks for together, in this order; whatever else is public follows under the last heading.
GROUPS = {
    "In tests": ["parity", "Stages", "codec_roundtrip", "Roundtrip"],
    "Comparing": ["compare", "assert_parity", "Comparison", "ParityResult", "StageResult", "Finding"],
    "Audio": ["score", "Score", "Measure", "score_many", "check_output", "CheckResult", "Checks"],
    "Words": ["says", "compare_words", "NotRecognisedError"],
    "Codecs": ["check_roundtrip", "RoundtripResult"],
    "Samplers": ["assert_sampler"],
    "Weights": ["assert_weights_match", "compare_weights", "open_weights", "WeightsResult", "WeightMatch"],
    "Errors": ["AudioparityError", "ParityError", "StageError", "GoldenError", "TensorFileError"],
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the reference."""
    for name, content in {"python": python(), "options": flags(), "command-line": commands()}.items():
        files.append(File.generated(config, f"reference/{name}.md", content=content))
    return files


def python() -> str:
    """Write the page of the public names; mkdocstrings fills in their docstrings."""
    named = {name for names in GROUPS.values() for name in names}
    left = sorted(set(pytest_audioparity.__all__) - named - {"__version__"})
    lines = ["# Python", "", "All names are imported from `pytest_audioparity`.", ""]
    for title, names in {**GROUPS, **({"More": left} if left else {})}.items():
        lines += [f"## {title}", ""]
        for name in names:
            lines += [f"::: pytest_audioparity.{_home(name)}", "    options:", "      heading_level: 3", ""]
    return "\n".join(lines)


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
    return "\n".join(lines)


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
        usage = parser.format_usage().removeprefix("usage: ").rstrip()
        lines += [f"## {parser.prog}", "", *_prose(parser.description), "```text", inspect.cleandoc(usage), "```", ""]
        rows = [action for action in parser._actions if action.help and not isinstance(action, argparse._HelpAction)]
        if rows:
            lines += ["| | |", "|---|---|", *(_row(action) for action in rows), ""]
        lines += _prose(parser.epilog)
    return "\n".join(lines)


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
    text = (action.help or "") % {**vars(action), "prog": "audioparity"}
    return f"| `{shown}` | {_cell(text)} |"


def _prose(text: str | None) -> list[str]:
    if not text:
        return []
    text = text.strip()
    return [f"{text[0].upper()}{text[1:]}{'' if text.endswith('.') else '.'}".replace("<", "&lt;").replace("*", "\\*"), ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def _home(name: str) -> str:
    return f"{pytest_audioparity._HOME[name]}.{name}"
