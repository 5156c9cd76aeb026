"""Everything that users may rely on, as text: ``python -m tests.public_api --write`` after a change that is meant.

Names with their signatures, the members of classes, the keywords of marks and calls, fixtures, flags, ini options,
commands, words that are values (verdicts, kinds, findings, statuses), exit statuses and the keys of JSON documents.
Annotations are the text of the source, and only plain defaults are written out, so that every Python gives the same.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import typing
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import pytest_audioparity
from pytest_audioparity import cli, compare, compare_weights, keywords, options, score
from pytest_audioparity.audio.channels import Heard
from pytest_audioparity.audio.recognition import Recognition
from pytest_audioparity.audio.report import document as score_document
from pytest_audioparity.audio.transcripts import WordErrors
from pytest_audioparity.cli import terminal
from pytest_audioparity.comparison.hyperparameters import SettingResult, compare_settings
from pytest_audioparity.golden.document import compose, stored
from pytest_audioparity.golden.file import WAY_OUT
from pytest_audioparity.records import Side, StageMeta, StageTensor, Worst
from pytest_audioparity.report.json import compact, document
from pytest_audioparity.report.meanings import MEANINGS
from pytest_audioparity.report.weights import weights_document
from pytest_audioparity.results import Criterion, Own, ParityResult
from pytest_audioparity.runs import RunRecord
from pytest_audioparity.runs import document as run_document
from pytest_audioparity.sampling.records import FaultPower
from pytest_audioparity.weights.records import Weight

LISTING = Path(__file__).with_name("public_api.txt")
PACKAGE = Path(pytest_audioparity.__file__).parent
HOW = "If that is meant: python -m tests.public_api --write, and a line in CHANGELOG.md that says what users change."
# What results are made of: read by users, by names that they need not import.
REACHED = (Criterion, FaultPower, Heard, Own, Recognition, SettingResult, Side, StageMeta, Weight, WordErrors, Worst)
_PLAIN = (type(None), bool, int, float, str, tuple)


def listing() -> str:
    """Return the whole list, a line for each thing, by headings."""
    sections = {
        "pytest_audioparity": names(),
        "keywords": typed_keywords(),
        "words": words(),
        "fixtures": fixtures(),
        "flags and ini options": flags(),
        "commands": commands(cli._parser(), "audioparity"),
        "exit statuses": statuses(),
        "JSON documents": documents(),
    }
    return "\n".join(line for title, lines in sections.items() for line in (f"# {title}", *sorted(lines), ""))


def names() -> Iterator[str]:
    """Yield every public name with its signature, and the public members of every class."""
    named = {name: getattr(pytest_audioparity, name) for name in pytest_audioparity.__all__}
    for name, value in (named | {one.__name__: one for one in REACHED}).items():
        if inspect.isfunction(value):
            yield name + signature(value)
        elif inspect.isclass(value) and not typing.is_typeddict(value):
            bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
            yield f"class {name}({bases})" if bases else f"class {name}"
            yield from (f"{name}.{member}" for member in members(value))
        else:
            yield name


def members(owner: type) -> Iterator[str]:
    """Yield fields, properties and methods that the package defines, the inherited ones too."""
    own = [base for base in owner.__mro__ if base.__module__.startswith("pytest_audioparity")]
    found = {name: value for base in reversed(own) for name, value in vars(base).items()}
    fields = getattr(owner, "__dataclass_fields__", {})
    # Nobody but us makes the other objects: results are returned, fixtures are given.
    shown = ("__bool__", "__call__", "__setitem__", *(["__init__"] if issubclass(owner, Exception) else []))
    for name, value in found.items():
        if name.startswith("_") and name not in shown:
            continue
        if name in fields:
            yield f"{name}: {fields[name].type}"
        elif isinstance(value, property):
            yield f"{name} -> {value.fget.__annotations__['return']}"
        elif callable(value) or isinstance(value, classmethod | staticmethod):
            yield name + signature(getattr(value, "__func__", value))


def signature(function: typing.Any) -> str:
    """Return parameters with annotations and plain defaults, and what is returned."""
    said, starred = [], False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            said.append("*")
        starred = starred or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        text = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "") + parameter.name
        if parameter.annotation is not parameter.empty:
            text += f": {parameter.annotation}"
        if parameter.default is not parameter.empty:
            text += f" = {parameter.default!r}" if isinstance(parameter.default, _PLAIN) else " = ..."
        said.append(text)
    returned = inspect.signature(function).return_annotation
    return f"({', '.join(said)})" + ("" if returned is inspect.Signature.empty else f" -> {returned}")


def typed_keywords() -> Iterator[str]:
    """Yield the keywords of marks and calls, by the dictionaries that type them."""
    for name, value in vars(keywords).items():
        if typing.is_typeddict(value):
            # Read from the source: how Python keeps the annotations of such a class differs between versions.
            for base in _bases(name):
                yield from (f"{name}.{field}: {text}" for field, text in _annotated(base))


def _classes() -> dict[str, ast.ClassDef]:
    tree = ast.parse(Path(keywords.__file__).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _bases(name: str) -> Iterator[str]:
    yield name
    for base in _classes()[name].bases:
        if isinstance(base, ast.Name) and base.id in _classes():
            yield from _bases(base.id)


def _annotated(name: str) -> Iterator[tuple[str, str]]:
    for line in _classes()[name].body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            yield line.target.id, ast.unparse(line.annotation)


def words() -> Iterator[str]:
    """Yield the words that are values: those of types, codes of findings, and causes of errors."""
    for name, value in vars(keywords).items():
        if typing.get_origin(value) is typing.Literal:
            yield from (f"{name}: {word}" for word in typing.get_args(value))
    yield from (f"finding: {code}" for code in MEANINGS)
    yield from (f"GoldenError.cause: {cause}" for cause in WAY_OUT)


def fixtures() -> Iterator[str]:
    """Yield the fixtures with how they are declared, from the source: pytest keeps them otherwise in each version."""
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body if "pytest.fixture" in text else ():
            if isinstance(node, ast.FunctionDef):
                declared = [ast.unparse(decorator) for decorator in node.decorator_list]
                yield from (f"{one} {node.name}" for one in declared if one.startswith("pytest.fixture"))


class _Parser:
    """Takes the flags and ini options that the plugin registers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def getgroup(self, *_: object) -> _Parser:
        return self

    def addoption(self, flag: str, **said: object) -> None:
        self.lines.append(_line(flag, said))

    def addini(self, name: str, _: str, **said: object) -> None:
        self.lines.append(_line(f"ini {name}", said))


def _line(name: str, said: dict[str, object]) -> str:
    return " ".join([name, *(f"{key}={_text(value)}" for key, value in sorted(said.items()) if key != "help")])


def _text(value: object) -> str:
    return value.__name__ if isinstance(value, type) else str(value)


def flags() -> list[str]:
    """Return pytest's flags and ini options of ours."""
    parser = _Parser()
    options.add_options(parser)  # type: ignore[arg-type]
    return parser.lines


def commands(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    """Yield every command with its arguments."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                yield from commands(inner, f"{name} {word}")
        elif not isinstance(action, argparse._HelpAction):
            yield f"{name} {_argument(action)}"


def _argument(action: argparse.Action) -> str:
    said = [", ".join(action.option_strings) or action.dest]
    said += [f"nargs={action.nargs}"] if action.nargs is not None else []
    said += [f"choices={','.join(map(str, action.choices))}"] if action.choices else []
    said += [f"default={action.default!r}"] if action.default not in (None, False, [], argparse.SUPPRESS) else []
    return " ".join([*said, "required"] if action.required and action.option_strings else said)


def statuses() -> Iterator[str]:
    """Yield the exit statuses of the command line."""
    for name in ("PASSED", "FAILED", "WRONG_USE", "INTERRUPTED"):
        yield f"{name.lower().replace('_', ' ')}: {getattr(terminal, name)}"


def documents() -> Iterator[str]:
    """Yield the keys of every JSON document, of examples that fail."""
    x = np.arange(1.0, 13.0).reshape(3, 4)
    failing = compare({"mel": x}, {"mel": 2 * x}, axes="CT")
    codes = compare({"codes": x.astype(int)}, {"codes": x.astype(int) + 1}, axes="CT", kind="codes")
    silence = score(np.zeros(16_000), np.zeros(16_000), sample_rate=16_000, pesq=False)
    whole = ParityResult(
        "", (failing.stages[0], codes.stages[0]), settings=compare_settings({"top_k": 5}, {"top_k": 6})
    )
    yield from keys("compare", document(whole))
    yield from keys("run: a stage", compact(failing.stages[0]))
    meta = StageMeta("mel", "log_spectrum", "CT", "ln", 24_000, 86.13, "input")
    yield from keys("golden", compose([stored(StageTensor(meta, x + 0j))[1]], {"top_k": 5}, {}))
    yield from keys("score", score_document(silence))
    yield from keys("weights", weights_document(compare_weights({"w": x}, {"w": x})))
    yield from keys("run", run_document(RunRecord(id="1", started="")))


def keys(place: str, value: object) -> set[str]:
    """Return the paths of all keys below a value, those of the elements of lists together."""
    if isinstance(value, dict):
        return {line for key, inner in value.items() for line in {f"{place}.{key}", *keys(f"{place}.{key}", inner)}}
    if isinstance(value, list | tuple):
        return {line for inner in value for line in keys(f"{place}[]", inner)}
    return set()


def main() -> None:
    """Print the list, or write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {LISTING.name}")
    if parser.parse_args().write:
        LISTING.write_text(listing(), encoding="utf-8")
    else:
        print(listing())  # noqa: T201 - its job


if __name__ == "__main__":
    main()
