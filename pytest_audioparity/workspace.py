"""The folder ``.audioparity`` of a project: what the last run obtained and found. Knows nothing of pytest.

It ignores itself, as ``.pytest_cache`` does, so that nothing in it is committed or backed up by accident.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_audioparity.golden.atomic import replace_bytes

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ".audioparity"
_GITIGNORE = b"# What pytest-audioparity keeps of the last run.\n*\n"
# https://bford.info/cachedir/
_CACHEDIR_TAG = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n# This folder was made by pytest-audioparity; it may be deleted.\n"
)


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where the parts of ``.audioparity`` lie; nothing is made before `ensure`.

    Parameters
    ----------
    root : the project's root directory, as pytest has it
    """

    root: Path

    @property
    def folder(self) -> Path:
        """The folder itself."""
        return self.root / FOLDER

    @property
    def pending(self) -> Path:
        """The folder of what tests obtained and their goldens do not have."""
        return self.folder / "pending"

    @property
    def run_file(self) -> Path:
        """The record of the last run."""
        return self.folder / "run.json"

    @property
    def report(self) -> Path:
        """The folder of the page of the last run."""
        return self.folder / "report"

    @property
    def scores(self) -> Path:
        """The folder of scores of audio that was scored before."""
        return self.folder / "cache" / "scores"

    def ensure(self) -> Path:
        """Make the folder, unless it is there, and return it.

        Raises
        ------
        OSError : the file system refused
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, content in ((".gitignore", _GITIGNORE), ("CACHEDIR.TAG", _CACHEDIR_TAG)):
            path = self.folder / name
            if not path.exists():
                # Atomically: processes of pytest-xdist may make the folder at the same time.
                replace_bytes(path, content)
        return self.folder
