"""The part of the page that tells of one test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.page import tables
from pytest_audioparity.page.charts import deviations
from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.records import BAD, STATES
from pytest_audioparity.page.stages import part
from pytest_audioparity.report.numbers import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_audioparity.page.records import Shown

# Stages of one test that are drawn: the first divergence and those with a fault of their own come first.
_DRAWN = 4
# What a document of another machine raises where it is not as this version writes it.
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError)


def section(shown: Shown, identity: str, *, is_open: bool, illustrated: bool) -> Markup:
    """Return a test as an element that can be opened: a summary line, and what is known of it.

    Parameters
    ----------
    shown : the test
    identity : of the element, for links
    is_open : whether it is open from the start
    illustrated : whether its stages are drawn and played
    """
    try:
        short, found, body = _in_short(shown), codes(shown.account), list(_body(shown, illustrated=illustrated))
    except _MALFORMED as error:
        problem = f"what was kept of this test cannot be shown: {error or type(error).__name__}"
        short, found, body = "", [], [element("p", problem, class_="problem"), element("pre", shown.report)]
    headline = element(
        "summary",
        element("span", tables.WORDS.get(shown.state, STATES[shown.state]), class_=f"verdict {shown.state}"),
        element("code", shown.test),
        element("span", short, class_="short"),
    )
    texts = f"{shown.test} {short} {' '.join(found)}".lower()
    return element(
        "details",
        headline,
        element("div", body, class_="body"),
        id=identity,
        class_="test",
        open=is_open,
        data_verdict=shown.state,
        data_text=texts,
    )


def codes(account: Mapping[str, Any]) -> list[str]:
    """Return names and findings of a test's stages that do not pass, each once: what one filters by."""
    bad = [stage for stage in account.get("stages") or () if stage["verdict"] != "pass"]
    words = [word for stage in bad for word in (stage["name"], *(stage.get("findings") or ()))]
    return list(dict.fromkeys(map(str, words)))


def _in_short(shown: Shown) -> str:
    account = shown.account
    stages = account.get("stages") or ()
    first = account.get("first_divergence")
    stage = next((s for s in stages if s["name"] == first), None)
    if stage is None:
        told = account.get("refused") if shown.state in BAD else None
        return str(account.get("reason") or told or counted(len(stages), "stage"))
    off = f", {tables.number(stage)}" if tables.number(stage) else ""
    found = "" if not stage.get("findings") else f": {stage['findings'][0]}"
    return f"first divergence {first}{off}{found}"


def _body(shown: Shown, *, illustrated: bool) -> Iterator[object]:
    if shown.problem is not None:
        yield element("p", shown.problem, class_="problem")
    if isinstance(variant := shown.account.get("variant"), dict):
        yield element("p", f"variant of the golden: {variant.get('name')}", class_="note")
    result = shown.result
    if result is None:
        yield from _numbers(shown.account)
    else:
        yield from _result(shown, result, illustrated=illustrated)
    yield element("div", map(_command, shown.commands), class_="commands") if shown.commands else None
    if shown.report:
        yield element("details", element("summary", "the report as text"), element("pre", shown.report))


def _result(shown: Shown, result: Mapping[str, Any], *, illustrated: bool) -> Iterator[object]:
    if result.get("reason"):
        yield element("p", str(result["reason"]), class_="problem")
    first, stages = result.get("first_divergence"), result["stages"]
    for label, text in (result.get("notes") or {}).items():
        yield element("p", f"{label}: {text}", class_="note")
    yield tables.settings(result.get("settings") or ())
    if stages:
        yield deviations(stages, first)
        yield tables.stages(stages, first)
    chosen, rest = _chosen(result)
    if chosen and not illustrated:
        yield element("p", "no pictures: this page has enough of other tests; run this test alone", class_="note")
    for stage in chosen:
        yield part(shown, stage, is_first=stage["name"] == first, illustrated=illustrated)
    if rest:
        yield element("p", f"not drawn: {', '.join(stage['name'] for stage in rest)}", class_="note")
    yield from map(tables.roundtrip, result.get("roundtrips") or ())


def _numbers(account: Mapping[str, Any]) -> Iterator[object]:
    """List the numbers of a test of which nothing else was kept, in little space: there may be a thousand."""
    stages, checks = account.get("stages") or (), account.get("checks") or ()
    if apart := [s["name"] for s in account.get("settings") or () if s["verdict"] != "pass"]:
        yield element("p", f"settings that differ: {', '.join(apart)}", class_="problem")
    yield from map(tables.roundtrip, account.get("roundtrips") or ())
    if account.get("roundtrips"):
        checks = ()
    wide = max((len(one["name"]) for one in (*stages, *checks)), default=0)
    said = [
        f"{s['name']:<{wide}}  {tables.number(s):>13}  {tables.WORDS.get(s['verdict'], s['verdict'])}" for s in stages
    ]
    said += [f"{check['name']:<{wide}}  {tables.WORDS.get(check['verdict'], '')}" for check in checks]
    if said:
        yield element("pre", "\n".join(said))
    elif not account.get("roundtrips"):
        yield element("p", "nothing was recorded", class_="note")


def _command(text: str) -> Markup:
    button = element("button", "copy", type="button", class_="copy", data_copy=text, aria_label=f"copy: {text}")
    return element("p", element("code", text), " ", button)


def _chosen(result: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return the stages that are drawn, and the others that do not pass."""
    failing = [stage for stage in result["stages"] if stage["verdict"] != "pass"]
    first = result.get("first_divergence")

    def order(stage: Mapping[str, Any]) -> tuple[bool, bool]:
        return stage["name"] != first, stage.get("own_verdict") != "fail" and stage.get("audio") is None

    failing.sort(key=order)
    return failing[:_DRAWN], failing[_DRAWN:]
