"""HTML and SVG as text in which every name and value is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from pytest_audioparity.report.plain_text import clean

_VOID = frozenset(("meta", "input", "img", "br", "link", "path", "rect", "line", "circle", "image", "polyline"))


class Markup(str):
    """Text that is HTML already; every other text is escaped where it is used."""

    __slots__ = ()


def element(tag: str, *content: object, **attributes: object) -> Markup:
    """Return an element.

    Parameters
    ----------
    tag : its name
    *content : texts, which are escaped, `Markup`, and iterables of these; None is nothing
    **attributes : a trailing underscore is left out (``class_``), other underscores become hyphens; True is an
        attribute without a value, None and False are none
    """
    shown = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID and not content:
        return Markup(f"<{tag}{shown}/>" if tag not in ("meta", "input", "img", "br", "link") else f"<{tag}{shown}>")
    return Markup(f"<{tag}{shown}>{joined(content)}</{tag}>")


def joined(content: object) -> Markup:
    """Return content one after the other, escaped where it is plain text."""
    if content is None:
        return Markup("")
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return Markup(escape(clean(content)))
    if isinstance(content, Iterable):
        return Markup("".join(map(joined, content)))
    return Markup(escape(str(content)))


def _attribute(name: str, value: object) -> str:
    if value is None or value is False:
        return ""
    label = name.rstrip("_").replace("_", "-")
    return f" {label}" if value is True else f' {label}="{escape(clean(str(value)), quote=True)}"'
