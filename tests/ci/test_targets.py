"""What contributors call: the targets of the Makefile, and the sessions of noxfile.py."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))


def test_help_lists_every_target_once_with_what_it_does():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = re.findall(r"^  make ([a-z-]+) +(\S.*)$", listed, re.MULTILINE)
    assert sorted(name for name, _ in lines) == sorted(TARGETS)
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split()
    assert set(phony) == TARGETS


@pytest.mark.parametrize("module", re.findall(r"python -m (tests\.\S+|benchmarks)", MAKEFILE))
def test_a_module_that_a_target_runs_is_there(module):
    assert importlib.util.find_spec(module) is not None


def test_every_target_that_a_page_names_is_there():
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md")]
    named = {found for page in pages for found in re.findall(r"\bmake ([a-z-]+)\b *(?:`|$|#|[A-Z]+=)",
             page.read_text(encoding="utf-8"), re.MULTILINE)}  # fmt: skip
    assert {"demo", "test", "lint"} <= named
    assert named <= TARGETS


@pytest.mark.parametrize("tests", re.findall(r'^ +make test ARGS="(.*)"$', CONTRIBUTING, re.MULTILINE))
def test_the_tests_of_a_step_are_there(tests):
    """Where a path is gone, pytest ends without having run one test."""
    assert [path for path in tests.split() if not list(ROOT.glob(path))] == []


def test_commands_of_the_contributors_run_in_the_environment():
    """Outside of .venv, `python` is one that has nothing of what is needed."""
    assert re.findall(r"(?:^|`)\.venv/bin/python .*", CONTRIBUTING, re.MULTILINE)
    assert re.findall(r"(?:^|`) *python .*", CONTRIBUTING, re.MULTILINE) == []


def test_the_groups_that_sessions_and_targets_install_are_declared():
    """A group that does not exist would be noticed in CI alone."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = project.partition("[dependency-groups]\n")[2].partition("\n[")[0]
    declared = set(re.findall(r"^(\w+) = ", section, re.MULTILINE))
    used = set(re.findall(r"--group (\w+)", MAKEFILE))
    sessions = re.findall(r'install\(session, ((?:"\w+", )*"\w+")', (ROOT / "noxfile.py").read_text(encoding="utf-8"))
    used |= {name for groups in sessions for name in re.findall(r'"(\w+)"', groups)}
    assert {"test", "matrix", "alone", "lint", "release"} <= used
    assert used <= declared


def names_in_sessions(name):
    """Return a tuple of names that noxfile.py assigns; nox itself need not be installed."""
    module = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    (value,) = (one.value for one in module.body if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == name)
    return ast.literal_eval(value)


@pytest.mark.parametrize("session", ["REPRESENTATIVE", "ALONE"])
def test_the_tests_of_a_session_are_there(session):
    """Where a path is gone, pytest ends without having run one test."""
    assert [path for path in names_in_sessions(session) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", names_in_sessions("SLOW"))
def test_what_a_session_leaves_out_is_there(name):
    """A pattern that nothing matches leaves nothing out, and nobody notices."""
    assert list((ROOT / "tests" / "plugin").glob(f"test_{name}.py"))


def sessions_of(*words):
    """Return what nox lists of the sessions that these words choose."""
    command = [sys.executable, "-m", "nox", "--list", "--json", *words]
    return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def test_the_matrix_has_every_python_and_every_extra(needs):
    """And CI runs the oldest packages, the newest, and the package alone."""
    needs("nox")
    sessions = sessions_of("--tags", "ci", "nightly")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    pythons = [one["python"] for one in sessions if one["name"] == "tests"]
    assert pythons[0] == re.search(r'requires-python = ">=(.*)"', project)[1]
    assert pythons == [f"3.{minor}" for minor in range(10, 10 + len(pythons))]
    extras = project.partition("[project.optional-dependencies]\n")[2].partition("\n\n")[0]
    without = {one["call_spec"]["extra"] for one in sessions if one["name"] == "without"}
    assert without == set(re.findall(r"^(\w+) = ", extras, re.MULTILINE)) - {"all"}
    assert {one["name"] for one in sessions if "ci" in one["tags"]} == {"oldest", "newest", "alone"}
    needed = sorted({one["python"] for one in sessions if "ci" in one["tags"]}, key=lambda version: int(version[2:]))
    assert f"`.ci/run` needs Python {', '.join(needed[:-1])} and {needed[-1]} " in CONTRIBUTING


def test_what_is_said_to_be_left_out_was_not_run(needs):
    """`.ci/run` counts the nightly sessions, but not those that make what it has made itself."""
    needs("nox")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (words,) = re.findall(r"nox -l (.*?) 2>", script)
    counted = {one["session"] for one in sessions_of(*shlex.split(words))}
    nightly = sessions_of("-t", "nightly")
    made = {one["call_spec"]["target"] for one in nightly if one["name"] == "make"}
    assert made
    assert all(f"make {target}\n" in script for target in made)
    assert counted == {one["session"] for one in nightly if one["name"] != "make"}
