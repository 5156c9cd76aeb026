"""How a stage looks: expected, actual and their difference as heat maps or curves, the bias of each channel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.page.cells import HEIGHT, biases, farthest, firsts, grid, means, shares_unequal
from pytest_audioparity.page.curves import POINTS, Curve, curves
from pytest_audioparity.page.elements import Markup, element
from pytest_audioparity.page.images import SHADES, picture
from pytest_audioparity.page.planes import Plane, plane
from pytest_audioparity.records import shape_text
from pytest_audioparity.report.numbers import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_audioparity.page.cells import Grid

Array = np.ndarray[Any, Any]

# The ends of the palette: of many values some lie far out.
_LOW, _HIGH = 2.5, 97.5
# Share of the cells that differ which the palette of differences resolves: one channel may stand far above all others.
_COMMON = 95.0
# Numbers that are written instead of drawn.
_WRITTEN = 8
_TALL, _FLAT = 110, 60


@dataclass(frozen=True, slots=True)
class Look:
    """What is drawn of a stage.

    Attributes
    ----------
    expected, actual : the sides in one order of axes, None where there is none
    axes : of each, as declared
    worst : index of the element that differs most
    codes : whether the values are names, of which one can only say whether they are equal
    points, shades : that a curve and a map may have: how finely it is drawn
    """

    expected: Array | None
    actual: Array | None
    axes: tuple[str | None, str | None] = (None, None)
    worst: Sequence[int] | None = None
    codes: bool = False
    points: int = POINTS
    shades: int = SHADES

    @property
    def sides(self) -> list[tuple[str, Array, str | None]]:
        """The sides that there are: title, values, axes."""
        both = zip(("expected", "actual"), (self.expected, self.actual), self.axes, strict=True)
        return [(title, array, axes) for title, array, axes in both if array is not None]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first side that there is."""
        shape: tuple[int, ...] = self.sides[0][1].shape
        return shape

    @property
    def is_pair(self) -> bool:
        """Whether the sides can be laid over each other."""
        return self.expected is not None and self.actual is not None and self.expected.shape == self.actual.shape


def pictures(look: Look) -> Markup:
    """Draw what there is of a stage: both sides and their difference where they have one shape, else each by itself."""
    if any(array.size == 0 for _, array, _ in look.sides):
        said = "; ".join(f"{title}: shape {shape_text(array.shape)}" for title, array, _ in look.sides)
        return _note(f"a side without elements has nothing to be drawn ({said})")
    if all(array.size <= _WRITTEN for _, array, _ in look.sides):
        return element("ul", [element("li", f"{title}: {_values(array)}") for title, array, _ in look.sides])
    if look.is_pair:
        return _pair(look)
    return element("div", [_alone(title, array, axes, look) for title, array, axes in look.sides])


def _values(array: Array) -> str:
    text = ", ".join(f"{value}" for value in array.reshape(-1).tolist())
    return text if array.ndim == 0 else f"[{text}] of shape {shape_text(array.shape)}"


def _pair(look: Look) -> Markup:
    expected, actual = look.expected, look.actual
    assert expected is not None
    assert actual is not None
    seen = plane(expected.shape, look.axes[0] or look.axes[1], look.worst)
    one, other = seen.cut(expected), seen.cut(actual)
    if one.shape[0] == 1:
        return _curves(one[0], other[0], seen, look)
    cut = grid((one.shape[0], one.shape[1]))
    return _codes(one, other, cut, seen, look) if look.codes else _maps(one, other, cut, seen, look)


def _curves(one: Array, other: Array, seen: Plane, look: Look) -> Markup:
    row = one.reshape(1, -1), other.reshape(1, -1)
    cut = grid((1, one.size), columns=max(1, min(one.size, 720)))
    apart = shares_unequal(*row, cut)[0] if look.codes else farthest(*row, cut)[0]
    title = "share of codes that differ" if look.codes else "actual − expected"
    if not look.codes and "c" in (one.dtype.kind, other.dtype.kind):
        title = "|actual − expected|"
    where = seen.where(look.shape)
    both, points = [Curve("expected", one), Curve("actual", other)], look.points
    return element(
        "div",
        curves(both, "expected (blue) and actual (orange)", height=_TALL, points=points),
        curves([Curve("difference", apart)], title, height=_FLAT, points=points),
        _note(f"{counted(one.size, 'element')} along {seen.letter(seen.column)}{f', at {where}' if where else ''}"),
    )


def _maps(one: Array, other: Array, cut: Grid, seen: Plane, look: Look) -> Markup:
    coloured = partial(picture, shades=look.shades)
    sides = means(one, cut), means(other, cut)
    low, high = _ends(sides[0] if np.isfinite(sides[0]).any() else sides[1])
    apart = farthest(one, other, cut)
    limit = _largest(apart)
    is_complex = "c" in (one.dtype.kind, other.dtype.kind)
    title = "|actual − expected|" if is_complex else "actual − expected"
    what = "a cell is the mean of its values, of the difference the value farthest from zero"
    odd = not all(np.isfinite(cells).all() for cells in (*sides, apart))
    return element(
        "div",
        element(
            "div",
            _figure(f"expected, {low:.3g} to {high:.3g}", coloured(sides[0], low, high)),
            _figure("actual, on the same scale", coloured(sides[1], low, high)),
            _figure(f"{title}, ±{limit:.3g}{_beyond(apart, limit)}", coloured(apart, -limit, limit, diverging=True)),
            class_="triple",
        ),
        _note(_caption(seen, look.shape, cut, what, odd=odd, is_complex=is_complex)),
        _bias(one, other, seen, title),
    )


def _bias(one: Array, other: Array, seen: Plane, title: str) -> Markup:
    fine = grid((one.shape[0], one.shape[1]), rows=8 * HEIGHT)
    each = "each" if fine.largest[0] == 1 else f"every {fine.largest[0]}"
    label = f"bias: mean of {title} of {each} {seen.letter(seen.row)}"
    return curves([Curve("difference", biases(one, other, fine))], label, height=_FLAT)


def _codes(one: Array, other: Array, cut: Grid, seen: Plane, look: Look) -> Markup:
    coloured = partial(picture, shades=look.shades)
    sides = firsts(one, cut), firsts(other, cut)
    low, high = float(min(side.min() for side in sides)), float(max(side.max() for side in sides))
    apart = shares_unequal(one, other, cut)
    fine = grid((one.shape[0], one.shape[1]), rows=8 * HEIGHT)
    wrong = shares_unequal(one, other, fine) @ np.diff(fine.columns) / one.shape[1]
    what = "a cell is the first of its codes, where they differ the share of them"
    return element(
        "div",
        element(
            "div",
            _figure(f"expected, codes {low:g} to {high:g}", coloured(sides[0], low, high)),
            _figure("actual, on the same scale", coloured(sides[1], low, high)),
            # The least share that is shown as a difference is a third of the scale: one wrong code must be seen.
            _figure("where they differ", coloured(np.where(apart > 0, 0.35 + 0.65 * apart, 0.0), 0.0, 1.0)),
            class_="triple",
        ),
        _note(_caption(seen, look.shape, cut, what)),
        curves([Curve("difference", wrong)], f"share that differs in each {seen.letter(seen.row)}", height=_FLAT),
    )


def _alone(title: str, array: Array, axes: str | None, look: Look) -> Markup:
    """Draw one side that has no other to be laid over."""
    seen = plane(array.shape, axes)
    if array.size == 0 or array.size <= _WRITTEN:
        return element("p", f"{title}: {_values(array) if array.size else 'no elements'}")
    matrix = seen.cut(array)
    heading = f"{title}, shape {shape_text(array.shape)}"
    if matrix.shape[0] == 1:
        return curves([Curve(title, matrix[0])], heading, height=_FLAT, points=look.points)
    cut = grid((matrix.shape[0], matrix.shape[1]))
    cells = firsts(matrix, cut) if look.codes else means(matrix, cut)
    low, high = _ends(cells)
    what = "a cell is the first of its codes" if look.codes else "a cell is the mean of its values"
    caption = _caption(
        seen, array.shape, cut, what, odd=not np.isfinite(cells).all(), is_complex=array.dtype.kind == "c"
    )
    image = _figure(f"{heading}, {low:.3g} to {high:.3g}", picture(cells, low, high, shades=look.shades))
    return element("div", element("div", image, class_="triple"), _note(caption))


def _ends(cells: Array) -> tuple[float, float]:
    finite = cells[np.isfinite(cells)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(finite, (_LOW, _HIGH)))
    return (low, high) if low < high else (float(finite.min()), float(finite.max()))


def _largest(apart: Array) -> float:
    """Return the end of the scale of differences: where few cells stand far out, what the others reach."""
    finite = np.abs(apart[np.isfinite(apart)])
    if not finite.size or not finite.any():
        return 1.0
    common = float(np.percentile(finite[finite > 0], _COMMON))
    return common or float(finite.max())


def _beyond(apart: Array, limit: float) -> str:
    finite = np.abs(apart[np.isfinite(apart)])
    most = float(finite.max(initial=0.0))
    if not most:
        return " (all equal)" if finite.size == apart.size else " (the rest is equal)"
    return f" (up to {most:.3g})" if most > limit * 1.01 else ""


def _caption(
    seen: Plane, shape: Sequence[int], cut: Grid, what: str, *, odd: bool = False, is_complex: bool = False
) -> str:
    assert seen.row is not None
    assert seen.column is not None
    rows, columns = shape[seen.row], shape[seen.column]
    text = f"{seen.letter(seen.row)} ({rows}) upwards, {seen.letter(seen.column)} ({columns}) to the right"
    text += f", at {where}" if (where := seen.where(shape)) else ""
    text += "" if seen.axes else " (no axes are declared)"
    if cut.largest != (1, 1):
        text += f"; {what} ({cut.largest[0]}×{cut.largest[1]} at most)"
    text += "; of complex numbers the magnitude is drawn" if is_complex else ""
    return text + ("; magenta: NaN or infinite" if odd else "")


def _figure(title: str, source: str) -> Markup:
    return element("figure", element("figcaption", title), element("img", src=source, alt=title, class_="heat"))


def _note(text: str) -> Markup:
    return element("p", text, class_="note")
