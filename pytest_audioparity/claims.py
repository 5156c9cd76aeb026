"""Which test owns which golden, and which ports have to wait for their owner. Knows nothing of pytest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_audioparity.golden.names import file_key

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class Claims:
    """The owners of goldens in one run, and what became of their goldens so far in this process."""

    _owners: dict[str, tuple[str, Path]] = field(default_factory=dict)
    _kept: set[str] = field(default_factory=set)

    def claim(self, path: Path, test: tuple[str, Path]) -> tuple[str, Path]:
        """Enter a test, by node id and file, as the owner of a golden; return who owns it: the first to claim it."""
        return self._owners.setdefault(file_key(str(path)), test)

    def settle(self, path: Path, *, written: bool) -> None:
        """Note that the owner has run, and whether it rewrote its golden."""
        (self._kept.discard if written else self._kept.add)(file_key(str(path)))

    def waits(self, path: Path) -> bool:
        """Whether a port of this golden has nothing to compare with yet.

        It has not when the owner is in this run and either rewrote the golden, or has not run in this process: it may
        come later, or run in another process of pytest-xdist.
        """
        key = file_key(str(path))
        return key in self._owners and key not in self._kept
