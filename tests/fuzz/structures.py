"""Damage to texts and trees: JSON, protocol buffers, pickles. What comes out is well formed, most of the time."""

from __future__ import annotations

import copy
import json
import pickle
import pickletools
from collections.abc import Callable
from random import Random
from typing import Any

Damage = Callable[[bytes], bytes]

# Texts that lead elsewhere, that no terminal should get, or that are no text.
TEXTS = (
    "",
    ".",
    "..",
    "../outside.bin",
    "../../outside.safetensors",
    "/etc/passwd",
    "C:\\outside",
    "a/../../b",
    "\0",
    "a\nb\x1b[2J",
    "\ud800",
    "\u202e\u2028",
    "nul",
    "*" * 5000,
    "**/" * 40,
    "x" * 300,
    "__metadata__",
    "__class__",
    "{0.__class__}%s%n",
    "<script>alert(1)</script>",
    "1e999",
    "NaN",
    "BCTT",
    "float32",
    "F32",
    "complex128",
    "bfloat16",
    "object",
    "sha256:" + "0" * 64,
    "xxh3:" + "0" * 32,
    "0" * 64,
)
_NUMBERS = (0, 1, -1, 2, 0.5, -0.0, 1e308, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**400, -(10**30))
# Written as they stand, where no parser of the standard would put them.
_WORDS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "9" * 5000,
    "0x1",
    "tru",
    "'a'",
    '"\\ud800"',
    '"\x01"',
    "01",
    "",
)
_DEPTHS = (50, 900, 3000, 100_000)


def json_text(data: bytes, _other: bytes, random: Random, _inner: Damage) -> bytes:
    """Change a few values of a JSON document, or write a part of it in a way that the standard does not have."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    holder = [document]
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        _change(holder, random)
    mark = "#mark#"
    kind = random.randrange(12)
    if kind < 3:
        _replace(holder, mark, random)
    text = json.dumps(holder[0], ensure_ascii=random.random() < 0.5)
    if kind == 0:
        text = text.replace(json.dumps(mark), random.choice(_WORDS))
    elif kind == 1:
        depth = random.choice((*_DEPTHS, random.randint(800, 1000)))
        opening, closing = random.choice((("[", "]"), ('{"a":', "}"), ('{"stages":[', "]}")))
        text = text.replace(json.dumps(mark), opening * depth + "1" + closing * depth * random.randrange(2))
    elif kind == 2:
        text = text.replace(json.dumps(mark), f"[{','.join(['0'] * 20_000)}]")
    elif kind == 3 and "{" in text:
        name = random.choice(TEXTS[:8])
        text = text.replace("{", f"{{{json.dumps(name)}: 1, {json.dumps(name)}: 2, ", random.randint(1, 3))
    elif kind == 4:
        text = "\ufeff" + text
    return text.encode(random.choice(("utf-8",) * 9 + ("utf-16",)), "surrogatepass")


def _places(holder: Any) -> list[tuple[Any, Any]]:
    """Return each container below one, with each of its keys."""
    found, left = [], [holder]
    while left:
        one = left.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one))
        for key in keys:
            found.append((one, key))
            if isinstance(one[key], dict | list):
                left.append(one[key])
    return found


def _change(holder: list[Any], random: Random) -> None:
    places = _places(holder)
    container, key = random.choice(places)
    kind = random.randrange(8)
    if kind == 0 and container is not holder:
        del container[key]
    elif kind == 1 and isinstance(container, dict):
        container[random.choice((*TEXTS, *(str(other) for _, other in places)))] = container.pop(key)
    elif kind == 2:  # of another type, from elsewhere in the document
        source, other = random.choice(places)
        container[key] = copy.deepcopy(source[other]) if source is not holder else None
    elif kind == 3:
        container[key] = random.choice(TEXTS)
    elif kind == 4:
        container[key] = random.choice(_NUMBERS)
    elif kind == 5:
        container[key] = random.choice(([], {}, None, True, False, [[]], {"": {}}, [None], ["a"], [1, 2]))
    elif kind == 6 and isinstance(container[key], list) and container[key]:
        container[key] = container[key] * random.choice((0, 2, 2, 40))
    elif isinstance(container[key], int | float) and not isinstance(container[key], bool):
        container[key] = random.choice((container[key] + 1, -container[key], container[key] * 2, str(container[key])))
    else:
        container[key] = [container[key]]


def _replace(holder: list[Any], value: Any, random: Random) -> None:
    container, key = random.choice(_places(holder))
    container[key] = value


def protobuf(data: bytes, other: bytes, random: Random, inner: Damage) -> bytes:
    """Change one field of a message, at any depth: its number, type, length or value; or nest it without end."""
    fields = _fields(data)
    if not fields:
        return data
    number, wire, value, start, stop = random.choice(fields)
    kind = random.randrange(9)
    if wire == 2 and kind < 5:
        part = protobuf(value, other, random, inner) if _fields(value) else inner(value)
        return data[:start] + _field(number, 2, part) + data[stop:]
    if kind == 5:
        new = _field(number, random.choice((0, 1, 2, 3, 4, 5, 6, 7)), value, random)
    elif kind == 6:
        new = _varint(number << 3 | wire) + _varint(random.choice((2**31, 2**63, 2**64 - 1, len(data), len(data) + 1)))
    elif kind == 7:
        new = value
        for _ in range(random.choice((5, 50, 2000))):
            new = _field(number, 2, new)
    elif wire == 0:
        new = _field(number, 0, _varint(random.choice((0, 1, 2, 7, 127, 2**31, 2**32 - 1, 2**63, 2**64 - 1))))
    else:
        new = data[start:stop] * random.choice((0, 2, 2, 500))
    return data[:start] + new + data[stop:]


def _fields(data: bytes) -> list[tuple[int, int, bytes, int, int]]:
    """Return number, type, value, start and end of each field; nothing where that is no message."""
    found, position = [], 0
    while position < len(data):
        start = position
        key, position = _read_varint(data, position)
        number, wire = key >> 3, key & 7
        begin = position
        if wire == 0:
            _, position = _read_varint(data, position)
        elif wire == 2:
            length, begin = _read_varint(data, position)
            position = begin + length
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        else:
            return []
        if position > len(data) or not 0 < number < 20_000:
            return []
        found.append((number, wire, data[begin:position], start, position))
    return found


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[position : position + 10]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, position + index + 1
    return 0, len(data) + 1


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, wire: int, value: bytes, random: Random | None = None) -> bytes:
    length = _varint(len(value) if random is None else random.choice((len(value), 0))) if wire == 2 else b""
    return _varint(number << 3 | wire) + length + value


class _Attack:
    """An object whose unpickling runs a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("echo attacked > attacked.txt",)


def _attacks() -> list[bytes]:
    made = [pickle.dumps(_Attack(), protocol) for protocol in (0, 2, 4)]
    made += [b"cbuiltins\neval\n(V__import__('os').system('true')\ntR.", b"cbuiltins\nexec\n(Vimport os\ntR."]
    return [one.removeprefix(b"\x80\x02").removeprefix(b"\x80\x04") for one in made]


_ATTACKS = _attacks()
_OPCODES = [bytes([ord(opcode.code)]) for opcode in pickletools.opcodes]
# Each doubles what is on the stack: sizes, keys and texts that no small file should come to.
_BOMBS = (
    b"(2" + b"22t" * 30,
    b"]" + b"2a" * 1000,
    b"(" * 100_000,
    b"}(" + b"K\x01K\x01" * 1000 + b"u",
    b"]" + b"\x85" * 200_000,
)


def pickled(data: bytes, other: bytes, random: Random, _inner: Damage) -> bytes:
    """Put in, take out, repeat or replace operations of a pickle; or have it call what it must not."""
    try:
        places = [position for _, _, position in pickletools.genops(data)]
    except Exception:
        return data
    place, later = (random.choice(places) for _ in range(2))
    end = next((one for one in places if one > place), len(data))
    kind = random.randrange(8)
    if kind == 0:
        return data[:place] + random.choice(_ATTACKS) + data[random.choice((place, end)) :]
    if kind == 1:
        return data[:place] + random.choice(_OPCODES) + data[random.choice((place, place + 1, end)) :]
    if kind == 2:
        return data[:place] + data[end:]
    if kind == 3:
        return data[:place] + data[place:end] * random.choice((2, 3, 1000)) + data[end:]
    if kind == 4:
        return data[:place] + random.choice(_BOMBS) + data[place:]
    if kind == 5:
        low, high = sorted((place, later))
        return data[:place] + data[low:high] + data[place:]
    if kind == 6:
        return data[:place] + other[:100] + data[end:]
    return data[: place + 1] + random.randbytes(random.choice((1, 2, 4))) + data[end:]
