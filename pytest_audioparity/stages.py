"""The recorder that a test sees as the fixture `stages`."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_audioparity.adapters.arrays import as_array, declare
from pytest_audioparity.adapters.dumps import load
from pytest_audioparity.comparison.tolerances import problem_with
from pytest_audioparity.errors import AudioparityError, StageError
from pytest_audioparity.records import DECLARED, StageTensor

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeVar

    from pytest_audioparity.recording import Recording

    T = TypeVar("T")


class Stages:
    """Records the stages of one test run and compares each with the golden.

    Tests get one from the fixture `stages` and do not make it themselves.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def __setitem__(self, name: str, tensor: Any) -> None:
        """Record a stage: the short form of `record`."""
        __tracebackhide__ = True
        self.record(name, tensor)

    def record(
        self,
        name: str,
        tensor: T,
        *,
        kind: str | None = None,
        axes: str | None = None,
        unit: str | None = None,
        sample_rate: float | None = None,
        frame_rate: float | None = None,
        **tolerance: Any,
    ) -> T:
        """Record one stage and compare it with the golden.

        Parameters
        ----------
        name : the stage's name, printable text; each name once per test
        tensor : anything array-like: numpy, torch, mlx, jax, OrtValue, lists, numbers; bfloat16 and float8 included
        kind : tensor (default of floats), waveform, log_spectrum, logits, probabilities, embedding, codes (default of
            integers)
        axes : one letter per dimension: B batch, C channel, bin or codebook, T time, others free
        unit : of a log_spectrum: db, ln, ln_power, log10 or log10_power
        sample_rate : in Hz, of a waveform
        frame_rate : frames per second along T, of everything else
        **tolerance : tol_db, tol_peak_db, min_snr_db, atol, rtol, min_match, precision, dtype, allow_empty; these win
            over the marks

        Returns
        -------
        The tensor as it was given

        Raises
        ------
        StageError : no tensor, a name used twice, a declaration that does not fit, an unknown keyword
        """
        __tracebackhide__ = True
        with self._noting_misuse():
            if (problem := problem_with(tolerance, also=DECLARED)) is not None:
                raise StageError(f"stage {name!r}: {problem}")
            array = as_array(tensor, name)
            meta = declare(name, array, kind=kind, axes=axes, unit=unit, sample_rate=sample_rate, frame_rate=frame_rate)
            self._recording.take(StageTensor(meta, array), tolerance)
        return tensor

    def step(self, name: str, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run ``function(*args, **kwargs)``, record what it returns as a stage, and return it."""
        __tracebackhide__ = True
        return self.record(name, function(*args, **kwargs))

    def load(
        self,
        path: str | os.PathLike[str],
        *,
        rename: Mapping[str, str] | None = None,
        axes: Mapping[str, str] | None = None,
        **tolerance: Any,
    ) -> None:
        """Record every tensor of a file that another program wrote.

        Parameters
        ----------
        path : a .safetensors, .npz or .npy file; declarations in a golden-like .safetensors file count
        rename : from names in the file to stage names
        axes : from globs of stage names to axes, for files that declare none: ``{"mel": "BTC", "ode/*": "BTC"}``
        **tolerance : as for `record`, for all of them

        Raises
        ------
        TensorFileError : the file is missing, damaged or of an unknown kind
        StageError : a renaming of something that is not there, a name used twice, axes that do not fit
        """
        __tracebackhide__ = True
        with self._noting_misuse():
            if (problem := problem_with(tolerance)) is not None:
                raise StageError(f"load({str(path)!r}): {problem}")
            for stage in load(Path(path), rename, axes):
                self._recording.take(stage, tolerance)

    @contextmanager
    def _noting_misuse(self) -> Iterator[None]:
        """Let the recording know of a mistake that the model's own code may swallow on its way to the test."""
        __tracebackhide__ = True
        try:
            yield
        except AudioparityError as error:
            self._recording.misused(str(error))
            raise
