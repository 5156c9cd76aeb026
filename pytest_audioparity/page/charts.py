"""Charts as SVG: they take their colours from the page, so that light and dark both fit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.report.numbers import decibel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Array = np.ndarray[Any, Any]

_WIDTH, _HEIGHT = 720, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 8, 10, 62
# The scale of deviations: from far below every tolerance to 40 dB, by powers of ten.
_LOWEST_DB, _HIGHEST_DB = 1e-5, 100.0
_POINTS = 480


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
    wide = (_WIDTH - _LEFT - _RIGHT) / len(measured)
    parts: list[object] = [_decade(power) for power in range(-5, 3)]
    for place, stage in enumerate(measured):
        x = _LEFT + place * wide
        parts.append(_bar(stage, x, wide, is_first=stage["name"] == first))
    names = len(measured) <= 40
    if names:
        parts += [_label(stage["name"], _LEFT + (place + 0.5) * wide) for place, stage in enumerate(measured)]
    label = f"deviation of {len(measured)} stages in dB, on a logarithmic scale"
    height = _HEIGHT if names else _HEIGHT - _BOTTOM + 16
    return element("svg", parts, class_="chart", viewBox=f"0 0 {_WIDTH} {height}", role="img", aria_label=label)


def _bar(stage: Mapping[str, Any], x: float, wide: float, *, is_first: bool) -> Markup:
    value, own, limit = stage.get("deviation_db"), stage.get("own_deviation_db"), stage.get("tol_db")
    shown = _HIGHEST_DB if value is None else value
    top, bottom = _y(shown), _HEIGHT - _BOTTOM
    kind = "pass" if stage["verdict"] == "pass" else "first" if is_first else "fail"
    said = f"{stage['name']}: {'not measured' if value is None else decibel(value) + ' dB'}"
    said += "" if own is None else f", own {decibel(own)} dB"
    said += "" if limit is None else f", allowed {decibel(limit)} dB"
    gap = min(wide * 0.15, 3)
    bars: list[object] = [element("title", said)]
    bars.append(
        _rect(x + gap, top, wide - 2 * gap, bottom - top, f"bar {kind}{' inherited' if own is not None else ''}")
    )
    if own is not None:
        bars.append(_rect(x + gap, _y(own), wide - 2 * gap, bottom - _y(own), f"bar {kind}"))
    if limit:
        bars.append(element("path", d=f"M{x:.1f} {_y(limit):.1f}h{wide:.1f}", class_="limit"))
    return element("g", bars)


def _rect(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    return element(
        "rect", x=f"{x:.1f}", y=f"{y:.1f}", width=f"{width:.1f}", height=f"{max(height, 1):.1f}", class_=kind
    )


def _y(decibels: float) -> float:
    low, high = math.log10(_LOWEST_DB), math.log10(_HIGHEST_DB)
    at = (math.log10(min(max(decibels, _LOWEST_DB), _HIGHEST_DB)) - low) / (high - low)
    return _HEIGHT - _BOTTOM - at * (_HEIGHT - _BOTTOM - _TOP)


def _decade(power: int) -> Markup:
    y = _y(10.0**power)
    text = element("text", f"{10.0**power:g}", x=_LEFT - 6, y=f"{y + 3:.1f}", text_anchor="end")
    return element("g", element("path", d=f"M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}", class_="grid"), text)


def _label(name: str, x: float) -> Markup:
    shown = name if len(name) <= 16 else f"…{name[-15:]}"
    y = _HEIGHT - _BOTTOM + 10
    return element("text", shown, x=f"{x:.1f}", y=y, transform=f"rotate(-40 {x:.1f} {y})", text_anchor="end")


def lines(
    rows: Sequence[tuple[str, Array]], label: str, *, height: int = 110, marks: Sequence[Sequence[float]] = ()
) -> Markup:
    """Draw one or two sequences over each other, each point the extremes of what it stands for.

    Parameters
    ----------
    rows : pairs of a class (expected, actual, difference) and the values
    label : what a reader of the screen is told
    height : of the picture
    marks : spans to be shaded, as shares of the width
    """
    ends = [(float(np.nanmin(values)), float(np.nanmax(values))) for _, values in rows if values.size]
    if not ends or not all(map(math.isfinite, (n for pair in ends for n in pair))):
        return Markup("")
    low, high = min(a for a, _ in ends), max(b for _, b in ends)
    span = high - low or 1.0

    def at(values: Array) -> Array:
        return height - 4 - (values - low) / span * (height - 8)

    shaded = [
        element("rect", x=f"{a * _WIDTH:.1f}", y=0, width=f"{(b - a) * _WIDTH:.1f}", height=height, class_="lost")
        for a, b in marks
    ]
    drawn = [element("path", d=_path(values, at), class_=f"line {kind}") for kind, values in rows]
    zero = element("path", d=f"M0 {at(np.float64(0)):.1f}H{_WIDTH}", class_="grid") if low < 0 < high else None
    return element(
        "svg",
        shaded,
        zero,
        drawn,
        class_="chart",
        viewBox=f"0 0 {_WIDTH} {height}",
        role="img",
        aria_label=label,
        preserveAspectRatio="none",
    )


def _path(values: Array, at: Any) -> str:
    """Return an outline: where there are more values than points, from the largest to the smallest of each point."""
    if values.size <= 2 * _POINTS:
        xs = np.linspace(0, _WIDTH, values.size)
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(xs, at(values), strict=True))
    edges = np.linspace(0, values.size, _POINTS + 1).astype(int)[:-1]
    highest, lowest = at(np.maximum.reduceat(values, edges)), at(np.minimum.reduceat(values, edges))
    xs = np.linspace(0, _WIDTH, _POINTS)
    return "".join(f"M{x:.1f} {top:.1f}V{bottom + 0.5:.1f}" for x, top, bottom in zip(xs, highest, lowest, strict=True))
