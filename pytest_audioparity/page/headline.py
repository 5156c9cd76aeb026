"""The line of a test that is always there: its state, its name, where it diverges first and why, how it sounds."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from pytest_audioparity.page import tables
from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.records import BAD, STATES
from pytest_audioparity.report.brief import audio_verdict, first_stage, other_limit
from pytest_audioparity.report.numbers import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.page.records import Shown

# A cause is one line of the overview; all of it stands where the stage is drawn.
_CAUSE = 100
_NAME = 60


def headline(shown: Shown) -> Markup:
    """Return the line of a test."""
    file, separator, name = shown.test.partition("::")
    heard = audio_verdict(shown.account) or ""
    # A name may be written from right to left; what follows it is not.
    before, named, after = _parts(shown)
    return element(
        "summary",
        element("span", tables.WORDS.get(shown.state, STATES[shown.state]), class_=f"verdict {shown.state}"),
        element("code", element("span", file + separator, class_="file") if name else file, name, class_="name"),
        element("span", heard.replace("_", " "), class_=f"heard {heard}", title="how it sounds") if heard else None,
        element("span", before, element("bdi", named) if named else None, after, class_="short"),
    )


def plain_line(shown: Shown) -> Markup:
    """Return the line of a test of which nothing but its name can be shown."""
    verdict = element("span", tables.WORDS.get(shown.state, STATES[shown.state]), class_=f"verdict {shown.state}")
    return element("summary", verdict, element("code", shown.test, class_="name"))


def words(shown: Shown) -> str:
    """Return what one filters by: name, names and findings of stages that do not pass, each once, and the sound."""
    bad = [stage for stage in shown.account.get("stages") or () if stage["verdict"] != "pass"]
    found = [word for stage in bad for word in (stage["name"], *(stage.get("findings") or ()))]
    missed = (shown.account.get("mutants") or {}).get("unnoticed")
    said = (
        shown.test,
        "".join(_parts(shown)),
        audio_verdict(shown.account) or "",
        "unnoticed" if missed else "",
        *map(str, found),
    )
    return " ".join(dict.fromkeys(said)).lower()


def _parts(shown: Shown) -> tuple[str, str, str]:
    """Say in one line where a test diverges first, by how much and why; else what became of it.

    Returns
    -------
    what is before the name of a stage, the name, what is behind it
    """
    account = shown.account
    stages = account.get("stages") or ()
    stage = first_stage(account)
    if stage is None:
        told = account.get("refused") if shown.state in BAD else None
        missed = len((account.get("mutants") or {}).get("unnoticed") or ())
        passing = "; ".join(map(_trip, account.get("passing_roundtrips") or ()))
        said = str(account.get("reason") or told or passing or counted(len(stages), "stage"))
        return said + (f"; {counted(missed, 'planted fault')} would go unnoticed" if missed else ""), "", ""
    limit, number = other_limit(account), tables.number(stage)
    off = f" {limit}" if limit else f", {number}" if number else ""
    first = str(stage["name"])
    name = first if len(first) <= _NAME else f"…{first[1 - _NAME :]}"
    return "first divergence ", name, f"{off}{_cause(shown, stage)}"


def _trip(trip: Mapping[str, Any]) -> str:
    """Say of a round trip that passes what went through it, and how its worst clip is understood."""
    name = f"round trip {trip['name']!r}" if trip.get("name") else "round trip"
    worst = "" if trip.get("estoi") is None else f", worst ESTOI {trip['estoi']:.2f}"
    return f"{name}: {counted(trip['clips'], 'clip')}, {trip['audio_verdict'].replace('_', ' ')}{worst}"


def _cause(shown: Shown, stage: Mapping[str, Any]) -> str:
    """Return the best finding of the first divergence: its sentence, its code where a record has no more."""
    found = shown.account.get("finding")
    if not found:
        return "" if not stage.get("findings") else f": {stage['findings'][0]}"
    clause = str(found["message"]).partition("; ")[0]
    return f": {found['code']}: {textwrap.shorten(clause, _CAUSE, placeholder=' …')}"
