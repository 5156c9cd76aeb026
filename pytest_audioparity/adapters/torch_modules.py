"""Outputs of torch modules, by forward hooks that are gone when the model has run."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_audioparity.adapters.arrays import is_from, type_name
from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_audioparity.adapters.capturing import Capture

_INSIDE_COMPILED = (
    "modules ran inside a function that torch.compile compiled, where they have no values; "
    "exclude= them, or run the test with TORCH_COMPILE_DISABLE=1"
)


@contextmanager
def watching(module: Any, capture: Capture) -> Iterator[None]:
    """Capture what the modules of a model return, until the block ends.

    Parameters
    ----------
    module : a torch.nn.Module, on any device
    capture : takes it

    Raises
    ------
    StageError : no module, a compiled one or one that a compiled function calls, or what `Capture.close` finds
    """
    __tracebackhide__ = True
    if not is_from(module, "torch") or not hasattr(module, "register_forward_hook"):
        raise StageError(f"stages.torch takes a torch.nn.Module, not {type_name(module)}")
    compiled = [path for path, child in module.named_modules() if _is_compiled(child)]
    if compiled:
        where = repr(compiled[0]) if compiled[0] else "the model"
        raise StageError(
            f"{where} is compiled by torch.compile, which runs past hooks; capture it before it is compiled"
        )
    # A module that stands in two places has several paths; the first that is wanted counts.
    modules = _modules(module)
    wanted: dict[int, tuple[str, Any]] = {}
    for path, child in modules.items():
        if capture.may_cover(path):
            wanted.setdefault(id(child), (path, child))
    handles = []
    try:
        for path, child in wanted.values():
            handles.append(_register(child, _hook(path, capture)))
        yield
    except RuntimeError as error:
        if is_from(error, "torch._dynamo.exc"):  # where `fullgraph=True` lets nothing run beside what is compiled
            raise StageError(_INSIDE_COMPILED) from None
        raise
    finally:
        for handle in handles:
            handle.remove()
    capture.check_unwatched(modules, _modules(module))
    scripted = _scripted(module)
    capture.close(
        modules, lambda path: f"{path!r} is inside TorchScript, which runs past hooks" if path in scripted else None
    )


def _modules(module: Any) -> dict[str, Any]:
    """Return the modules by all of their paths, but for those that make a weight of its parametrisation.

    What `torch.nn.utils.parametrizations.weight_norm` puts into a model is called like a layer and returns a weight,
    which no port has as a stage.
    """
    found = module.named_modules(remove_duplicate=False)
    return {path: child for path, child in found if "parametrizations" not in path.split(".")}


def _is_compiled(module: Any) -> bool:
    """Whether torch.compile made this module of another, or `module.compile()` compiled it in its place."""
    return type(module).__name__ == "OptimizedModule" or getattr(module, "_compiled_call_impl", None) is not None


def _register(module: Any, hook: Any) -> Any:
    # By the class of all modules: a scripted one refuses the method, yet runs what is registered when Python calls it.
    return sys.modules["torch"].nn.Module.register_forward_hook(module, hook)


def _scripted(module: Any) -> set[str]:
    """Return the paths of what TorchScript calls; a scripted module itself is called by Python."""
    scripted = [(path, child) for path, child in module.named_modules() if is_from(child, "torch.jit")]
    return {
        ".".join(filter(None, (path, inner))) for path, child in scripted for inner, _ in child.named_modules() if inner
    }


def _hook(path: str, capture: Capture) -> Any:
    dynamo = sys.modules.get("torch._dynamo")  # to load it takes seconds, and what is not loaded has compiled nothing
    refuse = _refuse if dynamo is None else dynamo.disable(_refuse)

    def hook(_module: Any, _inputs: Any, output: Any) -> None:
        __tracebackhide__ = True
        if dynamo is not None and dynamo.is_compiling():
            refuse()
        capture.output(path, output)

    return hook


def _refuse() -> None:
    """Say no, called as it is by what is compiled: an error raised there would only be a reason not to compile it."""
    __tracebackhide__ = True
    raise StageError(_INSIDE_COMPILED)
