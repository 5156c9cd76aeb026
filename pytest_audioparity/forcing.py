"""Teacher forcing: failing steps run again on the golden's inputs, to tell what they do wrong from what they inherited.

Only a step whose stage fails keeps its function and arguments, until the test has ended. A result is believed only of a
step that first repeats, on the inputs that it got, what was recorded of it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.adapters.arrays import as_array, first_line, is_tensor, snapshot
from pytest_audioparity.adapters.likeness import likeness
from pytest_audioparity.adapters.surroundings import noted_modes, own_generator, undisturbed
from pytest_audioparity.arguments import Arguments, Recorded, leaves
from pytest_audioparity.check import check_stage
from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.golden.nearby import sources
from pytest_audioparity.records import FAIL, NOT_MEASURED, StageTensor, shape_text
from pytest_audioparity.results import Own

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.records import StageMeta, Tolerance
    from pytest_audioparity.results import ParityResult, StageResult

    Array = np.ndarray[Any, Any]

_NO_INPUT = "none of its arguments is a recorded stage that the golden has"
_NO_REPEAT = "the step does not repeat itself on its own inputs: it has state or draws random numbers"


class _UnmeasuredError(Exception):
    """The own part cannot be measured; its text says why."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a step. `changed` are the stages among its arguments that were no longer what had been recorded."""

    function: Callable[..., Any]
    arguments: Arguments
    changed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Input:
    """A recorded stage among the arguments. `array` is what the step got, None where that equals the golden."""

    meta: StageMeta
    array: Array | None
    make: Callable[[Array], Any]


@dataclass(frozen=True, slots=True)
class _Step:
    """A failing step as it is kept: its arguments hold an `_Input` in place of every recorded stage."""

    recorded: StageTensor
    function: Callable[..., Any]
    arguments: Arguments
    as_given: tuple[str, ...]
    modes: Callable[[], AbstractContextManager[None]]

    @property
    def inputs(self) -> list[_Input]:
        return [leaf for leaf in self.arguments.leaves() if isinstance(leaf, _Input)]


class Steps:
    """The steps of one test: which objects are its stages, and what is needed to run those again that fail.

    Parameters
    ----------
    golden : what the test is compared with, if there is any
    results, obtained : of the stages recorded so far, and the tensors of those that do not pass; both go on growing
    """

    def __init__(
        self,
        golden: Golden | None,
        results: Mapping[str, StageResult | None],
        obtained: Mapping[str, StageTensor],
    ) -> None:
        self.is_replaying = False
        self._golden = golden
        self._results = results
        self._obtained = obtained
        self._objects = Recorded()
        self._kept: dict[str, _Step | str] = {}

    def begin(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """Note a call before it is made. Its arguments are looked at only when a stage has failed already."""
        arguments = Arguments(args, kwargs)
        if self._golden is None or not self._obtained:
            return Call(function, arguments)
        return Call(function, arguments, frozenset(self._changed(arguments)))

    def note(self, value: Any, meta: StageMeta) -> None:
        """Note that an object was recorded as a stage."""
        self._objects.add(value, meta)

    def keep(self, call: Call, recorded: StageTensor) -> None:
        """Keep what is needed to run a failing step again, or why that is of no use."""
        name, golden = recorded.meta.name, self._golden
        result = self._results.get(name)
        if golden is None or result is None or result.verdict != FAIL or not result.has_both_sides:
            return
        try:
            inputs = call.arguments.mapped(lambda value: self._input(value, call, golden))
        except _UnmeasuredError as error:
            self._kept[name] = str(error)
            return
        as_given = tuple(label for label, value in inputs.labelled() if any(map(is_tensor, leaves(value))))
        self._kept[name] = _Step(recorded, call.function, inputs, as_given, noted_modes())

    def attributed(self, result: ParityResult, progress: Callable[[str], None] = lambda _: None) -> ParityResult:
        """Return a result whose failing steps say what is their own, and let go of everything that was kept for that.

        Whatever the model's code does when it runs again is a reason that nothing was measured, never an error.
        `progress` is told each stage before that.
        """
        self.is_replaying = True
        try:
            owned = {}
            for stage in result.stages:
                progress(stage.name)
                owned[stage.name] = self._own(stage, self._kept.get(stage.name))
        finally:
            self.is_replaying = False
            self._kept.clear()
        return replace(result, stages=tuple(_owning(stage, owned[stage.name]) for stage in result.stages))

    def _changed(self, arguments: Arguments) -> Iterator[str]:
        """Return the failing stages among the arguments that are not bit by bit what was recorded of them."""
        for value in arguments.leaves():
            meta = self._objects.meta_of(value)
            if meta is not None and meta.name in self._obtained:
                with suppress(AudioparityError):
                    if _same_bits(self._obtained[meta.name].array, as_array(value, meta.name)):
                        continue
                yield meta.name

    def _input(self, value: Any, call: Call, golden: Golden) -> Any:
        """Return the input that an object among the arguments is, or the object itself."""
        meta = self._objects.meta_of(value)
        if meta is None or meta.name not in golden:
            return value
        try:
            array = as_array(value, meta.name)
            return _Input(meta, self._got(meta, array, call, golden), likeness(value, array.dtype))
        except AudioparityError as error:
            raise _UnmeasuredError(f"its input {meta.name!r}: {error}") from None

    def _got(self, meta: StageMeta, array: Array, call: Call, golden: Golden) -> Array | None:
        """Return what a step got as an input, None where that equals the golden."""
        name, result = meta.name, self._results.get(meta.name)
        if result is not None and result.passed:
            if _equals_golden(result):
                return None
            unchanged = check_stage(golden.read(name), StageTensor(meta, array), result.tolerance, causes=False).passed
        else:
            unchanged = name not in call.changed
        if not unchanged:
            raise _UnmeasuredError(f"its input {name!r} was changed in place after it had been recorded")
        obtained = self._obtained.get(name)
        return snapshot(array) if obtained is None else obtained.array

    def _own(self, stage: StageResult, kept: _Step | str | None) -> Own | None:
        if kept is None or isinstance(kept, str):
            return None if kept is None else Own(note=kept)
        inputs = kept.inputs
        if not inputs:
            return Own(note=_NO_INPUT, as_given=kept.as_given)
        differing = list(dict.fromkeys(one.meta.name for one in inputs if one.array is not None))
        if not differing:
            return Own(self._with_increment(stage, kept, kept.recorded), as_given=kept.as_given)
        failing = [name for name in differing if (result := self._results.get(name)) is not None and not result.passed]
        # Where the values of an input have the wrong dtype, so may what is made of them, through no fault of the step.
        has_dtype = any(self._has_dtype_of_its_own(name) for name in failing)
        tolerance = replace(stage.tolerance, dtype="any") if has_dtype else stage.tolerance
        sources = tuple(failing or differing)
        try:
            return Own(self._forced(kept, tolerance), as_given=kept.as_given, inherited_from=sources)
        except (_UnmeasuredError, AudioparityError) as error:
            return Own(note=str(error), as_given=kept.as_given, inherited_from=sources)

    def _has_dtype_of_its_own(self, name: str) -> bool:
        result = self._results.get(name)
        return result is not None and any(finding.code == "dtype" for finding in result.findings)

    def _forced(self, step: _Step, tolerance: Tolerance) -> StageResult:
        """Run a step on its own inputs, to see that it repeats itself, and on the golden's; judge the latter."""
        golden = self._golden
        assert golden is not None

        def teacher(one: _Input) -> Array:
            return _in_layout(golden, one)

        def original(one: _Input) -> Array:
            return teacher(one) if one.array is None else one.array

        with undisturbed():
            again = _run(step, original, "its own inputs")
            if not _repeats(step.recorded, again, tolerance):
                raise _UnmeasuredError(_NO_REPEAT)
            forced = _run(step, teacher, "the golden's inputs")
        result = check_stage(golden.read(step.recorded.meta.name), forced, tolerance, others=sources(golden, forced))
        if result.verdict == NOT_MEASURED:
            raise _UnmeasuredError(f"its output on the golden's inputs: {result.reason}")
        return self._with_increment(result, step, forced)

    def _with_increment(self, result: StageResult, step: _Step, actual: StageTensor) -> StageResult:
        """Explain a failing output by what the step adds to an input, where no cause explains all of the difference."""
        golden = self._golden
        assert golden is not None
        if result.passed:
            return result
        # Imported here: a run in which everything passes needs none of it.
        from pytest_audioparity.diagnosis.increments import explained_by_increment

        inputs = {one.meta.name: golden.read(one.meta.name).array for one in step.inputs}
        expected = golden.read(result.name).array
        return replace(result, findings=explained_by_increment(result.findings, expected, actual.array, inputs))


def _owning(stage: StageResult, own: Own | None) -> StageResult:
    """Return a stage with its own part; where all of it is its own, with the causes of that."""
    result = None if own is None or own.inherited_from else own.result
    return replace(stage, own=own, findings=stage.findings if result is None else result.findings)


def _run(step: _Step, choose: Callable[[_Input], Array], on: str) -> StageTensor:
    """Run a step on inputs made anew, so that what it does to them harms nobody, and return its output."""
    meta = step.recorded.meta

    def made(value: Any) -> Any:
        return value.make(choose(value)) if isinstance(value, _Input) else own_generator(value)

    try:
        with step.modes():
            arguments = step.arguments.mapped(made)
            return StageTensor(meta, as_array(step.function(*arguments.args, **arguments.kwargs), meta.name))
    except (_UnmeasuredError, KeyboardInterrupt):
        raise
    except BaseException as error:  # pytest's outcomes and SystemExit are no Exceptions
        raise _UnmeasuredError(f"run again on {on} it raised {type(error).__name__}: {first_line(error)}") from None


def _in_layout(golden: Golden, one: _Input) -> Array:
    """Return the golden's tensor in place of an input, in the axis order of that."""
    name, held = one.meta.name, golden.read(one.meta.name)
    array, axes = held.array, held.meta.axes
    if axes is not None and one.meta.axes is not None and one.meta.axes != axes:
        if sorted(axes) != sorted(one.meta.axes):
            raise _UnmeasuredError(f"its input {name!r} has axes={one.meta.axes!r}, the golden's axes={axes!r}")
        array = array.transpose([axes.index(letter) for letter in one.meta.axes])
    shape = array.shape if one.array is None else one.array.shape
    # Another length is something to run on; another layout is another thing.
    if len(shape) != array.ndim or (shape != array.shape and sorted(shape) == sorted(array.shape)):
        shapes = f"{shape_text(shape)}, the golden's {shape_text(array.shape)}"
        raise _UnmeasuredError(f"its input {name!r} is {shapes}; declare axes= on both sides")
    return array


def _repeats(recorded: StageTensor, again: StageTensor, tolerance: Tolerance) -> bool:
    """Whether a step did the same once more, to the bit or within the tolerance: some kernels sum in another order."""
    if _same_bits(recorded.array, again.array):  # NaN included, which no tolerance allows
        return True
    return check_stage(recorded, again, tolerance, causes=False).passed


def _equals_golden(result: StageResult) -> bool:
    numbers = result.comparison
    return numbers is not None and (numbers.max_abs == 0 or numbers.match == 1)


def _same_bits(one: Array, other: Array) -> bool:
    if one.shape != other.shape or one.dtype.newbyteorder("=") != other.dtype.newbyteorder("="):
        return False
    whole = (np.ascontiguousarray(side, side.dtype.newbyteorder("=")) for side in (one, other))
    bytes_one, bytes_other = (side.reshape(-1).view(np.uint8) for side in whole)
    return np.array_equal(bytes_one, bytes_other)
