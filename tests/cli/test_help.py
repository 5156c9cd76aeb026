"""Help and mistakes of the command line: at most 80 columns, examples that can be typed, one line for a mistake."""

from __future__ import annotations

import shlex

import pytest

from pytest_audioparity.cli import _parser, main

REVIEW = ("pending", "show", "accept", "reject", "prune", "export", "push", "pull")
COMMANDS = ["init", "compare", "inspect", "score", "weights", "golden", "run"]
COMMANDS += [f"golden {action}" for action in REVIEW]
COMMANDS += [f"run {action}" for action in ("merge", "recheck", "report")]


@pytest.fixture
def help_of(capsys, monkeypatch):
    def show(command, columns="80"):
        monkeypatch.setenv("COLUMNS", columns)
        with pytest.raises(SystemExit) as stop:
            main([*command.split(), "--help"])
        assert stop.value.code == 0
        return capsys.readouterr().out.splitlines()

    return show


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_80_columns(help_of, command):
    """Examples too, which are not wrapped since they are to be copied."""
    assert max(map(len, help_of(command))) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_examples_that_the_parser_takes(help_of, command):
    """A flag that is renamed and an example that is forgotten would be found here."""
    lines = help_of(command)
    examples = lines[lines.index("examples:") + 1 :]
    assert examples
    assert examples == help_of(command, "40")[-len(examples) :]
    for line in examples:
        program, *arguments = shlex.split(line)
        assert program == "audioparity"
        parsed = _parser().parse_args(arguments)
        assert f"{parsed.command} {getattr(parsed, 'action', '')}".strip().startswith(command)


def test_every_command_is_known_here(help_of):
    """A new command gets its test."""
    listed = {line.split()[0] for command in ("", "golden", "run") for line in help_of(command) if line[:4] == " " * 4}
    assert {command.split()[-1] for command in COMMANDS} <= listed | {"init"}
    assert set(_actions(_parser())) == set(COMMANDS)


def _actions(parser, prefix=""):
    for action in parser._subparsers._group_actions if parser._subparsers else ():
        for name, inner in action.choices.items():
            yield f"{prefix}{name}"
            yield from _actions(inner, f"{prefix}{name} ")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("", "audioparity: the following arguments are required: COMMAND"),
        ("compair a b", "audioparity: argument COMMAND: invalid choice: 'compair'"),
        ("compare a", "audioparity compare: the following arguments are required: ACTUAL"),
        ("compare a b --tol-db x", "audioparity compare: argument --tol-db: invalid float value: 'x'"),
        ("golden accept --stage", "audioparity golden accept: argument --stage: expected one argument"),
        ("run recheck", "audioparity run recheck: the following arguments are required: --tol-db"),
        ("compare a b", "audioparity compare: "),
        ("inspect nowhere.npz", "audioparity inspect: "),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(capsys, tmp_path, monkeypatch, arguments, problem):
    """Not the whole usage, which the help has."""
    monkeypatch.chdir(tmp_path)
    try:
        status = main(arguments.split())
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    assert (status, captured.out, captured.err.count("\n")) == (2, "", 1)
    assert captured.err.startswith(problem)
