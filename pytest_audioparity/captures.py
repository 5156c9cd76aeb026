"""Whole models of a runtime as stages, without a change of their code: the part of `Stages` that watches them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_audioparity.adapters.capturing import Capture
from pytest_audioparity.adapters.declaring import Declaring
from pytest_audioparity.comparison.tolerances import problem_with
from pytest_audioparity.errors import StageError
from pytest_audioparity.intake import Intake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from typing_extensions import Unpack

    from pytest_audioparity.keywords import CaptureKeywords, Declarations, Tolerances
    from pytest_audioparity.recording import Recording


class Captures(Intake):
    """Records what the modules of models return."""

    def __init__(self, recording: Recording) -> None:
        super().__init__(recording)
        self._calls: dict[str, int] = {}

    def torch(self, module: Any, **keywords: Unpack[CaptureKeywords]) -> AbstractContextManager[None]:
        """Record what the modules of a torch model return while the block runs, in the order of execution.

        A stage is called as its module: ``decoder.layers.0.conv``, the whole model ``output``. The second call of one
        module is ``decoder.layers.0.conv@2``; parts of tuples, mappings and dataclasses are ``lstm/0`` and
        ``encoder/hidden``. Nothing of the model is changed; the hooks are gone after the block, come what may. What is
        not selected is not copied.

        Parameters
        ----------
        module : a torch.nn.Module, on any device
        include, exclude : a glob or globs over these names, with and without number and part; default all
        name : what the whole model is called, and what the other names begin with: ``name.decoder.layers.0.conv``
        rename : from these names, without `name`, to stage names
        axes : from globs of stage names to axes: ``{"decoder.*": "BCT"}``
        declare : from globs of stage names to what `record` takes: ``{"mel": {"kind": "log_spectrum", "unit": "ln"}}``
        **tolerance : as for `record`, for all of them

        Raises
        ------
        StageError : nothing was captured, a glob or renaming concerned nothing, a model that torch.compile has compiled
        """
        from pytest_audioparity.adapters.torch_modules import watching

        __tracebackhide__ = True
        return self._block("stages.torch", watching, module, keywords)

    def mlx(self, module: Any, **keywords: Unpack[CaptureKeywords]) -> AbstractContextManager[None]:
        """Record what the modules of an MLX model return while the block runs, evaluated, in the order of execution.

        Names and parameters are those of `torch`; `module` is an mlx.nn.Module. While the block runs, the `__call__`
        of the modules' classes is wrapped.

        Raises
        ------
        StageError : as `torch`; a selected module runs inside `mx.compile`, where it has no values
        """
        from pytest_audioparity.adapters.mlx_modules import watching

        __tracebackhide__ = True
        return self._block("stages.mlx", watching, module, keywords)

    def onnx(
        self,
        model: Any,
        feeds: Mapping[str, Any],
        *,
        providers: Sequence[Any] = ("CPUExecutionProvider",),
        session_options: Any = None,
        **keywords: Unpack[CaptureKeywords],
    ) -> dict[str, Any]:
        """Run an ONNX model once, record its inner tensors and its outputs in the order of the graph.

        A stage is called as its tensor. The other parameters are those of `torch`. Inputs, weights and constants are
        not recorded, and what is inside the bodies of If, Loop and Scan cannot be; a glob that means only such is an
        error that says so.

        Parameters
        ----------
        model : a path, the bytes of a file, or an onnx.ModelProto
        feeds : the model's inputs by name, array-like; nothing is cast
        providers, session_options : as for onnxruntime.InferenceSession

        Returns
        -------
        The model's own outputs by name, as numpy arrays

        Raises
        ------
        StageError : onnx or onnxruntime is missing, the model cannot be run on these feeds, nothing was captured, a
            glob or renaming concerned nothing
        """
        from pytest_audioparity.adapters.onnx_graphs import run_exposed

        __tracebackhide__ = True
        with self._noting_misuse:
            capture = self._capture(**keywords)
            return run_exposed(model, feeds, capture, providers=providers, session_options=session_options)

    def _block(
        self,
        call: str,
        watching: Callable[[Any, Capture], AbstractContextManager[None]],
        module: Any,
        keywords: CaptureKeywords,
    ) -> AbstractContextManager[None]:
        """Return what the test enters; unless it does, it has forgotten `with`, and nothing was watched."""
        __tracebackhide__ = True
        with self._noting_misuse:
            watched = watching(module, self._capture(**keywords))
        entered = self._announce(f"{call} was called without 'with', so it watched nothing: with {call}(model, ...):")

        @contextmanager
        def block() -> Iterator[None]:
            __tracebackhide__ = True
            entered()
            with self._noting_misuse, watched:
                yield

        return block()

    def _capture(
        self,
        *,
        include: str | Sequence[str] | None = None,
        exclude: str | Sequence[str] = (),
        name: str | None = None,
        rename: Mapping[str, str] | None = None,
        axes: Mapping[str, str] | None = None,
        declare: Mapping[str, Declarations] | None = None,
        **tolerance: Unpack[Tolerances],
    ) -> Capture:
        declaring = Declaring.of(rename, axes, declare)
        if (problem := problem_with(tolerance)) is not None:
            raise StageError(problem)

        def take(stage: str, tensor: Any, declared: Mapping[str, Any]) -> bool:
            __tracebackhide__ = True
            # Models leave things empty that they do not use; nobody recorded them by name, and their shape is compared.
            has_elements = self._take(stage, tensor, declared, tolerance, may_be_empty=True)
            return has_elements or "allow_empty" in tolerance

        return Capture(take, include=include, exclude=exclude, name=name, declaring=declaring, calls=self._calls)
