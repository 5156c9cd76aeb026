"""Scoring audio: one clip beside `pesq` and `pystoi` called by hand; many clips on all cores, and from a cache."""

from __future__ import annotations

import functools
import importlib.util
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.sizes import Sizes
from benchmarks.tables import milliseconds, note, ratio, section, table
from benchmarks.timing import Rounds, measure
from pytest_audioparity import score, score_many

Array = np.ndarray[Any, Any]
Pair = tuple[Array, Array]

RATE = 16_000
_SECONDS = 5
_SPEECH = Path(__file__).parents[1] / "tests" / "data" / "speech"
_HAS_PEERS = all(importlib.util.find_spec(name) is not None for name in ("pesq", "pystoi"))
_ABSENT = "pesq or pystoi is not installed: nothing to compare with; pip install 'pytest-audioparity[pesq]'"

_ALL, _TWO = "`pesq` wide and narrow + `pystoi` STOI and ESTOI", "`pesq` wide + `pystoi` STOI"
_OK, _GARBLED = "a good codec (Opus)", "garbled (reversed in pieces of 0.1 s)"


def run(sizes: Sizes) -> str:
    """Measure one clip at a time, then many."""
    if not _HAS_PEERS:
        return section("scoring", note(_ABSENT))
    return "\n\n".join((_one_clip(sizes), _many_clips(sizes)))


def by_hand(pair: Pair, *, everything: bool) -> None:
    """Call the two packages on a pair that is aligned already."""
    from pesq import pesq
    from pystoi import stoi

    reference, estimate = pair
    pesq(RATE, reference, estimate, "wb")
    stoi(reference, estimate, RATE)
    if everything:
        pesq(RATE, reference, estimate, "nb")
        stoi(reference, estimate, RATE, extended=True)


def _one_clip(sizes: Sizes) -> str:
    rows = []
    for title, pair in ((_OK, (clip(), _opus(clip()))), (_GARBLED, (clip(), _garbled(clip())))):
        calls: dict[str, Callable[[], object]] = {
            _ALL: functools.partial(by_hand, pair, everything=True),
            _TWO: functools.partial(by_hand, pair, everything=False),
            "`score`": functools.partial(score, *pair, sample_rate=RATE),
            "`score`, `pesq=False`": functools.partial(score, *pair, sample_rate=RATE, pesq=False),
        }
        rounds = measure(calls, rounds=sizes.rounds)
        rows += [(f"{title}: {name}", *_cells(rounds, name)) for name in rounds.names]
    return section(
        f"scoring: one clip of {_SECONDS} s at {RATE // 1000} kHz, warm",
        table(("", "ms", "/ all four numbers by hand", "/ two numbers by hand"), rows),
        note("`score` runs PESQ in a process of its own beside everything else, and measures eleven numbers more"),
    )


def _cells(rounds: Rounds, name: str) -> tuple[str, str, str]:
    return milliseconds(rounds.median(name)), ratio(rounds.ratio(name, _ALL)), ratio(rounds.ratio(name, _TWO))


def _many_clips(sizes: Sizes) -> str:
    with tempfile.TemporaryDirectory() as name:
        filled = Path(name) / "scores"
        files = _written(Path(name), sizes.clips)
        pairs = list(_pairs(sizes.clips))
        list(score_many(files, cache=filled))
        list(score_many(pairs, sample_rate=RATE, cache=filled))
        loop = "a loop of `score`"
        calls: dict[str, Callable[[], object]] = {
            "a loop of the packages, all four numbers": lambda: [by_hand(pair, everything=True) for pair in pairs],
            f"{loop}, one core": functools.partial(_on_one_core, pairs),
            f"{loop}": functools.partial(_loop, pairs),
            "`score_many`": lambda: _consume(score_many(iter(pairs), sample_rate=RATE)),
            "`score_many` from the cache": lambda: _consume(score_many(pairs, sample_rate=RATE, cache=filled)),
            "`score_many` of files": lambda: _consume(score_many(files)),
            "`score_many` of files from the cache": lambda: _consume(score_many(files, cache=filled)),
        }
        rounds = measure(calls, rounds=sizes.many_rounds, warm_up=0)
    bases = rounds.names[:3]
    rows = [
        (name, milliseconds(rounds.median(name)), *(ratio(1 / rounds.ratio(name, base)) for base in bases))
        for name in rounds.names
    ]
    head = ("", "ms", "times as fast as the packages", "… as `score` on one core", "… as a loop of `score`")
    return section(
        f"scoring: {sizes.clips} clips of {_SECONDS} s",
        table(head, rows),
        note("the start of the processes is part of `score_many`; on one core, PESQ's process has to share it"),
    )


def _loop(pairs: Iterable[Pair]) -> None:
    for pair in pairs:
        score(*pair, sample_rate=RATE)


def _on_one_core(pairs: Iterable[Pair]) -> None:
    """Score in a new process that may use one core, where the system can say so."""
    if not hasattr(os, "fork"):
        _loop(pairs)
        return
    child = os.fork()
    if child == 0:
        try:
            if hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
            _loop(pairs)
            os._exit(0)
        finally:
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("the loop on one core failed")


def _consume(items: Iterable[Any]) -> None:
    problems = [item.problem for item in items if item.result is None]
    if problems:
        raise RuntimeError(problems[0])


@functools.cache
def clip() -> Array:
    """Return 5 s of speech: two recordings of one rate, one after the other."""
    names = ("librivox_sense_and_sensibility_0930.wav", "pocketsphinx_cards_002.wav")
    parts = [soundfile.read(_SPEECH / name) for name in names]
    assert {rate for _, rate in parts} == {RATE}
    return np.resize(np.concatenate([samples for samples, _ in parts]), _SECONDS * RATE)


def _opus(samples: Array) -> Array:
    content = io.BytesIO()
    soundfile.write(content, samples, RATE, format="OGG", subtype="OPUS", compression_level=0.6)
    content.seek(0)
    return np.resize(soundfile.read(content)[0], samples.size)


def _garbled(samples: Array) -> Array:
    size = RATE // 10
    return np.concatenate([samples[at : at + size][::-1] for at in range(0, samples.size, size)])


def _pairs(count: int) -> Iterator[Pair]:
    """Make pairs that all differ: the same speech, moved round, through a codec."""
    decoded = _opus(clip())
    for number in range(count):
        move = number * 53
        yield np.roll(clip(), move), np.roll(decoded, move)


def _written(folder: Path, count: int) -> list[tuple[Path, Path]]:
    files = []
    for number, pair in enumerate(_pairs(count)):
        files.append((folder / f"{number}_reference.wav", folder / f"{number}_estimate.wav"))
        for path, samples in zip(files[-1], pair, strict=True):
            soundfile.write(path, samples, RATE)
    return files
