"""The recorder that a test sees as the fixture `stages`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from pytest_audioparity.adapters.calling import check_step, misdirected
from pytest_audioparity.adapters.declaring import Declaring
from pytest_audioparity.adapters.dumps import load
from pytest_audioparity.adapters.programs import TIMEOUT_SECONDS, Program, stages_of
from pytest_audioparity.captures import Captures
from pytest_audioparity.comparison.hyperparameters import merged_settings, plain_settings
from pytest_audioparity.comparison.tolerances import problem_with
from pytest_audioparity.errors import StageError
from pytest_audioparity.records import DECLARED, INPUT

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from subprocess import CompletedProcess
    from typing import ParamSpec, TypeVar

    import numpy as np
    from typing_extensions import Unpack

    from pytest_audioparity.keywords import Declarations, Kind, LogUnit, StageKeywords, Tolerances

    P = ParamSpec("P")
    T = TypeVar("T")

_OF_GOLDEN: Any = object()  # in place of a value; None would be one that somebody forgot to make


class Stages(Captures):
    """Records the stages of one test run and compares each with the golden.

    Tests get one from the fixture `stages` and do not make it themselves.
    """

    def __setitem__(self, name: str, tensor: Any) -> None:
        """Record a stage: the short form of `record`."""
        __tracebackhide__ = True
        self.record(name, tensor)

    def record(
        self,
        name: str,
        tensor: T,
        *,
        kind: Kind | None = None,
        axes: str | None = None,
        unit: LogUnit | None = None,
        sample_rate: float | None = None,
        frame_rate: float | None = None,
        **tolerance: Unpack[Tolerances],
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
        **tolerance : tol_db, tol_peak_db, min_snr_db, atol, rtol, min_match, precision, dtype, allow_empty, and of a
            waveform min_stoi, min_estoi, min_pesq_wb, min_pesq_nb, words; these win over the marks

        Returns
        -------
        The tensor as it was given

        Raises
        ------
        StageError : no tensor, a name used twice, a declaration that does not fit, an unknown keyword
        """
        __tracebackhide__ = True
        declared = dict(zip(DECLARED, (kind, axes, unit, sample_rate, frame_rate), strict=True))
        self._take(name, tensor, declared, tolerance)
        return tensor

    @overload
    def input(self, name: str, **keywords: Unpack[StageKeywords]) -> np.ndarray[Any, Any]: ...
    @overload
    def input(self, name: str, value: T, **keywords: Unpack[StageKeywords]) -> T: ...
    def input(
        self,
        name: str,
        value: Any = _OF_GOLDEN,
        *,
        kind: Kind | None = None,
        axes: str | None = None,
        unit: LogUnit | None = None,
        sample_rate: float | None = None,
        frame_rate: float | None = None,
        **tolerance: Unpack[Tolerances],
    ) -> Any:
        """Record an input of the model, such as the noise that it starts from, and return it.

        The golden marks it as an input, so that ports in any language are given the same numbers: by this method
        without a value, by `run`, and by `audioparity golden export`.

        Parameters
        ----------
        name : the stage's name, printable text; each name once per test
        value : anything array-like. Without one, the golden's tensor: a read-only numpy array, in the order of `axes`
            where both declare these. The test that owns the golden always gives it
        kind, axes, unit, sample_rate, frame_rate, **tolerance : as for `record`

        Returns
        -------
        The value as it was given, or the golden's tensor

        Raises
        ------
        StageError : as `record`; or there is neither a value nor a golden that has it
        """
        __tracebackhide__ = True
        if value is _OF_GOLDEN:
            with self._noting_misuse:
                value = self._recording.inputs.of_golden(name, axes).array
        declared = dict(zip(DECLARED, (kind, axes, unit, sample_rate, frame_rate), strict=True))
        self._take(name, value, declared, tolerance, role=INPUT)
        return value

    def step(self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function, record what it returns as a stage, and return it.

        When the test fails, a failing step is run again at its end: on the inputs that it got, to see that it repeats
        itself, and on the golden's in place of those of its arguments that are recorded stages. That tells what it does
        wrong itself from what it inherited.

        Parameters
        ----------
        name : the stage's name, printable text; each name once per test
        function : returns one tensor, of any kind that `record` takes
        *args, **kwargs : its arguments, all of them; `step` takes no declarations and no tolerances. Those are recorded
            stages which are the very objects that were recorded, also in lists, tuples and dictionaries; a view or a
            copy of one is not, and is used again as it was given

        Returns
        -------
        What the function returned

        Raises
        ------
        StageError : it cannot be called, or was given a keyword of `record` that it does not take; it returned no
            tensor, or the name was used twice
        """
        __tracebackhide__ = True
        with self._noting_misuse:
            check_step(name, function)
        call = self._recording.steps.begin(function, args, kwargs)
        try:
            value = function(*args, **kwargs)
        except TypeError as error:
            if (problem := misdirected(name, function, kwargs, error)) is None:
                raise
            with self._noting_misuse:
                raise StageError(problem) from None
        self._take(name, value, dict.fromkeys(DECLARED), {}, call)
        return value

    def settings(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Record hyper-parameters, such as ``temperature=0.9, top_k=50``; they are compared exactly with the golden's.

        Calls add up. `only=` of the mark leaves them compared. A port that declares none is not compared in this.

        Parameters
        ----------
        values : by name, for names that are no Python words
        **more : by name: numbers, texts, truth values, None, and lists and mappings of them; numpy's numbers too.
            Numbers are equal by value: 50 and 50.0 are

        Raises
        ------
        StageError : NaN, infinity, a value that is none of these, one name with two values
        """
        __tracebackhide__ = True
        with self._noting_misuse:
            self._recording.declare(merged_settings(plain_settings(values or {}), plain_settings(more)))

    def load(
        self,
        path: str | os.PathLike[str],
        *,
        rename: Mapping[str, str] | None = None,
        axes: Mapping[str, str] | None = None,
        declare: Mapping[str, Declarations] | None = None,
        **tolerance: Unpack[Tolerances],
    ) -> None:
        """Record every tensor of a file that another program wrote.

        Parameters
        ----------
        path : a .safetensors, .npz, .npy, .wav or .flac file, raw numbers (.f32, .bf16, .i64 ...) with a .json beside
            them, or a folder of such files. What a file declares counts; audio is a waveform of its sample rate
        rename : from names in the file to stage names
        axes : from globs of stage names to axes, for files that declare none: ``{"mel": "BTC", "ode/*": "BTC"}``
        declare : the same for all that `record` takes: ``{"mel": {"kind": "log_spectrum", "unit": "ln"}}``
        **tolerance : as for `record`, for all of them

        Raises
        ------
        TensorFileError : the file is missing, damaged or of an unknown kind
        StageError : a renaming of something that is not there, a name used twice, axes that do not fit
        """
        __tracebackhide__ = True
        with self._noting_misuse:
            if (problem := problem_with(tolerance)) is not None:
                raise StageError(f"load({str(path)!r}): {problem}")
            stages = load(Path(path), rename, axes, declare)
            if not stages:
                raise StageError(f"load({str(path)!r}): it holds no tensor")
            for stage in stages:
                self._recording.take(stage, tolerance)

    def run(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        timeout: float = TIMEOUT_SECONDS,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        rename: Mapping[str, str] | None = None,
        axes: Mapping[str, str] | None = None,
        declare: Mapping[str, Declarations] | None = None,
        **tolerance: Unpack[Tolerances],
    ) -> CompletedProcess[str]:
        """Run a program in whatever language and record every tensor that it writes.

        The environment variable `AUDIOPARITY_DUMP` tells it where: a path of its own at which nothing is yet, for a
        safetensors, npz, npy or wav file, or for a folder of files that `load` takes. `AUDIOPARITY_INPUTS` is a
        safetensors file of the model's inputs, those recorded with `input` and the golden's, if there are any.

        Parameters
        ----------
        command : the program and its arguments; no shell is involved
        timeout : seconds after which it is killed with all that it started
        cwd : its working directory, to which the program's path is relative
        env : environment variables in addition to those of the tests
        rename, axes, declare, **tolerance : as for `load`

        Returns
        -------
        What it printed: `stdout`, `stderr`

        Raises
        ------
        StageError : it cannot be run, fails, takes too long or writes nothing; with the end of its stderr
        TensorFileError : what it wrote cannot be read
        """
        __tracebackhide__ = True
        with self._noting_misuse:
            if (
                problem := problem_with(tolerance, also=("timeout", "cwd", "env", "rename", "axes", "declare"))
            ) is not None:
                raise StageError(f"run: {problem}")
            program, declaring = Program(command, timeout, cwd, env), Declaring.of(rename, axes, declare)
            with stages_of(program, self._recording.inputs.hand_over(), declaring) as (done, stages):
                for stage in stages:
                    self._recording.take(stage, tolerance)
            return done
