"""Damage that knows nothing of a format, and which knowledge of a format is to be used: told by the content."""

from __future__ import annotations

from random import Random

from tests.fuzz import containers, structures

_SPECIAL = (0, 1, 0x7F, 0x80, 0xFF)
# Lengths, counts and offsets that break arithmetic.
NUMBERS = (0, 1, -1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)


def damaged(data: bytes, other: bytes, random: Random, depth: int = 0) -> bytes:
    """Return what is left of a file after one or a few changes.

    Parameters
    ----------
    data : the file, or a part of one
    other : another valid one, of which pieces may be put in
    depth : how many containers this part lies in
    """
    form = _form(data)
    if form is not None and random.random() < 0.65:
        changed = form(data, other, random, lambda part: damaged(part, other, random, depth + 1) if depth < 3 else part)
        return changed if random.random() < 0.85 else plainly(changed, other, random)
    return plainly(data, other, random)


def _form(data: bytes):
    if data.startswith(b"PK\x03\x04"):
        return containers.zipped
    if data.startswith(b"\x93NUMPY"):
        return containers.numpy
    if data[:4] in (b"RIFF", b"RIFX", b"RF64", b"FORM"):
        return containers.chunks
    if data.startswith(b"GGUF"):
        return containers.numbers_in_head
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data):
        return containers.safetensors
    if data[:1] in (b"{", b"[") and data.rstrip()[-1:] in (b"}", b"]"):
        return structures.json_text
    if data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return structures.pickled
    if data[:1] in (b"\x08", b"\x0a"):
        return structures.protobuf
    return None


def plainly(data: bytes, other: bytes, random: Random) -> bytes:
    """Change, cut, repeat, remove or replace a few places."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        place = random.randrange(max(len(changed), 1))
        length = int(2 ** random.uniform(0, 6))
        random.choice(_CHANGES)(changed, place, length, other, random)
    return bytes(changed)


def _set(changed: bytearray, place: int, length: int, _other: bytes, random: Random) -> None:
    changed[place : place + length] = bytes([random.choice(_SPECIAL)]) * length


def _set_one(changed: bytearray, place: int, _length: int, _other: bytes, random: Random) -> None:
    changed[place : place + 1] = random.choice((random.randbytes(1), bytes([random.choice(_SPECIAL)])))


def _remove(changed: bytearray, place: int, length: int, _other: bytes, _random: Random) -> None:
    del changed[place : place + length]


def _repeat(changed: bytearray, place: int, length: int, _other: bytes, random: Random) -> None:
    changed[place:place] = changed[place : place + length] * random.choice((1, 1, 1, 50))


def _flip(changed: bytearray, place: int, _length: int, _other: bytes, random: Random) -> None:
    if changed:
        changed[place] ^= 1 << random.randrange(8)


def _count(changed: bytearray, place: int, _length: int, _other: bytes, random: Random) -> None:
    changed[place : place + 8] = number(random)


def _splice(changed: bytearray, place: int, length: int, other: bytes, random: Random) -> None:
    start = random.randrange(max(len(other), 1))
    changed[place : place + length] = other[start : start + length]


def _cut(changed: bytearray, place: int, _length: int, other: bytes, random: Random) -> None:
    if random.random() < 0.2:
        changed[place:] = other[place:] if random.random() < 0.5 else b""


_CHANGES = (_set, _set_one, _set_one, _remove, _repeat, _flip, _count, _splice, _cut)


def number(random: Random) -> bytes:
    """Return a length or an offset that no file has, of two, four or eight bytes and either order."""
    size = random.choice((2, 4, 4, 8, 8))
    return (random.choice(NUMBERS) % 2 ** (8 * size)).to_bytes(size, random.choice(("little", "little", "big")))
