"""How often the verdict is right: ``python -m tests.audio.verdicts`` from the repository's root.

Many faults and healthy changes of real speech, with random parameters (`tests/audio/kinds.py`), are scored. `--clips`
takes folders of other WAV files: of speakers and languages that the thresholds have not seen.
"""

from __future__ import annotations

import argparse
import functools
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from pytest_audioparity.audio import Score, score
from tests.audio.changes import LOST, Change, speech_rms
from tests.audio.kinds import CHANGES, SHORTEST_PAUSE, longest_pause

Array = np.ndarray[Any, Any]
SPEECH = Path(__file__).parents[1] / "data" / "speech"
_LONGEST_OTHER = 9.0


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One recording: shape (time,), at a rate."""

    name: str
    samples: Array
    rate: int

    @property
    def seconds(self) -> float:
        return self.samples.size / self.rate

    def at(self, rate: int) -> Array:
        return self.samples if rate == self.rate else _resampled(self, rate)


@functools.lru_cache(maxsize=256)
def _resampled(clip: Clip, rate: int) -> Array:
    return np.asarray(soxr.resample(clip.samples, clip.rate, rate))


@dataclass(frozen=True, slots=True)
class Case:
    """One judged change of one clip."""

    clip: str
    change: Change
    turn: int
    result: Score
    seconds: float

    @property
    def words_right(self) -> bool:
        """Whether lost words were found lost, or kept words were not."""
        return (self.result.verdict in LOST) == self.change.loses_words

    @property
    def exact(self) -> bool:
        return self.result.verdict in self.change.verdicts


def read_clips(folders: Iterable[Path]) -> list[Clip]:
    """Read all WAV files of some folders."""
    clips = []
    for path in sorted(path for folder in folders for path in folder.glob("*.wav")):
        samples, rate = soundfile.read(path)
        clips.append(Clip(path.stem, samples, rate))
    return clips


def case_of(clip: Clip, change: Change, clips: list[Clip], turn: int = 0) -> Case | None:
    """Make one change and judge it; None where the clip is too short for it."""
    if clip.seconds < change.shortest_seconds:
        return None
    # Every case has a stream of its own, so that it is the same whatever else is measured.
    random = np.random.default_rng([turn, zlib.crc32(f"{clip.name} {change.name}".encode())])
    others = [
        other.at(clip.rate) for other in clips if other.name != clip.name and 1.5 < other.seconds < _LONGEST_OTHER
    ]
    reference = clip.samples
    if change.name == "invented in a pause":
        reference = with_pause(reference, clip.rate, random)
    estimate = change.make(reference, clip.rate, random, others)
    start = time.perf_counter()
    result = score(reference, estimate, sample_rate=clip.rate, pesq=False)
    return Case(clip.name, change, turn, result, time.perf_counter() - start)


def with_pause(x: Array, rate: int, random: np.random.Generator) -> Array:
    """Return a clip that has a pause; a made one has the noise of a quiet room, 60 dB under it."""
    start, end = longest_pause(x, rate)
    if end - start >= SHORTEST_PAUSE * rate:
        return x
    quiet = random.standard_normal(round(random.uniform(0.5, 0.9) * rate)) * speech_rms(x, rate) * 1e-3
    middle = (start + end) // 2
    return np.concatenate([x[:middle], quiet, x[middle:]])


def measure(clips: list[Clip], wanted: str, turns: int) -> Iterator[Case]:
    """Judge every wanted change of every clip."""
    for change in CHANGES:
        if any(text in change.name for text in wanted.split(",")):
            for clip in clips:
                for turn in range(turns):
                    case = case_of(clip, change, clips, turn)
                    if case is not None:
                        yield case


def report(cases: list[Case], misses: int) -> Iterator[str]:
    """Write markdown: a row per change, the totals, the misses."""
    by_change: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_change[case.change.name].append(case)
    yield "| change | right | cases | words judged right | verdict right | verdicts |"
    yield "|---|---|--:|--:|--:|---|"
    for name, some in by_change.items():
        found = Counter(case.result.verdict for case in some)
        counts = ", ".join(f"{verdict} {count}" for verdict, count in found.most_common())
        words, exact = (sum(getattr(case, key) for case in some) for key in ("words_right", "exact"))
        allowed = " or ".join(some[0].change.verdicts)
        yield f"| {name} | {allowed} | {len(some)} | {words / len(some):.1%} | {exact / len(some):.1%} | {counts} |"
    yield ""
    for label, some in (
        ("words lost, found lost", [c for c in cases if c.change.loses_words]),
        ("words kept, found kept", [c for c in cases if not c.change.loses_words]),
    ):
        if some:
            right = [case.words_right for case in some]
            yield f"- {label}: {sum(right)} of {len(right)}, {np.mean(right):.2%}"
    yield f"- exact verdict: {sum(c.exact for c in cases)} of {len(cases)}, {np.mean([c.exact for c in cases]):.2%}"
    yield f"- a case: median {np.median([c.seconds for c in cases]) * 1000:.0f} ms"
    wrong = [case for case in cases if not (case.words_right and case.exact)]
    wrong.sort(key=lambda case: case.words_right)
    yield ""
    for case in wrong[:misses]:
        told = case.result.findings[0].message if case.result.findings else ""
        mark = "" if case.words_right else "WORDS "
        yield f"- {mark}{case.change.name}, {case.clip}, {case.turn}: {case.result.verdict} {told}"


def main(arguments: Iterable[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, action="append", help="a folder of WAV files; repeatable")
    parser.add_argument(
        "--change", default="", help="only changes whose name contains one of these, separated by commas"
    )
    parser.add_argument("--turns", type=int, default=1, help="random parameters per change and clip")
    parser.add_argument("--misses", type=int, default=60, help="how many misses to list")
    given = parser.parse_args(None if arguments is None else list(arguments))
    cases = list(measure(read_clips(given.clips or [SPEECH]), given.change, given.turns))
    for line in report(cases, given.misses):
        print(line)  # noqa: T201 - its job


if __name__ == "__main__":
    main()
