"""The settings of one run. Apart from `options`, which pytest imports at every start and must stay weightless."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Flags and ini options of one run."""

    root: Path
    golden_dir: Path
    update: bool = False
    reason: str | None = None
    project: Mapping[str, Any] = field(default_factory=dict)
