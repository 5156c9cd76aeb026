"""The comparison of two weight files as text and as JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_audioparity.report.json import SCHEMA, plain
from pytest_audioparity.report.numbers import counted, cut, decibel, short
from pytest_audioparity.report.plain_text import clean_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_audioparity.keywords import WeightStatus
    from pytest_audioparity.weights.records import WeightMatch, WeightsResult

_FAILURES, _EXTRAS, _KINDS = 40, 8, 3
# Statuses that pass because something moved: a reader must see which tensors those are, and what was done to them.
_MOVED = ("transposed", "permuted")
_NAMES = 3


def weights_document(result: WeightsResult) -> dict[str, Any]:
    """Return a result as the dictionary of `audioparity weights --json`."""
    document: dict[str, Any] = plain(
        {
            "schema": SCHEMA,
            "verdict": "pass" if result.passed else "fail",
            "tensors": [
                {"name": one.name, "matched": one.matched, "status": one.status, "detail": dict(one.detail)}
                for one in result.matches
            ],
            "extra": list(result.extra),
            "summary": {
                "tensors": len(result.matches),
                "passed": sum(one.passed for one in result.matches),
                "extra": len(result.extra),
                "statuses": dict(_statuses(result.matches)),
            },
            "notes": list(result.notes),
        }
    )
    return document


def render_weights(result: WeightsResult) -> str:
    """Write a result: what fails first, one line each, then what the rest became, and the verdict."""
    lines = [f"weights: {result.reference.path} : {result.candidate.path}"]
    failing = [one for one in result.matches if not one.passed]
    lines += cut([line for one in failing for line in _failure(one)], 2 * _FAILURES, hint=" lines; --json has all")
    lines += _passing([one for one in result.matches if one.passed])
    if result.extra:
        names = ", ".join(clean_line(name) for name in result.extra[:_EXTRAS])
        more = f" and {len(result.extra) - _EXTRAS} more" if len(result.extra) > _EXTRAS else ""
        lines.append(f"  extra       {len(result.extra)} only in the candidate: {names}{more}")
    lines += [f"  note: {clean_line(note)}" for note in result.notes]
    lines.append(_verdict(result, failing))
    return "\n".join(lines)


def _failure(one: WeightMatch) -> Iterator[str]:
    matched = "" if one.matched in (None, one.name) else f" (candidate's {clean_line(one.matched or '')})"
    yield f"  {one.status:<11} {clean_line(one.name)}{matched}"
    said = _said(one)
    if said:
        yield f"{'':14}{clean_line(said)}"


def _said(one: WeightMatch) -> str:
    """Return the numbers and words behind a failing status, the telling ones first."""
    detail = one.detail
    parts = [str(detail[key]) for key in ("reason", "initialiser") if key in detail]
    if detail.get("reason") == "another shape":
        parts.append(" against ".join(str(shape) for shape in detail["shape"]))
    if "factor" in detail:
        named = f" ({detail['constant']})" if "constant" in detail else ""
        parts.append(f"times {detail['factor']:.6g}{named}")
        parts += [str(detail["hint"])] if "hint" in detail else []
    if one.status == "swapped":
        parts.append(f"is under the name {detail['is_under']}; {_own_name(detail)}")
    if "holds" in detail:
        parts.append(f"the candidate's holds {detail['holds']}")
    if one.status == "missing":
        parts.append(f"shape {detail.get('shape')}")
        parts += [f"unmatched there: {', '.join(names)}" for names in [detail.get("unmatched_of_its_size")] if names]
    return "; ".join([*parts, *_numbers(one)])


def _own_name(detail: Mapping[str, Any]) -> str:
    if "name_holds" in detail:
        return f"its own name holds {detail['name_holds']}"
    return f"{detail['by']} say that it belongs under {detail['belongs_under']}"


def _numbers(one: WeightMatch) -> Iterator[str]:
    detail = one.detail
    if detail.get("correlation") is not None and one.status != "scaled":
        yield f"correlation {_correlation(detail['correlation'])}"
    if one.status == "different":
        if detail.get("deviation_db") is not None:
            yield f"{decibel(detail['deviation_db'])} dB off"
        if "changed" in detail:
            yield f"{detail['changed']} of {detail['of']} values changed"
    if detail.get("level_db") is not None:
        yield f"level {detail['level_db']:+.2f} dB"
    if detail.get("ks") is not None:
        yield f"KS {short(detail['ks'])} of {short(detail['ks_limit'])} with n = {detail['values']}"


def _correlation(value: float) -> str:
    """Write a correlation that says 1 only where it is."""
    text = f"{value:.4f}"
    return (
        text
        if abs(value) == 1 or abs(float(text)) < 1
        else f"1 - {1 - value:.1e}"
        if value > 0
        else f"-1 + {1 + value:.1e}"
    )


def _passing(matches: Sequence[WeightMatch]) -> Iterator[str]:
    """Write a line for every status that passes, with the commonest kinds of it."""
    for status, count in _statuses(matches):
        kinds = Counter(_kind(one.detail) for one in matches if one.status == status)
        told = [f"{kind}{f' ({number})' if number != count else ''}" for kind, number in kinds.most_common() if kind]
        more = f", and {len(told) - _KINDS} other kinds" if len(told) > _KINDS else ""
        yield f"  {status:<11} {count}{': ' if told else ''}{clean_line('; '.join(told[:_KINDS]))}{more}"
        if status in _MOVED:
            yield from _names([one for one in matches if one.status == status], kinds)


def _names(moved: Sequence[WeightMatch], kinds: Counter[str]) -> Iterator[str]:
    """Name the first tensors of each of the commonest kinds of move."""
    for kind, count in kinds.most_common(_KINDS):
        names = [one.name for one in moved if _kind(one.detail) == kind]
        more = f" and {count - _NAMES} more" if count > _NAMES else ""
        said = f"{kind or 'moved'}: {', '.join(names[:_NAMES])}"
        yield f"{'':14}{clean_line(said)}{more}"


def _kind(detail: Mapping[str, Any]) -> str:
    """Return what sort of change a passing tensor has seen, without what is its own alone."""
    for key in ("folded", "gates", "reason", "rotary"):
        if key in detail:
            eps = f", eps {detail['eps']:g}" if "eps" in detail else ""
            return f"{detail[key]}{eps}"
    if "split" in detail:
        return f"split into {len(detail['split'])}"
    if "part_of" in detail:
        return "part of a larger tensor"
    if "grid" in detail:
        return f"{detail.get('stored') or str(detail['bits']) + ' bits'}, {detail['grid']}"
    parts = []
    for key, word in (("axes", "axes"), ("axes_back", "axes back"), ("reversed_axes", "reversed axes")):
        if key in detail:
            parts.append(f"{word} {','.join(map(str, detail[key]))}")
    parts += [str(detail[key]) for key in ("reshaped", "dtype") if key in detail]
    if "blocks" in detail:
        parts.append(f"blocks {','.join(map(str, detail['blocks']))}")
    return ", ".join(parts)


def _statuses(matches: Sequence[WeightMatch]) -> list[tuple[WeightStatus, int]]:
    return Counter(one.status for one in matches).most_common()


def _verdict(result: WeightsResult, failing: Sequence[WeightMatch]) -> str:
    total = counted(len(result.matches), "tensor")
    if not result.matches:
        return "FAIL: the reference holds no tensor"
    if not failing:
        return f"PASS: {total} of the reference found in the candidate"
    told = ", ".join(f"{count} {status}" for status, count in _statuses(failing))
    return f"FAIL: {len(failing)} of {total} of the reference: {told}"
