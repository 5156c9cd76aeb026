"""The page as a whole: everything is inside, so that it opens from an artifact of CI without a network."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.records import BAD, STATES
from pytest_audioparity.page.tests import section
from pytest_audioparity.report.numbers import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_audioparity.page.records import Gallery

# Characters of the page up to which tests are drawn: an artifact should open in a moment.
_ENOUGH = 20_000_000
# Tests that are open from the start.
_OPEN = 3


def render(gallery: Gallery, progress: Callable[[str, int, int], None] = lambda *_: None) -> str:
    """Return the page of a run as HTML."""
    script = _part("script.js")
    empty = None if gallery.tests else element("p", "no parity test ran", class_="note")
    hidden = element("p", "no test matches the filter", class_="none", hidden=True)
    main = element("main", empty, list(_tests(gallery, progress)), hidden)
    body = element("body", _header(gallery), main, element("script", script))
    return f"<!doctype html>\n{element('html', _head(gallery, script), body, lang='en')}\n"


def _tests(gallery: Gallery, progress: Callable[[str, int, int], None]) -> Iterator[Markup]:
    size = 0
    for place, test in enumerate(gallery.tests):
        progress(str(test.account["test"]), place, len(gallery.tests))
        is_open = test.state in BAD and place < _OPEN
        drawn = section(test, f"t{place}", is_open=is_open, illustrated=size < _ENOUGH)
        size += len(drawn)
        yield drawn


def _head(gallery: Gallery, script: str) -> Markup:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Nothing is loaded, and no other script runs, whatever a name in the page says.
    policy = (
        f"default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{gallery.title}: parity of {counted(len(gallery.tests), 'test')}"),
        element("style", _part("style.css")),
    )


def _header(gallery: Gallery) -> Markup:
    record = gallery.record
    when = f"{record.finished or record.started}, commit {record.commit or 'unknown'}"
    partial = None if record.complete else f"not a complete run: {'; '.join(record.reasons)}"
    jobs = f"merged from {', '.join(job.name for job in record.jobs)}" if record.jobs else None
    return element(
        "header",
        element("h1", gallery.title),
        [element("p", note, class_="note") for note in (when, jobs, partial) if note],
        [element("p", problem, class_="problem") for problem in gallery.problems],
        element("div", list(_filters(gallery)), class_="filters", role="search"),
    )


def _filters(gallery: Gallery) -> Iterator[Markup]:
    yield element(
        "input",
        type="search",
        placeholder="filter: test, stage, finding",
        aria_label="filter by test, stage or finding",
        aria_keyshortcuts="/",
        id="search",
    )
    for state, word in STATES.items():
        count = sum(test.state == state for test in gallery.tests)
        if count or state in ("fail", "pass"):
            box = element("input", type="checkbox", checked=True, data_filter=state)
            yield element("label", box, f" {count} {word}", class_=state)
    yield element("span", "/ to search, j and k for the next and previous test", class_="note keys")


def _part(name: str) -> Markup:
    return Markup((resources.files("pytest_audioparity.page") / name).read_text(encoding="utf-8"))
