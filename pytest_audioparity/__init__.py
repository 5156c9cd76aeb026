"""Stage-by-stage parity tests for audio models: which stage diverged first, by how much, and why.

This module holds the public names only. They are loaded on first use, so that importing the package (pytest does,
for every run in an environment that has it installed) costs next to nothing and loads neither numpy nor a runtime.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_audioparity.api import assert_parity, assert_weights_match, compare, compare_weights
    from pytest_audioparity.audio import Item, Measure, Score, score, score_many
    from pytest_audioparity.audio.gates import check_output
    from pytest_audioparity.audio.recognition import NotRecognisedError, Recogniser
    from pytest_audioparity.audio.sentences import Said, says
    from pytest_audioparity.audio.spoken import WordsResult, compare_words
    from pytest_audioparity.checks import CheckResult, Checks
    from pytest_audioparity.errors import (
        AudioparityError,
        GoldenError,
        ParityError,
        StageError,
        TensorFileError,
    )
    from pytest_audioparity.keywords import AudioVerdict, Declarations, Kind, LogUnit, Precision, Tolerances, Verdict
    from pytest_audioparity.marks import codec_roundtrip, parity
    from pytest_audioparity.records import Comparison, Finding, Tolerance
    from pytest_audioparity.results import ParityResult, StageResult
    from pytest_audioparity.roundtrip.fixture import Roundtrip
    from pytest_audioparity.roundtrip.judge import check_roundtrip
    from pytest_audioparity.roundtrip.records import RoundtripResult
    from pytest_audioparity.sampling import SamplerResult, assert_sampler
    from pytest_audioparity.stages import Stages
    from pytest_audioparity.weights.files import open_weights
    from pytest_audioparity.weights.records import WeightFile, WeightMatch, WeightsResult

__version__ = "0.1.0"

_HOME = {
    "parity": "marks",
    "codec_roundtrip": "marks",
    "compare": "api",
    "assert_parity": "api",
    "compare_weights": "api",
    "assert_weights_match": "api",
    "assert_sampler": "sampling",
    "SamplerResult": "sampling",
    "open_weights": "weights.files",
    "check_output": "audio.gates",
    "check_roundtrip": "roundtrip.judge",
    "score": "audio",
    "score_many": "audio",
    "Score": "audio",
    "Measure": "audio",
    "Item": "audio",
    "compare_words": "audio.spoken",
    "says": "audio.sentences",
    "NotRecognisedError": "audio.recognition",
    "Recogniser": "audio.recognition",
    "Said": "audio.sentences",
    "WordsResult": "audio.spoken",
    "Stages": "stages",
    "CheckResult": "checks",
    "Checks": "checks",
    "Comparison": "records",
    "Finding": "records",
    "ParityResult": "results",
    "Roundtrip": "roundtrip.fixture",
    "RoundtripResult": "roundtrip.records",
    "WeightFile": "weights.records",
    "WeightMatch": "weights.records",
    "WeightsResult": "weights.records",
    "StageResult": "results",
    "Tolerance": "records",
    "AudioVerdict": "keywords",
    "Declarations": "keywords",
    "Kind": "keywords",
    "LogUnit": "keywords",
    "Precision": "keywords",
    "Tolerances": "keywords",
    "Verdict": "keywords",
    "AudioparityError": "errors",
    "GoldenError": "errors",
    "ParityError": "errors",
    "StageError": "errors",
    "TensorFileError": "errors",
}

__all__ = [
    "AudioVerdict",
    "AudioparityError",
    "CheckResult",
    "Checks",
    "Comparison",
    "Declarations",
    "Finding",
    "GoldenError",
    "Item",
    "Kind",
    "LogUnit",
    "Measure",
    "NotRecognisedError",
    "ParityError",
    "ParityResult",
    "Precision",
    "Recogniser",
    "Roundtrip",
    "RoundtripResult",
    "Said",
    "SamplerResult",
    "Score",
    "StageError",
    "StageResult",
    "Stages",
    "TensorFileError",
    "Tolerance",
    "Tolerances",
    "Verdict",
    "WeightFile",
    "WeightMatch",
    "WeightsResult",
    "WordsResult",
    "__version__",
    "assert_parity",
    "assert_sampler",
    "assert_weights_match",
    "check_output",
    "check_roundtrip",
    "codec_roundtrip",
    "compare",
    "compare_weights",
    "compare_words",
    "open_weights",
    "parity",
    "says",
    "score",
    "score_many",
]


if not TYPE_CHECKING:  # a checker that sees it takes every misspelt name for one of ours, of type Any

    def __getattr__(name: str) -> Any:
        home = _HOME.get(name)
        if home is None:
            raise AttributeError(f"module 'pytest_audioparity' has no attribute {name!r}")
        value = getattr(importlib.import_module(f"pytest_audioparity.{home}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
