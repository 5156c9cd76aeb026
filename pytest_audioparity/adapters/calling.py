"""Calls of `stages.step` that cannot be what was meant: a result in place of a function, a keyword of `record`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.adapters.arrays import plain_name
from pytest_audioparity.comparison.tolerances import TOLERANCE_KEYWORDS
from pytest_audioparity.errors import StageError
from pytest_audioparity.records import DECLARED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def check_step(name: Any, function: Any) -> None:
    """Check that a name and a function are what they should be, before anything runs.

    Raises
    ------
    StageError : the name is none, or what was given cannot be called
    """
    name = plain_name(name)
    if not callable(function):
        raise StageError(
            f"stage {name!r}: step was given a {type(function).__name__}, which cannot be called; "
            f"give the function and its arguments: stages.step({name!r}, f, x)"
        )


def misdirected(name: str, function: Callable[..., Any], keywords: Mapping[str, Any], error: TypeError) -> str | None:
    """Say which keyword of `record` a function was given that does not take it, or return None.

    Only once the call has failed: a function may have such a keyword of its own, and a layer of torch hides what its
    `forward` takes behind ``**kwargs``, so that its error alone tells.
    """
    known = [key for key in (*DECLARED, *TOLERANCE_KEYWORDS) if key in keywords]
    if not known:
        return None
    import inspect

    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # written in C, without one
        parameters = None
    takes_any = parameters is None or any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    strange = [key for key in known if key not in (parameters or ())]
    if takes_any:
        strange = [key for key in strange if "keyword" in str(error) and f"'{key}'" in str(error)]
    return _way_on(name, function, strange[0]) if strange else None


def _way_on(name: str, function: Callable[..., Any], key: str) -> str:
    called = getattr(function, "__name__", type(function).__name__)
    said = f"stage {name!r}: {called} takes no {key}=, and step hands all keywords to the function"
    if key in DECLARED:
        return (
            f"{said}; declare in the reference, with stages.record({name!r}, f(x), {key}=...): "
            f"ports that use step inherit it"
        )
    return (
        f"{said}; give the tolerance to the mark, parity(stages={{{name!r}: {{{key!r}: ...}}}}), "
        f"or use stages.record({name!r}, f(x), {key}=...)"
    )
