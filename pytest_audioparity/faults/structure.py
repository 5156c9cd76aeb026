"""Faults that structure shows: stages, dtypes, shapes, memory order, lengths, values that are no signal."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np

from pytest_audioparity.faults.subject import Array, Change, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

# A little below the largest float16.
_HALF = 60_000
# Elements that 64 bytes hold: the alignment of rows that accelerators ask for.
_ROW = 16


def missing_stage(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Leave the stage out."""
    yield Change("not recorded", subject.stage.array, absent=True, exact=True)


def extra_stage(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Record it under a name that the golden does not have."""
    meta = replace(subject.stage.meta, name=f"{subject.stage.meta.name}_extra")
    yield Change("recorded under another name", subject.stage.array, {"name": meta.name}, meta=meta, exact=True)


def dtype(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Return the values in another dtype."""
    floats = (np.float16, ml_dtypes.bfloat16, np.float64)
    array = subject.stage.array
    for other in floats if subject.is_float else (np.int64, np.int32, np.int16, np.float32):
        name = np.dtype(other).name
        if array.dtype.name == name or (name == "float16" and np.abs(subject.x).max() > _HALF):
            continue
        detail = {"expected": array.dtype.name, "actual": name}
        yield Change(f"{name} for {array.dtype.name}", array.astype(other), detail, exact=True)


def shape(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Return the values with a dimension more, one less, or all in one row."""
    x = subject.x
    if 1 in x.shape and x.ndim > 1:
        yield Change("batch squeezed", x.squeeze(axis=x.shape.index(1)))
    yield Change("batch added", x[np.newaxis])
    yield Change("one dimension more at the end", x[..., np.newaxis])


def axes_permuted(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Leave axes in another order."""
    x = subject.x
    free = [axis for axis in range(x.ndim) if x.shape[axis] > 1]
    orders: list[list[int]] = []
    for first, second in itertools.pairwise(free):
        order = list(range(x.ndim))
        order[first], order[second] = second, first
        orders.append(order)
    if x.ndim == 3:
        orders.append([2, 0, 1])
    for order in orders:
        wrong = np.ascontiguousarray(x.transpose(order))
        yield Change(f"axes in the order {order}", wrong, {"permutation": order})


def reshaped(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Read the right values in the wrong memory order: reshape for transpose, strides ignored."""
    x = subject.x
    free = [axis for axis in range(x.ndim) if x.shape[axis] > 1]
    if len(free) < 2:
        return
    first, second = free[-2:]
    order = list(range(x.ndim))
    order[first], order[second] = second, first
    turned = np.ascontiguousarray(x.transpose(order))
    # Of a square matrix this is the transposition itself.
    also = ("axes_permuted",) if x.shape[first] == x.shape[second] else ()
    yield Change("reshape where transpose was meant", turned.reshape(x.shape), {"order": order}, also)
    if x.ndim > 2 and x.shape[0] > 1:
        fortran = np.ascontiguousarray(x.ravel(order="F")).reshape(x.shape)
        # With one item in the batch, column order is the transposition above.
        yield Change("column order read as row order", fortran, {"order": "F"}, also)
    if not also:
        # The sizes are those of a transposition, so a look at the shapes alone says as much.
        wrong = x.reshape(turned.shape)
        yield Change("shape of a transposition, memory untouched", wrong, {"order": order}, ("axes_permuted",))
    heads = next((h for h in (8, 4, 2) if subject.channels % h == 0 and subject.channels > 2 * h), None)
    if heads and subject.channel is not None and subject.time is not None and x.ndim > 1:
        rows = np.moveaxis(x, (subject.time, subject.channel), (-2, -1))
        split = rows.reshape(*rows.shape[:-1], heads, -1).swapaxes(-2, -3)
        merged = np.ascontiguousarray(split).reshape(rows.shape)
        wrong = np.ascontiguousarray(np.moveaxis(merged, (-2, -1), (subject.time, subject.channel)))
        yield Change(f"{heads} heads merged without moving them back", wrong, {"heads": heads})
    if (read := _strided(x)) is not None:
        yield Change("strides of a padded buffer ignored", read, {"row": -(-x.shape[-1] // _ROW) * _ROW})


def _strided(x: Array) -> Array | None:
    """Return the values as read from a buffer whose rows are padded to a multiple of 64 bytes, or None."""
    width = x.shape[-1] if x.ndim else 0
    padded = -(-width // _ROW) * _ROW
    if x.ndim < 2 or padded == width or x.size // width < 2:
        return None
    rows: Array = np.zeros((x.size // width, padded), x.dtype)
    rows[:, :width] = x.reshape(-1, width)
    read: Array = rows.ravel()[: x.size].reshape(x.shape)
    return read


def length(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Make time longer or shorter."""
    if subject.frames < 8:
        return
    rows = subject.timed()
    # Which of two axes is time cannot be told where none is declared.
    also = ("missing_channels",) if subject.stage.meta.axes is None and subject.x.ndim > 1 else ()
    tail = max(2, subject.frames // 8)
    multiple = -(-(subject.frames + 1) // 32) * 32
    pad = [(0, 0)] * (rows.ndim - 1)
    table = (
        ("one frame more at the end", np.pad(rows, [*pad, (0, 1)], mode="edge"), 1, "end"),
        ("one frame less at the end", rows[..., :-1], -1, "end"),
        ("one frame more at the start", np.pad(rows, [*pad, (1, 0)]), 1, "start"),
        ("one frame less at the start", rows[..., 1:], -1, "start"),
        ("padded to a multiple of 32", np.pad(rows, [*pad, (0, multiple - subject.frames)]), None, "end"),
        (f"last {tail} frames dropped", rows[..., :-tail], -tail, "end"),
    )
    for name, wrong, frames, where in table:
        frames = wrong.shape[-1] - subject.frames if frames is None else frames
        yield Change(name, subject.untimed(wrong), {"frames": frames, "where": where}, also)


def missing_channels(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Return fewer channels, bins or codebooks."""
    count = subject.channels
    if count < 2:
        return
    by = subject.by_channel()
    also = ("length",) if subject.stage.meta.axes is None else ()
    table = [("last channel missing", slice(0, -1)), ("first channel missing", slice(1, None))]
    if count >= 4:
        table += [("half of the channels", slice(0, count // 2)), ("every other channel", slice(0, None, 2))]
    for name, kept in table:
        yield Change(name, subject.unchanneled(by[kept]), {"kept": np.arange(count)[kept].tolist()}, also)


def nonfinite(subject: Subject, rng: np.random.Generator) -> Iterator[Change]:
    """Hold NaN or infinities: float16 that overflows, a logarithm of zero, a state that blew up."""
    x = subject.x
    flat = x.reshape(-1)
    one = flat.copy()
    one[int(rng.integers(flat.size))] = np.nan
    yield Change("one NaN", one.reshape(x.shape), {"count": 1}, exact=True)
    limit = float(np.percentile(np.abs(x), 99.5))
    wrong = np.where(np.abs(x) >= limit, np.sign(x) * np.inf, x)
    wrong[np.isnan(wrong)] = np.inf
    yield Change("float16 overflow of the largest", wrong, {"count": int(np.isinf(wrong).sum())}, exact=True)
    if subject.frames >= 4:
        rows = subject.timed()
        rows[..., subject.frames // 2 :] = np.nan
        detail = {"start": subject.frames // 2}
        yield Change("NaN from the middle on", subject.untimed(rows), detail, exact=True)
    if subject.kind == "log_spectrum":
        yield Change("logarithm of zero", np.where(x <= np.percentile(x, 2), -np.inf, x), {}, exact=True)


def all_zero(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Be zero everywhere."""
    yield Change("buffer never filled", np.zeros_like(subject.x), exact=True)


def constant(subject: Subject, _rng: np.random.Generator) -> Iterator[Change]:
    """Be one value everywhere."""
    if subject.is_float:
        values = [("saturated", 1.0), ("only the mean is left", float(subject.x.mean()))]
    else:
        values = [("always one token", int(subject.x.max()))]
    for name, value in values:
        if value != 0:
            yield Change(name, np.full_like(subject.x, value), {"value": value}, exact=True)
