"""What the command line of a run leaves out: whether it asks for every test of the project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_audioparity.testfiles import Layout, is_within, uncovered_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest

# Options that leave tests out, by the name under which pytest keeps their value.
_FILTERS = {
    "keyword": "-k",
    "markexpr": "-m",
    "deselect": "--deselect",
    "ignore": "--ignore",
    "ignore_glob": "--ignore-glob",
    "lf": "--lf",
    "stepwise": "--sw",
    "noconftest": "--noconftest",
}
_RUNS_NOTHING = ("collectonly", "setuponly", "setupplan", "showfixtures", "show_fixtures_per_test")
# Filters that keep files from being collected, or let them seem empty.
_HIDES_FILES = ("ignore", "ignore_glob")
_HIDES_TESTS = ("lf", "noconftest")
_LAYOUT = ("testpaths", "python_files", "norecursedirs")
_COLLECTION_INI = (*_LAYOUT, "python_classes", "python_functions", "collect_imported_tests")


def is_run(config: pytest.Config) -> bool:
    """Whether tests are run at all, and not only collected, listed or set up."""
    return not any(config.getoption(name, None) for name in _RUNS_NOTHING)


def layout_of(config: pytest.Config) -> Layout | None:
    """Return where the project keeps its tests, or None when the command line says otherwise."""
    if _overridden(config):
        return None
    return Layout(**{name: tuple(map(str, config.getini(name))) for name in _LAYOUT})


def selection_reasons(config: pytest.Config) -> list[str]:
    """Say in which way the options and paths of a run leave tests out, without looking for any; see `left_out_file`."""
    reasons = [f"selected by {flag}" for name, flag in _FILTERS.items() if config.getoption(name, None)]
    reasons += [f"-o {name} changes what is collected" for name in _overridden(config)]
    if (problem := _path_problem(config)) is not None:
        reasons.append(problem)
    return reasons


def left_out_file(config: pytest.Config) -> str | None:
    """Find a test file that lies in none of the folders given. This looks through the whole project."""
    if config.args_source.name == "TESTPATHS":
        return None
    folders = [path for path, _ in _arguments(config)]
    return next(uncovered_files(config.rootpath, layout_of(config) or Layout(), folders), None)


def covered_paths(config: pytest.Config, files: Iterable[str]) -> tuple[str, ...]:
    """Return folders and files of which every test was collected, so that jobs can be added up.

    Parameters
    ----------
    config : of the process that the user started
    files : the files that were collected or skipped as a whole
    """
    if _overridden(config) or _by_package(config) or any(config.getoption(name, None) for name in _HIDES_TESTS):
        return ()
    whole = [path for path, is_part in _arguments(config) if not is_part]
    if not any(config.getoption(name, None) for name in _HIDES_FILES):
        return tuple(sorted(set(whole)))
    return tuple(sorted(file for file in files if is_within(file, whole)))


def _overridden(config: pytest.Config) -> list[str]:
    """Return the ini options of collection that the command line sets."""
    pairs: Sequence[str] = config.getoption("override_ini", None) or ()
    return sorted({name for pair in pairs if (name := pair.partition("=")[0].strip()) in _COLLECTION_INI})


def _path_problem(config: pytest.Config) -> str | None:
    """Say how the paths given leave tests out. Only folders can have everything, also what is not there any more."""
    if config.args_source.name == "TESTPATHS":
        return None
    if _by_package(config):
        return "names of packages were given (--pyargs)"
    parts = (path for path, is_part in _arguments(config) if is_part or (config.rootpath / path).is_file())
    part = next(parts, None)
    return None if part is None else f"only part was asked for: {part}"


def _by_package(config: pytest.Config) -> bool:
    return config.args_source.name == "ARGS" and bool(config.getoption("pyargs", None))


def _arguments(config: pytest.Config) -> list[tuple[str, bool]]:
    """Return the paths that are collected, relative to the root directory, and whether only a part of each is."""
    arguments = []
    for argument in config.args:
        path, separator, _ = argument.partition("::")
        absolute = Path(os.path.normpath(config.invocation_params.dir / path))
        if not absolute.is_relative_to(config.rootpath):
            absolute = absolute.resolve()
        inside = absolute.is_relative_to(config.rootpath)
        shown = absolute.relative_to(config.rootpath) if inside else absolute
        arguments.append((shown.as_posix(), bool(separator)))
    return arguments
