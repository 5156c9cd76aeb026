"""The summary of a step: what a Markdown reader of GitHub's kind makes of it."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from pytest_audioparity.report.brief import Failure
from pytest_audioparity.report.step_summary import step_summary

EVIL = "<b>x</b> | a `b` *c* _d_ [e](http://f) ~~g~~ $h$ \\| & &amp; #1 @me <!-- -->"
MIB = 1024 * 1024


class Rendered(HTMLParser):
    """The cells, headings and code blocks of rendered Markdown, as texts; and the tags that were met."""

    def __init__(self, markdown):
        super().__init__()
        self.texts, self.tags = [], []
        self.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))

    def handle_starttag(self, tag, _attributes):
        self.tags.append(tag)
        if tag in ("td", "th", "h3", "pre", "p"):
            self.texts.append((tag, ""))

    def handle_data(self, data):
        if self.texts and data.strip():
            tag, text = self.texts[-1]
            self.texts[-1] = (tag, text + data)

    def all(self, tag):
        return [text for found, text in self.texts if found == tag]


def failure(test="t.py::test_a", **more):
    stage = {"name": "mel", "verdict": "fail", "deviation_db": 1.46, "own_deviation_db": 1.4, "tol_db": 0.01}
    stage |= {"failed": ["deviation_db"], "audio": "wrong_content", **more.pop("stage", {})}
    found = {"code": "offset", "explains": 0.998, "message": "actual = expected - 1.46 dB"}
    account = {
        "first_divergence": stage["name"],
        "stages": [stage],
        "finding": found,
        "headline": "h",
        "pending": "p",
        **more,
    }
    return Failure(test=test, account=account, message="ParityError: h")


def test_a_run_without_failures_is_one_line():
    assert step_summary([], tests=14, limit=MIB) == "**audioparity**: 14 parity tests, none failed\n\n"


def test_a_failure_is_a_row_of_its_numbers():
    page = Rendered(step_summary([failure()], tests=3, limit=MIB))
    assert page.all("h3") == ["audioparity: 1 of 3 parity tests failed"]
    why = "offset (99.80 % of the error): actual = expected - 1.46 dB"
    assert page.all("td") == ["t.py::test_a", "mel", "1.46 dB", "1.40 dB", "0.01 dB", why, "wrong content"]


def test_a_test_that_was_not_judged_says_what_pytest_says():
    page = Rendered(step_summary([Failure("t.py::test_a", None, "ValueError: no")], tests=1, limit=MIB))
    assert page.all("td") == ["t.py::test_a", "", "", "", "", "ValueError: no", ""]


def test_an_exception_is_told_with_the_divergence_before_it():
    failed = failure()
    failed = Failure(failed.test, failed.account, "ValueError: no")
    why = Rendered(step_summary([failed], tests=1, limit=MIB)).all("td")[5]
    assert why == "ValueError: no; before: offset (99.80 % of the error): actual = expected - 1.46 dB"


def test_names_and_messages_are_shown_as_they_are_and_make_no_markup():
    finding = {"code": "gain", "explains": None, "message": EVIL}
    page = Rendered(step_summary([failure(EVIL, stage={"name": EVIL}, finding=finding)], tests=1, limit=MIB))
    assert page.all("td")[:2] == [EVIL, EVIL]
    assert page.all("td")[5] == f"gain: {EVIL}"
    assert not {"b", "em", "strong", "a", "s"} & set(page.tags)
    assert page.tags.count("code") == 2 + 2  # two names; `.audioparity` and the commands


def test_a_line_break_in_a_name_stays_within_its_row():
    page = Rendered(step_summary([failure("a\nb\r|c")], tests=1, limit=MIB))
    assert len(page.all("td")) == 7
    assert page.all("td")[0] == "a\\nb\\r|c"


def test_what_happened_to_goldens_is_shown_as_the_terminal_has_it():
    lines = ["created golden/x.safetensors (1 kB, 1 stage)", "```", "  mel: old -> new <1 dB"]
    page = Rendered(step_summary([], tests=1, goldens=lines, limit=MIB))
    assert page.all("h3") == ["audioparity: no parity test failed"]
    assert [line for line in page.all("pre")[0].splitlines() if line] == lines


@pytest.mark.parametrize("fetch", [None, "gh run download 77"])
def test_a_failure_says_how_it_is_reviewed(fetch):
    commands = Rendered(step_summary([failure()], tests=1, fetch=fetch, limit=MIB)).all("pre")[0]
    assert "audioparity golden pending --from parity" in commands
    assert ("gh run download 77 --dir parity" in commands) == (fetch is not None)


def test_where_nothing_waits_no_review_is_offered():
    assert "golden pending" not in step_summary([failure(pending=None)], tests=1, limit=MIB)


def test_a_round_trip_is_told_by_its_first_check_that_does_not_pass():
    checks = [{"name": "length", "verdict": "pass"}, {"name": "words", "verdict": "fail", "message": "words are lost"}]
    trips = [{"audio_verdict": "garbled", "checks": checks}]
    account = {"first_divergence": None, "stages": [], "headline": "the round trip fails: words", "roundtrips": trips}
    page = Rendered(
        step_summary([Failure("t", account, "ParityError: the round trip fails: words")], tests=1, limit=MIB)
    )
    assert page.all("td")[1:] == ["", "", "", "", "words: words are lost", "garbled"]


def test_the_most_telling_rows_come_first_and_many_are_counted():
    failures = [failure(f"test_{place}", stage={"deviation_db": place + 1.0}) for place in range(130)]
    text = step_summary(failures, tests=130, limit=MIB)
    cells = Rendered(text).all("td")
    assert cells[0] == "test_129"
    assert len(cells) == 100 * 7
    assert "30 more are in the log." in text


@pytest.mark.parametrize("limit", [200_000, 20_000, 1_000, 10])
def test_a_summary_never_exceeds_what_is_left_of_its_limit(limit):
    failures = [failure("ä|" * 500, finding={"code": "x", "explains": None, "message": "|" * 500})] * 200
    text = step_summary(failures, tests=200, goldens=["€" * 999] * 500, limit=limit)
    assert (text is None) == (limit == 10)
    assert text is None or len(text.encode()) <= limit
