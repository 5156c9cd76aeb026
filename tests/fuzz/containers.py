"""Damage to files that hold others: zip archives, safetensors, arrays of numpy, chunks of RIFF."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from random import Random

from tests.fuzz.structures import TEXTS, json_text

Damage = Callable[[bytes], bytes]

_SIZES = (0, 1, 7, 8, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)
_LONG_SIZES = (*_SIZES, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
# Expressions and types in place of what numpy writes in the header of an array.
_HEADERS = (
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os').system('true'),), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 4), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1e9,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 2), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2147483647), }",
    "{'descr': '<f4', 'fortran_order': True, 'shape': (" + "1," * 70 + "), }",
    "{'descr': '<U1000000', 'fortran_order': False, 'shape': (), }",
    "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (3,), }",
    "{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False, 'shape': (1,), }",
    "{'descr': [('a', '<f4', (65536, 65536))], 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '>f4', 'fortran_order': False, 'shape': (0, 4611686018427387904), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}",
    "(" * 5000,
    "[" * 150 + "]" * 150,
    "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "-" * 3000 + "1,), }",
    "9" * 6000,
    "{'descr': '<f4', 'fortran_order': False, 'shape': (9" + "9" * 5000 + ",), }",
    "lambda: 0",
    "",
)


def safetensors(data: bytes, other: bytes, random: Random, inner: Damage) -> bytes:
    """Change the header, JSON inside of its metadata included, or the length that is stated of it."""
    length = int.from_bytes(data[:8], "little")
    header, rest = data[8 : 8 + length], data[8 + length :]
    kind = random.randrange(6)
    if kind < 3:
        header = _metadata(header, other, random) if kind else json_text(header, other, random, inner)
    elif kind == 3:
        header = inner(header)
    elif kind == 4:
        rest = rest[: random.randrange(len(rest) + 1)] + random.choice((b"", rest, bytes(9)))
    stated = random.choice(_LONG_SIZES) if kind == 5 else len(header)
    return stated.to_bytes(8, "little") + header + rest


def _metadata(header: bytes, other: bytes, random: Random) -> bytes:
    document = json.loads(header)
    texts = document.get("__metadata__")
    if not texts:
        return json_text(header, other, random, bytes)
    name = random.choice(list(texts))
    changed = json_text(texts[name].encode("utf-8", "surrogatepass"), other, random, bytes)
    try:
        texts[name] = changed.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # it was written as UTF-16
        texts[name] = changed.decode("latin-1")
    return json.dumps(document, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


def zipped(data: bytes, other: bytes, random: Random, inner: Damage) -> bytes:
    """Damage a member, or the archive around them."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(info.filename, info.compress_type, archive.read(info)) for info in archive.infolist()]
    except Exception:
        return data
    kind = random.randrange(10)
    place = random.randrange(len(members)) if members else 0
    if members and kind < 5:
        name, packed, content = members[place]
        members[place] = (name, packed, inner(content))
    elif members and kind == 5:
        members[place] = (_named(members, random), *members[place][1:])
    elif members and kind == 6:
        members.append(random.choice(((members[place]), ("bomb.npy", zipfile.ZIP_DEFLATED, bytes(1 << 22)))))
    elif members and kind == 7:
        del members[place]
    elif members and kind == 8:  # an archive in an archive, or packed in another way
        packed = random.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))
        members[place] = (members[place][0], packed, random.choice((data, members[place][2])))
    archive_bytes = _archive(members, random)
    return _patched(archive_bytes, random) if kind == 9 else archive_bytes


def _named(members: list[tuple[str, int, bytes]], random: Random) -> str:
    inner = random.choice(members)[0]
    return random.choice((*(text for text in TEXTS if text and "\0" not in text and text.isprintable()), inner))[:2000]


def _archive(members: list[tuple[str, int, bytes]], random: Random) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
        warnings.simplefilter("ignore")  # a name twice
        for name, packed, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = packed
            if random.random() < 0.02:
                info.external_attr = 0o120777 << 16  # a symbolic link
            archive.writestr(info, content)
    return out.getvalue()


# Where a header of a member has its numbers: flags, method, checksum, sizes, lengths of names, where it lies.
_LOCAL = ((6, "H"), (8, "H"), (14, "I"), (18, "I"), (22, "I"), (26, "H"), (28, "H"))
_CENTRAL = ((8, "H"), (10, "H"), (16, "I"), (20, "I"), (24, "I"), (28, "H"), (30, "H"), (32, "H"), (42, "I"))
_END = ((8, "H"), (10, "H"), (12, "I"), (16, "I"), (20, "H"))


def _patched(data: bytes, random: Random) -> bytes:
    """Change a number of a header: members that overlap, are encrypted, or claim what they do not hold."""
    sign, fields = random.choice(
        ((b"PK\x03\x04", _LOCAL), (b"PK\x01\x02", _CENTRAL), (b"PK\x01\x02", _CENTRAL), (b"PK\x05\x06", _END))
    )
    starts = [place for place in range(len(data) - 4) if data[place : place + 4] == sign]
    if not starts:
        return data
    changed = bytearray(data)
    for start in random.sample(starts, random.randint(1, min(3, len(starts)))):
        offset, form = random.choice(fields)
        size = struct.calcsize(form)
        own = int.from_bytes(changed[start + offset : start + offset + size], "little")
        value = random.choice((*_SIZES, own + 1, own * 1000, own ^ 1, random.choice(starts)))
        changed[start + offset : start + offset + size] = (value % 2 ** (8 * size)).to_bytes(size, "little")
    return bytes(changed)


def numpy(data: bytes, _other: bytes, random: Random, inner: Damage) -> bytes:
    """Change the header of an array of numpy, which is a Python expression."""
    length = int.from_bytes(data[8:10], "little")
    header, rest = data[10 : 10 + length], data[10 + length :]
    if random.random() < 0.5:
        header = random.choice(_HEADERS).encode()
    else:
        text = header.decode("latin-1")
        word = random.choice(("'<f4'", "False", "(", ")", ",", "{", "}", ":", "4", "6", "'descr'", "'shape'"))
        new = random.choice((*_HEADERS, "''", "True", "None", "(1", "'<f8'"))
        header = text.replace(word, new, 1).encode("latin-1")
    if random.random() < 0.1:
        rest = inner(rest)
    version = random.choice((b"\1\0",) * 6 + (b"\2\0", b"\3\0", b"\0\0", b"\xff\xff"))
    size = 2 if version[:1] == b"\1" else 4
    stated = len(header) if random.random() < 0.9 else random.choice(_SIZES)
    return b"\x93NUMPY" + version + (stated % 2 ** (8 * size)).to_bytes(size, "little") + header + rest


def chunks(data: bytes, _other: bytes, random: Random, inner: Damage) -> bytes:
    """Change the chunks of a RIFF file: their sizes, the numbers of its format, what they hold, their order."""
    order = "big" if data[:4] in (b"RIFX", b"FORM") else "little"
    found, position = [], 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], order)
        found.append((data[position : position + 4], size, data[position + 8 : position + 8 + size]))
        position += 8 + size + size % 2
    if not found:
        return data
    place, kind = random.randrange(len(found)), random.randrange(8)
    name, size, content = found[place]
    if kind < 2:
        found[place] = (name, random.choice((*_SIZES, size + 1, size - 1)) % 2**32, content)
    elif kind < 5:  # numbers at the start: format, channels, rate, bytes, alignment, bits
        offset, width = random.choice(((0, 2), (2, 2), (4, 4), (8, 4), (12, 2), (14, 2), (16, 2), (18, 2), (24, 2)))
        value = random.choice((*_SIZES, 3, 6, 7, 16, 17, 24, 0xFFFE, 0x0055, 1024))
        changed = content[:offset] + (value % 2 ** (8 * width)).to_bytes(width, order) + content[offset + width :]
        found[place] = (name, len(changed), changed)
    elif kind == 5:
        found[place] = (random.choice((b"fmt ", b"data", b"fact", b"LIST", b"ds64", b"\0\0\0\0")), size, content)
    elif kind == 6:
        found = found * 2 if random.random() < 0.5 else found[::-1]
    else:
        found[place] = (name, size, inner(content))
    body = b"".join(name + size.to_bytes(4, order) + content + bytes(len(content) % 2) for name, size, content in found)
    stated = len(body) + 4 if random.random() < 0.8 else random.choice(_SIZES)
    return random.choice((data[:4],) * 8 + (b"RIFX", b"RF64")) + (stated % 2**32).to_bytes(4, order) + data[8:12] + body


def numbers_in_head(data: bytes, _other: bytes, random: Random, inner: Damage) -> bytes:
    """Change numbers of eight or four bytes in the part of a file before its data."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 3)):
        place = random.randrange(4, max(min(len(changed), 2000), 5))
        size = random.choice((4, 8, 8))
        own = int.from_bytes(changed[place : place + size], "little")
        value = random.choice((*_LONG_SIZES, own + 1, own - 1, own * 2, own ^ 1))
        changed[place : place + size] = (value % 2 ** (8 * size)).to_bytes(size, "little")
    return bytes(changed)
