"""A score as text and as a JSON-ready document. Nothing is computed here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.records import NOT_MEASURED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.audio.records import Measure, Score

_PLAIN = "1"


def render(result: Score, title: str) -> str:
    """Write a score: verdict, findings, alignment, and every number with its unit."""
    return "\n".join(_lines(result, title))


def _lines(result: Score, title: str) -> Iterator[str]:
    yield f"{title}: {result.verdict.replace('_', ' ')}"
    for finding in result.findings:
        yield f"  {finding.code:<24}: {finding.message}"
    if result.verdict == NOT_MEASURED:
        yield "  nothing can be said of the words; the reasons stand beside the numbers"
    yield f"  {'aligned by':<24}: {alignment_text(result)}"
    for name, measure in result.measures.items():
        yield f"  {name:<24}: {measure_text(measure)}"


def alignment_text(result: Score) -> str:
    """Say how the sides were aligned, and what one has more than the other."""
    if result.lag_samples is None:
        return "nothing: the sides have nothing in common that lines up, and stand as they are"
    milliseconds = 1000 * result.lag_samples / result.sample_rate
    text = f"{result.aligned_by}, lag {result.lag_samples} samples ({milliseconds:+.1f} ms)"
    for words, (start, end) in (("lacks", result.uncovered_seconds), ("has", result.surplus_seconds)):
        parts = [
            f"{length:.3f} s {where}" for length, where in ((start, "at the beginning"), (end, "at the end")) if length
        ]
        if parts:
            text += f"; the estimate {words} {' and '.join(parts)}{' more' if words == 'has' else ''}"
    return text


def measure_text(measure: Measure) -> str:
    """Write one number with its unit, or why there is none."""
    if measure.value is None:
        return f"not measured: {measure.not_measured}"
    return f"{measure.value:.4g}" + ("" if measure.unit == _PLAIN else f" {measure.unit}")


def document(result: Score) -> dict[str, Any]:
    """Return a score as a dictionary of the JSON of `audioparity score`; infinities are left to the writer."""
    return {
        "verdict": result.verdict,
        "scores": {name: measure.value for name, measure in result.measures.items() if measure.not_measured is None},
        "units": {name: measure.unit for name, measure in result.measures.items()},
        "implementations": {name: measure.implementation for name, measure in result.measures.items()},
        "not_measured": result.not_measured,
        "sample_rate": result.sample_rate,
        "lag_samples": result.lag_samples,
        "aligned_by": result.aligned_by,
        "uncovered_seconds": list(result.uncovered_seconds),
        "surplus_seconds": list(result.surplus_seconds),
        "level_db": result.level_db,
        "garbled_seconds": [list(span) for span in result.garbled_seconds],
        "invented_seconds": [list(span) for span in result.invented_seconds],
        "estoi_over_time": [list(pair) for pair in result.estoi_over_time],
        "findings": [{"code": f.code, "message": f.message, "detail": dict(f.detail)} for f in result.findings],
    }
