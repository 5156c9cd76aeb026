"""What surrounds a call of the model's code: the modes of its runtime, random generators, warnings and output."""

from __future__ import annotations

import contextlib
import io
import random
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

_AUTOCAST_DEVICES = ("cpu", "cuda")


def noted_modes() -> Callable[[], AbstractContextManager[None]]:
    """Note how torch computes just now, with gradients, in inference mode, in autocast, and return what brings it back.

    Of torch before 2.4, autocast is not noted.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return contextlib.nullcontext
    grad, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
    autocast = {}
    if hasattr(torch, "get_autocast_dtype"):
        on = [device for device in _AUTOCAST_DEVICES if torch.is_autocast_enabled(device)]
        autocast = {device: torch.get_autocast_dtype(device) for device in on}

    @contextlib.contextmanager
    def bring_back() -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.inference_mode(inference))
            stack.enter_context(torch.set_grad_enabled(grad))
            for device, dtype in autocast.items():
                stack.enter_context(torch.autocast(device, dtype=dtype))
            yield

    return bring_back


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Leave the global random generators of Python, numpy, torch and MLX as they were; drop warnings and output.

    What the model's code warns of and prints was seen when the test ran it.
    """
    restores = [restore for keep in (_python, _numpy, _torch, _mlx) for restore in keep()]
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for restore in restores:
            restore()


def _python() -> Iterator[Callable[[], Any]]:
    state = random.getstate()
    yield lambda: random.setstate(state)


def _numpy() -> Iterator[Callable[[], Any]]:
    state = np.random.get_state(legacy=False)
    yield lambda: np.random.set_state(state)


def _torch() -> Iterator[Callable[[], Any]]:
    torch = sys.modules.get("torch")
    if torch is None:
        return
    on_cpu = torch.get_rng_state()
    yield lambda: torch.set_rng_state(on_cpu)
    if torch.cuda.is_initialized():
        on_cuda = torch.cuda.get_rng_state_all()
        yield lambda: torch.cuda.set_rng_state_all(on_cuda)
    if torch.backends.mps.is_available():
        on_mps = torch.mps.get_rng_state()
        yield lambda: torch.mps.set_rng_state(on_mps)


def _mlx() -> Iterator[Callable[[], Any]]:
    core = sys.modules.get("mlx.core")
    if core is None:
        return
    # The state cannot be assigned to in all versions. It is one key, whose two words are those of a seed.
    high, low = (int(word) for word in np.array(core.random.state[0]))
    yield lambda: core.random.seed(high << 32 | low)


def own_generator(value: Any) -> Any:
    """Return a copy of a random generator, so that drawing from it leaves the test's own alone; all else as it is."""
    if isinstance(value, random.Random | np.random.Generator | np.random.RandomState):
        import copy

        return copy.deepcopy(value)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Generator):
        return torch.Generator(device=value.device).set_state(value.get_state())
    return value
