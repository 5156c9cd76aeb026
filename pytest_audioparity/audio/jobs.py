"""One pair to score, as it travels to another process or machine; and scoring it, or finding its score in a cache."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_audioparity.adapters.arrays import as_array, snapshot
from pytest_audioparity.audio.cache import ScoreCache, array_digest, cache_key, file_digest
from pytest_audioparity.audio.reading import content_of, decoded
from pytest_audioparity.audio.scoring import score
from pytest_audioparity.audio.signals import rate_of
from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    from pytest_audioparity.audio.records import Score

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A pair and what is asked for.

    Attributes
    ----------
    reference, estimate : a file, or samples that nobody else changes
    sample_rate : Hz, never None where there is an array; files have their own, which must agree where it is given
    pesq : as in `score`
    keyed : whether the key of the score is wanted as well
    """

    reference: Path | Array
    estimate: Path | Array
    sample_rate: int | None
    pesq: bool
    keyed: bool = False

    @property
    def size_bytes(self) -> int:
        """What it takes in memory as long as it waits."""
        return sum(side.nbytes for side in (self.reference, self.estimate) if isinstance(side, np.ndarray))

    @property
    def lacks_rate(self) -> bool:
        """Whether it has an array and no rate."""
        return self.sample_rate is None and not all(isinstance(side, Path) for side in (self.reference, self.estimate))

    def key(self) -> str | None:
        """Return the key of its score, from the files' bytes, not decoded; None where they cannot be read from here."""
        try:
            reference, estimate = (_digest(side) for side in (self.reference, self.estimate))
        except OSError:
            return None
        return cache_key(reference, estimate, sample_rate=self.sample_rate, pesq=self.pesq)


@dataclass(frozen=True, slots=True)
class Scored:
    """A score with its key, or the problem in its place."""

    result: Score | None
    problem: str | None = None
    key: str | None = None


def job_of(reference: Any, estimate: Any, *, sample_rate: Any, pesq: bool, keyed: bool) -> Job:
    """Make a job of two sides, each a path or an array, of which a copy is taken.

    Raises
    ------
    StageError : no array, or no usable sample rate
    """
    rate = None if sample_rate is None else rate_of(sample_rate)
    left, right = _side(reference, "reference"), _side(estimate, "estimate")
    return Job(left, right, rate, pesq, keyed)


def run_job(job: Job) -> Scored:
    """Score a pair.

    Raises
    ------
    StageError : a file that cannot be read, several channels, two sample rates
    """
    (left, left_rate, left_digest), (right, right_rate, right_digest) = (
        _loaded(side, job) for side in (job.reference, job.estimate)
    )
    if left_rate != right_rate:
        raise StageError(
            f"{_name(job.reference)} has {left_rate} Hz and {_name(job.estimate)} {right_rate} Hz; nothing is "
            "resampled silently: convert one of them, or correct the rate in its header"
        )
    result = score(left, right, sample_rate=left_rate, pesq=job.pesq)
    # Of the bytes that were decoded: the files may have changed since they were looked up.
    key = cache_key(left_digest, right_digest, sample_rate=job.sample_rate, pesq=job.pesq) if job.keyed else None
    return Scored(result, key=key)


def score_once(job: Job, cache: ScoreCache | None) -> Score:
    """Return the score of a keyed job from a cache, else score it and keep the score there.

    Raises
    ------
    StageError : as `run_job`
    """
    key = job.key() if cache is not None else None
    if cache is not None and key is not None and (found := cache.get(key)) is not None:
        return found
    done = run_job(job)
    assert done.result is not None
    if cache is not None and done.key is not None:
        cache.put(done.key, done.result)
    return done.result


def cached_score(reference: Any, estimate: Any, *, sample_rate: float, pesq: bool, cache: Path | None) -> Score:
    """Score an estimate as `score` does, unless a folder has its score already.

    Parameters
    ----------
    reference, estimate, sample_rate, pesq : as in `score`
    cache : the folder, which is made when the first score is kept; None scores anew

    Raises
    ------
    StageError : as `score`, or the folder is a file
    """
    if cache is None:
        return score(reference, estimate, sample_rate=sample_rate, pesq=pesq)
    folder = ScoreCache(cache)
    return score_once(job_of(reference, estimate, sample_rate=rate_of(sample_rate), pesq=pesq, keyed=True), folder)


def _side(value: Any, name: str) -> Path | Array:
    if isinstance(value, str | os.PathLike):
        return Path(value)
    # The next pair may come in the same buffer, and its array from a library that the worker does not have.
    return snapshot(as_array(value, name))


def _digest(side: Path | Array) -> str:
    return file_digest(side.read_bytes()) if isinstance(side, Path) else array_digest(side)


def _name(side: Path | Array) -> str:
    return str(side) if isinstance(side, Path) else "the array"


def _loaded(side: Path | Array, job: Job) -> tuple[Array, int, str]:
    """Return samples, sample rate, and the digest if it is wanted."""
    if isinstance(side, Path):
        content = content_of(side)
        samples, rate = decoded(side, content)
        if job.sample_rate not in (None, rate):
            raise StageError(f"{side} has {rate} Hz, and sample_rate={job.sample_rate} was given; correct one of them")
        return samples, rate, file_digest(content) if job.keyed else ""
    assert job.sample_rate is not None
    return side, job.sample_rate, array_digest(side) if job.keyed else ""
