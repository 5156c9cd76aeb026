"""The wire format of protocol buffers, walked in place: what ONNX and Core ML models are written in.

Nothing is copied but numbers and names, and what is not asked for is skipped over, so that a model of gigabytes costs
what its graph costs. Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.errors import TensorFileError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_audioparity.weights.mapped import Mapped

    Array = np.ndarray[Any, Any]

# A graph of 50 000 operations has a million fields; a hostile file could have a billion, for hours of work.
MOST_FIELDS = 2_000_000
_MOST_VARINT_BYTES = 10
_VARINT, _FIXED64, _SPAN, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}
_DAMAGED = "is not a model that can be read, or damaged: "

Span = tuple[int, int]


class Document:
    """A file of one message.

    Parameters
    ----------
    mapped : the file
    """

    def __init__(self, mapped: Mapped) -> None:
        self.mapped = mapped
        self._left = MOST_FIELDS

    @property
    def root(self) -> Message:
        """The message that is the file."""
        return Message(self, (0, len(self.mapped)))

    def count_field(self) -> None:
        """Refuse a file of endless fields.

        Raises
        ------
        TensorFileError : it has more than any model
        """
        self._left -= 1
        if self._left < 0:
            raise TensorFileError(f"{_DAMAGED}it has more than {MOST_FIELDS} fields")


class Message:
    """One message, whose fields are asked for by their numbers.

    A field that is absent gives 0, an empty text or nothing, as the format has it. All methods raise TensorFileError
    when the bytes are no such message.
    """

    def __init__(self, document: Document, span: Span) -> None:
        self.document = document
        self.span = span
        self._values: dict[int, list[tuple[int, Any]]] = {}
        for number, wire, value in _fields(document, span):
            self._values.setdefault(number, []).append((wire, value))

    def __contains__(self, number: int) -> bool:
        return number in self._values

    @property
    def numbers(self) -> tuple[int, ...]:
        """The fields that it has."""
        return tuple(self._values)

    def check_holds(self, name: str, count: int) -> None:
        """Refuse a message that claims more numbers than it has bytes; each takes one at least.

        Raises
        ------
        TensorFileError : it does
        """
        if count > self.span[1] - self.span[0]:
            raise TensorFileError(f"claims more values for tensor {shown(name)} than it holds")

    def integer(self, number: int) -> int:
        """Return a varint; the last one counts."""
        values = [value for wire, value in self._values.get(number, ()) if wire == _VARINT]
        return values[-1] if values else 0

    def spans(self, number: int) -> list[Span]:
        """Return where the bytes of each value of a field are."""
        return [value for wire, value in self._values.get(number, ()) if wire == _SPAN]

    def last(self, number: int) -> Span:
        """Return where the bytes of a field are."""
        spans = self.spans(number)
        return spans[-1] if spans else (self.span[0], self.span[0])

    def texts(self, number: int) -> list[str]:
        """Return every text of a field."""
        mapped = self.document.mapped
        return [mapped.bytes(*span).decode("utf-8", "replace") for span in self.spans(number)]

    def text(self, number: int) -> str:
        """Return a text."""
        return self.document.mapped.bytes(*self.last(number)).decode("utf-8", "replace")

    def messages(self, number: int) -> Iterator[Message]:
        """Yield every message of a field."""
        return (Message(self.document, span) for span in self.spans(number))

    def message(self, number: int) -> Message:
        """Return a message, an empty one where it is absent."""
        return Message(self.document, self.last(number))

    def mapping(self, number: int) -> dict[str, Message]:
        """Return a map from texts to messages."""
        return {entry.text(1): entry.message(2) for entry in self.messages(number)}

    def integers(self, number: int, shape: tuple[int, ...] | None = None) -> Array:
        """Return a repeated varint, packed or not, as int64, of one dimension if no shape is given."""
        parts = []
        for wire, value in self._values.get(number, ()):
            if wire == _VARINT:
                parts.append(np.array([value], np.uint64))
            elif wire == _SPAN:
                parts.append(_varints(self.document.mapped.view(value[0], value[1] - value[0])))
        joined: Array = np.concatenate(parts) if parts else np.zeros(0, np.uint64)
        values = joined.view(np.int64)
        if shape is None:
            return values
        if values.size != math.prod(shape):
            raise TensorFileError(f"holds a tensor of {values.size} numbers where its shape needs {math.prod(shape)}")
        return values.reshape(shape)

    def numbers_of(self, number: int, dtype: np.dtype[Any], shape: Sequence[int] | None = None) -> Array:
        """Return a repeated field of fixed size, such as floats, as a view where it is packed in one piece."""
        mapped = self.document.mapped
        entries = [_bytes_of(wire, value) for wire, value in self._values.get(number, ())]
        if len(entries) == 1:
            start, stop = entries[0]
            count, rest = divmod(stop - start, dtype.itemsize)
            array = mapped.array("", dtype, (count,), start)
        else:
            joined = b"".join(mapped.bytes(*entry) for entry in entries)
            rest = len(joined) % dtype.itemsize
            array = np.frombuffer(joined[: len(joined) - rest], dtype)
        if rest or (shape is not None and array.size != np.prod(shape, dtype=object)):
            raise TensorFileError(f"{_DAMAGED}{array.size} numbers do not fit the shape {tuple(shape or ())}")
        return array if shape is None else array.reshape(tuple(shape))


def _bytes_of(wire: int, value: Any) -> Span:
    if wire == _VARINT:
        raise TensorFileError(f"{_DAMAGED}a field has another type than its model's format says")
    return value if wire == _SPAN else (value, value + _FIXED_BYTES[wire])


def _fields(document: Document, span: Span) -> Iterator[tuple[int, int, Any]]:
    """Yield the number, the wire type and the value of each field: an integer, a span, or a place of fixed size."""
    data, (position, stop) = document.mapped.data, span
    while position < stop:
        document.count_field()
        key, position = _varint(data, position, stop)
        number, wire = key >> 3, key & 7
        value: Any = position
        if wire == _VARINT:
            value, position = _varint(data, position, stop)
        elif wire == _SPAN:
            length, position = _varint(data, position, stop)
            value = (position, position + length)
            position += length
            document.mapped.skip(length)
        elif wire in _FIXED_BYTES:
            position += _FIXED_BYTES[wire]
        else:
            raise TensorFileError(f"{_DAMAGED}a field of unknown type at byte {position}")
        if position > stop or number == 0:
            raise TensorFileError(f"{_DAMAGED}a field at byte {position} reaches beyond its message")
        yield number, wire, value


def _varint(data: Any, position: int, stop: int) -> tuple[int, int]:
    value = 0
    for index in range(_MOST_VARINT_BYTES):
        if position + index >= stop:
            break
        byte = data[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & (2**64 - 1), position + index + 1
    raise TensorFileError(f"{_DAMAGED}a number at byte {position} does not end")


def _varints(data: Array) -> Array:
    """Decode packed varints as uint64, all at once."""
    ends = np.flatnonzero(data < 0x80)
    starts = np.concatenate(([0], ends[:-1] + 1)) if ends.size else ends
    lengths = ends - starts + 1
    if (ends[-1] + 1 if ends.size else 0) != data.size or lengths.max(initial=0) > _MOST_VARINT_BYTES:
        raise TensorFileError(f"{_DAMAGED}packed numbers do not end")
    values = np.zeros(ends.size, np.uint64)
    for index in range(int(lengths.max(initial=0))):
        longer = lengths > index
        values[longer] |= (data[starts[longer] + index] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * index)
    return values
