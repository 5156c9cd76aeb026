"""Why the stages of a test fail: the causes of what differs, and what waveforms sound like.

Both take time, so they are looked for once, and only where a failure stands.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_audioparity.check import explained, listened
from pytest_audioparity.errors import GoldenError, shown
from pytest_audioparity.golden.nearby import alike, sources
from pytest_audioparity.namesakes import with_namesakes
from pytest_audioparity.records import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping

    from pytest_audioparity.golden.file import Golden
    from pytest_audioparity.records import StageTensor
    from pytest_audioparity.results import ParityResult, StageResult

# Stages of a failing test whose cause is looked for: the first ones tell where it starts, and each may take a second.
_DIAGNOSED = 12
# Waveforms of a failing test that are listened to; each may take a second as well.
_LISTENED = 6


class Causes:
    """Finds causes for the results of a recording, and puts them there.

    Parameters
    ----------
    golden : what was compared with, or None
    recorded : results by stage; those that get a cause are replaced
    kept : the stages that failed, as they were recorded
    """

    def __init__(
        self,
        golden: Golden | None,
        recorded: MutableMapping[str, StageResult | None],
        kept: Mapping[str, StageTensor],
    ) -> None:
        self._golden = golden
        self._recorded = recorded
        self._kept = kept
        self._explained: set[str] = set()

    def explained(self, result: ParityResult, progress: Callable[[str], None] = lambda _: None) -> ParityResult:
        """Return a result with the causes of its first failing stages, and what failing waveforms sound like.

        Parameters
        ----------
        result : of the recording
        progress : is told each stage before it is looked at
        """
        for name in list(self._kept)[:_DIAGNOSED]:
            judged = self._recorded[name]
            if name in self._explained or judged is None or self._golden is None or name not in self._golden:
                continue
            self._explained.add(name)
            progress(name)
            actual = self._kept[name]
            with self._keeping(name, judged, "looked into"):
                others = sources(self._golden, actual)
                self._recorded[name] = explained(judged, self._golden.read(name), actual, others)
        for name in [name for name in self._kept if self._is_waveform(name)][:_LISTENED]:
            progress(name)
            self.listened(name)
        stages = ((self._recorded.get(stage.name), stage) for stage in result.stages)
        result = replace(result, stages=tuple(stage if known is None else known for known, stage in stages))
        return result if self._golden is None else with_namesakes(result, self._golden, self._kept)

    def _is_waveform(self, name: str) -> bool:
        judged = self._recorded[name]
        return judged is not None and judged.meta.kind == "waveform"

    def listened(self, name: str) -> StageResult | None:
        """Return the result of a failing stage with what it sounds like."""
        judged = self._recorded[name]
        if judged is None or self._golden is None or name not in self._golden:
            return judged
        with self._keeping(name, judged, "listened to"):
            self._recorded[name] = listened(judged, self._golden.read(name), self._kept[name])
        return self._recorded[name]

    @contextmanager
    def _keeping(self, name: str, judged: StageResult, done: str) -> Iterator[None]:
        """Keep the verdict on a stage whatever happens while more is found out: it stands, and so do other tests."""
        try:
            yield
        except GoldenError:  # a golden that was altered has its own report
            pass
        except Exception as error:  # a fault of ours, whatever it is
            message = f"it could not be {done}: {type(error).__name__}: {shown(str(error))}; please report this"
            self._recorded[name] = replace(judged, findings=(*judged.findings, Finding("unexplained", message)))

    def neighbours(self, actual: StageTensor) -> Iterator[StageTensor]:
        """Return the golden's stages of one shape, the nearest first."""
        return iter(()) if self._golden is None else alike(self._golden, actual)
