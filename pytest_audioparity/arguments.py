"""The arguments of a step: which of them are recorded stages, told by identity, wherever they stand."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_audioparity.records import StageMeta

# One object may stand for many of these, as 1 or () does, so that their identity tells nothing.
_SHARED = (str, bytes, int, float, complex, tuple, np.bool_)


@dataclass(frozen=True, slots=True)
class Arguments:
    """Positional and keyword arguments of a call."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def labelled(self) -> Iterator[tuple[str, Any]]:
        """Return each argument with what a report calls it."""
        yield from ((f"argument {place}", value) for place, value in enumerate(self.args, 1))
        yield from ((f"{name}=", value) for name, value in self.kwargs.items())

    def leaves(self) -> Iterator[Any]:
        """Return all objects among the arguments, see `leaves`."""
        for _, value in self.labelled():
            yield from leaves(value)

    def mapped(self, replace: Callable[[Any], Any]) -> Arguments:
        """Return arguments in which what a function returns something else for is replaced, nested or not."""
        return Arguments(
            tuple(_mapped(value, replace) for value in self.args),
            {name: _mapped(value, replace) for name, value in self.kwargs.items()},
        )


def leaves(value: Any) -> Iterator[Any]:
    """Return an object and, of lists, tuples and dictionaries, what they hold, however deep."""
    found: list[Any] = []

    def note(one: Any) -> Any:
        found.append(one)
        return one

    _mapped(value, note)
    yield from found


def _mapped(value: Any, replace: Callable[[Any], Any]) -> Any:
    new = replace(value)
    if new is not value:
        return new
    # Other containers, derived ones included, may be built by other rules, so nothing is looked for in them.
    if type(value) is list:
        return [_mapped(item, replace) for item in value]
    if type(value) is dict:
        return {key: _mapped(item, replace) for key, item in value.items()}
    if isinstance(value, tuple):
        items = [_mapped(item, replace) for item in value]
        if type(value) is tuple:
            return tuple(items)
        return value._make(items) if hasattr(value, "_make") else value
    return value


class Recorded:
    """The objects that are recorded stages, of which none is kept alive whose type allows that."""

    def __init__(self) -> None:
        self._by_id: dict[int, tuple[Callable[[], Any], StageMeta]] = {}

    def add(self, value: Any, meta: StageMeta) -> None:
        """Note that an object is a stage. Of a buffer that was recorded more than once the last time counts."""
        if isinstance(value, _SHARED):
            return
        reference: Callable[[], Any]
        try:
            reference = weakref.ref(value)
        except TypeError:  # lists, numbers of numpy

            def reference() -> Any:
                return value

        self._by_id[id(value)] = (reference, meta)

    def meta_of(self, value: Any) -> StageMeta | None:
        """Return the declaration of the stage that an object is, or None."""
        reference, meta = self._by_id.get(id(value), (None, None))
        # The identity of an object that is gone may be that of another one by now.
        return meta if reference is not None and reference() is value else None
