"""Why a stage differs: causes tried in a declared order on a stage that failed.

Each module of `CAUSES` has a function ``find(expected, actual, comparison)`` that yields findings, and nothing when it
has no evidence. A new cause is one module and one line here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from pytest_audioparity.records import Comparison, Finding

    Array = np.ndarray[Any, Any]

CAUSES = ("pytest_audioparity.diagnosis.degenerate",)


def diagnose(expected: Array, actual: Array, comparison: Comparison) -> tuple[Finding, ...]:
    """Return the findings of a failing stage, whose arrays have one shape, best explanation first."""
    found = [finding for name in CAUSES for finding in import_module(name).find(expected, actual, comparison)]
    return tuple(sorted(found, key=lambda finding: -(finding.explains or 0.0)))
