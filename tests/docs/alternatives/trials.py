"""One tool on the tests of this folder: it stores, finds the faults, updates while tests fail, and compares again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.alternatives import conftests

FOLDER = Path(__file__).parent
# Installed beside our own packages, so that plugins that load themselves have no part in our own tests.
PEERS = Path(sys.prefix) / "peers"
_OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR|UPDATED) \S+::test_(\S+)", re.MULTILINE)
_SECTION = re.compile(r"^_+ test_(\S+) _+$", re.MULTILINE)


@dataclass(frozen=True)
class Tool:
    """How a tool is used: its `conftest.py`, its plugins, its flag to update, the package that it needs."""

    conftest: str
    plugins: tuple[str, ...] = ()
    flag: str | None = None
    package: str | None = None
    needs: str = "numpy"


TOOLS = {
    "pytest-audioparity": Tool(conftests.AUDIOPARITY, ("pytest_audioparity.plugin",), "--update-golden"),
    "pytest-regressions": Tool(
        conftests.REGRESSIONS,
        ("pytest_datadir.plugin", "pytest_regressions.plugin"),
        "--regen-all",
        "pytest_regressions",
    ),
    "syrupy": Tool(conftests.SYRUPY, ("syrupy",), "--snapshot-update", "syrupy"),
    "pytest-torch": Tool(
        conftests.TORCH, ("pytest_torch.plugin",), "--torch-update-golden", "pytest_torch", needs="torch"
    ),
    "Polygraphy": Tool(conftests.POLYGRAPHY, package="polygraphy"),
    "assert_allclose": Tool(conftests.ALLCLOSE),
}


@dataclass(frozen=True)
class Trial:
    """What came of it: outcomes with faults, what was said of each, and outcomes after updates of failing tests."""

    tool: str
    faulty: dict[str, str]
    said: dict[str, str]
    afterwards: dict[str, str] = field(default_factory=dict)

    def passes(self, *tests: str) -> bool:
        """Whether all of these tests pass with their fault."""
        return all(self.faulty[test] == "PASSED" for test in tests)

    def fails(self, *tests: str) -> bool:
        """Whether each of these tests fails with its fault."""
        return all(self.faulty[test] in ("FAILED", "ERROR") for test in tests)

    def keeps(self, test: str) -> bool | None:
        """Whether what was stored survives an update while this test fails; None where updates are the user's code."""
        return self.afterwards[test] == "PASSED" if TOOLS[self.tool].flag else None


def try_tool(name: str, folder: Path) -> Trial:
    """Run a tool in an empty folder."""
    tool = TOOLS[name]
    for source in ("model.py", "test_model.py"):
        shutil.copy(FOLDER / source, folder)
    (folder / "conftest.py").write_text(conftests.HEAD + tool.conftest)
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    _pytest(tool, folder, update=True)
    faulty = _pytest(tool, folder, fault="1")
    said = dict(zip(*[iter(_SECTION.split(faulty)[1:])] * 2, strict=False))
    if tool.flag:
        _pytest(tool, folder, "-k", "early or late", fault="update", update=True)
    after = _outcomes(_pytest(tool, folder, "-k", "early or late")) if tool.flag else {}
    return Trial(name, _outcomes(faulty), said, after)


def _pytest(tool: Tool, folder: Path, *arguments: str, fault: str = "", update: bool = False) -> str:
    # Not those of the run around this one: syrupy keeps unused snapshots in a worker of pytest-xdist.
    outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = {**outer, "FAULT": fault, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "80"}
    environment["PYTHONPATH"] = str(PEERS)
    if update and tool.flag is None:
        environment["UPDATE"] = "1"
    plugins = [word for plugin in tool.plugins for word in ("-p", plugin)]
    flags = [tool.flag] if update and tool.flag else []
    command = [sys.executable, "-m", "pytest", "-rA", "--tb=short", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *plugins, *flags, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def _outcomes(output: str) -> dict[str, str]:
    return {test: outcome for outcome, test in _OUTCOME.findall(output)}
