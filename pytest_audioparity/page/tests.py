"""The part of the page that tells of one test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.page import tables
from pytest_audioparity.page.audits import unnoticed
from pytest_audioparity.page.charts import deviations
from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.headline import headline, plain_line, words
from pytest_audioparity.page.roundtrips import roundtrip
from pytest_audioparity.page.stages import part
from pytest_audioparity.report.jumps import SECOND_JUMP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_audioparity.page.records import Shown

# Stages of one test that are drawn: the first divergence, a second jump and faults of their own come first.
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
        line, text, body = headline(shown), words(shown), list(_body(shown, identity, illustrated=illustrated))
    except _MALFORMED as error:
        problem = f"what was kept of this test cannot be shown: {error or type(error).__name__}"
        line, text = plain_line(shown), shown.test.lower()
        body = [element("p", problem, class_="problem"), _as_text(shown.report) if shown.report else None]
    return element(
        "details",
        line,
        element("div", body, class_="body"),
        id=identity,
        class_="test",
        open=is_open,
        data_verdict=shown.state,
        data_text=text,
    )


def _body(shown: Shown, identity: str, *, illustrated: bool) -> Iterator[object]:
    if shown.problem is not None:
        yield element("p", shown.problem, class_="problem")
    if isinstance(variant := shown.account.get("variant"), dict):
        yield element("p", f"variant of the golden: {variant.get('name')}", class_="note")
    if shown.account.get("job"):
        yield element("p", f"as job {shown.account['job']} ran it", class_="note")
    result = shown.result
    if result is None:
        yield from _numbers(shown.account)
    else:
        yield from _result(shown, result, illustrated=illustrated)
    yield unnoticed(shown.account.get("mutants"))
    if shown.commands:
        link = element("a", "link to this test", href=f"#{identity}", class_="note")
        yield element("div", map(_command, shown.commands), link, class_="commands")
    if shown.report:
        yield element("details", element("summary", "the report as text"), _as_text(shown.report), class_="text")


def _result(shown: Shown, result: Mapping[str, Any], *, illustrated: bool) -> Iterator[object]:
    if result.get("reason"):
        yield element("p", str(result["reason"]), class_="problem")
    first, stages = result.get("first_divergence"), result["stages"]
    if jump := result.get("second_jump"):
        amounts = [tables.number({"deviation_db": jump[key]}) or "inf dB" for key in ("before_db", "after_db")]
        why = f", {' → '.join(amounts)}: {SECOND_JUMP}"
        yield element("p", "a second jump: ", element("code", jump["stage"]), why)
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
        tag = "first divergence" if stage["name"] == first else "second jump" if stage["name"] == _jump(result) else ""
        yield part(shown, stage, tag=tag, illustrated=illustrated)
    for said, some in (("inherited only", filter(tables.is_inherited, rest)), ("not drawn", _own_of(rest))):
        if names := ", ".join(stage["name"] for stage in some):
            yield element("p", f"{said}: {names}", class_="note")
    yield from map(roundtrip, result.get("roundtrips") or ())


def _jump(result: Mapping[str, Any]) -> str | None:
    """Return the name of the stage that is off by far more than all before it; older documents do not say."""
    return (result.get("second_jump") or {}).get("stage")


def _own_of(stages: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [stage for stage in stages if not tables.is_inherited(stage)]


def _numbers(account: Mapping[str, Any]) -> Iterator[object]:
    """List the numbers of a test of which nothing else was kept, in little space: there may be a thousand."""
    stages, checks = account.get("stages") or (), account.get("checks") or ()
    if apart := [s["name"] for s in account.get("settings") or () if s["verdict"] != "pass"]:
        yield element("p", f"settings that differ: {', '.join(apart)}", class_="problem")
    yield from map(roundtrip, account.get("roundtrips") or ())
    if account.get("roundtrips"):
        checks = ()
    wide = max((len(one["name"]) for one in (*stages, *checks)), default=0)
    said = [
        f"{s['name']:<{wide}}  {tables.number(s):>13}  {tables.WORDS.get(s['verdict'], s['verdict'])}" for s in stages
    ]
    said += [f"{check['name']:<{wide}}  {tables.WORDS.get(check['verdict'], '')}" for check in checks]
    if said:
        yield _as_text("\n".join(said))
    elif not account.get("roundtrips"):
        yield element("p", "nothing was recorded", class_="note")


def _as_text(text: str) -> Markup:
    return element("pre", text, tabindex=0, role="group", aria_label="as text")


def _command(text: str) -> Markup:
    button = element("button", "copy", type="button", class_="copy", data_copy=text, aria_label=f"copy: {text}")
    return element("p", element("code", text), " ", button)


def _chosen(result: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return the stages that are drawn, and the others that do not pass.

    What a stage only inherited is seen where it began; it is drawn if it can be heard, or is what the model gives.
    """
    failing = [stage for stage in result["stages"] if stage["verdict"] != "pass"]
    first, jump, last = result.get("first_divergence"), _jump(result), result["stages"][-1:]

    def order(stage: Mapping[str, Any]) -> tuple[bool, bool, bool]:
        return (
            stage["name"] != first,
            stage["name"] != jump,
            stage.get("own_verdict") != "fail" and stage.get("audio") is None,
        )

    drawn = [s for s in failing if not tables.is_inherited(s) or s.get("audio") is not None or s in last]
    drawn = sorted(drawn, key=order)[:_DRAWN]
    return drawn, [stage for stage in failing if stage not in drawn]
