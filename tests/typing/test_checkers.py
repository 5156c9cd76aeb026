"""What editors and type checkers make of the public names: the `ok_` files pass, the `bad_` files fail where they say.

Each checker reads copies in an empty folder, as a project of its own that has the package installed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("ok_*.py")) + sorted(FOLDER.glob("bad_*.py"))
# `# E: codes of mypy | codes of pyright` and `# R: type`
_MARK = re.compile(r"# (?P<what>[ER]): (?P<text>.+)$")
_MODULE = re.compile(r"\b(?:\w+\.)+(?=\w)")


@pytest.fixture
def folder(tmp_path):
    for path in FILES:
        shutil.copy(path, tmp_path)
    return tmp_path


def said(command, folder):
    """Run a checker; it ends with 1 where something is wrong in a file, with more where something is wrong with it."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def marked(place):
    """Return what the files say, of the checker whose codes stand at that place: errors and types by file and line."""
    errors, types = {}, {}
    for path in FILES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            mark = _MARK.search(line)
            if mark is not None and mark["what"] == "E":
                errors[path.name, number] = set(mark["text"].split("|")[place].split())
            elif mark is not None:
                types[path.name, number] = mark["text"]
    return errors, types


def without_modules(text):
    """Return a type as the file has it: names without their modules, pyright's omitted ones being the rule."""
    return _MODULE.sub("", text)


def collected(told):
    """Sort (file, line, code, message) into errors and revealed types, by file and line."""
    errors, types = {}, {}
    for name, number, code, message in told:
        if code is None:
            types[name, number] = message
        else:
            errors.setdefault((name, number), set()).add(code)
    return errors, types


def of_mypy(folder):
    """Return what mypy --strict tells."""
    told = []
    output = said(["mypy", "--config-file=", "--strict", "--output=json", "--cache-dir=cache", "."], folder)
    for line in map(json.loads, filter(lambda line: line.startswith("{"), output.splitlines())):
        revealed = re.fullmatch(r'Revealed type is "(.*)"', line["message"], re.DOTALL)
        if revealed is not None:
            told.append((line["file"], line["line"], None, _signature(without_modules(revealed[1]))))
        elif line["severity"] == "error":
            told.append((line["file"], line["line"], line["code"], line["message"]))
    return collected(told)


def _signature(text):
    """Return a type as pyright writes it: mypy begins functions with def and spreads literals over a union."""
    if text.startswith("def ") and "->" not in text:
        text += " -> None"
    text = text.removeprefix("def ")
    literals = re.findall(r"Literal\[('\w+')\]", text)
    return f"Literal[{', '.join(literals)}]" if literals else text


def of_pyright(folder):
    """Return what pyright in strict mode tells."""
    # What a user's linter says of unused results is no matter of types; the files reveal and discard.
    config = {"typeCheckingMode": "strict", "reportUnusedExpression": False, "reportUnusedVariable": False}
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    command = ["basedpyright", "--outputjson", "--pythonpath", sys.executable]
    told = []
    for one in json.loads(said(command, folder))["generalDiagnostics"]:
        revealed = re.fullmatch(r'Type of ".*" is "(.*)"', one["message"], re.DOTALL)
        code = None if revealed is not None else one["rule"]
        message = one["message"] if revealed is None else without_modules(revealed[1])
        told.append((Path(one["file"]).name, one["range"]["start"]["line"] + 1, code, message))
    return collected(told)


@pytest.mark.parametrize(("place", "package", "checker"), [(0, "mypy", of_mypy), (1, "basedpyright", of_pyright)])
def test_a_checker_tells_exactly_what_the_files_say(needs, folder, place, package, checker):
    """Misuse is refused on its line and for its reason, right use is not, and revealed types are those in the files."""
    needs(package)
    errors, types = checker(folder)
    expected_errors, expected_types = marked(place)
    assert errors == expected_errors
    assert types == expected_types
