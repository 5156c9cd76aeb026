"""What an update would make of a golden: its stages and hyper-parameters, and each change in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_audioparity.comparison.hyperparameters import compare_settings
from pytest_audioparity.comparison.structure import kind_of
from pytest_audioparity.golden.revision import fingerprint, revised, setting_fingerprint
from pytest_audioparity.records import DECLARED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.comparison.hyperparameters import SettingResult
    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.golden.pending import Change
    from pytest_audioparity.records import StageMeta, StageTensor
    from pytest_audioparity.results import StageResult


@dataclass(frozen=True, slots=True)
class Proposal:
    """A golden as a test would have it.

    Attributes
    ----------
    golden : what is there, or None
    is_new : whether there is none yet
    results : of all stages that were recorded, in data-flow order; None of those that were not compared
    kept : the stages that do not pass, as they were recorded
    gone : the golden's stages that the test did not record
    settings : the hyper-parameters that the test declared, or None where the golden's stay
    is_port : whether the test inherits what the golden declares, and never writes it
    """

    golden: Golden | None
    is_new: bool
    results: Mapping[str, StageResult | None]
    kept: Mapping[str, StageTensor]
    gone: tuple[str, ...]
    settings: Mapping[str, Any] | None
    is_port: bool = False

    def new_golden(self) -> list[StageTensor]:
        """Return the stages of the golden after an update, in data-flow order.

        Stages that pass keep the golden's tensor, so that repeated updates cannot carry it away within the tolerance;
        stages that `only` leaves out stay as they are; stages that were not recorded go.
        """
        told = {name: self._told(name, meta) for name, (meta, _) in self._newly_declared().items()}
        return revised(self.golden, order=self.results, new={**self._obtained(), **told}, removed=self.gone)

    @property
    def newly_declared(self) -> dict[str, StageMeta]:
        """The stages that pass and of which the test declares what the golden does not say, with all that is declared.

        Ports inherit what a golden says, so that it has to be written although the numbers are right.
        """
        return {name: meta for name, (meta, _) in self._newly_declared().items()}

    def declarations(self) -> list[tuple[str, str]]:
        """Return of each such stage what the golden will say of it, in words."""
        return [(name, f"declared {', '.join(news)}") for name, (_, news) in self._newly_declared().items()]

    def _newly_declared(self) -> dict[str, tuple[StageMeta, list[str]]]:
        held = self._outlines
        passed = {name: one.meta for name, one in self.results.items() if one is not None and name not in self.kept}
        told = {name: (meta, _news(held[name], meta)) for name, meta in passed.items() if name in held}
        return {name: (meta, news) for name, (meta, news) in told.items() if news}

    def new_settings(self, *, whole: bool) -> Mapping[str, Any]:
        """Return the hyper-parameters of the golden after an update.

        Parameters
        ----------
        whole : whether the test ran to its end, so that what it did not declare goes
        """
        if self.settings is None:
            return self._held_settings
        return self.settings if whole else {**self._held_settings, **self.settings}

    @property
    def is_empty(self) -> bool:
        """Whether a test that ran to its end would change nothing."""
        return not (self.kept or self.gone or self._differing_settings(whole=True))

    def changes(self, *, whole: bool) -> list[Change]:
        """Return how the stages that do not pass, and the hyper-parameters that differ, would change the golden.

        Parameters
        ----------
        whole : whether the test ran to its end, so that what it did not record is missing
        """
        from pytest_audioparity.golden.pending import ADDED, CHANGED, REMOVED, Change
        from pytest_audioparity.report.changes import change

        changes, outlines = [], {} if self.is_port else self._outlines
        for name in self.kept:
            result = self.results[name]
            assert result is not None
            known = self.golden is not None and name in self.golden
            text = "new" if self.is_new else change(result) + self._undeclared(name, outlines)
            changes.append(Change(name, CHANGED if known else ADDED, text, self._fingerprint(name)))
        gone = self.gone if whole else ()
        changes += [Change(name, REMOVED, "removed", self._fingerprint(name)) for name in gone]
        held, new = self._held_settings, self.new_settings(whole=whole)
        for one in self._differing_settings(whole=whole):
            assert one.change is not None
            kind = ADDED if one.name not in held else CHANGED if one.name in new else REMOVED
            was = setting_fingerprint(held, one.name)
            changes.append(Change(one.name, kind, one.change, was, is_setting=True))
        return changes

    def obtained(self) -> list[StageTensor]:
        """Return the stages that do not pass, as they were recorded."""
        return list(self._obtained().values())

    @property
    def order(self) -> tuple[str, ...]:
        """Names of all stages that were recorded, in data-flow order."""
        return tuple(self.results)

    def _undeclared(self, name: str, outlines: Mapping[str, StageTensor]) -> str:
        """Say what the golden declares of a stage and the test no longer does, which an update takes out of it."""
        lost = _news(self.kept[name], outlines[name].meta) if name in outlines else ()
        return f", no longer declared: {', '.join(lost)}" if lost else ""

    @property
    def _outlines(self) -> dict[str, StageTensor]:
        return {} if self.golden is None else {outline.meta.name: outline for outline in self.golden.outlines}

    def _obtained(self) -> dict[str, StageTensor]:
        return {
            name: replace(stage, meta=replace(stage.meta, kind=kind_of(stage.meta, stage.array)))
            for name, stage in self.kept.items()
        }

    def _told(self, name: str, meta: StageMeta) -> StageTensor:
        assert self.golden is not None
        return replace(self.golden.read(name), meta=meta)

    @property
    def _held_settings(self) -> Mapping[str, Any]:
        return {} if self.golden is None else self.golden.settings

    def _differing_settings(self, *, whole: bool) -> list[SettingResult]:
        # Without a stage that differs, a test has to have come to its end to mean another value than its golden.
        if self.settings is None or not (self.kept or (whole and self.golden is not None)):
            return []
        compared = compare_settings(self._held_settings, self.settings, whole=whole)
        return [one for one in compared if not one.passed]

    def _fingerprint(self, name: str) -> str | None:
        return None if self.golden is None or name not in self.golden else fingerprint(self.golden.read(name))


def _news(held: StageTensor, meta: StageMeta) -> list[str]:
    """Return what a stage declares and the golden's does not, as it is written in a test."""
    keys = [key for key in (*DECLARED, "role") if getattr(held.meta, key) is None and getattr(meta, key) is not None]
    # Without a declaration, a kind follows from the type of the values.
    return [
        f"{key}={getattr(meta, key)!r}" for key in keys if key != "kind" or meta.kind != kind_of(held.meta, held.array)
    ]
