"""How the page of a run is shown: contrast, a telephone, print, keyboard alone, no script."""

from __future__ import annotations

import pytest

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
# Parts of the standard that a machine can judge; 2.2 has the size of what is touched.
_RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}}
_TOUCHED = 44  # pixels, WCAG 2.5.5
_INTERACTIVE = "summary, button, input, a[href], audio, [tabindex='0']"


def complaints(page):
    """Return what axe-core has against a page."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options=_RULES).response["violations"]
    return [(rule["id"], node["html"][:90], node["failureSummary"][-160:]) for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("options", [{"color_scheme": "light"}, {"color_scheme": "dark", **PHONE}])
def test_all_text_has_contrast_and_all_controls_a_name(opened, all_open, needs, options):
    """Axe finds nothing, with every part open: text of 4.5:1 in both schemes, names, roles, order of headings."""
    needs("axe_playwright_python")
    with opened(**options) as page:
        assert complaints(all_open(page)) == []


def test_pale_text_is_noticed(opened, needs):
    """The same check finds text that is too pale, and a button without a name."""
    needs("axe_playwright_python")
    with opened() as page:
        page.add_style_tag(content=".note { color: #999 }")
        page.evaluate("document.querySelector('main').append(document.createElement('button'))")
        assert {"color-contrast", "button-name"} <= {rule for rule, *_ in complaints(page)}


def test_the_schemes_differ(opened):
    """Dark is dark and light is light, as the system asks for it."""
    grounds = []
    for scheme in ("light", "dark"):
        with opened(color_scheme=scheme) as page:
            grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(20, 22, 27)"]


def test_a_telephone_scrolls_in_one_direction(opened, all_open):
    """On 360 pixels nothing is wider than the screen but what scrolls by itself, and all of it can be touched."""
    with opened(**PHONE) as page:
        all_open(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        found = page.evaluate(
            """(least) => {
              const own = (one) => !one.closest(".scroll, pre, svg, figure.chart");
              const names = (some) => some.map((one) => one.outerHTML.slice(0, 90));
              const all = [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility());
              const controls = all.filter((one) => one.matches("button, summary, .filters label, input[type=search]"));
              return {
                wide: names(all.filter((one) => own(one) && one.getBoundingClientRect().right > innerWidth + 1)),
                scrolling: all.filter((one) => one.matches(".scroll") && one.scrollWidth > one.clientWidth).length,
                small: names(controls.filter((one) => one.getBoundingClientRect().height < least)),
              };
            }""",
            _TOUCHED,
        )
        assert found.pop("scrolling") > 0
        assert found == {"wide": [], "small": []}


def test_a_telephone_shows_verdicts_without_scrolling_and_a_shadow_where_there_is_more(opened, all_open):
    """Of a table of stages the verdicts are in sight, shapes and margins are left out; a wide screen has them."""
    seen = """() => [...document.querySelectorAll('.scroll[aria-label=stages]')].map((one) => ({
      right: Math.max(...[...one.querySelectorAll('.verdict')].map((v) => v.getBoundingClientRect().right)),
      titles: [...one.querySelectorAll('th')].filter((head) => head.checkVisibility()).map((head) => head.textContent),
      shadow: getComputedStyle(one).backgroundAttachment }))"""
    with opened(**PHONE) as page:
        tables = all_open(page).evaluate(seen)
        assert len(tables) >= 8
        assert max(table["right"] for table in tables) <= 360
        assert not any(word in table["titles"] for table in tables for word in ("shape", "margin", "allowed"))
        assert {table["shadow"] for table in tables} == {"local, local, scroll, scroll"}
    with opened() as page:
        assert "stage shape deviation own allowed margin verdict finding" in [
            " ".join(table["titles"]) for table in all_open(page).evaluate(seen)
        ]


def test_everything_is_reached_by_the_keyboard_and_seen(opened, all_open):
    """Tab comes to every control in the order of the page, and what has the focus has an outline."""
    with opened() as page:
        page.evaluate("() => { search.value = 'test_vocoder'; apply(); }")  # without the focus
        all_open(page)
        page.evaluate(f"document.querySelectorAll({_INTERACTIVE!r}).forEach((one, n) => {{ one.dataset.place = n; }})")
        wanted = page.evaluate(
            f"[...document.querySelectorAll({_INTERACTIVE!r})].filter((one) => one.checkVisibility())"
            ".map((one) => one.dataset.place)"
        )
        assert len(wanted) > 12
        reached = []
        for _ in range(12 * len(wanted)):  # a player has some of its own
            page.keyboard.press("Tab")
            place, style, label = page.evaluate(
                """() => { const one = document.activeElement, seen = one.closest('label') ?? one;
                  return [one.dataset.place, getComputedStyle(seen).outlineStyle, one.outerHTML.slice(0, 90)]; }"""
            )
            if place is None:
                break
            assert style != "none", label
            reached += [place] * (reached[-1:] != [place])
        assert reached == wanted


def test_without_a_script_everything_is_there(opened):
    """Tests open, pictures and players are shown; what only the script does is not offered."""
    with opened(java_script_enabled=False) as page:
        part = page.locator("details.test", has=page.locator("summary .name", has_text="test_vocoder"))
        part.locator("summary").first.click()
        assert part.locator("audio").first.is_visible()
        assert part.locator("svg.curve").first.is_visible()
        assert part.get_by_text("looks like speech", exact=True).is_visible()
        assert page.locator("button:visible, input:visible, .ab:visible, .keys:visible").count() == 0
        assert page.get_by_text("13 of 15 parity tests do not pass").is_visible()


def test_print_is_dark_on_white_without_controls(opened, all_open):
    """On paper a dark scheme is light, what cannot be pressed is left out, and open tests are there."""
    with opened(color_scheme="dark") as page:
        all_open(page)
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator("button:visible, audio:visible, input:visible").count() == 0
        assert page.locator("svg.curve:visible").count() > 5
        assert page.locator("details.test:visible").count() == 15
        assert page.pdf(format="A4").startswith(b"%PDF")
