"""The page as a whole: everything is inside, so that it opens from an artifact of CI without a network."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from pytest_audioparity.page import GENERATOR
from pytest_audioparity.page.audits import in_all
from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.records import BAD, STATES
from pytest_audioparity.page.tests import section
from pytest_audioparity.report.numbers import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_audioparity.page.records import Gallery
    from pytest_audioparity.runs import Job, RunRecord

# Characters of the page up to which tests are drawn: an artifact should open in a moment.
_ENOUGH = 20_000_000


def render(gallery: Gallery, progress: Callable[[str, int, int], None] = lambda *_: None) -> str:
    """Return the page of a run as HTML."""
    script = _part("script.js")
    empty = None if gallery.tests else element("p", "no parity test ran", class_="note")
    hidden = element("p", "no test matches the filter", class_="none", hidden=True)
    main = element("main", empty, list(_tests(gallery, progress)), hidden)
    filters = element("div", list(_filters(gallery)), class_="filters", role="search")
    body = element("body", _header(gallery), filters, main, element("script", script))
    return f"<!doctype html>\n{element('html', _head(gallery, script), body, lang='en')}\n"


def _tests(gallery: Gallery, progress: Callable[[str, int, int], None]) -> Iterator[Markup]:
    size = 0
    # One failure is what one came for; of several the list is the overview, and one opens what one wants.
    failing = sum(test.state in BAD for test in gallery.tests)
    for place, test in enumerate(gallery.tests):
        progress(str(test.account["test"]), place, len(gallery.tests))
        is_open = test.state in BAD and failing == 1
        drawn = section(gallery.opened(test), f"t{place}", is_open=is_open, illustrated=size < _ENOUGH)
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
        element("meta", name="generator", content=GENERATOR),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{gallery.title}: parity of {counted(len(gallery.tests), 'test')}"),
        element("style", _part("style.css")),
    )


def _header(gallery: Gallery) -> Markup:
    record = gallery.record
    partial = None if record.complete else f"not a complete run: {'; '.join(record.reasons)}"
    names = ", ".join(map(_job, record.jobs))
    jobs = f"merged from {counted(len(record.jobs), 'job')}: {names}" if names else None
    return element(
        "header",
        element("h1", gallery.title, " ", element("span", _outcome(gallery))),
        [element("p", note, class_="note") for note in (_when(record), jobs, partial) if note],
        [element("p", problem, class_="problem") for problem in gallery.problems],
        list(in_all([test.account for test in gallery.tests])),
    )


def _outcome(gallery: Gallery) -> str:
    bad, every = sum(test.state in BAD for test in gallery.tests), len(gallery.tests)
    if bad:
        return f"{bad} of {counted(every, 'parity test')} {'does' if bad == 1 else 'do'} not pass"
    return f"no parity test fails, of {every}" if every else "no parity test"


def _when(record: RunRecord) -> str:
    """Say when a run ended, to the second, and of which commit it was."""
    at = record.finished or record.started
    zone = " UTC" if at.endswith(("+00:00", "Z")) else ""
    unfinished = "" if record.finished else "begun "
    return f"{unfinished}{at.replace('T', ' ')[:19]}{zone}, commit {record.commit or 'unknown'}"


def _job(job: Job) -> str:
    return job.name if job.exit_status in (0, None) else f"{job.name} (exit status {job.exit_status})"


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
            yield element("label", box, f"{count} {word}", class_=state)
    yield element("span", "keys: / filter, j k move, Enter opens, x switches the sound", class_="note keys")


def _part(name: str) -> Markup:
    return Markup((resources.files("pytest_audioparity.page") / name).read_text(encoding="utf-8"))
