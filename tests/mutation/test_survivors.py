"""What is said of surviving mutants is said of code that is there, so that a changed line is judged anew."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest_audioparity

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SURVIVORS = Path(__file__).with_name("survivors.toml")
PACKAGE = Path(pytest_audioparity.__file__).parent


def words(text):
    return " ".join(text.split())


def test_every_survivor_is_a_line_of_its_module_and_has_a_reason():
    for module, entries in tomllib.loads(SURVIVORS.read_text()).items():
        source = words((PACKAGE / module).read_text())
        for entry in entries:
            assert entry["why"]
            for change in entry["changes"]:
                assert words(change.partition(": ")[2].partition(" => ")[0]) in source, (
                    f"{module} has changed: {change}"
                )
