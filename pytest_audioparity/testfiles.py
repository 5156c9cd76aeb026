"""Where a project keeps its tests: whether the paths that pytest was given contain every test file."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Layout:
    """The ini options of pytest that say which files are test files."""

    testpaths: tuple[str, ...] = ()
    python_files: tuple[str, ...] = ("test_*.py", "*_test.py")
    norecursedirs: tuple[str, ...] = (".*", "build", "dist", "node_modules", "venv")


def uncovered_files(root: Path, layout: Layout, covered: Iterable[str]) -> Iterator[str]:
    """Find the test files that do not lie within given paths.

    Folders are searched as pytest would: neither those of `norecursedirs` nor virtual environments. Those that are
    covered are not searched at all.

    Parameters
    ----------
    root : the root directory
    layout : where the project keeps its tests
    covered : folders and files relative to the root directory with ``/``; ``.`` is the root directory itself

    Yields
    ------
    str : a test file relative to the root directory
    """
    covered = tuple(covered)
    for top in _tops(root, layout):
        if _is_test(top, layout) and (root / top).is_file() and not is_within(top, covered):
            yield top
        for folder, folders, files in os.walk(root / top):
            here = Path(folder).relative_to(root)
            if is_within(here.as_posix(), covered):
                folders.clear()
                continue
            folders[:] = sorted(name for name in folders if not _is_pruned(root / here / name, layout))
            paths = ((here / name).as_posix() for name in sorted(files))
            yield from (path for path in paths if _is_test(path, layout) and not is_within(path, covered))


def is_within(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of some others or lies below one; all are relative to one folder, ``.``."""
    return any(folder in (".", "", path) or path.startswith(f"{folder}/") for folder in folders)


def looks_like_test(path: str, python_files: Iterable[str]) -> bool:
    """Whether a file with this path would be a test file."""
    return any(_matches(path, pattern) for pattern in python_files)


def _tops(root: Path, layout: Layout) -> list[str]:
    found: list[str] = []
    for pattern in layout.testpaths:
        found += glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207 - Path.glob refuses "." and "/x"
    # As pytest does: testpaths that do not exist count as none.
    return sorted({Path(path).as_posix() for path in found if not Path(path).is_absolute()}) or ["."]


def _is_test(path: str, layout: Layout) -> bool:
    return looks_like_test(path, layout.python_files)


def _is_pruned(folder: Path, layout: Layout) -> bool:
    if folder.name == "__pycache__" or any(_matches(folder.as_posix(), pattern) for pattern in layout.norecursedirs):
        return True
    return (folder / "pyvenv.cfg").is_file() or (folder / "conda-meta" / "history").is_file()


def _matches(path: str, pattern: str) -> bool:
    """Match as pytest does: the name alone, or the end of the path where the pattern has folders."""
    return fnmatch(f"/{path}", f"*/{pattern}") if "/" in pattern else fnmatch(path.rpartition("/")[2], pattern)
