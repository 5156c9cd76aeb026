"""What is said of surviving mutants is said of code that is there, so that a changed line is judged anew."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import pytest_audioparity
from tests.mutation.places import places

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MODULES = tomllib.loads(Path(__file__).with_name("modules.toml").read_text(encoding="utf-8"))
SURVIVORS = tomllib.loads(Path(__file__).with_name("survivors.toml").read_text(encoding="utf-8"))
PACKAGE = Path(pytest_audioparity.__file__).parent
SOURCE = """
LIMIT = 3

class Shelf:
    def has(
        self, name
    ):
        if name is None:
            return None
        if not name:
            return False
        if name == LIMIT:
            return False
        return LIMIT

    def size(self):
        def walk(folder):
            return None
        return walk(self)
"""


def is_there(source, change):
    """Whether the code that goes is whole lines of the function that a change names, as often as the change says."""
    place, _, code = change.partition(": ")
    lines = [line for line, where in zip(source.splitlines(), places(source), strict=True) if where == place]
    words = r"\s+".join(map(re.escape, code.partition(" => ")[0].split()))
    found = re.findall(rf"^\s*{words}\s*$", "\n".join(lines), re.MULTILINE)
    total = re.search(r" \(\d+ of (\d+)\)$", change)
    return len(found) == (int(total[1]) if total else 1)


@pytest.mark.parametrize("module", SURVIVORS)
def test_every_survivor_is_a_line_of_its_function_and_has_a_reason(module):
    """What is gone from there, if not from the whole module, is to be judged anew."""
    source = (PACKAGE / module).read_text(encoding="utf-8")
    assert [change for entry in SURVIVORS[module] for change in entry["changes"] if not is_there(source, change)] == []
    assert all(entry["why"] for entry in SURVIVORS[module])


def test_the_modules_and_their_tests_are_there():
    """A survivor is one of a module that is mutated; a test whose name has changed would judge nothing."""
    assert set(SURVIVORS) <= set(MODULES)
    assert [module for module in MODULES if not (PACKAGE / module).is_file()] == []
    tests = {test.partition("::")[0] for entry in MODULES.values() for group in entry.values() for test in group}
    assert [test for test in sorted(tests) if not (Path(__file__).parents[1] / test).is_file()] == []


@pytest.mark.parametrize("folder", ["comparison", "golden", "review"])
def test_a_module_is_mutated_or_said_to_stay_out(folder):
    """Of the folders that are mutated in part; a new module there is put into one list or the other."""
    readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    said = (
        readme.partition("## What stays out")[2]
        .partition(f"- `{folder}/`:")[2]
        .partition("\n-")[0]
        .partition("\n\n")[0]
    )
    out = re.findall(r"`(\w+\.py)`", said)
    mutated = [module.partition("/")[2] for module in MODULES if module.startswith(f"{folder}/")]
    there = [path.name for path in (PACKAGE / folder).glob("*.py") if path.name != "__init__.py"]
    assert sorted(out + mutated) == sorted(there)


@pytest.mark.parametrize(
    ("change", "there"),
    [
        ("module: LIMIT = 3 => LIMIT = 4", True),
        ("Shelf.has: return None => pass", True),
        ("Shelf.has: def has( self, name ): => def has( self, name=1 ):", True),
        ("Shelf.size.walk: return None => pass", True),
        ("Shelf.has: return False => return True (2 of 2)", True),
        ("Shelf.has: return False => return True", False),
        ("Shelf.has: return False => return True (1 of 3)", False),
        ("Shelf.size: return None => pass", False),
        ("Shelf.size: return => pass", False),
        ("has: return None => pass", False),
        ("module: return None => pass", False),
        ("Shelf.has: LIMIT = 3 => LIMIT = 4", False),
    ],
)
def test_a_line_is_looked_for_in_its_own_function_whole_and_counted(change, there):
    """The same words in another function, a part of a line, and a line that is left of two are not what was judged."""
    assert is_there(SOURCE, change) is there
