"""A sampler's result as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.records import NOT_MEASURED

if TYPE_CHECKING:
    from pytest_audioparity.sampling.records import SamplerResult

_NAMED = 6
_SMALLEST_P = 1e-300  # below, float64 is at its end; the true bound is smaller still


def render(result: SamplerResult) -> str:
    """Write the report of a sampler that did not pass."""
    lines = [f"  expected   : {result.expected}", f"  draws      : {result.draws}"]
    if result.verdict == NOT_MEASURED:
        lines += [f"  cannot see : {fault}" for fault in result.cannot_exclude]
        lines.append("  to do      : raise n=, or give logits whose probability is spread over more tokens")
        return "\n".join(["not measured: so few draws of these logits show no fault of the settings", *lines])
    if result.impossible:
        named = ", ".join(map(str, result.impossible[:_NAMED]))
        more = " ..." if len(result.impossible) > _NAMED else ""
        lines.append(f"  impossible : {result.impossible_draws} draws of tokens with probability 0: {named}{more}")
    else:
        p_value = max(result.p_value, _SMALLEST_P)
        lines.append(f"  check      : {result.check}; p <= {p_value:.2g}, fails at {result.false_alarm:.2g}")
    if result.finding is not None:
        lines.append(f"  finding    : {result.finding.message}")
    return "\n".join(["the sampler does not draw from the expected distribution", *lines])
