"""What every way of recording a stage goes through: it is checked, compared, and a mistake in it noted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.adapters.arrays import as_array, declare, plain_name
from pytest_audioparity.comparison.tolerances import problem_with, problem_with_kind
from pytest_audioparity.errors import AudioparityError, StageError
from pytest_audioparity.records import DECLARED, INPUT, StageTensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from pytest_audioparity.doubts import Doubts
    from pytest_audioparity.forcing import Call
    from pytest_audioparity.recording import Recording


class Intake:
    """Takes stages for a recording. `Stages` is one, and says in which forms they come."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._noting_misuse = _NotingMisuse(recording.doubts)

    def _take(
        self,
        name: str,
        tensor: Any,
        declared: Mapping[str, Any],
        tolerance: Mapping[str, Any],
        call: Call | None = None,
        role: str | None = None,
        may_be_empty: bool = False,
    ) -> bool:
        """Record one stage, and say whether it has elements."""
        __tracebackhide__ = True
        with self._noting_misuse:
            if (problem := problem_with(tolerance, also=DECLARED)) is not None:
                raise StageError(f"stage {name!r}: {problem}")
            array = as_array(tensor, plain_name(name))
            if may_be_empty and not array.size:
                tolerance = {"allow_empty": True, **tolerance}
            meta = declare(name, array, **declared, role=role)
            if tolerance and (problem := problem_with_kind(tolerance, self._recording.kind(meta))) is not None:
                raise StageError(f"stage {name!r}: {problem}")
            self._recording.take(StageTensor(meta, array), tolerance, call)
            self._recording.steps.note(tensor, meta)
            if role == INPUT:
                self._recording.inputs.take(StageTensor(meta, array))
        return bool(array.size)

    def _announce(self, problem: str) -> Callable[[], None]:
        return self._recording.doubts.announce(problem)


class _NotingMisuse:
    """Around it: lets a recording know of a mistake that the model's own code may swallow on its way to the test."""

    def __init__(self, doubts: Doubts) -> None:
        self._doubts = doubts

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, AudioparityError):
            self._doubts.misused(str(error))
