"""What an update would make of a golden: its stages and hyper-parameters, and each change in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_audioparity.comparison.structure import kind_of
from pytest_audioparity.golden.revision import fingerprint, revised

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_audioparity.comparison.hyperparameters import SettingResult
    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.golden.pending import Change
    from pytest_audioparity.records import StageResult, StageTensor


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
    compared_settings : those beside the golden's
    """

    golden: Golden | None
    is_new: bool
    results: Mapping[str, StageResult | None]
    kept: Mapping[str, StageTensor]
    gone: tuple[str, ...]
    settings: Mapping[str, Any] | None
    compared_settings: tuple[SettingResult, ...]

    def new_golden(self) -> list[StageTensor]:
        """Return the stages of the golden after an update, in data-flow order.

        Stages that pass keep the golden's tensor, so that repeated updates cannot carry it away within the tolerance;
        stages that `only` leaves out stay as they are; stages that were not recorded go.
        """
        return revised(self.golden, order=self.results, new=self._obtained(), removed=self.gone)

    def new_settings(self, *, whole: bool) -> Mapping[str, Any]:
        """Return the hyper-parameters of the golden after an update.

        Parameters
        ----------
        whole : whether the test ran to its end, so that what it did not declare goes
        """
        held = {} if self.golden is None else self.golden.settings
        if self.settings is None:
            return held
        return self.settings if whole else {**held, **self.settings}

    def settings_changes(self) -> list[tuple[str, str]]:
        """Return the names of the hyper-parameters that an update would change, and how in one phrase."""
        return [(one.name, one.change) for one in self.compared_settings if one.change is not None]

    def changes(self, *, whole: bool) -> list[Change]:
        """Return how the stages that do not pass would change the golden.

        Parameters
        ----------
        whole : whether the test ran to its end, so that what it did not record is missing
        """
        from pytest_audioparity.golden.pending import ADDED, CHANGED, REMOVED, Change
        from pytest_audioparity.report.changes import change

        changes = []
        for name in self.kept:
            result = self.results[name]
            assert result is not None
            known = self.golden is not None and name in self.golden
            text = "new" if self.is_new else change(result)
            changes.append(Change(name, CHANGED if known else ADDED, text, self._fingerprint(name)))
        gone = self.gone if whole else ()
        return changes + [Change(name, REMOVED, "removed", self._fingerprint(name)) for name in gone]

    def obtained(self) -> list[StageTensor]:
        """Return the stages that do not pass, as they were recorded."""
        return list(self._obtained().values())

    @property
    def order(self) -> tuple[str, ...]:
        """Names of all stages that were recorded, in data-flow order."""
        return tuple(self.results)

    def _obtained(self) -> dict[str, StageTensor]:
        return {
            name: replace(stage, meta=replace(stage.meta, kind=kind_of(stage.meta, stage.array)))
            for name, stage in self.kept.items()
        }

    def _fingerprint(self, name: str) -> str | None:
        return None if self.golden is None or name not in self.golden else fingerprint(self.golden.read(name))
