"""Draw the layers of the package and the way of a tensor through them: ``python docs/pictures/layers.py``.

The layers are the list in pyproject.toml that lint-imports holds the code to. An arrow that is no import of the code,
or that does not go downward, raises an error.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cards import WIDTH, Block, sheet
from material import ROOT

from pytest_audioparity.page.elements import Markup, element

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PICTURE = ROOT / "docs" / "pictures" / "architecture" / "layers.svg"
PACKAGE = ROOT / "pytest_audioparity"
_ROW, _CHIP, _TOP = 20, 16, 22
# Of a letter, and of a bold one, with room for the widest of the usual fonts; beside the letters; between two modules.
_LETTER, _BOLD, _PAD, _GAP = 6.2, 6.9, 5, 4
_FIRST_ARROW, _LAST_ARROW = 422, WIDTH - 40


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the way of a tensor.

    Attributes
    ----------
    name : what becomes of it
    said : how
    colour : a colour of the page
    calls : the arrows, from the module that calls to the one that is called
    """

    name: str
    said: str
    colour: str
    calls: tuple[tuple[str, str], ...]


WAY = (
    Part(
        "captured",
        "an array of any runtime, or a file, becomes a StageTensor",
        "expected",
        (("stages", "captures"), ("captures", "adapters"), ("captures", "intake"), ("intake", "recording")),
    ),
    Part(
        "compared",
        "at once, with the golden's tensor, whose hash is checked, and judged",
        "actual",
        (("recording", "reference"), ("reference", "golden"), ("recording", "check"), ("check", "comparison")),
    ),
    Part(
        "explained",
        "once, when the test has failed: its cause, where it starts, what one hears",
        "fail",
        (
            ("recording", "causes"),
            ("recording", "forcing"),
            ("check", "diagnosis"),
            ("check", "hearing"),
            ("hearing", "audio"),
        ),
    ),
    Part(
        "told",
        "from one frozen ParityResult: the failure, .audioparity/run.json, the page",
        "pass",
        (("phases", "report"), ("recorder", "runs"), ("recorder", "page")),
    ),
    Part(
        "kept",
        "a golden is written, or waits for a review",
        "estoi",
        (("phases", "updates"), ("updates", "golden")),
    ),
)


def layers(pyproject: str) -> list[list[str]]:
    """Return the modules of each layer, from the top, as pyproject.toml lists them for import-linter."""
    (contract,) = tomllib.loads(pyproject)["tool"]["importlinter"]["contracts"]
    return [[name.strip().partition(".")[2] for name in layer.split("|")] for layer in contract["layers"]]


def draw(rows: list[list[str]], way: tuple[Part, ...] = WAY) -> str:
    """Return the picture.

    Raises
    ------
    ValueError : an arrow that is no import, or does not go downward
    """
    row_of = {name: row for row, names in enumerate(rows) for name in names}
    for part in way:
        for caller, called in part.calls:
            if row_of.get(caller, len(rows)) >= row_of.get(called, -1):
                raise ValueError(f"{caller} does not stand above {called} in the layers of pyproject.toml")
            if called not in imported_by(caller):
                raise ValueError(f"{caller} does not import {called}")
    on_way = {name for part in way for call in part.calls for name in call}
    chart = [_modules(rows, on_way), *_arrows(row_of, way)]
    blocks = [Block(Markup("".join(chart)), _TOP + _ROW * len(rows) + 8), *_legend(way)]
    said = "a module imports only from layers below its own; arrows lead from who calls to who is called"
    return sheet("The layers, and the way of a tensor through them", said, blocks, _rules(way))


def imported_by(name: str) -> set[str]:
    """Return the modules and folders of the package that a module, or any of a folder, imports, if only for a type."""
    found: set[str] = set()
    for path in _sources(PACKAGE / name):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                found |= {one.split(".")[1] for one in names if one.startswith(f"{PACKAGE.name}.")}
    return found - {name}


def _sources(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]


def _modules(rows: list[list[str]], on_way: set[str]) -> Markup:
    """Write the modules of each layer into boxes beside each other."""
    boxes: dict[bool, list[str]] = {False: [], True: []}
    texts, lines = [], []
    for row, names in enumerate(rows):
        x, y = 0.0, _TOP + row * _ROW
        for name in names:
            wide = round(len(name) * (_BOLD if name in on_way else _LETTER) + 2 * _PAD)
            boxes[name in on_way].append(f"M{x:g} {y}h{wide}v{_CHIP}h-{wide}z")
            kind = "on" if name in on_way else None
            texts.append(element("text", name, class_=kind, x=f"{x + wide / 2:g}", y=y + 12))
            x += wide + _GAP
        lines.append(f"M{x:g} {y + _CHIP / 2:g}H{WIDTH - 28}")
    drawn = [
        element("path", class_="grid", d="".join(lines)),
        *(element("path", class_=kind, d="".join(boxes[kind == "box on"])) for kind in ("box", "box on")),
    ]
    return Markup("".join([*drawn, element("g", texts, text_anchor="middle")]))


def _arrows(row_of: dict[str, int], way: tuple[Part, ...]) -> Iterator[Markup]:
    """Draw the calls from left to right as they come, each from a dot to a point, below the number of their part."""
    calls = sum(len(part.calls) for part in way)
    # A part stands apart from the next by half an arrow.
    step = (_LAST_ARROW - _FIRST_ARROW) / (calls - 1 + (len(way) - 1) / 2)
    x = float(_FIRST_ARROW)
    for number, part in enumerate(way, 1):
        dots, points = "", ""
        middle = x + step * (len(part.calls) - 1) / 2
        for caller, called in part.calls:
            start, end = (_TOP + row_of[name] * _ROW + _CHIP / 2 for name in (caller, called))
            dots += f"M{x:.1f} {start:g}v{end - start - 4:g}"
            points += f"M{x - 3:.1f} {start:g}a3 3 0 1 0 6 0a3 3 0 1 0-6 0M{x - 4:.1f} {end - 7:g}h8l-4 8z"
            x += step
        x += step / 2
        yield element("path", class_=f"w{number}", d=dots)
        yield element("path", class_=f"p{number}", d=points)
        yield element("text", number, class_=f"n{number}", x=f"{middle:.1f}", y=12, text_anchor="middle")


def _legend(way: tuple[Part, ...]) -> Iterator[Block]:
    for number, part in enumerate(way, 1):
        told = [
            element("text", f"{number} {part.name}", class_=f"n{number}", y=11),
            element("text", part.said, class_="said", x=84, y=11),
        ]
        yield Block(Markup("".join(told)), 14)
        yield Block(element("text", _calls(part), x=84, y=11), 18)


def _calls(part: Part) -> str:
    """Write the arrows of a part one after the other; one that begins where another ends goes on from it."""
    text, last = "", ""
    for caller, called in part.calls:
        text += f" → {called}" if caller == last else f"{', ' if text else ''}{caller} → {called}"
        last = called
    return text


def _rules(way: tuple[Part, ...]) -> str:
    colours = "".join(
        f".w{number}{{fill:none;stroke:var(--{part.colour});stroke-width:1.5}}"
        f".p{number}{{fill:var(--{part.colour})}}.n{number}{{fill:var(--{part.colour});font-weight:700}}"
        for number, part in enumerate(way, 1)
    )
    return (
        ".box{fill:var(--raised);stroke:var(--line)}.box.on{fill:var(--ground);stroke:var(--quiet)}"
        f".on{{fill:var(--text);font-weight:700}}{colours}"
    )


def main() -> None:
    """Write the picture."""
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(layers((ROOT / "pyproject.toml").read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
