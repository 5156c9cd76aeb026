"""Charts as SVG: they take their colours from the page, so that light and dark both fit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.report.numbers import decibel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEIGHT = 190
# From few stages, which fit a telephone, to as many as fit a screen, each with room for its name.
_NARROWEST, _WIDEST, _STAGE = 320, 720, 40
# Of a unit of the chart in pixels: what it has where there is room, and the least at which names can be read.
_LARGE, _SMALL = 4 / 3, 0.8
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 8, 10, 62
# The scale of deviations: from far below every tolerance to 40 dB, by powers of ten.
_LOWEST_DB, _HIGHEST_DB = 1e-5, 100.0
# More names cannot be told apart.
_NAMES = 40
# How far down a letter of a slanting name goes.
_LETTER = 3.2


def deviations(stages: Sequence[Mapping[str, Any]], first: str | None) -> Markup:
    """Draw how far each stage is off, along the data flow, with its own part and its tolerance.

    Parameters
    ----------
    stages : as in the JSON document of a result
    first : the first divergence
    """
    measured = [s for s in stages if s.get("deviation_db") is not None or s.get("verdict") == "fail"]
    if len(measured) < 2:
        return Markup("")
    width = min(max(_NARROWEST, _LEFT + _RIGHT + _STAGE * len(measured)), _WIDEST)
    wide = (width - _LEFT - _RIGHT) / len(measured)
    is_parted = any(stage.get("own_deviation_db") is not None for stage in measured)
    parts: list[object] = [_decade(power, width) for power in range(-5, 3)]
    for place, stage in enumerate(measured):
        x = _LEFT + place * wide
        parts.append(_bar(stage, x, wide, is_first=stage["name"] == first, is_parted=is_parted))
    names = len(measured) <= _NAMES
    if names:
        parts += [_label(stage["name"], _LEFT + (place + 0.5) * wide) for place, stage in enumerate(measured)]
    label = f"deviation of {len(measured)} stages in dB, on a logarithmic scale"
    longest = max(len(_shown(stage["name"])) for stage in measured)
    height = _HEIGHT - _BOTTOM + 16 + (round(longest * _LETTER) if names else 0)
    chart = element(
        "svg",
        parts,
        class_="chart",
        viewBox=f"0 0 {width} {height}",
        style=f"width:{width * _LARGE:.0f}px;min-width:{width * _SMALL:.0f}px",
        role="img",
        aria_label=label,
    )
    return element("figure", chart, element("figcaption", _legend(measured)), class_="chart", tabindex=0)


def _legend(stages: Sequence[Mapping[str, Any]]) -> str:
    text = "deviation in dB of each stage in the order of the data; dashes: what is allowed"
    if any(stage.get("own_deviation_db") is not None for stage in stages):
        text += "; solid: its own part, measured with the golden's inputs; pale: what it inherited"
        whole = [stage.get("deviation_db") or 0.0 for stage in stages if stage.get("own_deviation_db") is None]
        if max(whole, default=0.0) > _LOWEST_DB:
            text += "; pale with a frame: its own part was not measured"
    if any(stage.get("deviation_db") is None for stage in stages):
        text += "; dashed frame: fails, and has no deviation in dB"
    return text


def _bar(stage: Mapping[str, Any], x: float, wide: float, *, is_first: bool, is_parted: bool) -> Markup:
    value, own, limit = stage.get("deviation_db"), stage.get("own_deviation_db"), stage.get("tol_db")
    top, bottom = _y(_HIGHEST_DB if value is None else value), _HEIGHT - _BOTTOM
    kind = "pass" if stage["verdict"] == "pass" else "first" if is_first else "fail"
    more = " unknown" if value is None else " inherited" if own is not None else " whole" if is_parted else ""
    gap = min(wide * 0.15, 3)
    bars: list[object] = [element("title", _said(stage))]
    bars.append(_rect(x + gap, top, wide - 2 * gap, bottom - top, f"bar {kind}{more}"))
    if own is not None:
        bars.append(_rect(x + gap, _y(own), wide - 2 * gap, bottom - _y(own), f"bar {kind}"))
    if limit:
        bars.append(element("path", d=f"M{x:.1f} {_y(limit):.1f}h{wide:.1f}", class_="limit"))
    return element("g", bars)


def _said(stage: Mapping[str, Any]) -> str:
    value, own, limit = stage.get("deviation_db"), stage.get("own_deviation_db"), stage.get("tol_db")
    said = f"{stage['name']}: {'no deviation in dB' if value is None else decibel(value) + ' dB'}"
    said += "" if own is None else f", own {decibel(own)} dB"
    return said + ("" if limit is None else f", allowed {decibel(limit)} dB")


def _rect(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    return element(
        "rect", x=f"{x:.1f}", y=f"{y:.1f}", width=f"{width:.1f}", height=f"{max(height, 1):.1f}", class_=kind
    )


def _y(decibels: float) -> float:
    low, high = math.log10(_LOWEST_DB), math.log10(_HIGHEST_DB)
    at = (math.log10(min(max(decibels, _LOWEST_DB), _HIGHEST_DB)) - low) / (high - low)
    return _HEIGHT - _BOTTOM - at * (_HEIGHT - _BOTTOM - _TOP)


def _decade(power: int, width: int) -> Markup:
    y = _y(10.0**power)
    text = element("text", f"{10.0**power:g}", x=_LEFT - 6, y=f"{y + 3:.1f}", text_anchor="end")
    return element("g", element("path", d=f"M{_LEFT} {y:.1f}H{width - _RIGHT}", class_="grid"), text)


def _shown(name: str) -> str:
    return name if len(name) <= 16 else f"…{name[-15:]}"


def _label(name: str, x: float) -> Markup:
    y = _HEIGHT - _BOTTOM + 10
    return element("text", _shown(name), x=f"{x:.1f}", y=y, transform=f"rotate(-40 {x:.1f} {y})", text_anchor="end")
