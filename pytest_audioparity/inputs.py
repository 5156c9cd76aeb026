"""The inputs of a test's model, noise included: given by the test, taken from its golden, handed to programs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_audioparity.adapters.arrays import snapshot
from pytest_audioparity.errors import GoldenError, StageError
from pytest_audioparity.records import INPUT, StageTensor

if TYPE_CHECKING:
    from pytest_audioparity.golden.file import Golden


class Inputs:
    """The inputs of one test.

    Parameters
    ----------
    golden : what the test is compared with, if there is any
    error : why there is none
    port : whether the golden is another test's

    Attributes
    ----------
    handed : names of the golden's inputs that count as recorded, since a program was given them
    """

    def __init__(self, golden: Golden | None, error: GoldenError | None, *, port: bool) -> None:
        self.handed: set[str] = set()
        self._golden = golden
        self._error = error
        self._port = port
        self._given: dict[str, StageTensor] = {}
        self._stale: set[str] = set()

    def take(self, stage: StageTensor) -> None:
        """Keep an input that the test has, for the programs that it runs later.

        Raises
        ------
        StageError : the test owns the golden, and has run a program already, on what the golden had of it
        """
        if (name := stage.meta.name) in self._stale:
            raise StageError(
                f"input {name!r} comes after stages.run, which gave the program the golden's; record it before"
            )
        self._given[stage.meta.name] = replace(stage, array=snapshot(stage.array))

    def of_golden(self, name: str, axes: str | None) -> StageTensor:
        """Return a stage of the golden, its array read-only, in the order of some axes if any are given.

        Raises
        ------
        StageError : there is no golden, it lacks the stage, or its axes are others
        GoldenError : the golden cannot be read
        """
        if self._golden is None or name not in self._golden:
            raise self._lacks(name)
        stage = self._golden.read(name)
        held = stage.meta.axes
        if axes is None or held is None or axes == held:
            return stage
        if sorted(axes) != sorted(held):
            raise StageError(f"input {name!r}: declared axes={axes!r}, but the golden has axes={held!r}")
        return StageTensor(replace(stage.meta, axes=axes), stage.array.transpose([held.index(axis) for axis in axes]))

    def hand_over(self) -> list[StageTensor]:
        """Return what a program is given: the golden's inputs, with those that this test has in their place.

        To a port they count as recorded: the program has them, and need not write them back.

        Raises
        ------
        GoldenError : the golden cannot be read
        """
        held = () if self._golden is None else self._golden.stages
        names = [meta.name for meta in held if meta.role == INPUT]
        if self._port:
            self.handed.update(names)
        else:
            self._stale.update(name for name in names if name not in self._given)
        stages = {name: self._golden.read(name) for name in names if self._golden is not None}
        return list({**stages, **self._given}.values())

    def _lacks(self, name: str) -> Exception:
        if self._error is not None and self._error.cause != "missing":
            return GoldenError(str(self._error), cause=self._error.cause)
        why = "the golden has no such stage" if self._golden is not None else "there is no golden yet"
        how = f"the test that owns the golden records it with stages.input({name!r}, value)"
        return StageError(f"input {name!r}: {why} to take its value from; {how}")
