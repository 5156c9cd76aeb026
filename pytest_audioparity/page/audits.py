"""What the audits of a run found: faults that would go unnoticed, tolerances that are proposed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.tables import table
from pytest_audioparity.report.numbers import counted, decibel, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_UNNOTICED = {
    "stage": "in which a fault was put",
    "cause": "what it is",
    "fault": "how much of it",
    "deviation": "that it makes, in dB; of codes how many are still equal",
    "allowed": "tol_db",
}


def unnoticed(found: Mapping[str, Any] | None) -> Markup | None:
    """Return the faults that a test that passes would let pass as well, the largest of each cause and stage."""
    if not found:
        return None
    missed, made = found["unnoticed"], found["injected"]
    left_out = found.get("left_out")
    if not made and not left_out:
        return None
    largest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for one in missed:
        known = largest.setdefault((one["stage"], one["code"]), one)
        largest[one["stage"], one["code"]] = max(known, one, key=_size)
    rows = [list(_row(one)) for one in sorted(largest.values(), key=_size, reverse=True)]
    return element(
        "section",
        element("h2", _told(len(missed), made)),
        table("faults that would go unnoticed", _UNNOTICED, rows, [""] * len(rows)) if rows else None,
        element("p", f"left out by only=, so nothing in them is noticed: {', '.join(left_out)}", class_="problem")
        if left_out
        else None,
    )


def in_all(tests: Sequence[Mapping[str, Any]]) -> Iterator[object]:
    """Yield what the audits of all tests found together: one line of faults, and proposals as text to paste."""
    audited = [test["mutants"] for test in tests if (test.get("mutants") or {}).get("injected")]
    if audited:
        missed, made = (sum(counts) for counts in zip(*map(_counts, audited), strict=True))
        hint = "; the filter knows the word unnoticed" if missed else ""
        yield element("p", f"{_told(missed, made)}, in {counted(len(audited), 'test')}{hint}", class_="note")
    if any(test.get("calibration") for test in tests):
        from pytest_audioparity.audits.proposals import lines

        text = "\n".join(lines(tests))
        proposed = element("pre", text, tabindex=0, role="group", aria_label="tolerances, measured and proposed")
        yield element(
            "details", element("summary", "tolerances, measured and proposed"), proposed, class_="text", open=True
        )


def _told(missed: int, made: int) -> str:
    if not missed:
        return f"each of {counted(made, 'planted fault')} would be noticed"
    return f"{missed} of {counted(made, 'planted fault')} would go unnoticed"


def _counts(found: Mapping[str, Any]) -> tuple[int, int]:
    return len(found["unnoticed"]), int(found["injected"])


def _size(one: Mapping[str, Any]) -> float:
    return 1 - float(one["match"]) if one["match"] is not None else float(one["deviation_db"] or 0.0)


def _row(one: Mapping[str, Any]) -> Iterator[object]:
    yield element("code", one["stage"])
    yield one["code"]
    yield one["fault"]
    if one["match"] is not None:
        yield f"{percent(one['match'])} equal"
    else:
        yield "not measured by tol_db" if one["deviation_db"] is None else f"{decibel(one['deviation_db'])} dB"
    yield "" if one["tol_db"] is None else f"{decibel(one['tol_db'])} dB"
