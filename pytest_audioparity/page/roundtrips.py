"""The part of the page that tells of a round trip: checks that do not pass, and the scores of every clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.scores import clips, curves_of, pill
from pytest_audioparity.page.tables import table, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Clips of one round trip whose ESTOI is drawn over time.
_DRAWN = 3


def roundtrip(trip: Mapping[str, Any]) -> Markup:
    """Return the checks of a round trip, those that do not pass in full, and the scores of its clips."""
    bad = [check for check in trip["checks"] if check["verdict"] != "pass"]
    passed = ", ".join(check["name"] for check in trip["checks"] if check["verdict"] == "pass")
    cells = [[element("code", c["name"]), verdict(c["verdict"]), list(_told(c))] for c in bad]
    heads = {"check": "", "verdict": "", "what was found": ""}
    scored = [*(trip.get("clips") or ()), *(trip.get("streams") or ())]
    name = f"round trip {trip['name']}" if trip.get("name") else "round trip"
    return element(
        "section",
        element("h2", f"{name}: ", pill(str(trip.get("audio_verdict") or trip["verdict"]))),
        element("p", trip["about"], class_="note") if trip.get("about") else None,
        table(f"checks of the {name}", heads, cells, [""] * len(bad), wide=True) if bad else None,
        element("p", f"ok: {passed}", class_="note") if passed else None,
        clips(f"clips of the {name}", scored) if scored else None,
        curves_of(scored, _DRAWN),
    )


def _told(check: Mapping[str, Any]) -> Iterator[object]:
    yield element("p", check.get("message") or "")
    for finding in check.get("findings") or ():
        if finding["message"] not in (check.get("message") or ""):
            yield element("p", element("b", finding["code"]), f": {finding['message']}")
