"""The words of audio files: of one pair, or of two folders on all cores."""

from __future__ import annotations

import queue
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

from pytest_audioparity.audio.files import listed
from pytest_audioparity.audio.pool import core_count
from pytest_audioparity.audio.reading import read_audio
from pytest_audioparity.audio.recognition import PocketSphinx
from pytest_audioparity.audio.spoken import WordsResult, compare_words
from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pytest_audioparity.audio.recognition import Recogniser


def compare_files(
    reference: Path, estimate: Path, *, transcript: str | None = None, recogniser: Recogniser | None = None
) -> WordsResult:
    """Compare the words of one file with those of another of its sample rate, or with the transcript.

    Raises
    ------
    StageError : a file that cannot be read, several channels, two sample rates, a package that is missing
    """
    (left, rate), (right, other) = read_audio(reference), read_audio(estimate)
    if rate != other:
        raise StageError(f"{reference} has {rate} Hz and {estimate} {other} Hz; convert one of them")
    return compare_words(left, right, sample_rate=rate, transcript=transcript, recogniser=recogniser)


def compare_folders(
    reference: Path,
    estimate: Path,
    names: Iterable[str],
    *,
    transcripts: Mapping[str, str],
    done: Callable[[str, int, int], None],
) -> dict[str, WordsResult]:
    """Compare the words of clips of two folders.

    Parameters
    ----------
    names : of the clips: their paths without suffix, which both folders have
    transcripts : what clips say, by name; for one that is not there, what is recognised in its reference
    done : told after each clip: its name, how many are done, how many there are

    Raises
    ------
    StageError : as `compare_files`; a transcript of a clip that the reference's folder does not have
    """
    left, right = dict(listed(reference)), dict(listed(estimate))
    unknown = sorted(transcripts.keys() - left.keys())
    if unknown:
        raise StageError(f"there is a transcript of '{unknown[0]}', which is no audio file of {reference}")
    wanted = list(names)
    free: queue.SimpleQueue[PocketSphinx] = queue.SimpleQueue()
    recognisers = [PocketSphinx() for _ in range(max(1, min(core_count(), len(wanted))))]

    def judged(name: str) -> WordsResult:
        recogniser = free.get()
        try:
            return compare_files(left[name], right[name], transcript=transcripts.get(name), recogniser=recogniser)
        finally:
            free.put(recogniser)

    for recogniser in recognisers:
        free.put(recogniser)
    try:
        # Threads suffice: what takes time happens in the process of each recogniser.
        with ThreadPoolExecutor(len(recognisers)) as pool:
            return _gathered(pool, judged, wanted, done)
    finally:
        for recogniser in recognisers:
            recogniser.close()


def _gathered(
    pool: ThreadPoolExecutor,
    judged: Callable[[str], WordsResult],
    names: list[str],
    done: Callable[[str, int, int], None],
) -> dict[str, WordsResult]:
    pending = {pool.submit(judged, name): name for name in names}
    try:
        for number, future in enumerate(as_completed(pending), 1):
            future.result()
            done(pending[future], number, len(names))
    finally:
        pool.shutdown(cancel_futures=True)
    return {name: future.result() for future, name in pending.items()}
