"""Whether built distributions are what a release promises: ``python -m tests.release FOLDER [--tag vX.Y.Z]``.

The wheel holds the package, all of it and nothing else, with its types; the version is the same in the package, in the
file names, at the head of CHANGELOG.md and in the tag.
"""

from __future__ import annotations

import argparse
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PACKAGE = "pytest_audioparity"
# The whole of it is Python, templates of the page and types: a wheel above that holds what nobody asked for.
_LARGEST_WHEEL_BYTES = 2_000_000
_SOURCES = {_PACKAGE, "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"}
_HEAD = re.compile(r"^## (\S+) \((unreleased|\d{4}-\d{2}-\d{2})\)$", re.MULTILINE)


def problems(folder: Path, root: Path = ROOT, tag: str | None = None) -> Iterator[str]:
    """Yield what is wrong with the wheel and the source distribution of a folder, each in one line."""
    version = re.search(r'^__version__ = "(.+)"$', (root / _PACKAGE / "__init__.py").read_text(), re.MULTILINE)[1]
    wheels, sources = sorted(folder.glob("*.whl")), sorted(folder.glob("*.tar.gz"))
    if [path.name for path in wheels] != [f"{_PACKAGE}-{version}-py3-none-any.whl"]:
        yield f"one wheel of version {version} is expected, not: {_listed(wheels)}"
    else:
        yield from _in_wheel(wheels[0], version, root)
    if [path.name for path in sources] != [f"{_PACKAGE}-{version}.tar.gz"]:
        yield f"one source distribution of version {version} is expected, not: {_listed(sources)}"
    else:
        yield from _in_sources(sources[0])
    yield from _in_changelog((root / "CHANGELOG.md").read_text(encoding="utf-8"), version, tag)


def _in_wheel(path: Path, version: str, root: Path) -> Iterator[str]:
    info = f"{_PACKAGE}-{version}.dist-info"
    with zipfile.ZipFile(path) as wheel:
        held = set(wheel.namelist())
    package = root / _PACKAGE
    files = (one for one in package.rglob("*") if one.is_file() and "__pycache__" not in one.parts)
    wanted = {one.relative_to(root).as_posix() for one in files}
    if missing := sorted(wanted - held):
        yield f"the wheel lacks {_listed(missing)}"
    if others := sorted(name for name in held - wanted if not name.startswith(f"{info}/")):
        yield f"the wheel holds what is no part of the package: {_listed(others)}"
    for name in (f"{_PACKAGE}/py.typed", f"{info}/licenses/LICENSE", f"{info}/entry_points.txt"):
        if name not in held:
            yield f"the wheel lacks {name}"
    if path.stat().st_size > _LARGEST_WHEEL_BYTES:
        yield f"the wheel has {path.stat().st_size} bytes, allowed {_LARGEST_WHEEL_BYTES}"


def _in_sources(path: Path) -> Iterator[str]:
    with tarfile.open(path) as archive:
        tops = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    if missing := sorted(_SOURCES - tops):
        yield f"the source distribution lacks {_listed(missing)}"
    if others := sorted(tops - _SOURCES - {"PKG-INFO", ".gitignore"}):
        yield f"the source distribution holds what it is not built from: {_listed(others)}"


def _in_changelog(text: str, version: str, tag: str | None) -> Iterator[str]:
    head = _HEAD.search(text)
    if head is None:
        yield "CHANGELOG.md has no section '## VERSION (YYYY-MM-DD)'"
        return
    if head[1] != version:
        yield f"CHANGELOG.md begins with {head[1]}, the package is {version}"
    if tag is None:
        return
    if tag != f"v{version}":
        yield f"the tag {tag} is not v{version}"
    if head[2] == "unreleased":
        yield f"CHANGELOG.md calls {head[1]} unreleased: give it its date, {date.today().isoformat()}"


def _listed(names: list[str] | list[Path]) -> str:
    return ", ".join(str(getattr(name, "name", name)) for name in names[:5]) or "none"


def main() -> int:
    """Print what is wrong, a line each; the status is 1 if anything is."""
    parser = argparse.ArgumentParser(prog="python -m tests.release", description="check built distributions")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tag", help="of the release, which then has to have its date")
    given = parser.parse_args()
    found = list(problems(given.folder, tag=given.tag or None))
    for problem in found:
        sys.stderr.write(f"{problem}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
