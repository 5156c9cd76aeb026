"""How many draws show a fault: what a passed test says, and what it does not.

A fault q is shown by a draw that p excludes, or by a likelihood ratio that reaches the threshold. With m the
probability that q gives to excluded tokens, n draws miss all of them with probability (1 − m)ⁿ. On the core, ln(q/p) of
one draw has the mean KL = Σ q·ln(q/p) and the variance Var under q, so that n draws reach the threshold L with 95 %
when n·KL − 1.645·√(n·Var) ≥ L (normal approximation, checked by simulation in the tests).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.sampling.distribution import Expected, Settings, expect
from pytest_audioparity.sampling.evidence import CHECKS
from pytest_audioparity.sampling.records import FaultPower

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

_MISSED = math.log(0.05)
_QUANTILE = 1.645  # 95 % of a normal distribution
# What the mean over a family costs against its best member: the ln of about how many there are.
_TEMPERATURES = math.log(108)
_CHANGE = 0.1
_TOP_P_CHANGE = 0.05
CROSSING = "top-p without the token that crosses p"


def powers(expected: Expected, false_alarm: float) -> tuple[FaultPower, ...]:
    """Return how many draws each standard fault of the declared settings needs.

    Parameters
    ----------
    expected : the declared distribution
    false_alarm : rate that the test is held to, which sets its threshold ln(1/rate)
    """
    threshold = -math.log(false_alarm)
    return tuple(FaultPower(name, _draws(expected, fault, threshold)) for name, fault in _faults(expected))


def _faults(expected: Expected) -> Iterator[tuple[str, Expected]]:
    for name, settings in _other_settings(expected):
        yield name, expect(expected.ranked, settings)
    if expected.settings.temperature > 0 and expected.settings.top_p is not None and expected.kept > 1:
        fewer = expected.kept - 1
        yield CROSSING, replace(expected, core=fewer, kept=fewer, most=fewer)


def _other_settings(expected: Expected) -> Iterator[tuple[str, Settings]]:
    settings = expected.settings
    temperature, k, p = settings.temperature, settings.top_k, settings.top_p
    if temperature == 0:
        yield "temperature 1", replace(settings, temperature=1.0)
        return
    yield "greedy", replace(settings, temperature=0.0)
    others = {temperature * (1 - _CHANGE), temperature * (1 + _CHANGE), 1.0} - {temperature}
    for other in sorted(others):
        yield f"temperature {other:.3g}", replace(settings, temperature=other)
    if k is not None:
        yield "no top-k", replace(settings, top_k=None)
        for number in (round(k * 0.8), round(k * 1.25)):
            if 1 <= number <= expected.ranked.logits.size and number != k:
                yield f"top-k {number}", replace(settings, top_k=number)
    if p is not None and p < 1:
        yield "no top-p", replace(settings, top_p=None)
        for share in (p - _TOP_P_CHANGE, p + _TOP_P_CHANGE):
            if 0 < share < 1:
                yield f"top-p {share:.3g}", replace(settings, top_p=share)


def _draws(expected: Expected, fault: Expected, threshold: float) -> float:
    """Return the number of draws that show `fault` in 95 of 100 runs, infinite if none does."""
    logits = expected.ranked.logits
    weights = fault.ranked.weights(fault.beta)
    length = max(fault.kept, 1)
    total = weights[length - 1]
    outside = 1 - weights[min(expected.most, length) - 1] / total
    by_support = _MISSED / math.log1p(-outside) if 0 < outside < 1 else math.inf
    if expected.core < 2:
        return by_support
    core = min(expected.core, length)
    share = weights[core - 1] / total
    q = fault.beta * logits[:core] - math.log(weights[core - 1])
    ratio = q - expected.log_probabilities(expected.core)[:core]
    chances = np.exp(q)
    mean = float(chances @ ratio)
    variance = max(float(chances @ ratio**2) - mean**2, 0.0)
    if mean <= 1e-12:
        return by_support
    same = fault.beta == expected.beta or length == 1
    level = threshold + (math.log(expected.core) if same else _TEMPERATURES)
    level -= math.log(CHECKS["truncation" if same else "temperature"][0])
    root = (_QUANTILE * math.sqrt(variance) + math.sqrt(_QUANTILE**2 * variance + 4 * mean * level)) / (2 * mean)
    return float(min(by_support, root**2 / share))
