"""Round trips of codecs in words: what fails and why, the scores of every clip; and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_audioparity.records import FAIL
from pytest_audioparity.report.numbers import percent
from pytest_audioparity.report.plain_text import behind, cells, padded, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.audio.records import Score
    from pytest_audioparity.checks import CheckResult
    from pytest_audioparity.results import ParityResult
    from pytest_audioparity.roundtrip.records import RoundtripResult

_CLIP, _NUMBER = 20, 7
# title -> (name of the measure, digits)
_COLUMNS = {
    "stoi": ("stoi", 2),
    "estoi": ("estoi", 2),
    "wb": ("pesq_wb", 2),
    "nb": ("pesq_nb", 2),
    "si-sdr": ("si_sdr", 1),
    "level": ("level_db", 1),
}


def roundtrip_problem(result: ParityResult) -> str | None:
    """Say in one line which checks of round trips do not pass, or return None."""
    bad = [trip for trip in result.roundtrips if not trip.passed]
    if not bad:
        return None
    first = bad[0]
    name = f" {first.name!r}" if first.name else ""
    verb = "fails" if first.verdict == FAIL else "cannot be measured"
    more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
    return f"the round trip{name} {verb}: {', '.join(check.name for check in first.failed)}{more}"


def roundtrip_lines(result: ParityResult, width: int) -> Iterator[str]:
    """Write all round trips of a test: what does not pass in full, what passes by name, and the scores."""
    for trip in result.roundtrips:
        yield ""
        name = f"round trip {trip.name!r}" if trip.name else "round trip"
        yield from wrapped(f"{name}: {trip.about}", width)
        yield from _checks(trip, width)
        yield ""
        yield from _scores(trip)


def _checks(trip: RoundtripResult, width: int) -> Iterator[str]:
    widest = max((len(check.name) for check in trip.failed), default=0)
    for check in trip.failed:
        status = "FAIL" if check.verdict == FAIL else "N/M "
        yield from _wrapped(f"  {check.name:<{widest}}  {status}  ", check.message, width)
        yield from _causes(check, width)
    passed = ", ".join(check.name for check in trip.checks if check.passed)
    yield from _wrapped("  ok: ", passed, width) if passed else ()


def _causes(check: CheckResult, width: int) -> Iterator[str]:
    for finding in check.findings:
        if finding.message not in check.message:
            share = "" if finding.explains is None else f" ({percent(finding.explains)} of the difference)"
            yield from _wrapped("      finding: ", f"{finding.code}{share}: {finding.message}", width)


def _scores(trip: RoundtripResult) -> Iterator[str]:
    yield f"{'clip':<{_CLIP}}" + "".join(f"{title:>{_NUMBER}}" for title in _COLUMNS) + "  verdict"
    for name, score in (*trip.clips, *trip.streams):
        if cells(name) > _CLIP:
            yield name
            name = ""
        verdict = "not scored" if score is None else score.verdict.replace("_", " ")
        yield padded(name, _CLIP) + "".join(_numbers(score)) + f"  {verdict}"


def _numbers(score: Score | None) -> Iterator[str]:
    for measure, digits in _COLUMNS.values():
        value = None if score is None else score.measures[measure].value
        yield f"{'-':>{_NUMBER}}" if value is None else f"{value:>{_NUMBER}.{digits}f}"


def _wrapped(label: str, text: str, width: int) -> Iterator[str]:
    indent = len(label) if len(label) < width // 2 else len(label) - len(label.lstrip()) + 4
    return behind(label, text, width, indent)
