"""The project that the command line works on: its root directory and its ini options, found as pytest finds them.

pytest itself is not imported: it would be most of the time that a command takes to start.
"""

from __future__ import annotations

import importlib
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.testfiles import Layout
from pytest_audioparity.workspace import FOLDER, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PREFIX = "audioparity_golden_"


@dataclass(frozen=True, slots=True)
class Project:
    """Where a project's goldens lie.

    Attributes
    ----------
    root : the root directory, as pytest has it; what is shown is relative to it
    golden_dir : where goldens lie
    is_chosen : whether `golden_dir` was given on the command line, so that no pending file may say otherwise
    store, cache : as in `Settings`
    """

    root: Path
    golden_dir: Path
    is_chosen: bool = False
    store: str | None = None
    cache: Path = Path(FOLDER, "cache")

    @property
    def workspace(self) -> Workspace:
        """The folder of what the last run left."""
        return Workspace(self.root)


def find_project(
    start: Path, *, root: str | None = None, golden_dir: str | None = None, store: str | None = None
) -> Project:
    """Find the project that a folder belongs to and read its ini options.

    Parameters
    ----------
    start : the working directory; what is given on the command line is relative to it
    root, golden_dir, store : what was given there, which goes before what is found

    Raises
    ------
    AudioparityError : the folder given does not exist, or the file with the ini options cannot be read
    """
    start = Path(os.path.normpath(start.absolute()))  # not resolved: pytest keeps symbolic links, too
    if root is not None and not (start / root).is_dir():
        raise AudioparityError(f"--root {root}: there is no such folder")
    found = Path(os.path.normpath(start / root)) if root is not None else _root(start)
    if (found / FOLDER).exists() and not (found / FOLDER).is_dir():
        raise AudioparityError(f"{found / FOLDER} is no folder, so nothing of a run can be in it; move it away")
    ini = _options(found) or {}
    cache = _text(ini, "cache", found)
    return Project(
        root=found,
        golden_dir=Path(
            os.path.normpath(start / golden_dir if golden_dir else found / (_text(ini, "dir", found) or "golden"))
        ),
        is_chosen=bool(golden_dir),
        store=_store(store, start) if store else _store(_text(ini, "store", found), found),
        cache=found / (Path(cache).expanduser() if cache else Path(FOLDER, "cache")),
    )


def read_layout(root: Path) -> Layout | None:
    """Read where a project keeps its tests from its ini options; None where they cannot be read."""
    try:
        ini = _options(root) or {}
        said = {key: ini[key] for key in Layout.__dataclass_fields__ if key in ini}
        lists = {key: shlex.split(value) if isinstance(value, str) else value for key, value in said.items()}
    except (AudioparityError, ValueError):
        return None
    if not all(isinstance(value, list) and all(isinstance(text, str) for text in value) for value in lists.values()):
        return None
    return Layout(**{key: tuple(value) for key, value in lists.items()})


def _root(start: Path) -> Path:
    """Return the nearest folder where a run left its folder or pytest has its options, else that of the repository."""
    folders = list(_up(start))
    for folder in folders:
        if (folder / FOLDER).is_dir() or _options(folder) is not None:
            return folder
    return folders[-1] if (folders[-1] / ".git").exists() else start


def _up(start: Path) -> Iterator[Path]:
    """Walk upwards to the root of the repository: what lies above it is of another project."""
    for folder in (start, *start.parents):
        yield folder
        if (folder / ".git").exists():
            return


def _store(store: str | None, folder: Path) -> str | None:
    """Return a store with a plain path made absolute; URLs, chained ones (``simplecache::s3://…``) too, stay."""
    if not store or "://" in store or "::" in store:
        return store or None
    return os.path.normpath(folder / Path(store).expanduser())


def _text(ini: Mapping[str, Any], key: str, root: Path) -> str | None:
    value = ini.get(f"{_PREFIX}{key}")
    if value is not None and not isinstance(value, str):
        raise AudioparityError(f"the ini option {_PREFIX}{key} of {root} must be a text")
    return value or None


def _options(folder: Path) -> dict[str, Any] | None:
    """Return pytest's ini options of a folder, or None when it has no file with such."""
    found = read_options(folder)
    return None if found is None else found[1]


def read_options(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """Return the file of a folder that pytest takes its ini options from, and these; None when there is none.

    Raises
    ------
    AudioparityError : a file cannot be read
    """
    for name, read in _READERS:
        path = folder / name
        if path.is_file():
            try:
                options = read(path)
            except (OSError, ValueError) as error:
                raise AudioparityError(f"{path} cannot be read: {error}") from None
            if options is not None:
                return path, options
    return None


def parse_toml(text: str) -> dict[str, Any]:
    """Read a TOML document; ValueError where it is none."""
    # pytest brings tomli along where Python has no tomllib.
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    document: dict[str, Any] = toml.loads(text)
    return document


def _toml(path: Path) -> dict[str, Any]:
    return parse_toml(path.read_text(encoding="utf-8"))


def _pytest_toml(path: Path) -> dict[str, Any] | None:
    return dict(_table(_toml(path), "pytest") or {})


def _pyproject(path: Path) -> dict[str, Any] | None:
    """Read ``[tool.pytest.ini_options]``, or ``[tool.pytest]`` itself, which pytest 9 reads."""
    table = _table(_table(_toml(path), "tool") or {}, "pytest")
    if not table:
        return None
    return _table(table, "ini_options") or table


def _table(document: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    value = document.get(key)
    return value if isinstance(value, dict) else None


def _ini(path: Path) -> dict[str, Any] | None:
    return _section(path, "pytest")


def _pytest_ini(path: Path) -> dict[str, Any] | None:
    return _section(path, "pytest") or {}


def _setup_cfg(path: Path) -> dict[str, Any] | None:
    return _section(path, "tool:pytest")


def _section(path: Path, name: str) -> dict[str, Any] | None:
    import iniconfig

    try:
        config = iniconfig.IniConfig(str(path))
    except iniconfig.ParseError as error:
        raise ValueError(str(error)) from None
    return dict(config[name].items()) if name in config else None


_READERS = (
    ("pytest.toml", _pytest_toml),
    (".pytest.toml", _pytest_toml),
    ("pytest.ini", _pytest_ini),
    (".pytest.ini", _pytest_ini),
    ("pyproject.toml", _pyproject),
    ("tox.ini", _ini),
    ("setup.cfg", _setup_cfg),
)
