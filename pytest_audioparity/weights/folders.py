"""Names of files that stand in other files: none may lead out of its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.errors import TensorFileError, shown

if TYPE_CHECKING:
    from pathlib import Path

# A backslash and a colon lead elsewhere on Windows, and a file must mean the same everywhere.
_REFUSED = frozenset("\\:\0")


def path_inside(folder: Path, location: str) -> Path:
    """Return the path of a file that a file in a folder names, with slashes.

    Raises
    ------
    TensorFileError : it is not below the folder
    """
    parts = location.split("/")
    if _REFUSED & set(location) or any(part in ("", "..") for part in parts):
        raise TensorFileError(f"names the file {shown(location)}, which is not in its folder")
    return folder.joinpath(*parts)
