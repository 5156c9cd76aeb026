"""The site: it builds without a warning, loads nothing from a network, and its lists are those of the parsers."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys

import pytest

from tests.docs.blocks import ROOT

LISTINGS = runpy.run_path(str(ROOT / "website" / "listings.py"))


@pytest.mark.parametrize(("page", "text"), LISTINGS["pages"]().items(), ids=lambda value: getattr(value, "name", ""))
def test_lists_of_options_are_those_of_the_parsers(page, text):
    """A page that is behind is written anew by: python website/listings.py."""
    assert page.read_text(encoding="utf-8") == text


@pytest.fixture(scope="module")
def site(tmp_path_factory, needs):
    """Build the site once."""
    needs("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def test_site_has_a_page_for_each_page(site):
    """Every page of docs/, the README and the examples are in the site; comments for the tests are not."""
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in ROOT.glob("docs/**/*.md")}
    pages = {page.with_name("index.html") if page.name == "README.html" else page for page in pages}
    assert {page for page in pages if not (site / page).is_file()} == set()
    for path in ROOT.glob("examples/*/README.md"):
        assert (site / "examples" / f"{path.parent.name}.html").is_file()
    for page in site.rglob("*.html"):
        assert "<!-- run:" not in page.read_text(encoding="utf-8")


def test_site_loads_nothing_from_a_network(site):
    """No script, style, font or picture comes from another address."""
    loaded = re.compile(
        r"""<(?:script|img|iframe|source)[^>]*?\ssrc=["']?(?:https?:)?//|<link[^>]*?href=["']?(?:https?:)?//"""
    )
    for page in site.rglob("*.html"):
        assert loaded.findall(page.read_text(encoding="utf-8")) == [], page
    for style in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)]*", style.read_text(encoding="utf-8")) == [], (
            style
        )


def test_reference_shows_every_public_name(site):
    """Each public name has its heading and its docstring's first words."""
    import pytest_audioparity

    text = (site / "reference" / "python.html").read_text(encoding="utf-8")
    for name in set(pytest_audioparity.__all__) - {"__version__"}:
        assert re.search(rf'id="pytest_audioparity\.[\w.]*\b{name}"', text), name


def test_search_works_from_files(site, needs_program, tmp_path):
    """A browser that opens the page as a file finds what is on other pages."""
    browser = needs_program("chromium", "chromium-browser", "google-chrome")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--dump-dom"]
    address = f"file://{site}/index.html?q=calibrate"
    done = subprocess.run(
        [*command, "--virtual-time-budget=8000", address], capture_output=True, text=True, timeout=120
    )
    assert re.search(r"md-search-result__meta[^>]*>\d+ matching documents", done.stdout), done.stderr
