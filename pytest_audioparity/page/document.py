"""The page as a whole: everything is inside, so that it opens from an artifact of CI without a network."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.tests import section
from pytest_audioparity.report.numbers import counted

if TYPE_CHECKING:
    from pytest_audioparity.page.records import Gallery

_VERDICTS = (("fail", "failed"), ("not_measured", "not measured"), ("pass", "passed"))


def render(gallery: Gallery) -> str:
    """Return the page of a run as HTML."""
    counts = {verdict: sum(test.verdict == verdict for test in gallery.tests) for verdict, _ in _VERDICTS}
    rest = len(gallery.tests) - sum(counts.values())
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{gallery.title}: parity of {counted(len(gallery.tests), 'test')}"),
        element("style", _part("style.css")),
    )
    chips = [
        element(
            "label",
            element("input", type="checkbox", checked=True, data_filter=verdict),
            f" {counts[verdict]} {word}",
            class_=verdict,
        )
        for verdict, word in _VERDICTS
    ]
    search = element(
        "input", type="search", placeholder="filter: test, stage, finding", aria_label="filter", id="search"
    )
    other = element("span", f"{rest} otherwise") if rest else None
    note = (
        None
        if gallery.record.complete
        else element("p", f"not a complete run: {'; '.join(gallery.record.reasons)}", class_="note")
    )
    header = element(
        "header",
        element("h1", gallery.title),
        element(
            "p",
            f"{gallery.record.finished or gallery.record.started}, commit {gallery.record.commit or 'unknown'}",
            class_="note",
        ),
        note,
        element("div", search, chips, other, class_="filters"),
    )
    tests = [section(test, f"t{place}") for place, test in enumerate(gallery.tests)]
    main = element("main", tests, element("p", "no test matches the filter", class_="none", hidden=True))
    body = element("body", header, main, element("script", _part("script.js")))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _part(name: str) -> Markup:
    return Markup((resources.files("pytest_audioparity.page") / name).read_text(encoding="utf-8"))
