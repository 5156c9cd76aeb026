"""The page of a run, operated in a browser: filters, keys, copying, players, links, a thousand tests."""

from __future__ import annotations

import json

import numpy as np
import pytest
from reading import Page
from specimens import EVIL, LONG, MARKUP

from pytest_audioparity.cli import main

FAILING = "test_model.py::test_vocoder"


def shown(page):
    lines = "[...document.querySelectorAll('.test > summary .name')].filter((one) => one.checkVisibility())"
    return page.evaluate(f"{lines}.map((one) => one.textContent)")


def part_of(page, name):
    """Return the part of the page that tells of a test."""
    return page.locator("details.test", has=page.locator("summary .name", has_text=name)).first


def focused(page):
    return page.evaluate("document.activeElement.closest('details.test')?.querySelector('.name').textContent")


@pytest.fixture
def vocoder(opened, all_open):
    """Give the page with the test open whose audio is garbled, and that part of it."""
    with opened() as page:
        part = part_of(page, "test_vocoder")
        part.locator("summary").first.click()
        page.wait_for_function(
            "() => [...document.querySelectorAll('[open] audio')].every((one) => one.readyState > 0)"
        )
        yield page, part


def test_nothing_is_said_asked_for_or_forbidden(opened, all_open):
    """A page that is opened, with every part open, has no message, no request but itself, and breaks no policy."""
    with opened() as page:
        assert all_open(page).locator("details.test").count() == 15
        assert page.title().startswith("specimens")


def test_what_is_asked_for_from_elsewhere_is_seen_and_forbidden(opened, specimens, tmp_path):
    """Markup that got into a page all the same loads nothing and runs nothing; the checks of these tests notice it."""
    planted = "<main><img src='https://localhost/x.png'><script>document.title = 'run'</script>"
    path = tmp_path / "index.html"
    path.write_text(specimens.read_text(encoding="utf-8").replace("<main>", planted), encoding="utf-8")
    with opened(path, is_healthy=False) as page:
        page.wait_for_function("() => refused.length === 2")
        assert set(page.evaluate("refused")) == {"img-src", "script-src-elem"}
        assert page.title() != "run"
        assert page.said


def test_the_first_screen_says_which_tests_fail_and_where_and_why(opened):
    """Without a click, ten failing tests are in sight, each with its first divergence, its cause and its sound."""
    with opened() as page:
        assert "13 of 15 parity tests do not pass" in page.locator("h1").inner_text()
        lines = page.locator("details.test > summary")
        seen = [line.inner_text() for line in lines.all() if line.bounding_box()["y"] < 900]
        assert len(seen) >= 10
        vocoder = next(text for text in lines.all_inner_texts() if "test_vocoder" in text)
        assert "garbled" in vocoder
        assert "first divergence encoder, 1.94 dB: gain: actual = 1.25 * expected (+1.94 dB)" in "\n".join(seen)


def test_one_failing_test_is_open(opened, specimens, tmp_path):
    """A run with one failure shows it at once; with several the list is the overview and nothing is open."""
    with opened() as page:
        assert page.locator("details.test[open]").count() == 0
    with opened(report(specimens, tmp_path, lambda tests: [t for t in tests if "decoder" in t["test"]])) as page:
        assert page.locator("details.test[open]").count() == 1


def test_words_and_states_filter(opened):
    """Every word has to be there, of name, stage, finding or sound; states are left out by their boxes."""
    with opened() as page:
        page.fill("#search", "GARBLED test_vocoder")
        assert shown(page) == [FAILING]
        page.fill("#search", "unnoticed")
        assert {"test_model.py::test_passing"} <= set(shown(page))
        page.fill("#search", "nothing of this name")
        assert shown(page) == []
        assert page.locator(".none").is_visible()
        page.fill("#search", "")
        page.get_by_label("failed").uncheck()
        assert len(shown(page)) == 3
        page.get_by_label("not measured").uncheck()
        assert shown(page) == ["test_model.py::test_passing", "test_model.py::test_passing_too"]
        assert page.locator(".none").is_hidden()


def test_keys_move_open_and_search(opened):
    """`/` and Escape enter and leave the field, j and k move over what the filter leaves, Enter opens and closes."""
    with opened() as page:
        page.keyboard.press("/")
        page.keyboard.type("jk")
        assert page.input_value("#search") == "jk"
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement === document.body")
        page.fill("#search", "garbled")
        page.keyboard.press("Enter")
        names = shown(page)
        assert len(names) == 3
        assert focused(page) == names[0]
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("j")
        assert focused(page) == names[2]
        page.keyboard.press("k")
        assert focused(page) == names[1]
        page.keyboard.press("Enter")
        assert part_of(page, names[1]).get_attribute("open") is not None
        page.keyboard.press("Enter")
        assert part_of(page, names[1]).get_attribute("open") is None


def test_commands_are_copied(opened, all_open):
    """The button puts the command into the clipboard, as one can paste it, and says so."""
    with opened(permissions=["clipboard-read", "clipboard-write"]) as page:
        button = part_of(all_open(page), "test_vocoder").get_by_text("copy").last
        button.click()
        page.wait_for_function("() => document.body.innerText.includes('copied')")
        assert page.evaluate("navigator.clipboard.readText()") == f"pytest {FAILING}"


def test_where_the_clipboard_is_refused_the_command_is_selected(opened, all_open):
    """A page that may not write to the clipboard selects the command instead."""
    refuse = "Object.defineProperty(navigator, 'clipboard', { value: undefined });"
    with opened(init=refuse) as page:
        part_of(all_open(page), "test_vocoder").get_by_text("copy").last.click()
        page.wait_for_function("() => document.body.innerText.includes('selected')")
        assert page.evaluate("String(getSelection())") == f"pytest {FAILING}"


def test_every_player_plays_at_one_level(opened, all_open, specimens):
    """Each sound has its length and can be played through; expected and actual have one rms."""
    with opened() as page:
        players = all_open(page).locator("audio").all()
        assert len(players) >= 6
        lengths = [player.evaluate("(one) => one.duration") for player in players]
        assert min(lengths) > 0.05
        assert max(lengths) == pytest.approx(31364 / 16000, abs=0.01)
        players[0].evaluate("(one) => { one.playbackRate = 8; return one.play(); }")
        page.wait_for_function("(one) => one.ended", arg=players[0].element_handle())
    sounds = [samples for samples, _ in Page(specimens.read_text(encoding="utf-8")).players if samples.size > 10_000]
    levels = [10 * np.log10(np.mean(samples**2)) for samples in sounds]
    assert len(levels) % 2 == 0
    assert levels[::2] == pytest.approx(levels[1::2], abs=0.02)


def test_the_other_side_is_heard_at_the_same_place(vocoder):
    """The button and the key x change which side plays, never both, where the other one was."""
    page, part = vocoder
    one, other = (side.element_handle() for side in part.locator("audio").all())
    for side in (one, other):
        side.evaluate("(side) => { side.playbackRate = 0.1; }")  # two seconds of sound outlast a slow machine
    # Switching tells of itself in an event, which comes a moment after the player has begun.
    heard = "(side) => !side.paused && side.currentTime > 0.05 && side.closest('figure').classList.contains('playing')"
    switch = part.locator(".switch")
    switch.click()
    page.wait_for_function(heard, arg=one)
    assert switch.inner_text() == "A/B: hear actual"
    switch.click()
    page.wait_for_function(heard, arg=other)
    assert one.evaluate("(side) => side.paused")
    at = page.evaluate("([one, other]) => other.currentTime - one.currentTime", [one, other])
    assert -0.01 < at < 1.5  # rounded; and it plays on
    assert switch.inner_text() == "A/B: hear expected"
    page.keyboard.press("x")
    page.wait_for_function(heard, arg=one)
    assert other.evaluate("(side) => side.paused")
    assert part.locator(".playing figcaption").first.inner_text().startswith("expected")


def test_marked_words_are_played_and_no_more(opened, all_open):
    """The seconds that are shaded are a button: it plays from their beginning to their end, and not what follows."""
    with opened() as page:
        part = part_of(all_open(page), "test_partly_lost")
        span = part.locator("button.span").first
        start, end = (float(span.get_attribute(f"data-{side}")) for side in ("from", "to"))
        assert 0.3 < start < end < 1.4
        span.click()
        actual = part.locator("audio").last.element_handle()
        page.wait_for_function("([side, at]) => side.paused && side.currentTime >= at", arg=[actual, end], polling=20)
        assert not actual.evaluate("(side) => side.ended")


def test_a_click_on_a_picture_plays_from_there(vocoder):
    """Half way along the waveform is half of the time; a line shows what is being heard in every picture."""
    page, part = vocoder
    picture = part.locator("svg.curve.tall")
    box = picture.bounding_box()
    picture.click(position={"x": box["width"] / 2, "y": 20})
    player = part.locator("audio").first.element_handle()
    page.wait_for_function("(side) => side.currentTime > 0.9", arg=player)
    assert part.locator(".head").count() == part.locator(".sound svg").count() == 4


def test_links_open_their_test(opened):
    """`#t3` opens the fourth test and brings it into sight, when the page is opened and afterwards."""
    with opened(anchor="#t3") as page:
        assert page.locator("#t3").get_attribute("open") is not None
        page.fill("#search", "nothing of this name")
        page.evaluate("location.hash = '#t9'")
        page.wait_for_function("() => document.getElementById('t9').open")
        assert 0 <= page.locator("#t9 > summary").bounding_box()["y"] < 900


def test_names_stay_inert(opened, all_open):
    """Markup, quotes, marks that turn the writing and control characters in names are text, wherever they stand."""
    with opened() as page:
        text = all_open(page).evaluate("document.body.textContent")
        assert text.count(MARKUP) > 4
        assert LONG in text
        assert page.locator("img[src='x']").count() == 0
        assert page.locator("main > details.test").count() == 15
        assert not set(EVIL).difference(MARKUP, map(chr, range(32, 127))) & set(text)
        assert "\\u202egnp.txt\\x07" in text


def test_a_name_from_right_to_left_turns_nothing_else(opened):
    """What follows a Hebrew name stands to the right of it, in its order."""
    with opened() as page:
        name = page.locator(".short bdi", has_text="שלום")
        before = name.bounding_box()
        after = name.evaluate(
            """(name) => { const range = document.createRange();
              range.setStart(name.nextSibling, 2); range.setEnd(name.nextSibling, 6);
              return [range.toString(), range.getBoundingClientRect().left]; }"""
        )
        assert after[0] == "3.52"
        assert after[1] >= before["x"] + before["width"]


def report(specimens, folder, change):
    """Write the page of the same run with other tests in its record."""
    path = specimens.parents[1] / ".audioparity" / "run.json"
    kept = path.read_bytes()
    said = json.loads(kept)
    said["tests"] = change(said["tests"])
    path.write_text(json.dumps(said))
    try:
        assert main(["run", "report", f"--root={specimens.parents[1]}", "--dir", str(folder)]) == 0
    finally:
        path.write_bytes(kept)
    return folder / "index.html"


def test_a_thousand_tests_can_be_operated(opened, specimens, tmp_path):
    """Of a thousand tests the filter leaves what is asked for; the page has few elements for each."""

    def many(tests):
        (one,) = (test for test in tests if "decoder" in test["test"])
        return [*tests, *({**one, "test": f"t.py::test_{n}[case]", "pending": None} for n in range(1000 - len(tests)))]

    with opened(report(specimens, tmp_path, many)) as page:
        assert page.locator("details.test").count() == 1000
        assert page.evaluate("document.querySelectorAll('*').length") < 25_000
        page.fill("#search", "test_777[")
        assert shown(page) == ["t.py::test_777[case]"]
        page.fill("#search", "")
        page.keyboard.press("Escape")
        page.keyboard.press("k")
        assert focused(page) == shown(page)[-1]
