"""Arrays as models hand them over: every dtype a golden can hold, every layout in memory, every bit pattern.

A layout changes where elements lie and never what they are, except where an axis is repeated with a stride of zero. So
what an array holds is always asked of the array itself, element by element.
"""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.arrays import dtype_of

NARROW = ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu")
FLOATS = ("float64", "float32", "float16", *NARROW)
COMPLEX = ("complex64", "complex128")
INTEGERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = (*FLOATS, *COMPLEX, *INTEGERS)
CAN_BE_NAN = (*FLOATS, *COMPLEX)
LAYOUTS = ("plain", "permuted", "reversed", "every other", "cut out", "big-endian", "misaligned", "read-only")

# Parts of what a profile asks for, which is 20 times as much in `make properties`.
HALF, QUARTER = (settings(max_examples=settings.default.max_examples // share) for share in (2, 4))

SHAPES = st.one_of(
    st.sampled_from([(), (1,), (1, 1, 1), (2, 1, 3, 1, 2), (3, 2, 2, 2, 1)]),
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5),
)
EMPTY_SHAPES = st.sampled_from([(0,), (3, 0), (0, 1, 4), (2, 0, 3, 0, 1)])


def parts_of(dtype):
    """Return the dtype of real and imaginary part, or the dtype itself where it is real."""
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def _notable(dtype):
    """Return the bit patterns of values at which arithmetic goes wrong: ends, zeros, smallest, and ordinary ones."""
    if dtype.kind == "b":
        return [0, 1]
    wide = 8 * dtype.itemsize
    if dtype.kind in "iu":
        return [0, 1, 2, (1 << wide) - 1, 1 << (wide - 1), (1 << (wide - 1)) - 1]
    with np.errstate(all="ignore"):
        values = np.array([0.0, -0.0, 1.0, -1.0, 1.5, 0.1, -3.0, 2.0, 1e-3, 200.0]).astype(dtype)
    ends = np.array([getattr(ml_dtypes.finfo(dtype), name) for name in ("max", "min", "tiny", "smallest_subnormal")])
    carrier = f"u{dtype.itemsize}"
    bits = [*values.view(carrier).tolist(), *ends.astype(dtype).view(carrier).tolist()]
    if dtype.name == "float64":  # squares that overflow, or vanish
        bits += np.array([1e155, -1e160, 1e-160, 1e-170, 1e140, 2.0**53 + 2]).view("u8").tolist()
    return bits


def _bits(dtype):
    top = 1 if dtype.kind == "b" else (1 << 8 * dtype.itemsize) - 1
    return st.one_of(st.sampled_from(_notable(dtype)), st.integers(0, top))


@st.composite
def values(draw, dtype, shape, *, finite=True):
    """Draw a contiguous array of any bits, or of those that are finite."""
    part = parts_of(dtype)
    count = (*shape, 2) if part != dtype else shape
    bits = draw(hnp.arrays(f"u{part.itemsize}", count, elements=_bits(part)))
    array = bits.view(part) if bits.ndim else bits.reshape(1).view(part).reshape(())
    if finite and part.kind not in "biu":
        with np.errstate(invalid="ignore"):  # signalling NaNs
            array = np.where(np.isfinite(array), array, np.ones((), part)).astype(part)
    return np.ascontiguousarray(array).view(dtype).reshape(shape)


@st.composite
def broken(draw, dtype):
    """Draw one value that is not finite: a NaN of any payload, an infinity, in either part of a complex one."""
    part = parts_of(dtype)
    carrier = f"u{part.itemsize}"
    if part.itemsize == 1:
        every = np.arange(256, dtype="u1")
        bits = draw(st.sampled_from(every[~np.isfinite(every.view(part))].tolist()))
    else:
        infinite = int(np.array(math.inf).astype(part).view(carrier))
        bits = infinite | draw(_bits(part))
    value = np.array(bits, carrier).view(part)
    if part == dtype:
        return value
    return np.array([value, 1.0] if draw(st.booleans()) else [1.0, value], part).view(dtype).reshape(())


@st.composite
def arranged(draw, array):
    """Draw an array of the same elements that lies otherwise in memory."""
    for layout in draw(st.lists(st.sampled_from(LAYOUTS), max_size=2)):
        array = _LAY[layout](draw, array)
    return array


def _plain(draw, array):
    return array.copy()


def _permuted(draw, array):
    order = draw(st.permutations(range(array.ndim)))
    return np.ascontiguousarray(array.transpose(order)).transpose(np.argsort(order)) if order else array


def _reversed(draw, array):
    turned = draw(st.tuples(*[st.sampled_from([slice(None), slice(None, None, -1)])] * array.ndim))
    return array[turned].copy()[turned]


def _every_other(draw, array):
    if not array.ndim:
        return array
    axis = draw(st.integers(0, array.ndim - 1))
    return np.repeat(array, 2, axis)[(slice(None),) * axis + (slice(None, None, 2),)]


def _cut_out(draw, array):
    if not array.ndim:
        return array
    around = np.pad(array, 1, mode="wrap") if array.size else array
    return around[(slice(1, -1),) * array.ndim] if array.size else array


def _big_endian(draw, array):
    # Types that numpy does not have itself have no other byte order.
    return array.astype(array.dtype.newbyteorder(">")) if array.dtype.name in np.sctypeDict else array


def _misaligned(draw, array):
    data = b"\0" + np.ascontiguousarray(array).tobytes()
    return np.ndarray(array.shape, array.dtype, bytearray(data), offset=1)


def _read_only(draw, array):
    return np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape)


_LAY = {
    "plain": _plain,
    "permuted": _permuted,
    "reversed": _reversed,
    "every other": _every_other,
    "cut out": _cut_out,
    "big-endian": _big_endian,
    "misaligned": _misaligned,
    "read-only": _read_only,
}


@st.composite
def repeated(draw, array):
    """Draw an array whose elements are those of one index along some axis, with a stride of zero."""
    long = [axis for axis, size in enumerate(array.shape) if size > 1]
    if not long or not draw(st.booleans()):
        return array
    axis = draw(st.sampled_from(long))
    return np.broadcast_to(array.take([0], axis), array.shape)


@st.composite
def sides(draw, names=DTYPES, *, finite=True, equal_dtypes=True):
    """Draw two arrays of one shape, each with a layout of its own; most of their elements are often equal."""
    shape = draw(SHAPES)
    first = draw(st.sampled_from(names))
    second = first if equal_dtypes else draw(st.sampled_from(names))
    expected = draw(values(dtype_of(first), shape, finite=finite))
    actual = draw(values(dtype_of(second), shape, finite=finite))
    if first == second and draw(st.booleans()):
        kept = draw(hnp.arrays(bool, shape, elements=st.booleans(), fill=st.just(True)))
        actual = np.where(kept, expected, actual).astype(expected.dtype)
    expected = draw(repeated(expected))
    return draw(arranged(expected)), draw(arranged(actual))


def elements(array):
    """Return what an array holds as Python numbers, in C order: integers exactly, floats as float64 has them."""
    integral = array.dtype.kind in "iub"
    return [int(one) if integral else complex(one) if array.dtype.kind == "c" else float(one) for one in array.flat]


def same_bits(left, right):
    """Whether two arrays have one shape, dtype and bit pattern, whatever their layouts."""
    if left.shape != right.shape or left.dtype.name != right.dtype.name:
        return False
    native = [np.array(side, side.dtype.newbyteorder("="), order="C").tobytes() for side in (left, right)]
    return native[0] == native[1]
