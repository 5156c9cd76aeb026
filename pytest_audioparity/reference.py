"""The golden that one test is compared with: which file, which variant of it, and what became of reading it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_audioparity.check import check_stage
from pytest_audioparity.errors import GoldenError
from pytest_audioparity.golden.names import SUFFIX, VARIANT_SIGN, name_of, shown_path, variant_path
from pytest_audioparity.golden.shelf import find_goldens, has_variant, open_golden
from pytest_audioparity.options import is_job

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.golden.shelf import Shelf
    from pytest_audioparity.records import StageMeta, StageTensor
    from pytest_audioparity.results import StageResult
    from pytest_audioparity.spec import Spec

# Share of two names that is alike, from which the one was meant by the other: that of `comparison.tolerances.nearest`.
_ALIKE = 0.75


class Reference:
    """What a test is compared with. Opened at once; an error is kept, since it is told when the test has ended.

    Parameters
    ----------
    path : the golden, which need not exist
    shelf : where tensors of goldens are kept
    spec : what the test's marks ask for
    variants : names of the golden's variants that this run may use, the first that exists counts
    new_variant : the variant that an update makes of a golden that has none, if any

    Attributes
    ----------
    variant : the variant that is used, if any
    base : the file that is compared with
    target : the file that an update writes
    golden : None where it could not be opened
    error : why it could not, or what was wrong with a tensor
    """

    def __init__(
        self, path: Path, shelf: Shelf, spec: Spec, *, variants: Sequence[str] = (), new_variant: str | None = None
    ) -> None:
        self.path = path
        self.shelf = shelf
        self._spec = spec
        self.variant = next((name for name in variants if has_variant(path, name)), None)
        self.base = self.target = path if self.variant is None else variant_path(path, self.variant)
        self.golden: Golden | None = None
        self.error: GoldenError | None = None
        self._distance: tuple[StageResult | None, str] | None = None
        try:
            self.golden = open_golden(self.base, shelf)
        except GoldenError as error:
            self.error = error
        # The shared golden comes first: a variant alone would leave every other platform without any.
        if new_variant is not None and not self.is_new:
            self.target = variant_path(path, new_variant)

    @property
    def is_new(self) -> bool:
        """Whether there is no golden yet."""
        return self.error is not None and self.error.cause == "missing"

    @property
    def stages(self) -> Sequence[StageMeta]:
        """What the golden declares of its stages, in data-flow order; nothing without one."""
        return () if self.golden is None else self.golden.stages

    @property
    def order(self) -> list[str]:
        """The names of those stages that the test is to record."""
        return [stage.name for stage in self.stages if self._spec.covers(stage.name)]

    def read(self, name: str) -> StageTensor | None:
        """Return a stage of the golden, None where it has none.

        Raises
        ------
        GoldenError : the tensor was altered, or cannot be fetched
        """
        return self.golden.read(name) if self.golden is not None and name in self.golden else None

    def expected(self, meta: StageMeta) -> StageTensor | None:
        """Return a stage of the golden with all that is declared of it on either side, None where it has none."""
        stage = self.read(meta.name)
        return None if stage is None else replace(stage, meta=meta)

    def fail(self, error: GoldenError) -> None:
        """Take note that a tensor could not be read; the first counts."""
        self.error = self.error or error

    def problem(self, root: Path) -> str | None:
        """Say what is wrong with the golden and what to do, or return None."""
        if self.error is None:
            return None
        shown = shown_path(self.base, root)
        if self.is_new and not self._spec.port and is_job():
            return f"golden {shown} does not exist; create it on your machine, or accept what this job obtained"
        if not (self._spec.port and self.is_new):
            return str(self.error).replace(str(self.base), str(shown))
        reason = f"golden {shown} does not exist; write it with the test that owns it and --update-golden"
        if shown.parts[:1] == shown.parts[1:2]:
            reason += f", or leave the leading {shown.parts[0] + '/'!r} out of golden="
        elif (near := self._nearest()) is not None:
            reason += f"; did you mean golden={near!r}?"
        return reason

    def _nearest(self) -> str | None:
        """Return the golden whose name is much like the one that was asked for. Names are paths, which begin alike."""
        import difflib

        asked = (self._spec.golden or "").removesuffix(SUFFIX)
        directory = self.path.parents[asked.count("/")]
        known = [name for path in find_goldens(directory) if VARIANT_SIGN not in (name := name_of(path, directory))]
        return next(iter(difflib.get_close_matches(asked, known, n=1, cutoff=_ALIKE)), None)

    def notes(self, root: Path) -> Iterator[tuple[str, str]]:
        """Say which variant it is, and where it was made with other versions or on another platform."""
        from pytest_audioparity.golden.provenance import difference

        if self.variant is not None:
            yield "variant", f"{self.variant!r} of {shown_path(self.path, root)}, {self.distance[1]}"
        if self.golden is not None and (elsewhere := difference(self.golden.provenance)) is not None:
            yield "golden made with", elsewhere

    @property
    def distance(self) -> tuple[StageResult | None, str]:
        """The stage in which the variant is farthest from the shared golden, and that in words."""
        if self._distance is None:
            self._distance = self._farthest()
        return self._distance

    def _farthest(self) -> tuple[StageResult | None, str]:
        try:
            shared, own = open_golden(self.path, self.shelf), self.golden or open_golden(self.base, self.shelf)
            # Only how far counts here, not why; tests that pass come this way too.
            results = [
                check_stage(shared.read(meta.name), own.read(meta.name), self._spec.tolerance(meta.name), causes=False)
                for meta in own.stages
                if meta.name in shared
            ]
        except GoldenError as error:
            return None, "which does not exist" if error.cause == "missing" else f"which cannot be read: {error}"
        measured = [result for result in results if result.deviation_db is not None]
        if not measured:
            return None, "no stage of which can be compared with it"
        farthest = max(measured, key=lambda result: result.deviation_db or 0.0)
        return farthest, f"up to {farthest.deviation_db:.3g} dB from it ({farthest.name!r})"
