"""Folders that hold pytest and one plugin each, as pip would leave them, and nothing else.

pytest reads what every distribution with a plugin has installed, so that a plugin that is only blocked still costs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

OURS = "pytest-audioparity"
# Alternatives lie beside the environment, see the Makefile: plugins load themselves wherever they are installed.
PEERS = Path(sys.prefix) / "peers"
# What pytest needs; some of it on some versions of Python only.
_PYTEST = ("pytest", "pluggy", "iniconfig", "packaging", "pygments", "exceptiongroup", "tomli", "typing_extensions")


def is_installed(name: str) -> bool:
    """Whether a distribution is installed, in the environment or beside it."""
    return _find(name) is not None


def make_environment(folder: Path, *names: str) -> None:
    """Link pytest and some distributions into a new folder, for a Python that sees no other.

    Parameters
    ----------
    folder : is created
    names : of distributions that are installed, see `is_installed`
    """
    folder.mkdir()
    for name in (*_PYTEST, *names):
        if (found := _find(name)) is not None:
            for path in _parts(found):
                (folder / path.name).symlink_to(path)
            if name == OURS:
                _record(folder, found)


def shorten_record(folder: Path) -> None:
    """Let our distribution name its start-up modules only, which shows what naming all of them costs."""
    record = next(folder.glob("pytest_audioparity-*.dist-info")) / "RECORD"
    lines = [line for line in record.read_text().splitlines() if line.count("/") == 1]
    record.write_text("\n".join(line for line in lines if re.search(r"dist-info/|/(__init__|plugin|options)\.", line)))


def _find(name: str) -> Distribution | None:
    path = [str(PEERS), *sys.path]
    return next((one for one in distributions(path=path) if _same(one.metadata["Name"] or "", name)), None)


def _same(one: str, other: str) -> bool:
    return re.sub(r"[-_.]+", "-", one).lower() == re.sub(r"[-_.]+", "-", other).lower()


def _parts(found: Distribution) -> Iterator[Path]:
    """Yield the folders and modules that a distribution has put beside each other."""
    names = {file.parts[0] for file in found.files or ()} - {"..", "__pycache__", "bin"}
    if _same(found.metadata["Name"], OURS):  # an editable install lists none of the package
        yield Path(__file__).parent.parent / "pytest_audioparity" if "pytest_audioparity" not in names else _at(found)
        return
    yield from (Path(str(found.locate_file(name))) for name in sorted(names) if not name.endswith(".pth"))


def _at(found: Distribution) -> Path:
    return Path(str(found.locate_file("pytest_audioparity")))


def _record(folder: Path, found: Distribution) -> None:
    """Describe our distribution as pip does once it has compiled what it installed, also that of an editable one."""
    package, described = folder / "pytest_audioparity", folder / f"pytest_audioparity-{found.version}.dist-info"
    described.mkdir()
    for name in ("METADATA", "entry_points.txt"):
        (described / name).write_text(found.read_text(name) or "")
    files = [path.relative_to(folder) for path in sorted(package.rglob("*")) if path.is_file()]
    sources = [path for path in files if "__pycache__" not in path.parts]
    tag = sys.implementation.cache_tag
    compiled = [path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc" for path in sources if path.suffix == ".py"]
    own = [described.relative_to(folder) / name for name in ("INSTALLER", "METADATA", "RECORD", "entry_points.txt")]
    digest = "sha256=" + "A" * 43
    lines = [f"{path.as_posix()},{digest},1000" for path in (*own, *sources, *compiled)]
    (described / "RECORD").write_text("\n".join(lines))
