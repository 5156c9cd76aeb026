"""The part of the page that tells of one test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.page.charts import deviations
from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.pictures import comparable, pictures
from pytest_audioparity.page.sound import sound
from pytest_audioparity.report.numbers import decibel, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_audioparity.page.records import Shown

Array = np.ndarray[Any, Any]

# Stages of one test that are drawn: the first divergence and those with a fault of their own come first.
_DRAWN = 4
_WORDS = {"pass": "ok", "fail": "FAIL", "not_measured": "N/M"}


def section(shown: Shown, identity: str) -> Markup:
    """Return a test as an element that can be opened: a summary line, and what is known of it.

    Parameters
    ----------
    shown : the test
    identity : of the element, for links
    """
    account = shown.account
    headline = element(
        "summary",
        element("span", _WORDS.get(shown.verdict, shown.verdict), class_=f"verdict {shown.verdict}"),
        element("code", shown.test),
        element("span", _in_short(account), class_="short"),
    )
    body = element("div", list(_body(shown)), class_="body")
    is_open = shown.verdict in ("fail", "not_measured")
    texts = f"{shown.test} {_in_short(account)} {' '.join(codes(account))}".lower()
    return element(
        "details", headline, body, id=identity, class_="test", open=is_open, data_verdict=shown.verdict, data_text=texts
    )


def codes(account: Mapping[str, Any]) -> list[str]:
    """Return the codes of the findings of a test's stages, each once."""
    return list(dict.fromkeys(code for stage in account.get("stages") or () for code in stage.get("findings") or ()))


def _in_short(account: Mapping[str, Any]) -> str:
    stages = account.get("stages") or ()
    first = account.get("first_divergence")
    stage = next((s for s in stages if s["name"] == first), None)
    if stage is None:
        return str(account.get("reason") or f"{len(stages)} stages")
    off = "" if stage.get("deviation_db") is None else f", {decibel(stage['deviation_db'])} dB"
    found = "" if not stage.get("findings") else f": {stage['findings'][0]}"
    return f"first divergence {first}{off}{found}"


def _body(shown: Shown) -> Iterator[object]:
    result = shown.result
    if shown.problem is not None:
        yield element("p", shown.problem, class_="problem")
    if result is None:
        yield _lines(shown.account)
        return
    if result.get("reason"):
        yield element("p", str(result["reason"]), class_="problem")
    first = result.get("first_divergence")
    yield deviations(result["stages"], first)
    yield _table(result["stages"], first)
    for stage in _drawn(result):
        yield _stage(shown, stage, is_first=stage["name"] == first)
    yield from map(_roundtrip, result.get("roundtrips") or ())
    if shown.commands:
        yield element("div", [_command(text) for text in shown.commands], class_="commands")
    yield element("details", element("summary", "the report as text"), element("pre", shown.report))


def _lines(account: Mapping[str, Any]) -> Markup:
    """List the stages of a test of which nothing but the numbers was kept, in little space: there may be a thousand."""
    stages = account.get("stages") or ()
    wide = max((len(stage["name"]) for stage in stages), default=0)
    said = [f"{s['name']:<{wide}}  {_number(s):>10}  {_WORDS.get(s['verdict'], s['verdict'])}" for s in stages]
    checks = [f"{check['name']:<{wide}}  {_WORDS.get(check['verdict'], '')}" for check in account.get("checks") or ()]
    return element("pre", "\n".join([*said, *checks]) or "no stage was recorded")


def _roundtrip(trip: Mapping[str, Any]) -> Markup:
    checks = [
        element(
            "tr",
            [element("td", cell) for cell in (check["name"], _WORDS.get(check["verdict"], ""), check["message"])],
            class_=check["verdict"],
        )
        for check in trip["checks"]
    ]
    title = element("h4", f"round trip {trip['name'] or ''}: {trip['audio_verdict']}")
    return element("section", title, element("div", element("table", element("tbody", checks)), class_="scroll"))


def _command(text: str) -> Markup:
    button = element("button", "copy", type="button", class_="copy", data_copy=text)
    return element("p", element("code", text), button)


def _drawn(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    failing = [stage for stage in result["stages"] if stage["verdict"] != "pass"]
    first = result.get("first_divergence")

    def order(stage: Mapping[str, Any]) -> tuple[bool, bool]:
        return stage["name"] != first, stage.get("own_verdict") != "fail" and stage.get("audio") is None

    return sorted(failing, key=order)[:_DRAWN]


def _table(stages: Any, first: str | None) -> Markup:
    head = ("stage", "shape", "deviation", "own", "allowed", "margin", "verdict", "finding")
    rows = [
        element("tr", [element("td", cell) for cell in _row(stage)], class_=_class(stage, first)) for stage in stages
    ]
    heads = element("thead", element("tr", [element("th", title, scope="col") for title in head]))
    return element("div", element("table", heads, element("tbody", rows)), class_="scroll")


def _class(stage: Mapping[str, Any], first: str | None) -> str:
    return f"{stage['verdict']}{' first' if stage['name'] == first else ''}"


def _row(stage: Mapping[str, Any]) -> Iterator[object]:
    side = stage.get("expected") or stage.get("actual") or {}
    yield element("code", stage["name"])
    yield "×".join(map(str, side.get("shape", ()))) if side else ""
    yield _number(stage) + ("" if stage.get("deviation_db") is None else " dB")
    yield "" if stage.get("own_deviation_db") is None else f"{decibel(stage['own_deviation_db'])} dB"
    yield "" if stage.get("tol_db") is None else f"{decibel(stage['tol_db'])} dB"
    yield "" if stage.get("margin_db") is None else _signed(stage["margin_db"])
    yield _WORDS[stage["verdict"]]
    found = stage.get("findings") or ()
    yield ", ".join(one if isinstance(one, str) else one["code"] for one in found[:2])


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else ''}{decibel(abs(value))} dB"


def _number(stage: Mapping[str, Any]) -> str:
    if stage.get("deviation_db") is not None:
        return decibel(stage["deviation_db"])
    return "" if stage.get("match") is None else f"{percent(stage['match'])} equal"


def _stage(shown: Shown, stage: Mapping[str, Any], *, is_first: bool) -> Markup:
    title = element("h4", element("code", stage["name"]), " (first divergence)" if is_first else "")
    told = [*(stage.get("findings") or ()), *(stage.get("own_findings") or ())]
    findings = [
        element("li", element("b", finding["code"]), _share(finding), f": {finding['message']}") for finding in told
    ]
    reason = element("p", stage["reason"], class_="problem") if stage.get("reason") else None
    heard = stage.get("audio")
    said = element("p", "audio: ", element("b", heard["verdict"]), class_="audio") if heard else None
    return element(
        "section",
        title,
        reason,
        element("ul", findings) if findings else None,
        said,
        _seen(shown, stage),
        class_="stage",
    )


def _share(finding: Mapping[str, Any]) -> str:
    return "" if finding.get("explains") is None else f" ({percent(finding['explains'])} of the error)"


def _seen(shown: Shown, stage: Mapping[str, Any]) -> Markup | None:
    """Draw a stage that both sides have, where they can be laid over each other."""
    name = stage["name"]
    if shown.expected is None or shown.obtained is None or not comparable(stage["expected"], stage["actual"]):
        return None
    if name not in shown.expected or name not in shown.obtained:
        return None
    try:
        expected, actual = shown.expected.read(name), shown.obtained.read(name)
    except AudioparityError as error:
        return element("p", str(error), class_="problem")
    one, other = _aligned(expected.array, expected.meta.axes, actual.array, actual.meta.axes)
    if one.dtype.kind == "c" or one.dtype.kind == "O" or one.shape != other.shape or one.size == 0:
        return None
    axes = expected.meta.axes or actual.meta.axes
    if stage.get("kind") == "waveform" and stage.get("sample_rate"):
        return sound(_channel(one, axes), _channel(other, axes), stage, stage.get("audio"))
    return pictures(one, other, axes)


def _aligned(one: Array, axes: str | None, other: Array, others: str | None) -> tuple[Array, Array]:
    if axes is not None and others is not None and axes != others and sorted(axes) == sorted(others):
        other = other.transpose([others.index(letter) for letter in axes])
    return np.asarray(one), np.asarray(other)


def _channel(array: Array, axes: str | None) -> Array:
    """Return the first channel of a waveform."""
    time = axes.index("T") if axes is not None and "T" in axes else array.ndim - 1
    first: Array = np.moveaxis(array, time, -1).reshape(-1, array.shape[time])[0]
    return first
