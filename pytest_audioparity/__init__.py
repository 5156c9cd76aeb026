"""Stage-by-stage parity tests for audio models: which stage diverged first, by how much, and why.

This module holds the public names only. They are loaded on first use, so that importing the package (pytest does,
for every run in an environment that has it installed) costs next to nothing and loads neither numpy nor a runtime.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_audioparity.api import assert_parity, compare
    from pytest_audioparity.audio import Measure, Score, score
    from pytest_audioparity.errors import (
        AudioparityError,
        GoldenError,
        ParityError,
        StageError,
        TensorFileError,
    )
    from pytest_audioparity.marks import codec_roundtrip, parity
    from pytest_audioparity.records import Comparison, Finding, ParityResult, StageResult
    from pytest_audioparity.sampling import assert_sampler
    from pytest_audioparity.stages import Stages

__version__ = "0.1.0"

_HOME = {
    "parity": "marks",
    "codec_roundtrip": "marks",
    "compare": "api",
    "assert_parity": "api",
    "assert_sampler": "sampling",
    "score": "audio",
    "Score": "audio",
    "Measure": "audio",
    "Stages": "stages",
    "Comparison": "records",
    "Finding": "records",
    "ParityResult": "records",
    "StageResult": "records",
    "AudioparityError": "errors",
    "GoldenError": "errors",
    "ParityError": "errors",
    "StageError": "errors",
    "TensorFileError": "errors",
}

__all__ = [
    "AudioparityError",
    "Comparison",
    "Finding",
    "GoldenError",
    "Measure",
    "ParityError",
    "ParityResult",
    "Score",
    "StageError",
    "StageResult",
    "Stages",
    "TensorFileError",
    "__version__",
    "assert_parity",
    "assert_sampler",
    "codec_roundtrip",
    "compare",
    "parity",
    "score",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'pytest_audioparity' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"pytest_audioparity.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
