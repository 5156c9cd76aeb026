"""The tables of the page: stages, settings that differ, and what is common to all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.page.elements import Markup, element, joined
from pytest_audioparity.report.brief import decibels
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
# Left out on a telephone, where they would push verdict and finding out of sight; the chart and the text have them.
_SPARE = ("shape", "allowed", "margin")


def verdict(word: str) -> Markup:
    """Return a verdict as it stands in a table."""
    return element("span", WORDS.get(word, word), class_=f"verdict {word}")


def is_inherited(stage: Mapping[str, Any]) -> bool:
    """Whether a stage fails by what it inherited alone: with the golden's inputs its step passes."""
    return bool(stage["verdict"] == "fail" and stage.get("own_verdict") == "pass")


def number(stage: Mapping[str, Any]) -> str:
    """Return the number that says how far a stage is off."""
    return decibels(stage) or ("" if stage.get("match") is None else f"{percent(stage['match'])} equal")


def stages(rows: Sequence[Mapping[str, Any]], first: str | None) -> Markup:
    """Return the table of all stages, in the order of the data."""
    kinds = [f"{row['verdict']}{' first' if row['name'] == first else ''}" for row in rows]
    return table("stages", _STAGES, [list(_stage(row)) for row in rows], kinds)


def _stage(stage: Mapping[str, Any]) -> Iterator[object]:
    yield element("code", stage["name"])
    sides = [side["shape"] for side in (stage.get("expected"), stage.get("actual")) if side]
    shapes = dict.fromkeys("×".join(map(str, shape)) or "scalar" for shape in sides)
    yield " → ".join(shapes)
    yield element("b", number(stage)) if stage["verdict"] == "fail" else number(stage)
    own, match = stage.get("own_deviation_db"), stage.get("own_match")
    yield f"{decibel(own)} dB" if own is not None else "" if match is None else f"{percent(match)} equal"
    yield "" if stage.get("tol_db") is None else f"{decibel(stage['tol_db'])} dB"
    margin = stage.get("margin_db")
    yield "" if margin is None else f"{'-' if margin < 0 else ''}{decibel(abs(margin))} dB"
    yield verdict(stage["verdict"])
    if is_inherited(stage):
        yield "inherited"
        return
    some = (stage.get("own_findings") if stage.get("own_verdict") == "fail" else None) or stage.get("findings") or ()
    found = [one if isinstance(one, str) else one["code"] for one in some]
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
    return table("settings that differ", heads, cells, [""] * len(apart))


def _value(row: Mapping[str, Any], side: str) -> Markup:
    return element("code", repr(row[side]) if side in row else "")


def table(
    label: str, heads: Mapping[str, str], rows: Iterable[Iterable[object]], kinds: Sequence[str], *, wide: bool = False
) -> Markup:
    """Return a table that scrolls by itself where the screen is narrow; columns without any text are left out.

    Parameters
    ----------
    label : what it is, for those who do not see it
    heads : titles and what they mean
    rows : cells
    kinds : the class of each row
    wide : whether its last column has sentences
    """
    texts = [[joined(cell) for cell in cells] for cells in rows]
    kept = [place for place in range(len(heads)) if any(cells[place] for cells in texts)]
    titled = [list(heads.items())[place] for place in kept]
    spare = ["spare" if title in _SPARE else None for title in heads]
    titles = [
        element("th", title, scope="col", title=meaning or None, class_=spare[place])
        for place, (title, meaning) in zip(kept, titled, strict=True)
    ]
    lines = [
        element("tr", [element("td", cells[place], class_=spare[place]) for place in kept], class_=kind or None)
        for cells, kind in zip(texts, kinds, strict=True)
    ]
    whole = element("table", element("thead", element("tr", titles)), element("tbody", lines), class_=wide and "wide")
    return element("div", whole, class_="scroll", tabindex=0, role="group", aria_label=label)
