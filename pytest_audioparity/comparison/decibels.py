"""Sums as decibels: the formulas of the contract, and what they mean where a side is silent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_audioparity.records import DB_PER_UNIT

if TYPE_CHECKING:
    from pytest_audioparity.records import StageMeta


def deviation_db(squares: tuple[float, float, float], mean_abs: float, meta: StageMeta) -> float:
    """Return how far actual is from expected in dB.

    Parameters
    ----------
    squares : Σe², Σa² and Σ(a − e)², at any common scale
    mean_abs : mean |a − e|, unscaled; counts for a log_spectrum alone
    meta : kind and unit

    Returns
    -------
    0 for equal sides; of linear values infinite when one side alone is silent, or so small that its squares vanish
    """
    if meta.kind == "log_spectrum":
        return mean_abs * DB_PER_UNIT[meta.unit or ""]
    expected, actual, difference = squares
    return excess_db(math.sqrt(difference), math.sqrt(min(expected, actual)))


def excess_db(difference: float, signal: float) -> float:
    """Return 20·log10(1 + difference/signal); below 0.5 by way of log1p, since 1 + x would swallow what is small."""
    if difference == 0:
        return 0.0
    if signal == 0:
        return math.inf
    ratio = difference / signal
    return 20 * math.log10(1 + ratio) if ratio >= 0.5 else 20 * math.log1p(ratio) / math.log(10)


def ratio_db(numerator: float, denominator: float) -> float | None:
    """Return 20·log10 of a ratio of amplitudes given as squares; None when both are zero."""
    if numerator == 0 and denominator == 0:
        return None
    if denominator == 0:
        return math.inf
    # Of the roots, since a ratio of squares can leave the range of float64.
    return 20 * math.log10(math.sqrt(numerator) / math.sqrt(denominator)) if numerator else -math.inf
