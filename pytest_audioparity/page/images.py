"""Small matrices as pictures: coloured through a palette, written as PNG.

PNG: https://www.w3.org/TR/png-3/ (colour type 3, one byte per pixel).
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Key colours of the palettes, dark to light and negative to positive. The first is perceptually uniform (after viridis,
# CC0); the second has its middle in grey, which is neither light nor dark, so that it serves on both backgrounds.
_SEQUENTIAL = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
_DIVERGING = ((26, 72, 156), (92, 139, 214), (128, 128, 128), (226, 124, 92), (168, 32, 42))
# Entries of a palette, less the last.
SHADES = 255
# The last entry of a palette: what is not finite.
_NOT_FINITE = (255, 0, 255)


def picture(matrix: Array, low: float, high: float, *, diverging: bool = False, shades: int = SHADES) -> str:
    """Return a matrix as the data URI of a PNG, the first row at the bottom.

    Parameters
    ----------
    matrix : shape (rows, columns), see `cells`; what is not finite is magenta
    low, high : the values of the palette's ends
    diverging : whether the palette has a middle
    shades : colours of the palette, at most 255; fewer take less space, an odd number has a middle
    """
    # Halves, so that the span of the largest numbers is finite.
    span = high / 2 - low / 2
    with np.errstate(invalid="ignore", over="ignore"):
        share = (matrix / 2 - low / 2) / span if span > 0 else np.where(np.isfinite(matrix), 0.5, np.nan)
        scaled = np.clip(share, 0, 1) * (shades - 1)
    levels = np.where(np.isfinite(scaled), scaled, shades).round().astype(np.uint8)[::-1]
    data = _png(levels, _DIVERGING if diverging else _SEQUENTIAL, shades)
    return "data:image/png;base64," + base64.b64encode(data).decode()


def _png(levels: Array, key_colours: tuple[tuple[int, int, int], ...], shades: int) -> bytes:
    height, width = levels.shape
    at = np.linspace(0, len(key_colours) - 1, shades)
    channels = [np.interp(at, range(len(key_colours)), [colour[i] for colour in key_colours]) for i in range(3)]
    palette = np.stack(channels, axis=-1).round().astype(np.uint8).tobytes() + bytes(_NOT_FINITE)
    rows = b"".join(b"\0" + row.tobytes() for row in levels)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(named: tuple[bytes, bytes]) -> bytes:
    name, data = named
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
