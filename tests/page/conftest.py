"""A page of a run, opened in the system's Chromium."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from specimens import write_specimens

# Reports what the page's policy forbids; it runs before everything in the page.
_WATCH = "window.refused = []; addEventListener('securitypolicyviolation', (e) => refused.push(e.violatedDirective));"
_WIDE = {"width": 1200, "height": 900}


@pytest.fixture(scope="session")
def specimens(tmp_path_factory):
    """Give the page of a project whose tests fail in every way."""
    return write_specimens(tmp_path_factory.mktemp("specimens"))


@pytest.fixture(scope="module")
def browser(needs, needs_program):
    """Start Chromium, without a window and without a network."""
    needs("playwright")
    path = needs_program("chromium", "chromium-browser", "google-chrome")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Without its sandbox, which root and containers lack; it opens nothing but our own page.
        started = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield started
        started.close()


@pytest.fixture
def opened(browser, specimens):
    """Return what opens a page: a context manager that gives it, and afterwards looks at what it said and asked for."""

    @contextmanager
    def open_page(path=specimens, anchor="", *, is_healthy=True, init="", **options):
        context = browser.new_context(**{"viewport": _WIDE, **options})
        context.add_init_script(_WATCH + init)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("dialog", lambda dialog: (page.said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: page.asked.append(request.url))
        address = f"{path.as_uri()}{anchor}"
        page.goto(address)
        try:
            yield page
            if is_healthy:
                assert page.said == []
                assert page.evaluate("window.refused ?? []") == []
                assert [url for url in page.asked if not url.startswith("data:")] == [path.as_uri()]
        finally:
            context.close()

    return open_page


@pytest.fixture
def all_open():
    """Return what opens every part of a page that can be opened, and loads what is in it."""

    def open_all(page):
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        page.wait_for_function("() => [...document.querySelectorAll('audio')].every((one) => one.readyState > 0)")
        return page

    return open_all
