"""All e-values of one sample and their weighted mean, which decides."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pytest_audioparity.sampling import dependence, evalues

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_audioparity.sampling.evalues import Sample

# How the false-alarm rate is shared out. The weights sum to 1; a check of weight w needs ln(1/w) more evidence than one
# that had the whole rate to itself, 1 to 3 nats of the 13.8 that 1e-6 asks for.
CHECKS: Mapping[str, tuple[float, Callable[[Sample], float]]] = {
    "temperature": (0.25, evalues.temperature),
    "truncation": (0.1, evalues.truncation),
    "one token": (0.1, evalues.one_token),
    "shape": (0.05, evalues.shapes),
    "frequencies": (0.15, evalues.frequencies),
    "ties": (0.05, evalues.undecided),
    "repeats": (0.1, dependence.repeats),
    "period": (0.05, dependence.period),
    "avoided repeats": (0.05, dependence.avoided),
    "order of draws": (0.1, dependence.pairs),
}
DEPENDENCE = ("repeats", "period", "avoided repeats", "order of draws")


def weigh(sample: Sample) -> dict[str, float]:
    """Return ln(w·E) of every check; ``log_sum`` of the values is ln of the e-value that decides.

    A check that does not apply (one token, two draws) has E = 1, which is no evidence.
    """
    several = sample.expected.core > 1 and sample.ranks.size > 1
    evidence = {}
    for name, (weight, check) in CHECKS.items():
        applies = sample.expected.core > 0 if name == "ties" else several
        with np.errstate(divide="ignore"):
            evidence[name] = math.log(weight) + (check(sample) if applies else 0.0)
    return evidence
