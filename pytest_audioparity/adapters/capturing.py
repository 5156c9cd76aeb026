"""What is taken of a model while it runs, and what it is called; the runtimes' own modules say when something is there.

A module's output is called as the module is, by its path: ``decoder.layers.0.conv``. The second call is
``decoder.layers.0.conv@2``, the parts of what it returns ``…/0`` or ``…/hidden``. Globs choose among these names and
among the plain paths.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pytest_audioparity.adapters.arrays import is_tensor, type_name
from pytest_audioparity.comparison.tolerances import matches, nearest
from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_audioparity.adapters.declaring import Declaring

# What the module at the root of a model is called, which has no path.
ROOT = "output"
_SHOWN = 5


class Capture:
    """The tensors of one model that become stages.

    Parameters
    ----------
    take : is given the name, the tensor and the declarations of each stage, in the order of execution, and says
        whether there is something in it to compare
    include, exclude : a glob or globs; None includes everything
    name : what the root is called, which then begins the other names, too
    declaring : other names, and declarations
    calls : how often each name was captured, which goes on from one capture of a test to the next
    """

    def __init__(
        self,
        take: Callable[[str, Any, Mapping[str, Any]], bool],
        *,
        include: str | Sequence[str] | None,
        exclude: str | Sequence[str],
        name: str | None,
        declaring: Declaring,
        calls: dict[str, int],
    ) -> None:
        self._take = take
        self._include = None if include is None else _globs("include", include)
        self._exclude = _globs("exclude", exclude)
        self._name = name
        self._declaring = declaring
        self._calls = calls
        self._taken: dict[str, tuple[str, ...]] = {}
        self._without: dict[str, str] = {}
        self._has_elements = False

    def may_cover(self, path: str) -> bool:
        """Whether something of that path may be taken, of any call and any part."""
        path = path or ROOT
        if self._include is not None and not any(matches(path, head) for head in _heads(self._include)):
            return False
        return not any(matches(path, glob) for glob in self._exclude)

    def output(self, path: str, value: Any) -> None:
        """Take the tensors of what a call returned.

        Parameters
        ----------
        path : of the module, or the name of a tensor
        value : a tensor, or tuples, lists, mappings and dataclasses of such
        """
        __tracebackhide__ = True
        path = path or ROOT
        full = path if self._name is None else self._name if path == ROOT else f"{self._name}.{path}"
        call = self._calls[full] = self._calls.get(full, 0) + 1
        number = f"@{call}" if call > 1 else ""
        found = False
        for part, tensor in tensors_in(value):
            found = True
            element = "".join(f"/{key}" for key in part)
            names = tuple(dict.fromkeys((path + number + element, path + number, path + element, path)))
            if self._covers(names):
                stage = self._stage_name(path, full, number, element)
                self._taken[stage] = names
                self._has_elements |= self._take(stage, tensor, self._declaring.declared(stage))
        if not found:
            self._without[path] = type_name(value)

    def close(self, paths: Iterable[str], why: Callable[[str], str | None]) -> None:
        """Check that everything the test named was there.

        Parameters
        ----------
        paths : all that the model has
        why : says why something of that path was not captured, if that is known of its runtime

        Raises
        ------
        StageError : a glob or a renaming that concerned nothing, or nothing was captured
        """
        known = [path or ROOT for path in paths]
        for glob in self._include or ():
            if not any(matches(captured, glob) for names in self._taken.values() for captured in names):
                raise StageError(f"include={glob!r} captured nothing: {self._reason(glob, known, why)}")
        for captured in self._declaring.rename:
            if not any(captured in names for names in self._taken.values()):
                names = [names[0] for names in self._taken.values()]
                raise StageError(f"rename={captured!r} names nothing that was captured{_hint(captured, names)}")
        if not self._taken:
            raise StageError(f"nothing was captured: {self._reason('*', known, why)}")
        if not self._has_elements:
            raise StageError(
                f"all that was captured, {shown([*self._taken])}, has no elements; if that is right: allow_empty=True"
            )
        if (problem := self._declaring.unused(self._taken)) is not None:
            raise StageError(f"axes= or declare=: {problem}")

    def check_unwatched(self, before: Mapping[str, object], after: Mapping[str, object]) -> None:
        """Check that what may be taken is what was watched.

        Parameters
        ----------
        before, after : the modules of the model by path, when watching began and when it ended

        Raises
        ------
        StageError : a module has come into the model in between
        """
        for path, module in after.items():
            if before.get(path) is not module and self.may_cover(path):
                raise StageError(
                    f"{path or ROOT!r} was put into the model while it was watched, so its calls were not captured; "
                    f"change the model before the block, or exclude= it"
                )

    def _reason(self, glob: str, names: Sequence[str], why: Callable[[str], str | None]) -> str:
        meant = [name for name in names if any(matches(name, head) for head in _heads((glob,)))]
        for name in meant:
            if (reason := why(name)) is not None:
                return reason
        if not meant:
            return f"the model has nothing of that name{_hint(glob, names)}"
        if all(not self.may_cover(name) for name in meant):
            return "exclude= leaves it out" if self._include != () else "include= is empty"
        if empty := [f"{name!r} returned {self._without[name]}" for name in meant if name in self._without]:
            return f"{empty[0]}, in which there is no tensor"
        return f"{shown(meant)} did not run"

    def _covers(self, names: Sequence[str]) -> bool:
        included = self._include is None or any(matches(name, glob) for name in names for glob in self._include)
        return included and not any(matches(name, glob) for name in names for glob in self._exclude)

    def _stage_name(self, path: str, full: str, number: str, element: str) -> str:
        """Return the name of a part of a call: what is renamed most narrowly counts, and keeps what it does not say."""
        rename = self._declaring.rename
        for captured, rest in ((number + element, ""), (number, element), (element, number)):
            if path + captured in rename:
                return rename[path + captured] + rest
        return rename.get(path, full) + number + element


def tensors_in(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Return the tensors in what a call returned, each with the keys and places that lead to it."""
    if is_tensor(value):
        yield path, value
        return
    for key, part in _parts(value):
        yield from tensors_in(part, (*path, str(key)))


def _parts(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return zip(value._fields, value, strict=True)
    if isinstance(value, list | tuple):
        return enumerate(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    return ()


def _globs(keyword: str, given: str | Sequence[str]) -> tuple[str, ...]:
    globs = (given,) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)
    if not all(isinstance(glob, str) and glob for glob in globs):
        raise StageError(f"{keyword}={given!r} is no glob and no list of globs, such as 'decoder.*'")
    return globs


def _heads(globs: Iterable[str]) -> Iterator[str]:
    """Return globs, and what they say of a path alone: that of ``lstm@2/0`` is ``lstm``."""
    for glob in globs:
        yield glob
        yield from (glob[: mark.start()] for mark in re.finditer("[@/]", glob) if mark.start())


def _hint(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = nearest(name, known)
    return f"; did you mean {near!r}?" if near else f"; it has {shown(known)}" if known else ""


def shown(names: Sequence[str]) -> str:
    """List the first few names, and say how many more there are."""
    listed = ", ".join(map(repr, names[:_SHOWN]))
    return listed if len(names) <= _SHOWN else f"{listed} and {len(names) - _SHOWN} more"
