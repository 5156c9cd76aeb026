"""The matrix: the built wheel on every Python, with the oldest and the newest packages, with and without each extra.

`nox -l` lists the sessions, `nox` alone runs those of `.ci/run`, `nox -t nightly` all others; what follows `--`
goes to pytest in place of a session's own tests: `nox -s tests-3.12 -- tests/golden -x`.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
EXTRAS = tuple(name for name in PROJECT["project"]["optional-dependencies"] if name != "all")

# What a user meets who installed the package and nothing else: one file for each way in.
ALONE = (
    "tests/test_api.py",
    "tests/test_check.py",
    "tests/test_extras.py",
    "tests/audio/test_scoring.py",
    "tests/cli/test_files.py",
    "tests/cli/test_scores.py",
    "tests/cli/test_end_to_end.py",
    "tests/plugin/test_captures.py",
    "tests/plugin/test_junit.py",
    "tests/plugin/test_marks.py",
    "tests/plugin/test_run.py",
    "tests/plugin/test_startup.py",
    "tests/plugin/test_update_golden.py",
)
# What depends on the version of Python, pytest or numpy, as far as it takes a minute or two.
REPRESENTATIVE = (
    "tests/adapters",
    "tests/audits",
    "tests/comparison",
    "tests/golden",
    "tests/report",
    "tests/weights",
    "tests/cli/test_files.py",
    "tests/plugin/test_marks.py",
    "tests/plugin/test_roundtrip.py",
    "tests/plugin/test_run.py",
    "tests/plugin/test_stages_fixture.py",
    "tests/plugin/test_startup.py",
    "tests/plugin/test_update_golden.py",
    "tests/plugin/test_xdist.py",
    "tests/test_api.py",
    "tests/test_check.py",
    "tests/test_extras.py",
    "tests/test_runs.py",
    "tests/test_tensorfile.py",
)
# All of it but SLOW, ten minutes; what is left runs on one Python in `make test`.
DEPENDENT = (*REPRESENTATIVE, "tests/cli", "tests/plugin", "tests/test_arguments.py")
# What takes long and depends on none of these versions: killed runs, listening, pages.
SLOW = ("promises*", "audio_stages", "audits", "parity_report*", "soak", "steps")
LEFT_OUT = tuple(f"--ignore-glob=*/plugin/test_{name}.py" for name in SLOW)
PARALLEL = ("-q", "-n", "2")

nox.needs_version = ">=2025.2"
nox.options.tags = ["ci"]
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "no"
nox.options.error_on_missing_interpreters = True


def _find_pythons() -> None:
    """Put each interpreter that runs first in PATH: a shim of pyenv answers to a name without having the version."""
    for version in PYTHONS:
        installed = Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}")
        for candidate in filter(None, (shutil.which(f"python{version}"), *map(str, installed))):
            if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
                os.environ["PATH"] = os.pathsep.join((str(Path(candidate).parent), os.environ["PATH"]))
                break


_find_pythons()


def lowest() -> list[str]:
    """Return the oldest version of each dependency that pyproject.toml allows, as pins.

    Without safetensors: the package never imports it, and tests hold our reader against all that the newest knows.
    """
    dependencies = (one for one in PROJECT["project"]["dependencies"] if not one.startswith("safetensors"))
    return [one.replace(">=", "==") for one in dependencies]


@functools.cache
def wheel() -> str:
    """Build the wheel, once in a run of nox, and return its path."""
    folder = ROOT / "build" / "matrix"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT], check=True, capture_output=True
    )
    return str(next(folder.glob("*.whl")))


def install(session: nox.Session, *groups: str, extras: tuple[str, ...] = (), pins: list[str] | None = None) -> None:
    """Install the wheel with some extras and dependency groups, and make sure that it is what tests import."""
    given = [argument for group in groups for argument in ("--group", group)]
    target = f"{wheel()}[{','.join(extras)}]" if extras else wheel()
    session.install(target, *given, *(pins or ()))
    # What tests share with each other, and the benchmarks that they run, is found through links beside nothing else.
    shared = ROOT / "build" / "path"
    shared.mkdir(exist_ok=True)
    for name in ("tests", "benchmarks"):
        if not (shared / name).is_symlink():
            (shared / name).symlink_to(ROOT / name)
    session.env["PYTHONPATH"] = str(shared)
    with session.chdir(shared):
        code = "import pytest_audioparity as p, sys; sys.exit('site-packages' not in p.__file__)"
        session.run("python", "-c", code, silent=True)


def run_pytest(session: nox.Session, *tests: str) -> None:
    """Run tests, those after `--` if there are any; never `python -m pytest`, which would put the checkout first."""
    session.run("pytest", *(session.posargs or tests))


@nox.session(python=PYTHONS, tags=["nightly"])
def tests(session: nox.Session) -> None:
    """Run all tests but those that need torch or a browser, with the newest packages."""
    install(session, "test", "docs", extras=("pesq",))
    # Pages are built, and print the digits, of packages whose newest versions are not made for Python 3.10.
    left_out = ("--ignore=tests/docs",) if session.python == "3.10" else ()
    run_pytest(session, *PARALLEL, "--ignore-glob=*/test_browser*.py", *left_out, "tests")


# The oldest numpy that we take has no wheels for newer Pythons.
@nox.session
@nox.parametrize("python", [nox.param("3.10", tags=["ci"]), nox.param("3.12", tags=["nightly"])])
def oldest(session: nox.Session) -> None:
    """Test what depends on versions with the oldest packages that pyproject.toml allows."""
    install(session, "matrix", extras=("pesq",), pins=lowest())
    run_pytest(session, *PARALLEL, *LEFT_OUT, *(REPRESENTATIVE if session.python == "3.10" else DEPENDENT))


@nox.session(python="3.13", tags=["ci"])
def newest(session: nox.Session) -> None:
    """Test what depends on versions with the newest Python and packages."""
    install(session, "matrix", extras=("pesq",))
    run_pytest(session, *PARALLEL, *REPRESENTATIVE)


@nox.session(python="3.12", tags=["ci"])
def alone(session: nox.Session) -> None:
    """Test what a user meets without any extra, pytest-xdist or other plugin."""
    install(session, "alone")
    run_pytest(session, "-q", *ALONE)


@nox.session(python="3.12", tags=["nightly"])
@nox.parametrize("extra", EXTRAS)
def without(session: nox.Session, extra: str) -> None:
    """Leave out one extra: the documented error where it is needed, and nothing changes elsewhere."""
    others = tuple(name for name in EXTRAS if name not in (extra, "torch"))  # torch alone is larger than all of them
    install(session, "alone", extras=others if extra != "torch" else EXTRAS[:1])
    run_pytest(session, "-q", "tests/test_extras.py", "tests/adapters", "tests/audio", "tests/weights", "tests/golden")


@nox.session(venv_backend="none", tags=["nightly"])
@nox.parametrize("target", ["lint", "docs", "release-check"])
def make(session: nox.Session, target: str) -> None:
    """Make what needs no matrix."""
    session.run("make", target, external=True)
