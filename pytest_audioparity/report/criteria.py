"""The criteria that decide on a stage, in words: their names, their units, their values against their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.report.numbers import decibel, round_down

if TYPE_CHECKING:
    from pytest_audioparity.results import Criterion

UNIT = {"deviation_db": " dB", "peak_db": " dB", "snr_db": " dB", "pesq_wb": " MOS", "pesq_nb": " MOS"}
# Criteria that limit from below.
AT_LEAST = {
    "snr_db": "signal-to-error ratio",
    "stoi": "STOI",
    "estoi": "ESTOI",
    "pesq_wb": "wide-band PESQ",
    "pesq_nb": "narrow-band PESQ",
}
SAY = {
    "deviation_db": "deviation",
    "peak_db": "largest single element against the rms",
    "match": "share of equal codes",
    "excess": "|actual - expected| - rtol*|expected|",
    "drop": "mean below the expected one",
    **AT_LEAST,
}
_WORDS_LOST = "words are lost, which only words='any' allows"


def over_text(criterion: Criterion) -> str:
    """Write what is over its limit, or below it: the number, its unit, and what is allowed."""
    if criterion.name == "words":
        return _WORDS_LOST
    unit = UNIT.get(criterion.name, "")
    return f"{SAY.get(criterion.name)} {value_text(criterion)}{unit}, allowed {limit_text(criterion)}"


def value_text(criterion: Criterion) -> str:
    """Write the value of a criterion, never so rounded that it seems to be within its limit."""
    if criterion.value is None:
        return "not measured"
    if criterion.name in AT_LEAST:
        return round_down(criterion.value)
    return decibel(criterion.value) if criterion.name in ("deviation_db", "peak_db") else f"{criterion.value:.6g}"


def limit_text(criterion: Criterion) -> str:
    """Write the limit of a criterion with its unit."""
    return f"{'' if criterion.at_most else 'at least '}{criterion.limit:.6g}{UNIT.get(criterion.name, '')}"
