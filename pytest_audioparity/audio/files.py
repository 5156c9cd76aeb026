"""Audio files, one pair or two folders of them, scored on all cores."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_audioparity.audio.scoring import score
from pytest_audioparity.errors import AudioparityError, StageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np

    from pytest_audioparity.audio.records import Score

    Array = np.ndarray[Any, Any]

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".w64", ".rf64", ".caf", ".au")


@dataclass(frozen=True, slots=True)
class Item:
    """One pair of two folders: its score, or why there is none."""

    name: str
    result: Score | None
    problem: str | None = None


def score_files(reference: Path, estimate: Path, *, pesq: bool = True) -> Score:
    """Score one file against another.

    Raises
    ------
    StageError : a file that cannot be read, several channels, two sample rates
    """
    (left, left_rate), (right, right_rate) = read_audio(reference), read_audio(estimate)
    if left_rate != right_rate:
        raise StageError(
            f"{reference} has {left_rate} Hz and {estimate} {right_rate} Hz; nothing is resampled silently: convert "
            "one of them, or correct the rate in its header"
        )
    return score(left, right, sample_rate=left_rate, pesq=pesq)


def score_folders(reference: Path, estimate: Path, *, pesq: bool, done: Callable[[str, int, int], None]) -> list[Item]:
    """Score the files of two folders, paired by their path without the suffix; one that is alone is an item too.

    Parameters
    ----------
    done : told after each pair: its name, how many are done, how many there are

    Raises
    ------
    StageError : no audio files, or two of one name
    """
    left, right = (dict(listed(folder)) for folder in (reference, estimate))
    if not left:
        raise StageError(f"{reference} holds no audio files ({' '.join(SUFFIXES)})")
    items = {name: Item(name, None, f"missing in {reference}") for name in right.keys() - left.keys()}
    items |= {name: Item(name, None, f"missing in {estimate}") for name in left.keys() - right.keys()}
    pairs = sorted(left.keys() & right.keys())
    jobs = [(name, left[name], right[name], pesq) for name in pairs]
    for number, item in enumerate(_items(jobs), 1):
        items[item.name] = item
        done(item.name, number, len(jobs))
    return [items[name] for name in sorted(items)]


def _items(jobs: list[tuple[str, Path, Path, bool]]) -> Iterator[Item]:
    workers = min(available_cores(), len(jobs))
    if workers <= 1:
        yield from map(_item, jobs)
        return
    # Not forked: a fork of a process with threads may stand still for ever.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        pending = [pool.submit(_item, job) for job in jobs]
        try:
            for future in as_completed(pending):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _item(job: tuple[str, Path, Path, bool]) -> Item:
    name, reference, estimate, pesq = job
    try:
        return Item(name, score_files(reference, estimate, pesq=pesq))
    except AudioparityError as error:
        return Item(name, None, str(error))


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def listed(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the audio files of a folder and those below it, by their paths without the suffix."""
    seen: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in seen:
                raise StageError(f"{path} and {seen[name]} have one name; which is meant?")
            seen[name] = path
            yield name, path


def read_audio(path: Path) -> tuple[Array, int]:
    """Read one channel of audio, float64 of shape (time,) with the full scale at 1, and its sample rate in Hz.

    Raises
    ------
    StageError : the file cannot be read, or has several channels
    """
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float64", always_2d=False)
    except (OSError, soundfile.SoundFileError, TypeError) as error:
        raise StageError(f"{path} cannot be read as audio: {str(error).splitlines()[0]}") from None
    if samples.ndim != 1:
        raise StageError(f"{path} has {samples.shape[1]} channels; give one channel at a time")
    return samples, int(rate)
