"""How a stage looks: expected, actual and their difference as heat maps, the bias of each channel as a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.page.charts import lines
from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.images import picture, reduced

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = np.ndarray[Any, Any]

# The ends of the palette: of many values some lie far out.
_LOW, _HIGH = 1.0, 99.0


def pictures(expected: Array, actual: Array, axes: str | None) -> Markup:
    """Draw the two sides of a stage and their difference.

    Parameters
    ----------
    expected, actual : of one shape and order of axes
    axes : as declared; where nothing is, the last axis is taken for time and the one before for channels, which is said
    """
    sides = [_matrix(np.asarray(side, np.float64), axes) for side in (expected, actual)]
    if sides[0].shape[0] == 1 or sides[0].size == 0:
        flat = [side.reshape(-1) for side in sides]
        return element(
            "div",
            lines([("expected", flat[0]), ("actual", flat[1])], "expected and actual"),
            lines([("difference", flat[1] - flat[0])], "actual less expected", height=60),
        )
    difference = sides[1] - sides[0]
    finite = sides[0][np.isfinite(sides[0])]
    low, high = (float(v) for v in np.percentile(finite, (_LOW, _HIGH))) if finite.size else (0.0, 1.0)
    largest = float(np.max(np.abs(difference), where=np.isfinite(difference), initial=0.0)) or 1.0
    maps = [
        _figure("expected", picture(reduced(sides[0]), low, high)),
        _figure("actual", picture(reduced(sides[1]), low, high)),
        _figure(
            f"actual − expected, ±{largest:.3g}",
            picture(reduced(difference, extreme=True), -largest, largest, diverging=True),
        ),
    ]
    bias = np.mean(difference, axis=1)
    drawn = lines([("difference", bias)], "bias of each channel", height=60) if np.all(np.isfinite(bias)) else None
    caption = element("p", _caption(axes, sides[0].shape), class_="note")
    return element("div", element("div", maps, class_="triple"), caption, drawn)


def _figure(title: str, source: str) -> Markup:
    return element("figure", element("figcaption", title), element("img", src=source, alt=title, class_="heat"))


def _caption(axes: str | None, shape: tuple[int, ...]) -> str:
    rows, columns = shape
    what = "channel" if axes is None or "C" in axes else "row"
    guess = "" if axes else " (no axes declared: the last is drawn from left to right)"
    return f"{rows} {what}s from bottom to top, {columns} frames{guess}; below, the bias of each {what}"


def _matrix(array: Array, axes: str | None) -> Array:
    """Return a stage as (channels, time), the first of its batch."""
    if axes is not None and "T" in axes:
        array = np.moveaxis(array, axes.index("T"), -1)
        axes = axes.replace("T", "") + "T"
        if "C" in axes:
            array = np.moveaxis(array, axes.index("C"), -2)
    while array.ndim > 2:
        array = array[0]
    return array.reshape(1, -1) if array.ndim < 2 else array


def comparable(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> bool:
    """Whether two sides of a result's document have one shape and can be drawn over each other."""
    return bool(expected and actual) and list(expected["shape"]) == list(actual["shape"])
