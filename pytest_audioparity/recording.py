"""What one test has recorded: each stage compared with the golden as it comes, and at the end a result.

A stage is compared at the moment it is recorded, while it is still what the model made of it; nothing is raised
before the test has ended. A stage that passes is not copied; one that fails, or has no golden yet, is, since an update
may want it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_audioparity.adapters.arrays import snapshot
from pytest_audioparity.causes import Causes
from pytest_audioparity.check import check_stage, result_of, without_golden
from pytest_audioparity.comparison.hyperparameters import compare_settings, merged_settings
from pytest_audioparity.comparison.tolerances import unheard, unmatched
from pytest_audioparity.errors import GoldenError, StageError
from pytest_audioparity.forcing import Steps
from pytest_audioparity.golden.names import shown_path, variant_path
from pytest_audioparity.golden.shelf import IN_GIT, golden_files, open_golden
from pytest_audioparity.hearing import must_keep_words, objection
from pytest_audioparity.inputs import Inputs
from pytest_audioparity.proposal import Proposal
from pytest_audioparity.records import DB_PER_UNIT, ParityResult, StageResult, StageTensor
from pytest_audioparity.variants import distance

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_audioparity.comparison.hyperparameters import SettingResult
    from pytest_audioparity.forcing import Call
    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.golden.shelf import Shelf
    from pytest_audioparity.records import StageMeta
    from pytest_audioparity.roundtrip.records import RoundtripResult
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
    objection : why these stages should not become the golden, although they could: the audio has lost its words
    variant : the variant that is used, if any
    base : the golden that is compared with
    target : the golden that an update writes
    steps : what tells the faults of steps from those of their inputs
    causes : what tells why stages fail
    inputs : what the model is given
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
        self.path = path
        self.shelf = shelf
        self.variant = next((name for name in variants if golden_files(variant_path(path, name))), None)
        self.base = self.target = path if self.variant is None else variant_path(path, self.variant)
        self.golden: Golden | None = None
        self.golden_error: GoldenError | None = None
        self._recorded: dict[str, StageResult | None] = {}
        self._kept: dict[str, StageTensor] = {}
        self._settings: dict[str, Any] = {}
        self._roundtrips: list[RoundtripResult] | None = None
        self._misuse: str | None = None
        self._refused: str | None = None
        self._announced: list[str] = []
        self.objection: str | None = None
        self.force = force
        self._observe = observe
        self._distance: tuple[StageResult | None, str] | None = None
        self._closed = False
        try:
            self.golden = open_golden(self.base, shelf)
        except GoldenError as error:
            self.golden_error = error
        self.steps = Steps(self.golden, self._recorded, self._kept)
        self.causes = Causes(self.golden, self._recorded, self._kept)
        self.inputs = Inputs(self.golden, self.golden_error, port=spec.port)
        # The shared golden comes first: a variant alone would leave every other platform without any.
        if new_variant is not None and not self.is_new:
            self.target = variant_path(path, new_variant)

    @property
    def is_new(self) -> bool:
        """Whether there is no golden yet."""
        return self.golden_error is not None and self.golden_error.cause == "missing"

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
            self.golden_error = self.golden_error or error
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

    def expect_roundtrip(self) -> None:
        """Take note that something has to go through a codec."""
        self._roundtrips = self._roundtrips or []

    def may_travel(self, name: str) -> None:
        """Check that a round trip can be made.

        Raises
        ------
        StageError : one of its name was made before, or the test was judged before
        """
        if self._closed:
            raise StageError("a round trip comes after its test was judged; make it before the test returns")
        if name in [other.name for other in self._roundtrips or ()]:
            raise StageError("a second round trip of one test needs a name: roundtrip(..., name='at 24 kHz')")

    def travel(self, result: RoundtripResult) -> None:
        """Keep what became of a round trip."""
        self._roundtrips = [*(self._roundtrips or ()), result]

    def misused(self, problem: str) -> None:
        """Remember a mistake, so that a test which swallows the exception still fails and updates nothing."""
        self._misuse = self._misuse or problem

    def announce(self, problem: str) -> Callable[[], None]:
        """Take note of what fails the test unless something follows; the function that is returned says that it has."""
        self._announced.append(problem)
        return lambda: self._announced.remove(problem)

    def refuse(self, reason: str, *, forcible: bool = True) -> None:
        """Keep these stages from becoming the golden, by what is known of them beside their numbers.

        Parameters
        ----------
        reason : in one line; the first counts
        forcible : whether `--force-golden` overrides it, as it does what audio sounds like
        """
        if forcible:
            self.objection = self.objection or reason
        else:
            self._refused = self._refused or reason

    def kind(self, meta: StageMeta) -> str | None:
        """Return the declared kind of a stage, the golden's where the test declares none."""
        held = (stage.kind for stage in self._stages() if stage.name == meta.name)
        return meta.kind or next(held, None)

    def finish(self, *, root: Path) -> ParityResult:
        """Judge the whole test: what the golden has and the test did not record is missing."""
        self.close()
        results, settings = self._compared(), self._compared_settings(whole=True)
        golden_order = self._golden_order()
        try:
            for name in golden_order:
                if self.golden is not None and name not in self._recorded:
                    expected = self.golden.read(name)
                    actual = expected if name in self.inputs.handed else None
                    results[name] = check_stage(expected, actual, self.spec.tolerance(name))
        except GoldenError as error:
            self.golden_error = self.golden_error or error
        passed = all(result.passed for result in results.values()) and all(setting.passed for setting in settings)
        return result_of(
            results,
            expected_order=golden_order,
            actual_order=self._recorded,
            golden=shown_path(self.base, root),
            reason=self._not_judged() or self._problem(root),
            notes=self._notes(root) if self.variant or not passed else (),
            settings=settings,
            roundtrips=tuple(self._roundtrips or ()),
        )

    def _problem(self, root: Path) -> str | None:
        """Say what is wrong with the golden, or return None."""
        shown = shown_path(self.base, root)
        if self.is_new and self._roundtrips and not self._recorded:
            return None  # the scores were held to thresholds alone, which needs no golden
        if not (self.spec.port and self.is_new):
            return None if self.golden_error is None else str(self.golden_error).replace(str(self.base), str(shown))
        reason = f"golden {shown} does not exist; write it with the test that owns it and --update-golden"
        if shown.parts[:1] == shown.parts[1:2]:
            reason += f", or leave the leading {shown.parts[0] + '/'!r} out of golden="
        return reason

    def _notes(self, root: Path) -> tuple[tuple[str, str], ...]:
        from pytest_audioparity.golden.provenance import difference

        notes = []
        if self.variant is not None:
            _, text = self.variant_distance()
            notes.append(("variant", f"{self.variant!r} of {shown_path(self.path, root)}, {text}"))
        if self.golden is not None and self.golden.settings and not self._has_settings_of_its_own():
            names = ", ".join(sorted(self.golden.settings))
            notes.append(("settings", f"{names}: not compared, this port declares none"))
        if self.golden is not None and (elsewhere := difference(self.golden.provenance)) is not None:
            notes.append(("golden made with", elsewhere))
        return tuple(notes)

    def variant_distance(self) -> tuple[StageResult | None, str]:
        """Return the stage in which the variant is farthest from the shared golden, and that in words."""
        if self._distance is None:
            self._distance = distance(self.path, self.golden or self.base, self.shelf, self.spec)
        return self._distance

    def so_far(self) -> ParityResult:
        """Return what was judged until now, of a test that ended early; what is missing may have been to come."""
        result = result_of(
            self._compared(),
            expected_order=self._golden_order(),
            actual_order=self._recorded,
            settings=self._compared_settings(whole=False),
            roundtrips=tuple(self._roundtrips or ()),
        )
        return self.causes.explained(result)

    def close(self) -> None:
        """Take no more stages: what comes after the judgement would be judged by nobody."""
        self._closed = True

    def refusal(self) -> str | None:
        """Say why these stages cannot become the golden, or return None.

        A golden must pass against itself: NaN, empty stages and undeclared units do not. Audio that has lost the words
        of the golden's is refused as well, unless that is forced.
        """
        if (problem := self._not_judged()) is not None:
            return problem
        if failed := [check.name for result in self._roundtrips or () for check in result.failed]:
            return f"its round trip fails: {', '.join(failed)}"
        if self.golden_error is not None and not self.is_new:
            return "the golden that is there has to be put right first"
        for name, stage in self._kept.items():
            result = self._recorded[name]
            against_itself = None if result is None else check_stage(stage, stage, result.tolerance)
            if against_itself is not None and not against_itself.passed:
                return f"stage {name!r}: {against_itself.reason or against_itself.findings[-1].message}"
        if self._refused is None and self.objection is None:
            self._object_to_lost_words()
        return self._refused or (None if self.force else self.objection)

    def _object_to_lost_words(self) -> None:
        for name in self._kept:
            judged = self.causes.listened(name)
            if judged is None or judged.audio is None or not must_keep_words(judged.meta, judged.tolerance):
                continue
            if (reason := objection(f"stage {name!r}", judged.audio)) is not None:
                self.refuse(f"{reason}; if it need not be speech: words='any' in the mark or record")
                return

    @property
    def proposal(self) -> Proposal:
        """What an update would make of the golden, by what was recorded until now."""
        return Proposal(
            self.golden,
            self.is_new,
            self._recorded,
            self._kept,
            gone=tuple(name for name in self._golden_order() if name not in {*self._recorded, *self.inputs.handed}),
            settings=self._settings if self._has_settings_of_its_own() else None,
        )

    def _judge(self, actual: StageTensor, overrides: Mapping[str, Any]) -> StageResult:
        name = actual.meta.name
        tolerance = self.spec.tolerance(name, overrides)
        if self.golden is None:
            if actual.meta.kind == "log_spectrum" and actual.meta.unit is None:
                raise StageError(f"stage {name!r}: a log_spectrum needs unit=, one of {', '.join(DB_PER_UNIT)}")
            return without_golden(actual, tolerance)
        expected = self.golden.read(name) if name in self.golden else None
        return check_stage(expected, actual, tolerance, causes=False)

    def expected(self, meta: StageMeta) -> StageTensor | None:
        """Return a stage of the golden with all that is declared of it on either side, None where it has none."""
        if self.golden is None or meta.name not in self.golden:
            return None
        return replace(self.golden.read(meta.name), meta=meta)

    def left_out(self) -> list[str]:
        """Return the recorded stages that `only` leaves out."""
        return [name for name in self._recorded if not self.spec.covers(name)]

    def _not_judged(self) -> str | None:
        """Say what kept stages from being judged: nothing came, a mistake the test swallowed, or `only` left no stage.

        An exception out of the comparison, swallowed by the model's own code, must not leave a stage uncompared.
        """
        if self._misuse is not None:
            return self._misuse
        if self._announced:
            return self._announced[0]
        if self._roundtrips == []:
            return "the test sent nothing through its codec: call roundtrip(encode=..., decode=..., sample_rate=...)"
        if not self._recorded and self._roundtrips:
            return None
        if not self._recorded:
            return "the test recorded no stage: use stages.record(name, tensor) or stages[name] = tensor"
        covered = [name for name in self._recorded if self.spec.covers(name)]
        if not covered:
            return f"only={list(self.spec.only or ())} leaves out every stage that the test recorded"
        problem = unmatched(self.spec.must_match, [*self._recorded, *self._held()])
        if problem is not None:
            return f"{problem}; globs that several tests share belong to their class or the ini options"
        if (problem := self._unheard(covered)) is not None:
            return problem
        undone = [name for name in covered if self._recorded[name] is None]
        if undone and (self.golden_error is None or self.is_new):
            return f"stage {undone[0]!r} was not compared: an exception interrupted its comparison"
        return None

    def _unheard(self, covered: Sequence[str]) -> str | None:
        """Say which limit of the test's own marks concerns no waveform, and so would never be held."""
        metas = [result.meta for name in covered if (result := self._recorded[name]) is not None]
        if len(metas) < len(covered):  # what these are is not known, for a reason of its own
            return None
        return unheard(self.spec.must_hear, [m.name for m in (*metas, *self._stages()) if m.kind == "waveform"])

    def _has_settings_of_its_own(self) -> bool:
        """Whether hyper-parameters are compared: a port that declares none may have no way to know them."""
        return bool(self._settings) or not self.spec.port

    def _compared_settings(self, *, whole: bool) -> tuple[SettingResult, ...]:
        if self.golden is None or not self._has_settings_of_its_own():
            return ()
        return compare_settings(self.golden.settings, self._settings, whole=whole)

    def _compared(self) -> dict[str, StageResult]:
        return {name: result for name, result in self._recorded.items() if result is not None}

    def _stages(self) -> Sequence[StageMeta]:
        return () if self.golden is None else self.golden.stages

    def _held(self) -> list[str]:
        return [stage.name for stage in self._stages()]

    def _golden_order(self) -> list[str]:
        return [name for name in self._held() if self.spec.covers(name)]
