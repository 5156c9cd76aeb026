"""What is recognised after each change: ``python -m tests.audio.recognised`` from the repository's root.

Per kind of change (`tests/audio/kinds.py`): word errors of free recognition, and how many clips are found to say
their sentence still. `--clips` takes folders of other WAV files with transcripts, `name.txt` beside `name.wav`.
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pytest_audioparity.audio.recognition import recognise
from pytest_audioparity.audio.sentences import Said, says
from pytest_audioparity.audio.transcripts import WordErrors, word_errors
from tests.audio.changes import Array, Change
from tests.audio.kinds import CHANGES
from tests.audio.verdicts import SPEECH, Clip, read_clips

TRANSCRIPTS = {
    "librivox_sense_and_sensibility_0930": "he might even have been made amiable himself",
    "pocketsphinx_cards_002": "four queen of clubs",
    "praatio_mary": "Mary rolled the barrel",
}
RATE = 16_000


@dataclass(frozen=True, slots=True)
class Case:
    """What became of the words of one clip by one change; `took` are the seconds of free recognition and closed set."""

    clip: str
    heard: WordErrors
    said: Said
    seconds: float
    took: tuple[float, float]


def transcripts_of(folders: Iterable[Path]) -> dict[str, str]:
    found = {path.stem: path.read_text().strip() for folder in folders for path in folder.glob("*.txt")}
    return TRANSCRIPTS | found


def estimate_of(clip: Clip, change: Change, clips: list[Clip]) -> Array:
    """Make one change at 16 kHz, the same in every run."""
    random = np.random.default_rng([0, zlib.crc32(f"{clip.name} {change.name}".encode())])
    others = [other.at(RATE) for other in clips if other.name != clip.name and other.seconds > 1.5]
    return np.asarray(change.make(clip.at(RATE), RATE, random, others))


def case_of(estimate: Array, name: str, transcript: str) -> Case | None:
    """Recognise one changed clip; None where there is nothing to hear."""
    start = time.perf_counter()
    recognised = recognise(estimate, sample_rate=RATE)
    middle = time.perf_counter()
    if recognised.text is None:
        return None
    said = says(estimate, sentence=transcript, sample_rate=RATE)
    took = middle - start, time.perf_counter() - middle
    return Case(name, word_errors(transcript, recognised.text), said, estimate.size / RATE, took)


HEAD = """| change | words | clips | word errors | still says it | ahead of any sounds, nats per frame |
|---|---|--:|--:|--:|---|"""


def row(change: Change, cases: list[Case]) -> str:
    """Write a row of markdown; the last column has the least, the middle and the greatest."""
    errors = sum(case.heard.errors for case in cases) / sum(case.heard.count for case in cases)
    ahead = sorted(case.said.over_sounds for case in cases)
    span = ", ".join(f"{value:.2f}" for value in (ahead[0], ahead[len(ahead) // 2], ahead[-1]))
    words = "lost" if change.loses_words else "kept"
    return f"| {change.name} | {words} | {len(cases)} | {errors:.2f} | {said(cases)} of {len(cases)} | {span} |"


def said(cases: list[Case]) -> int:
    return sum(bool(case.said) for case in cases)


def summary(cases: dict[Change, list[Case]]) -> Iterator[str]:
    """Write the totals, the cost, and what was judged wrongly."""
    every = [case for some in cases.values() for case in some]
    free, closed = (sum(case.took[i] for case in every) / sum(case.seconds for case in every) for i in (0, 1))
    yield f"- free recognition takes {free:.2f} of real time, the closed set {closed:.2f}"
    for lost in (True, False):
        of_kind = [case for change, some in cases.items() if change.loses_words == lost for case in some]
        yield f"- words {'lost' if lost else 'kept'}: {said(of_kind)} of {len(of_kind)} say their sentence"
    for change, some in cases.items():
        for case in some:
            if bool(case.said) == change.loses_words:
                yield f"- {change.name}, {case.clip}: {case.said.text}"


def main(arguments: Iterable[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, action="append", help="a folder of WAV files and texts; repeatable")
    parser.add_argument("--change", default="", help="only changes whose name begins with one of these, by commas")
    given = parser.parse_args(None if arguments is None else list(arguments))
    folders = given.clips or [SPEECH]
    clips, transcripts = read_clips(folders), transcripts_of(folders)
    cases: dict[Change, list[Case]] = {}
    print(HEAD)  # noqa: T201 - its job
    for change in CHANGES:
        if change.name.startswith(tuple(given.change.split(","))):
            made = (case_of(estimate_of(clip, change, clips), clip.name, transcripts[clip.name]) for clip in clips)
            cases[change] = [case for case in made if case is not None]
            if cases[change]:
                print(row(change, cases[change]), flush=True)  # noqa: T201
    print("", *summary(cases), sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()
