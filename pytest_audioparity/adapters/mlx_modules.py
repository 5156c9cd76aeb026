"""Outputs of MLX modules. MLX has no hooks, so the classes' `__call__` is wrapped while the model runs."""

from __future__ import annotations

import functools
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from pytest_audioparity.adapters.arrays import first_line, is_from, type_name
from pytest_audioparity.adapters.capturing import ROOT, tensors_in
from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_audioparity.adapters.capturing import Capture


@contextmanager
def watching(module: Any, capture: Capture) -> Iterator[None]:
    """Capture what the modules of a model return, evaluated, until the block ends.

    Parameters
    ----------
    module : an mlx.nn.Module
    capture : takes it

    Raises
    ------
    StageError : no module, one that runs inside `mx.compile`, or what `Capture.close` finds
    """
    __tracebackhide__ = True
    if not is_from(module, "mlx") or not hasattr(module, "named_modules"):
        raise StageError(f"stages.mlx takes an mlx.nn.Module, not {type_name(module)}")
    # MLX lists what was added last first. In the order of adding, a module that stands in two places gets torch's name.
    modules = dict(reversed(module.named_modules()))
    wanted: dict[int, str] = {}
    for path, child in modules.items():
        if capture.may_cover(path):
            wanted.setdefault(id(child), path)
    callers = {path: _caller(type(child)) for path, child in modules.items()}
    classes = {owner for path, owner in callers.items() if owner is not None and id(modules[path]) in wanted}
    with ExitStack() as stack:
        for owner in classes:
            stack.enter_context(_wrapped(owner, wanted, capture))
        yield
    capture.check_unwatched(modules, dict(module.named_modules()))
    uncallable = {path or ROOT for path, owner in callers.items() if owner is None}
    capture.close(
        modules,
        lambda path: (
            f"{path!r} has no __call__, and no other method is watched; record what it returns"
            if path in uncallable
            else None
        ),
    )


def _caller(kind: type) -> type | None:
    """Return the class whose `__call__` an instance of a class runs, or None if it only has other methods."""
    return next((base for base in kind.__mro__ if "__call__" in vars(base)), None)


@contextmanager
def _wrapped(owner: type, paths: Mapping[int, str], capture: Capture) -> Iterator[None]:
    original: Callable[..., Any] = vars(owner)["__call__"]

    @functools.wraps(original)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        value = original(self, *args, **kwargs)
        path = paths.get(id(self))
        if path is None or _caller(type(self)) is not owner:  # it was called by the instance's own `__call__`, as super
            return value
        _evaluate(path, value)
        capture.output(path, value)
        return value

    owner.__call__ = call  # type: ignore[method-assign]
    try:
        yield
    finally:
        owner.__call__ = original  # type: ignore[method-assign]


def _evaluate(path: str, value: Any) -> None:
    core = sys.modules["mlx.core"]
    try:
        core.eval([tensor for _, tensor in tensors_in(value) if isinstance(tensor, core.array)])
    except ValueError as error:
        if "transformation" not in str(error):
            raise
        raise StageError(
            f"{path or ROOT!r} runs inside mx.compile or another transformation, where it has no values yet; "
            f"call mx.disable_compile() before: {first_line(error)}"
        ) from None
