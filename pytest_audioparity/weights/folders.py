"""Files that other files name: none may lead out of its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.errors import TensorFileError, shown
from pytest_audioparity.weights.mapped import Mapped

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


class Beside:
    """The files beside a model that it names, each opened once.

    Parameters
    ----------
    folder : of the model's file, which none of them may leave
    prefix : what stands for that folder where the model names one
    """

    def __init__(self, folder: Path, prefix: str = "") -> None:
        self._folder = folder
        self._prefix = prefix
        self._files: dict[str, Mapped] = {}

    def open(self, location: str, what: str) -> Mapped:
        """Return the file of that name.

        Parameters
        ----------
        location : as the model names it
        what : what it keeps there, for the error

        Raises
        ------
        TensorFileError : it is not in the folder, missing or cannot be read
        """
        if location not in self._files:
            path = path_inside(self._folder, location.removeprefix(self._prefix))
            try:
                self._files[location] = Mapped(path)
            except TensorFileError as error:
                problem = f"keeps {what} in the file {shown(location)}, which {error}"
                raise TensorFileError(problem, cause=error.cause) from None
        return self._files[location]
