"""Files of other programs opened for reading, and what is said of one that cannot be used: what, and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.tensorfile import open_file

if TYPE_CHECKING:
    from pathlib import Path

_AGAIN = "let the program that made it write it again"
WAY_OUT = {
    "damaged": _AGAIN,
    "altered": _AGAIN,
    "lfs_pointer": "run: git lfs pull",
    "link": "fetch it, or mount where it is kept",
    "newer_format": "install a newer pytest-audioparity: pip install -U pytest-audioparity",
    "missing": "check the path and whether the program wrote it",
}


def opened(path: Path, start: bytes = b"") -> BinaryIO:
    """Open a file whose content begins as its format does; anything else numpy would take for a pickle.

    Raises
    ------
    TensorFileError : see `tensorfile.open_file`; or it begins otherwise
    """
    try:
        file = open_file(path)
    except TensorFileError as error:
        raise refusal(path, str(error), error.cause) from None
    if file.read(len(start)) != start:
        file.close()
        raise refusal(path, f"is not a {path.suffix.lower()} file")
    file.seek(0)
    return file


def refusal(path: Path, problem: str, cause: str = "damaged") -> TensorFileError:
    """Return the error of a file that cannot be used, with the way out that belongs to the cause."""
    return TensorFileError(f"{path} {problem}; {WAY_OUT[cause]}", cause=cause)
