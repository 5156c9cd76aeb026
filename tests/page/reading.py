"""Reading a page back by other code than wrote it: tags that balance, texts, pictures, sound."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from html.parser import HTMLParser

import numpy as np
import soundfile

_VOID = {"meta", "input", "img", "br", "link"}
_PNG, _FLAC = "data:image/png;base64,", "data:audio/flac;base64,"


class Page(HTMLParser):
    """A page taken apart; a tag that is not closed, or closed in the wrong place, is an error."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], f"not closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"an attribute comes twice: {attrs}"
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data):
        if not self._open or self._open[-1] not in ("style", "script"):
            self.text += data

    def all(self, tag, **wanted):
        """Return the attributes of every element of a name that has some attributes."""
        return [a for name, a in self.tags if name == tag and all(a.get(k.rstrip("_")) == v for k, v in wanted.items())]

    @property
    def maps(self):
        """The heat maps, as arrays of palette indices with the first row on top, and their palettes."""
        return [png(image["src"]) for image in self.all("img")]

    @property
    def players(self):
        """The sounds: samples and rate."""
        return [flac(one["src"]) for one in self.all("audio")]


def png(uri):
    """Decode a PNG of a palette without filters; every check sum is looked at."""
    assert uri.startswith(_PNG)
    data = base64.b64decode(uri.removeprefix(_PNG), validate=True)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size]) == (zlib.crc32(name + body),)
        chunks[name] = body
        at += 12 + size
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour, rest) == (8, 3, [0, 0, 0])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    palette = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
    return rows[:, 1:], palette


def flac(uri):
    assert uri.startswith(_FLAC)
    return soundfile.read(io.BytesIO(base64.b64decode(uri.removeprefix(_FLAC), validate=True)))
