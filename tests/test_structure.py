"""The sizes of modules and functions, and that ARCHITECTURE.md speaks of what there is."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pytest_audioparity"
# A module has fewer lines than this, a function fewer than that, its docstring not counted.
MODULE, FUNCTION = 300, 40


def sizes(root: Path) -> dict[str, int]:
    """Return the lines of each module, and those of each function without its docstring."""
    found: dict[str, int] = {}
    for path in sorted(root.rglob("*.py")):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(root).as_posix()
        found[name] = len(text.splitlines())
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                key = f"{name}:{node.name}"
                found[key] = max(found.get(key, 0), _lines(node))
    return found


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    total, first = _span(node), node.body[0]
    return total - (_span(first) if ast.get_docstring(node, clean=False) is not None else 0)


def _span(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def too_large(found: dict[str, int]) -> set[str]:
    """Return what reaches its limit."""
    return {name for name, lines in found.items() if lines >= (FUNCTION if ":" in name else MODULE)}


def names_of(text: str) -> set[str]:
    """Return what a page names of the package: files, folders, and modules alone in code font."""
    files = set(re.findall(r"(?<![\w/.])((?:\w+/)*\w+\.py)\b", text))
    words = set(re.findall(r"`((?:\w+/)*\w+/?)`", text))
    return {name for name in files | words if not name.startswith(("tests/", "docs/", "website/"))}


def exists(name: str) -> bool:
    """Whether the package has such a file (named with or without its folder), folder, module or function."""
    if name.endswith(".py"):
        return any(path.match(name) for path in PACKAGE.rglob("*.py"))
    if (PACKAGE / name).exists() or (PACKAGE / f"{name}.py").exists():
        return True
    return any(f"def {name}(" in path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))


def may_not_know_pytest(table: str) -> list[str]:
    """Return the modules and folders of which the table of the layers says so."""
    rows = re.findall(r"^\|([^|]*)\|[^|]*\| know pytest \|$", table, re.MULTILINE)
    return re.findall(r"`(\w+)/?`", "".join(rows))


def importing_pytest(names: list[str]) -> set[str]:
    """Return which modules import pytest, of some modules and folders of the package."""
    paths = (path for name in names for path in [*(PACKAGE / name).rglob("*.py"), PACKAGE / f"{name}.py"])
    return {path.relative_to(PACKAGE).as_posix() for path in paths if path.exists() and imports_pytest(path)}


def imports_pytest(path: Path) -> bool:
    """Whether a module imports pytest, if only in a function; what is for the type checker alone is not imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node))]
    nodes = list(ast.walk(tree))
    names = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return any(name.partition(".")[0] in ("pytest", "_pytest") for name in names)


@pytest.mark.parametrize("folder", [PACKAGE.name, "benchmarks", "docs", "examples", "website"])
def test_modules_and_functions_are_small(folder):
    """Every module has fewer than 300 lines and every function fewer than 40, without exceptions."""
    assert too_large(sizes(ROOT / folder)) == set()


def test_functions_of_tests_are_small():
    """A module of tests may be as long as what it tests has cases; no function of it is longer than others."""
    assert {name for name in too_large(sizes(ROOT / "tests")) if ":" in name} == set()


def test_a_size_is_that_of_the_code(tmp_path):
    """A function's docstring does not count, its signature does; a module counts whole."""
    body = "def f(\n    a,\n):\n    '''One.\n\n    Two.\n    '''\n    return a\n"
    (tmp_path / "module.py").write_text(body + "\n" * 291 + "x = 1\n")
    assert sizes(tmp_path) == {"module.py": 300, "module.py:f": 4}
    assert too_large(sizes(tmp_path)) == {"module.py"}
    (tmp_path / "module.py").write_text("async def f():\n" + "    pass\n" * 39)
    assert too_large(sizes(tmp_path)) == {"module.py:f"}


def test_the_architecture_names_what_there_is():
    """Each module and folder that ARCHITECTURE.md names exists, and so does every name in code font."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert {name for name in names_of(text) if not exists(name)} == set()
    assert {name for name in names_of(f"{text} `golden/mirror` and shelves.py") if not exists(name)} == {
        "golden/mirror",
        "shelves.py",
    }


def test_what_may_not_know_pytest_does_not():
    """No module of those rows of ARCHITECTURE.md imports pytest; those of the plugin do."""
    names = may_not_know_pytest((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    assert {"sampling", "weights", "diagnosis", "audio", "hearing"} <= set(names)
    assert importing_pytest(names) == set()
    assert importing_pytest(["plugin", "hearing", "trial", "audio"]) == {"plugin.py", "trial.py"}


def test_each_module_has_its_layer():
    """The layers of pyproject.toml list every module and folder of the package, and nothing that is gone."""
    (contract,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    listed = [name.strip().partition(".")[2] for layer in contract["layers"] for name in layer.split("|")]
    there = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert sorted(listed) == sorted(there - {"__init__", "__main__"})
