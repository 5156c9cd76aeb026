"""Curves as SVG: where there are more values than points, each point spans the smallest to the largest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.page.cells import spans
from pytest_audioparity.page.elements import Markup, element

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray[Any, Any]

_WIDTH = 720
# Points of a curve as wide as the page.
POINTS = 360
_MARGIN = 4
# A span below this share of the values is their rounding: drawn from edge to edge it would look like a slope.
_LEVEL = 1e-5
# From this height on a curve is shown large.
_TALL = 100


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve: `kind` is its class (expected, actual, difference), `share` how much of the width it takes."""

    kind: str
    values: Array
    share: float = 1.0


def curves(
    drawn: Sequence[Curve],
    title: str,
    *,
    height: int,
    marks: Sequence[tuple[float, float]] = (),
    points: int = POINTS,
) -> Markup:
    """Draw curves over each other on one scale, with the ends of the scale in words.

    Parameters
    ----------
    drawn : at least one that is not empty
    title : what they are
    height : of the picture
    marks : spans to be shaded, as shares of the width
    points : at most, over the whole width
    """
    reduced = [
        (curve, *spans(curve.values, max(1, round(points * curve.share)))) for curve in drawn if curve.values.size
    ]
    ends = [values[np.isfinite(values)] for _, low, high, _ in reduced for values in (low, high)]
    finite = np.concatenate(ends) if ends else np.empty(0)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    words = f"{title}, from {low:.4g} to {high:.4g}" if finite.size else f"{title}: no finite value"
    # Halves, so that the span of the largest numbers is finite.
    if high / 2 - low / 2 <= _LEVEL * max(abs(low), abs(high)):
        low = high = low / 2 + high / 2
    parts: list[object] = [shaded(marks, _WIDTH, height)]
    if low < 0 < high:
        parts.append(element("path", d=f"M0 {_place(0.0, low, high, height):.1f}H{_WIDTH}", class_="grid"))
    for curve, lows, highs, odd in reduced:
        parts += _paths(curve, (lows, highs, odd), (low, high), height)
    if any(odd.any() for *_, odd in reduced):
        words += "; magenta: NaN or infinite"
    picture = element(
        "svg",
        parts,
        class_="curve tall" if height >= _TALL else "curve",
        viewBox=f"0 0 {_WIDTH} {height}",
        role="img",
        aria_label=words,
        preserveAspectRatio="none",
    )
    return element("figure", element("figcaption", words), picture)


def shaded(marks: Sequence[tuple[float, float]], width: float, height: float) -> list[Markup]:
    """Return bars over spans that are given as shares of a width."""
    return [
        element("rect", x=f"{a * width:.2f}", y=0, width=f"{(b - a) * width:.2f}", height=height, class_="lost")
        for a, b in marks
    ]


def _place(value: Any, low: float, high: float, height: int) -> Any:
    # Halves, so that the span of the largest numbers is finite.
    span = high / 2 - low / 2
    share = (value / 2 - low / 2) / span if span > 0 else value * 0 + 0.5
    return height - _MARGIN - share * (height - 2 * _MARGIN)


def _paths(curve: Curve, points: tuple[Array, Array, Array], ends: tuple[float, float], height: int) -> list[Markup]:
    lows, highs, odd = points
    width = _WIDTH * curve.share
    xs = (np.arange(lows.size) + 0.5) * width / lows.size
    tops, bottoms = (_place(values, *ends, height) for values in (highs, lows))
    known = np.isfinite(tops)
    step = width / lows.size
    drawn = [element("path", d=_outline(xs, tops, bottoms, known, step), class_=f"line {curve.kind}")]
    if odd.any():
        ticks = "".join(f"M{x:.1f} 0V{height}" for x in xs[odd])
        drawn.append(element("path", d=ticks, class_="line odd"))
    return drawn


def _outline(xs: Array, tops: Array, bottoms: Array, known: Array, step: float) -> str:
    """Return a line through single values, and upright strokes where a point stands for several; it breaks at gaps."""
    parts, is_open = [], False
    for x, top, bottom, is_known in zip(xs, tops, bottoms, known, strict=True):
        if not is_known:
            is_open = False
            continue
        parts.append(f"{'L' if is_open else 'M'}{x:.1f} {top:.1f}")
        if bottom - top >= 0.05:
            parts.append(f"V{bottom:.1f}")
        elif not is_open:
            parts.append(f"h{min(step, 1):.1f}")
        is_open = True
    return "".join(parts)
