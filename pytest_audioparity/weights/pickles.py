"""Pickles read without unpickling: opcodes build plain values, and calls only those of a closed table.

A pickle is a program that may call anything. Here nothing is imported and no class of its choosing is made: a name is
a `Global`, and what is called with it becomes an `Opaque` unless the table given by the caller knows the name.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from pytest_audioparity.errors import TensorFileError

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Mapping

# A tensor of a checkpoint takes about 30 opcodes, 100 with its state in an optimiser: this is room for 20 000 of them.
MOST_OPCODES = 2_000_000
_INT64 = range(-(2**63), 2**63)

_NUMBERS = ("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT")
_TEXTS = ("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BINSTRING", "SHORT_BINSTRING", "STRING")
_BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
_ARGUMENTS = frozenset((*_NUMBERS, *_TEXTS, *_BYTES))
_PUTS = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_GETS = frozenset(("GET", "BINGET", "LONG_BINGET"))
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_IGNORED = frozenset(("PROTO", "FRAME"))
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True, slots=True)
class Global:
    """A name that a pickle refers to, such as ``torch.FloatStorage``."""

    name: str


@dataclass(eq=False, slots=True)
class Opaque:
    """An object that was not made: what would have made it, from what, and the state it would have been given."""

    maker: str
    arguments: Any
    state: Any = None
    items: list[Any] = field(default_factory=list)


class Interpreter:
    """The stack machine of one pickle.

    Parameters
    ----------
    calls : functions of the arguments' tuple, by the name that the pickle calls
    persistent : makes the object of a persistent id
    """

    def __init__(
        self, calls: Mapping[str, Callable[[tuple[Any, ...]], Any]], persistent: Callable[[Any], Any] | None = None
    ) -> None:
        self._calls = calls
        self._persistent = persistent
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self, pickled: bytes | mmap.mmap | BinaryIO) -> Any:
        """Return what a pickle holds; a file is left where the pickle ends.

        Raises
        ------
        TensorFileError : damaged, endless, or of opcodes that no framework writes
        """
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(pickled)):  # type: ignore[arg-type]
                if count >= MOST_OPCODES:
                    raise TensorFileError(f"holds a pickle of more than {MOST_OPCODES} operations")
                if opcode.name == "STOP":
                    return self._stack.pop()
                self._step(opcode.name, argument)
        except TensorFileError:
            raise
        except Exception as error:  # whatever a damaged pickle makes pickletools, a stack or a table raise
            raise TensorFileError(f"holds a damaged pickle: {type(error).__name__}") from None
        raise TensorFileError("holds a damaged pickle: it has no end")

    def _step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _ARGUMENTS:
            stack.append(argument)
        elif name in _PUTS:
            self._memo[argument] = stack[-1]
        elif name in _GETS:
            stack.append(self._memo[argument])
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            self._stack[-_TUPLES[name] :] = [tuple(stack[-_TUPLES[name] :])]
        elif name not in _IGNORED:
            if name not in _STEPS:
                raise TensorFileError(f"holds a pickle with the operation {name}, which no checkpoint needs")
            _STEPS[name](self, argument)

    def _mark(self, _: Any) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marked.pop()
        return items

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _empty_dict(self, _: Any) -> None:
        self._stack.append({})

    def _empty_list(self, _: Any) -> None:
        self._stack.append([])

    def _tuple(self, _: Any) -> None:
        items = self._since_mark()
        self._stack.append(tuple(items))

    def _list(self, _: Any) -> None:
        items = self._since_mark()
        self._stack.append(items)

    def _dict(self, _: Any) -> None:
        items = self._since_mark()
        self._stack.append(set_items({}, items))

    def _append(self, _: Any) -> None:
        item = self._stack.pop()
        _extend(self._stack[-1], [item])

    def _appends(self, _: Any) -> None:
        items = self._since_mark()
        _extend(self._stack[-1], items)

    def _setitem(self, _: Any) -> None:
        items = [self._stack.pop(-2), self._stack.pop()]
        set_items(self._stack[-1], items)

    def _setitems(self, _: Any) -> None:
        items = self._since_mark()
        set_items(self._stack[-1], items)

    def _pop(self, _: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._stack = self._marked.pop()

    def _pop_mark(self, _: Any) -> None:
        self._since_mark()

    def _dup(self, _: Any) -> None:
        self._stack.append(self._stack[-1])

    def _global(self, argument: str) -> None:
        self._stack.append(Global(argument.replace(" ", ".")))

    def _stack_global(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._stack.append(Global(f"{module:s}.{name:s}"))

    def _reduce(self, _: Any) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        self._stack.append(self.call(function, arguments))

    def _newobj_ex(self, _: Any) -> None:
        keywords, arguments, function = self._stack.pop(), self._stack.pop(), self._stack.pop()
        self._stack.append(Opaque(_maker(function), (arguments, keywords)))

    def _build(self, _: Any) -> None:
        state = self._stack.pop()
        if isinstance(self._stack[-1], Opaque):  # a dict or tensor with attributes of its own keeps none of them
            self._stack[-1].state = state

    def _persid(self, argument: str) -> None:
        self._stack.append(argument)
        self._binpersid(None)

    def _binpersid(self, _: Any) -> None:
        if self._persistent is None:
            raise TensorFileError("holds a pickle that refers to objects outside of it")
        self._stack.append(self._persistent(self._stack.pop()))

    def call(self, function: Any, arguments: Any) -> Any:
        """Return what a function of the table makes of its arguments, and an `Opaque` for every other function."""
        known = self._calls.get(function.name) if isinstance(function, Global) else None
        return Opaque(_maker(function), arguments) if known is None else known(arguments)


def _maker(function: Any) -> str:
    return function.name if isinstance(function, Global) else type(function).__name__


def _extend(target: Any, items: list[Any]) -> None:
    (target.items if isinstance(target, Opaque) else target).extend(items)


def set_items(target: Any, items: list[Any]) -> Any:
    """Fill a dict with keys and values in turn, and return it; an `Opaque` keeps them as its items."""
    if isinstance(target, Opaque):
        target.items.extend(items)
        return target
    for key, value in zip(items[::2], items[1::2], strict=True):
        target[_key(key, target)] = value
    return target


def _key(key: Any, target: dict[Any, Any]) -> Any:
    """Return a key that hashes well; one chosen to collide would make a small file take hours."""
    if isinstance(key, str) or (isinstance(key, int) and key in _INT64):
        return key
    return f"<{type(key).__name__} {len(target)}>"


_STEPS: dict[str, Callable[[Interpreter, Any], None]] = {
    "MARK": Interpreter._mark,
    "MEMOIZE": Interpreter._memoize,
    "EMPTY_DICT": Interpreter._empty_dict,
    "EMPTY_LIST": Interpreter._empty_list,
    "EMPTY_SET": Interpreter._empty_list,
    "TUPLE": Interpreter._tuple,
    "LIST": Interpreter._list,
    "FROZENSET": Interpreter._list,
    "DICT": Interpreter._dict,
    "APPEND": Interpreter._append,
    "APPENDS": Interpreter._appends,
    "ADDITEMS": Interpreter._appends,
    "SETITEM": Interpreter._setitem,
    "SETITEMS": Interpreter._setitems,
    "POP": Interpreter._pop,
    "POP_MARK": Interpreter._pop_mark,
    "DUP": Interpreter._dup,
    "GLOBAL": Interpreter._global,
    "STACK_GLOBAL": Interpreter._stack_global,
    "REDUCE": Interpreter._reduce,
    "NEWOBJ": Interpreter._reduce,
    "NEWOBJ_EX": Interpreter._newobj_ex,
    "BUILD": Interpreter._build,
    "PERSID": Interpreter._persid,
    "BINPERSID": Interpreter._binpersid,
}
