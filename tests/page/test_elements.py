"""HTML that says what it was given and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import Page

from pytest_audioparity.page.elements import element

EVIL = [
    "</script><script>alert(1)</script>",
    "\"'><img src=x onerror=y>",
    "&lt;b&gt;",
    "]]>",
    "<!--",
    "\x1b[31m",
    "\ud800",
]


@pytest.mark.parametrize("text", EVIL)
def test_texts_and_attributes_are_escaped(text):
    """Markup in a text makes no element; what is no control character comes out as it went in."""
    page = Page(element("p", text, title=text))
    assert [tag for tag, _ in page.tags] == ["p"]
    assert "\x1b" not in page.text
    assert page.text.encode()
    if text.isprintable():
        assert page.text == text
        assert page.tags[0][1]["title"] == text


@given(st.text())
def test_no_text_makes_an_element(text):
    """Whatever a name is, one element comes of it, and it can be written as UTF-8."""
    shown = element("p", text, data_x=text)
    assert [tag for tag, _ in Page(shown).tags] == ["p"]
    assert shown.encode()
