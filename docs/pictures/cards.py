"""Pictures of the documentation: what the page of a run draws, laid out as one SVG with a background of its own.

Nothing is plotted here. Heat maps, curves and charts are those of `pytest_audioparity.page`, as it makes them for a
user's stages; this takes them out of its HTML and stacks them, since every site and viewer can show an SVG.
"""

from __future__ import annotations

import base64
import re
import struct
import textwrap
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from pytest_audioparity.page.elements import Markup, element

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WIDTH, _MARGIN, _GAP = 640, 14, 12
_INNER = WIDTH - 2 * _MARGIN
_MAP_HEIGHT, _COLUMNS, _MOST_COLUMNS = 92, 3, 4
_SMALL = 11
# Characters of the small font per pixel of width, with room for the widest of the usual fonts.
_PER_PIXEL = 1 / 6
# What the page says of a stage: figures in their order, notes, values that are written out.
_PARTS = re.compile(
    r"<figure[^>]*>(?:<figcaption>(?P<caption>.*?)</figcaption>)?"
    r'(?:<img src="(?P<map>[^"]+)"[^>]*>|<svg (?P<head>[^>]*)>(?P<curve>.*?)</svg>)'
    r"(?:<figcaption>(?P<legend>.*?)</figcaption>)?</figure>"
    r"|<(?P<tag>p|li)[^>]*>(?P<note>.*?)</(?P=tag)>"
)
_BOX = re.compile(r'viewBox="0 0 (\d+) (\d+)"')
# Of the page's style what its drawings need; colours follow the reader's light or dark system, as the page does.
_RULE = re.compile(r"(?:^|(?<=\}))\s*([^{}@]+)(\{[^{}]*\})")
_DRAWN = re.compile(r"^(?:\.chart text|\.curve \.limit|\.(?:limit|grid|bar|line|lost)\b.*)$")
_COLOURS = re.compile(
    r"^:root \{.*?^\}|^@media screen and \(prefers-color-scheme: dark\) \{.*?^\}", re.MULTILINE | re.DOTALL
)
_OWN = (
    "text{font:11px system-ui,sans-serif;fill:var(--quiet)}.head{font-weight:700;font-size:14px;fill:var(--text)}"
    ".said{font-size:12px;fill:var(--text)}.frame{fill:none;stroke:var(--line)}.ground{fill:var(--ground);stroke:var(--line)}"
    "image{image-rendering:pixelated}.chart text{font-size:9px}"
)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a card: what it is made of, with the origin at its upper left corner, and its height."""

    content: Markup
    height: float


def card(title: str, said: str, parts: Iterable[Markup | str]) -> str:
    """Return an SVG of a title, a line below it, and parts of a page from top to bottom.

    Parameters
    ----------
    title, said : what it shows
    parts : markup of the page, whose figures are drawn and whose notes are written; plain text is written
    """
    blocks: list[Block] = []
    for part in parts:
        blocks += _blocks(part) if isinstance(part, Markup) else _text(part, "said", 12)
    return sheet(title, said, blocks)


def sheet(title: str, said: str, blocks: Iterable[Block], rules: str = "") -> str:
    """Return an SVG of a title, a line below it, and blocks from top to bottom.

    Parameters
    ----------
    title, said : what it shows
    rules : of style, beside those of the page
    """
    blocks = [Block(element("text", title, class_="head", y=14), 20), *_text(said, "said", 12), *blocks]
    placed, y = [], float(_MARGIN)
    for block in blocks:
        placed.append(element("g", block.content, transform=f"translate({_MARGIN} {y:g})"))
        y += block.height
    height = round(y + _MARGIN / 2)
    ground = element("rect", class_="ground", x=0.5, y=0.5, width=WIDTH - 1, height=height - 1, rx=6)
    label = f"{title}. {said}"
    drawn = element(
        "svg",
        element("title", label),
        element("style", Markup(_style() + rules)),
        ground,
        placed,
        xmlns="http://www.w3.org/2000/svg",
        width=WIDTH,
        height=height,
        viewBox=f"0 0 {WIDTH} {height}",
    )
    return f"{drawn}\n"


def _style() -> str:
    style = (resources.files("pytest_audioparity.page") / "style.css").read_text(encoding="utf-8")
    colours = [match.group() for match in _COLOURS.finditer(style)]
    rules = [selector + body for selector, body in _RULE.findall(style) if _DRAWN.match(selector.strip())]
    return re.sub(r"\s+", " ", " ".join(colours + rules)) + _OWN


def _blocks(markup: Markup) -> list[Block]:
    """Place heat maps in rows, with the notes on them below, and everything else in its order."""
    blocks: list[Block] = []
    maps: list[tuple[str, str]] = []
    notes: list[str] = []
    for part in [*_PARTS.finditer(markup), None]:
        if part is not None and part["map"]:
            maps.append((part["caption"], part["map"]))
        elif part is not None and not part["head"]:
            notes.append(part["note"])
        else:
            blocks += [*_row(maps), *(block for note in dict.fromkeys(notes) for block in _text(note, "", _SMALL))]
            maps, notes = [], []
            blocks += [] if part is None else _curve(part)
    return blocks


def _row(maps: list[tuple[str, str]]) -> Iterator[Block]:
    """Place heat maps beside each other, each below its caption."""
    columns = max(_COLUMNS, min(len(maps), _MOST_COLUMNS))
    wide = (_INNER - (columns - 1) * _GAP) / columns
    for start in range(0, len(maps), columns):
        captions = [_lines(caption, wide) for caption, _ in maps[start : start + columns]]
        shapes = [_shape(source) for _, source in maps[start : start + columns]]
        widest, tallest = (max(sizes) for sizes in zip(*shapes, strict=True))
        top = max(map(len, captions)) * 14 + 2
        content = []
        for place, (lines, (_, source), shape) in enumerate(zip(captions, maps[start:], shapes, strict=False)):
            x = place * (wide + _GAP)
            # Of two shapes, each is as large as it has elements.
            size = wide * shape[0] / widest, _MAP_HEIGHT * shape[1] / tallest
            y = top + _MAP_HEIGHT - size[1]
            box = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{size[0]:.1f}", "height": f"{size[1]:.1f}"}
            content += _written(lines, "", x)
            content.append(element("image", href=source, preserveAspectRatio="none", **box))
            content.append(element("rect", class_="frame", **box))
        yield Block(Markup("".join(content)), top + _MAP_HEIGHT + 6)


def _shape(source: str) -> tuple[int, int]:
    """Return how many columns and rows a map has, as the header of its PNG says."""
    header = base64.b64decode(source.partition(",")[2][:32])
    width, height = struct.unpack(">II", header[16:24])
    return width, height


def _curve(part: re.Match[str]) -> Iterator[Block]:
    """Place a drawing of the page, as high as it is there, below its caption or above its legend."""
    size = _BOX.search(part["head"])
    assert size is not None
    is_chart = part["caption"] is None
    # A chart of few stages is narrow, as on the page, so that its letters have the size of the others.
    wide = min(_INNER, int(size[1]) * 4 // 3) if is_chart else _INNER
    height = round(int(size[2]) * wide / int(size[1])) if is_chart else int(size[2]) * 3 // 4
    if not is_chart:
        yield from _text(part["caption"], "", _SMALL)
    box = {"width": wide, "height": height}
    drawn = element(
        "svg",
        Markup(part["curve"]),
        viewBox=size[0][9:-1],
        preserveAspectRatio="none",
        class_="chart" if is_chart else "curve",
        **box,
    )
    yield Block(Markup(drawn + ("" if is_chart else element("rect", class_="frame", **box))), height + 4)
    if is_chart:
        yield from _text(part["legend"], "", _SMALL)


def _text(text: str, kind: str, size: int) -> Iterator[Block]:
    lines = _lines(text, _INNER * _SMALL / size)
    yield Block(Markup("".join(_written(lines, kind, 0))), 14 * len(lines) + 4)


def _lines(text: str, width: float) -> list[str]:
    return textwrap.wrap(text, round(width * _PER_PIXEL)) or [""]


def _written(lines: list[str], kind: str, x: float) -> list[Markup]:
    """Write lines below each other; texts of the page are escaped already."""
    return [
        element("text", Markup(line), class_=kind or None, x=f"{x:g}", y=11 + 14 * place)
        for place, line in enumerate(lines)
    ]
