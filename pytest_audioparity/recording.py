"""What one test has recorded: each stage compared with the golden as it comes, and at the end a result.

A stage is compared at the moment it is recorded, while it is still what the model made of it; nothing is raised
before the test has ended. A stage that passes is not copied; one that fails, or has no golden yet, is, since an update
may want it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_audioparity.adapters.arrays import snapshot
from pytest_audioparity.causes import Causes
from pytest_audioparity.check import check_stage, result_of, without_golden
from pytest_audioparity.comparison.hyperparameters import compare_settings, merged_settings
from pytest_audioparity.comparison.tolerances import unheard, unmatched
from pytest_audioparity.doubts import Doubts
from pytest_audioparity.errors import GoldenError, StageError
from pytest_audioparity.forcing import Steps
from pytest_audioparity.golden.names import shown_path
from pytest_audioparity.golden.shelf import IN_GIT
from pytest_audioparity.hearing import must_keep_words, objection
from pytest_audioparity.inputs import Inputs
from pytest_audioparity.proposal import Proposal
from pytest_audioparity.records import DB_PER_UNIT, StageTensor
from pytest_audioparity.reference import Reference
from pytest_audioparity.trips import Trips

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_audioparity.comparison.hyperparameters import SettingResult
    from pytest_audioparity.forcing import Call
    from pytest_audioparity.golden.shelf import Shelf
    from pytest_audioparity.records import StageMeta
    from pytest_audioparity.results import ParityResult, StageResult
    from pytest_audioparity.spec import Spec


class Recording:
    """The stages of one test run, in the order they were recorded, with their results.

    Parameters
    ----------
    spec : what its marks ask for
    path : its golden, which need not exist
    shelf : where tensors of goldens are kept
    variants : names of the golden's variants that this run may use, the first that exists counts
    new_variant : the variant that an update makes of a golden that has none, if any
    observe : is given each stage that is compared, its result, and the tolerances that came with it
    force : whether an objection keeps no update back

    Attributes
    ----------
    reference : the golden that is compared with
    doubts : what keeps the stages from counting beside their numbers
    steps : what tells the faults of steps from those of their inputs
    causes : what tells why stages fail
    inputs : what the model is given
    trips : what goes through the test's codec
    """

    def __init__(
        self,
        *,
        spec: Spec,
        path: Path,
        shelf: Shelf = IN_GIT,
        variants: Sequence[str] = (),
        new_variant: str | None = None,
        observe: Callable[[StageTensor, StageResult, Mapping[str, Any]], None] | None = None,
        force: bool = False,
    ) -> None:
        self.spec = spec
        self.reference = Reference(path, shelf, spec, variants=variants, new_variant=new_variant)
        self.doubts = Doubts(force=force)
        self._recorded: dict[str, StageResult | None] = {}
        self._kept: dict[str, StageTensor] = {}
        self._settings: dict[str, Any] = {}
        self._observe = observe
        self._closed = False
        golden = self.reference.golden
        self.steps = Steps(golden, self._recorded, self._kept)
        self.causes = Causes(golden, self._recorded, self._kept)
        self.inputs = Inputs(golden, self.reference.error, port=spec.port)
        self.trips = Trips()

    def take(self, actual: StageTensor, overrides: Mapping[str, Any], call: Call | None = None) -> None:
        """Compare one stage and keep the result, and a copy of the tensor unless it passes.

        Parameters
        ----------
        actual : the stage
        overrides : tolerance keywords of its own
        call : the step that made it, if one did

        Raises
        ------
        StageError : the name was recorded before, or the test was judged before
        """
        __tracebackhide__ = True
        name = actual.meta.name
        if self.steps.is_replaying:  # the model's own code records stages, and runs once more
            return
        if self._closed:
            raise StageError(f"stage {name!r} comes after its test was judged; record it before the test returns")
        if name in self._recorded:
            raise StageError(f"stage {name!r} was recorded twice; number repeated steps, as in f'ode/{{i}}'")
        self._recorded[name] = None
        if not self.spec.covers(name):
            return
        try:
            result = self._judge(actual, overrides)
        except GoldenError as error:
            self.reference.fail(error)
            return
        self._recorded[name] = result
        if self._observe is not None:
            self._observe(actual, result, overrides)
        if not result.passed:
            self._kept[name] = StageTensor(actual.meta, snapshot(actual.array))
            if call is not None:
                self.steps.keep(call, self._kept[name])

    def declare(self, settings: Mapping[str, Any]) -> None:
        """Take hyper-parameters, in addition to those of earlier calls.

        Raises
        ------
        StageError : one was declared with another value, or the test was judged before
        """
        if self.steps.is_replaying:
            return
        if self._closed:
            raise StageError("settings come after their test was judged; declare them before the test returns")
        self._settings = merged_settings(self._settings, settings)

    def kind(self, meta: StageMeta) -> str | None:
        """Return the declared kind of a stage, the golden's where the test declares none."""
        held = (stage.kind for stage in self.reference.stages if stage.name == meta.name)
        return meta.kind or next(held, None)

    def finish(self, *, root: Path) -> ParityResult:
        """Judge the whole test: what the golden has and the test did not record is missing."""
        self.close()
        results, settings = self._compared(), self._compared_settings(whole=True)
        order = self.reference.order
        try:
            for name in order:
                if name not in self._recorded:
                    expected = self.reference.read(name)
                    actual = expected if name in self.inputs.handed else None
                    results[name] = check_stage(expected, actual, self.spec.tolerance(name))
        except GoldenError as error:
            self.reference.fail(error)
        passed = all(result.passed for result in results.values()) and all(setting.passed for setting in settings)
        return result_of(
            results,
            expected_order=order,
            actual_order=self._recorded,
            golden=shown_path(self.reference.base, root),
            reason=self._not_judged() or self._problem(root),
            notes=self._notes(root) if self.reference.variant or not passed else (),
            settings=settings,
            roundtrips=self.trips.results,
        )

    def _problem(self, root: Path) -> str | None:
        if self.reference.is_new and not self._recorded:
            return None  # there were round trips, whose scores were held to thresholds alone, which needs no golden
        return self.reference.problem(root)

    def _notes(self, root: Path) -> tuple[tuple[str, str], ...]:
        notes = list(self.reference.notes(root))
        held = {} if self.reference.golden is None else self.reference.golden.settings
        if held and not self._has_settings_of_its_own():
            notes.append(("settings", f"{', '.join(sorted(held))}: not compared, this port declares none"))
        return tuple(notes)

    def so_far(self) -> ParityResult:
        """Return what was judged until now, of a test that ended early; what is missing may have been to come."""
        result = result_of(
            self._compared(),
            expected_order=self.reference.order,
            actual_order=self._recorded,
            settings=self._compared_settings(whole=False),
            roundtrips=self.trips.results,
        )
        return self.causes.explained(result)

    def close(self) -> None:
        """Take no more stages: what comes after the judgement would be judged by nobody."""
        self._closed = True
        self.trips.close()

    def refusal(self) -> str | None:
        """Say why these stages cannot become the golden, or return None.

        A golden must pass against itself: NaN, empty stages and undeclared units do not. Audio that has lost the words
        of the golden's is refused as well, unless that is forced.
        """
        if (problem := self._not_judged()) is not None:
            return problem
        if failed := self.trips.failed:
            return f"its round trip fails: {', '.join(failed)}"
        if self.reference.error is not None and not self.reference.is_new:
            return "the golden that is there has to be put right first"
        for name, stage in self._kept.items():
            result = self._recorded[name]
            against_itself = None if result is None else check_stage(stage, stage, result.tolerance)
            if against_itself is not None and not against_itself.passed:
                return f"stage {name!r}: {against_itself.reason or against_itself.findings[-1].message}"
        if self.doubts.are_none:
            self._object_to_lost_words()
        return self.doubts.refusal

    def _object_to_lost_words(self) -> None:
        for name in self._kept:
            judged = self.causes.listened(name)
            if judged is None or judged.audio is None or not must_keep_words(judged.meta, judged.tolerance):
                continue
            if (reason := objection(f"stage {name!r}", judged.audio)) is not None:
                self.doubts.refuse(f"{reason}; if it need not be speech: words='any' in the mark or record")
                return

    @property
    def proposal(self) -> Proposal:
        """What an update would make of the golden, by what was recorded until now."""
        return Proposal(
            self.reference.golden,
            self.reference.is_new,
            self._recorded,
            self._kept,
            gone=tuple(name for name in self.reference.order if name not in {*self._recorded, *self.inputs.handed}),
            settings=self._settings if self._has_settings_of_its_own() else None,
            is_port=self.spec.port,
        )

    def _judge(self, actual: StageTensor, overrides: Mapping[str, Any]) -> StageResult:
        name = actual.meta.name
        tolerance = self.spec.tolerance(name, overrides)
        if self.reference.golden is None:
            if actual.meta.kind == "log_spectrum" and actual.meta.unit is None:
                raise StageError(f"stage {name!r}: a log_spectrum needs unit=, one of {', '.join(DB_PER_UNIT)}")
            return without_golden(actual, tolerance)
        return check_stage(self.reference.read(name), actual, tolerance, causes=False)

    def left_out(self) -> list[str]:
        """Return the recorded stages that `only` leaves out."""
        return [name for name in self._recorded if not self.spec.covers(name)]

    def _not_judged(self) -> str | None:
        """Say what kept stages from being judged: nothing came, a mistake the test swallowed, or `only` left no stage.

        An exception out of the comparison, swallowed by the model's own code, must not leave a stage uncompared.
        """
        if self.doubts.failure is not None:
            return self.doubts.failure
        if self.trips.are_missing:
            return "the test sent nothing through its codec: call roundtrip(encode=..., decode=..., sample_rate=...)"
        if not self._recorded and self.trips.results:
            return None
        if not self._recorded:
            return "the test recorded no stage: use stages.record(name, tensor) or stages[name] = tensor"
        covered = [name for name in self._recorded if self.spec.covers(name)]
        if not covered:
            return f"only={list(self.spec.only or ())} leaves out every stage that the test recorded"
        problem = unmatched(self.spec.must_match, [*self._recorded, *(stage.name for stage in self.reference.stages)])
        if problem is not None:
            return f"{problem}; globs that several tests share belong to their class or the ini options"
        if (problem := self._unheard(covered)) is not None:
            return problem
        undone = [name for name in covered if self._recorded[name] is None]
        if undone and (self.reference.error is None or self.reference.is_new):
            return f"stage {undone[0]!r} was not compared: an exception interrupted its comparison"
        return None

    def _unheard(self, covered: Sequence[str]) -> str | None:
        """Say which limit of the test's own marks concerns no waveform, and so would never be held."""
        metas = [result.meta for name in covered if (result := self._recorded[name]) is not None]
        if len(metas) < len(covered):  # what these are is not known, for a reason of its own
            return None
        return unheard(self.spec.must_hear, [m.name for m in (*metas, *self.reference.stages) if m.kind == "waveform"])

    def _has_settings_of_its_own(self) -> bool:
        """Whether hyper-parameters are compared: a port that declares none may have no way to know them."""
        return bool(self._settings) or not self.spec.port

    def _compared_settings(self, *, whole: bool) -> tuple[SettingResult, ...]:
        if self.reference.golden is None or not self._has_settings_of_its_own():
            return ()
        return compare_settings(self.reference.golden.settings, self._settings, whole=whole)

    def _compared(self) -> dict[str, StageResult]:
        return {name: result for name, result in self._recorded.items() if result is not None}
