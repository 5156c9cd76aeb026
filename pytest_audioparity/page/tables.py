"""The tables of the page: stages, settings that differ, checks and clips of round trips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.report.meanings import MEANINGS
from pytest_audioparity.report.numbers import decibel, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

WORDS = {"pass": "ok", "fail": "FAIL", "not_measured": "N/M"}
_STAGES = {
    "stage": "in the order of the data",
    "shape": "of the golden",
    "deviation": "how far actual is from expected, in dB; of codes how many are equal",
    "own": "the part of the deviation that is the step's own: with the golden's inputs",
    "allowed": "tol_db",
    "margin": "what is left of the tolerance; negative where it is exceeded",
    "verdict": "ok, FAIL, or N/M where it could not be measured",
    "finding": "what explains the difference best",
}
# title -> (name of the measure, digits, what it is)
_CLIPS = {
    "STOI": ("stoi", 2, "intelligibility, 0 to 1"),
    "ESTOI": ("estoi", 2, "intelligibility, 0 to 1, strict with what is garbled"),
    "PESQ wb": ("pesq_wb", 2, "quality of wideband speech, 1 to 4.6"),
    "PESQ nb": ("pesq_nb", 2, "quality of narrowband speech, 1 to 4.5"),
    "SI-SDR": ("si_sdr", 1, "signal to distortion in dB, whatever the level"),
    "level": ("level_db", 1, "of the estimate against the reference, in dB"),
}


def number(stage: Mapping[str, Any]) -> str:
    """Return the number that says how far a stage is off."""
    if stage.get("deviation_db") is not None:
        return f"{decibel(stage['deviation_db'])} dB"
    return "" if stage.get("match") is None else f"{percent(stage['match'])} equal"


def stages(rows: Sequence[Mapping[str, Any]], first: str | None) -> Markup:
    """Return the table of all stages, in the order of the data."""
    kinds = [f"{row['verdict']}{' first' if row['name'] == first else ''}" for row in rows]
    return table("stages", _STAGES, [list(_stage(row)) for row in rows], kinds)


def _stage(stage: Mapping[str, Any]) -> Iterator[object]:
    yield element("code", stage["name"])
    sides = [side["shape"] for side in (stage.get("expected"), stage.get("actual")) if side]
    shapes = dict.fromkeys("×".join(map(str, shape)) or "scalar" for shape in sides)
    yield " → ".join(shapes)
    yield number(stage)
    yield "" if stage.get("own_deviation_db") is None else f"{decibel(stage['own_deviation_db'])} dB"
    yield "" if stage.get("tol_db") is None else f"{decibel(stage['tol_db'])} dB"
    margin = stage.get("margin_db")
    yield "" if margin is None else f"{'-' if margin < 0 else ''}{decibel(abs(margin))} dB"
    yield WORDS.get(stage["verdict"], stage["verdict"])
    found = [one if isinstance(one, str) else one["code"] for one in stage.get("findings") or ()]
    named = [element("span", code, title=MEANINGS.get(code)) for code in found[:2]]
    yield [part for code in named for part in (", ", code)][1:]


def settings(rows: Iterable[Mapping[str, Any]]) -> Markup | None:
    """Return the hyper-parameters that differ; None where all agree."""
    apart = [row for row in rows if row["verdict"] != "pass"]
    if not apart:
        return None
    cells = [
        [element("code", row["name"]), _value(row, "expected"), _value(row, "actual"), str(row.get("problem") or "")]
        for row in apart
    ]
    heads = {"setting": "", "expected": "of the golden", "actual": "of the test", "problem": ""}
    return table("settings that differ", heads, cells, ["fail"] * len(apart))


def _value(row: Mapping[str, Any], side: str) -> Markup:
    return element("code", repr(row[side]) if side in row else "")


def roundtrip(trip: Mapping[str, Any]) -> Markup:
    """Return the checks of a round trip, those that do not pass in full, and the scores of its clips."""
    bad = [check for check in trip["checks"] if check["verdict"] != "pass"]
    passed = ", ".join(check["name"] for check in trip["checks"] if check["verdict"] == "pass")
    cells = [[element("code", c["name"]), WORDS.get(c["verdict"], ""), list(_told(c))] for c in bad]
    heads = {"check": "", "verdict": "", "what was found": ""}
    scored = [*(trip.get("clips") or ()), *(trip.get("streams") or ())]
    name = f"round trip {trip['name']}" if trip.get("name") else "round trip"
    return element(
        "section",
        element("h3", f"{name}: {str(trip.get('audio_verdict') or trip['verdict']).replace('_', ' ')}"),
        element("p", trip["about"], class_="note") if trip.get("about") else None,
        table(f"checks of the {name}", heads, cells, [c["verdict"] for c in bad], wide=True) if bad else None,
        element("p", f"ok: {passed}", class_="note") if passed else None,
        _clips(name, scored) if scored else None,
    )


def _told(check: Mapping[str, Any]) -> Iterator[object]:
    yield element("p", check.get("message") or "")
    for finding in check.get("findings") or ():
        if finding["message"] not in (check.get("message") or ""):
            yield element("p", element("b", finding["code"]), f": {finding['message']}")


def _clips(name: str, scored: Sequence[Mapping[str, Any]]) -> Markup:
    rows = [[element("code", clip["name"]), *_scores(clip)] for clip in scored]
    heads = {
        "clip": "",
        **{title: meaning for title, (_, _, meaning) in _CLIPS.items()},
        "verdict": "",
        "words lost": "",
    }
    return table(f"clips of the {name}", heads, rows, [str(clip.get("verdict", "")) for clip in scored])


def _scores(clip: Mapping[str, Any]) -> Iterator[str]:
    values = clip.get("scores") or {}
    for measure, digits, _ in _CLIPS.values():
        value = values.get(measure)
        yield "–" if value is None else f"{value:.{digits}f}"
    yield str(clip.get("verdict") or "not scored").replace("_", " ")
    yield ", ".join(f"{a:.2f}–{b:.2f} s" for a, b in clip.get("garbled_seconds") or ())


def table(
    label: str, heads: Mapping[str, str], rows: Iterable[Iterable[object]], kinds: Sequence[str], *, wide: bool = False
) -> Markup:
    """Return a table that scrolls by itself where the screen is narrow.

    Parameters
    ----------
    label : what it is, for those who do not see it
    heads : titles and what they mean
    rows : cells
    kinds : the class of each row
    wide : whether its last column has sentences
    """
    titles = [element("th", title, scope="col", title=meaning or None) for title, meaning in heads.items()]
    lines = [
        element("tr", [element("td", cell) for cell in cells], class_=kind)
        for cells, kind in zip(rows, kinds, strict=True)
    ]
    whole = element("table", element("thead", element("tr", titles)), element("tbody", lines), class_=wide and "wide")
    return element("div", whole, class_="scroll", tabindex=0, role="region", aria_label=label)
