"""The public names: what checkers see, what is loaded when used, what is listed and documented are one set."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_audioparity

SOURCE = Path(pytest_audioparity.__file__).read_text()
PAGE = Path(__file__).parents[2] / "docs" / "editors.md"


def names_for_checkers():
    """Return what the block under `if TYPE_CHECKING` imports."""
    block = next(node for node in ast.parse(SOURCE).body if isinstance(node, ast.If))
    return {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}


def test_checkers_see_every_public_name():
    """A name that is only found by the lazy import would be unknown to editors."""
    assert {*names_for_checkers(), "__version__"} == set(pytest_audioparity.__all__)
    assert {*pytest_audioparity._HOME, "__version__"} == set(pytest_audioparity.__all__)


def test_every_public_name_is_documented():
    """The page about editors lists every public name in its table, and no other."""
    table = PAGE.read_text().partition("## Public names")[2]
    named = [name for row in re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(pytest_audioparity.__all__)


@pytest.mark.parametrize("name", sorted({*pytest_audioparity.__all__} - {"__version__"}))
def test_every_public_name_says_what_it_is(name):
    """Functions, classes and records have a docstring of their own; results say what their attributes are."""
    value = getattr(pytest_audioparity, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__doc__
        assert not value.__doc__.startswith(f"{name}("), "the docstring that dataclasses make up"
    if inspect.isclass(value) and hasattr(value, "__dataclass_fields__"):
        undocumented = [field for field in value.__dataclass_fields__ if not re.search(rf"\b{field}\b", value.__doc__)]
        inherited = [doc.__doc__ for doc in value.__mro__[1:] if hasattr(doc, "__dataclass_fields__")]
        assert not [field for field in undocumented if not any(field in doc for doc in inherited)]


def test_the_names_are_listed_without_loading_numpy():
    """Completion in a shell asks dir(): it lists the public names and loads nothing."""
    code = (
        "import sys, pytest_audioparity as p; before = set(sys.modules); assert set(p.__all__) <= set(dir(p)); "
        "assert set(sys.modules) == before; assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
