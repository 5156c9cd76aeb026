"""Scoring audio: one clip beside `pesq` and `pystoi` called by hand; many clips on all cores, and from a cache."""

from __future__ import annotations

import functools
import importlib.util
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import soundfile

from benchmarks.sizes import Sizes
from benchmarks.tables import milliseconds, note, ratio, section, table
from benchmarks.timing import Rounds, measure_by, processor_seconds
from pytest_audioparity import score, score_many
from pytest_audioparity.audio.measures import UNITS

Array = np.ndarray[Any, Any]
Pair = tuple[Array, Array]

RATE = 16_000
_SECONDS = 5
_SPEECH = Path(__file__).parents[1] / "tests" / "data" / "speech"
_HAS_PEERS = all(importlib.util.find_spec(name) is not None for name in ("pesq", "pystoi"))
_ABSENT = "pesq or pystoi is not installed: nothing to compare with; pip install 'pytest-audioparity[pesq]'"

_ALL, _TWO = "`pesq` wide and narrow + `pystoi` STOI and ESTOI", "`pesq` wide + `pystoi` STOI"
_FOUR_LOOP, _TWO_LOOP = _BASES = "a loop of all four numbers by hand", "a loop of two numbers by hand"
_SCORE_LOOP = "a loop of `score`"
_BOTH_CORES = ("`score_many`", "`score_many`, `pesq=False`", "`score_many` of files")
# Numbers of `score` beside STOI, ESTOI and both of PESQ.
_MORE = len(UNITS) - 4
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
        by_clock = measure_by((perf_counter, processor_seconds), calls, rounds=sizes.rounds)
        rows += [(f"{title}: {name}", *_cells(by_clock, name)) for name in calls]
    return section(
        f"scoring: one clip of {_SECONDS} s at {RATE // 1000} kHz, warm",
        table(("", "ms", "/ four", "/ two", "CPU ms", "/ four", "/ two"), rows),
        note("four: all four numbers by hand; two: PESQ wide and STOI. CPU ms: processor time of both processes"),
        note(f"`score` runs PESQ in a process of its own beside everything else, and measures {_MORE} numbers more"),
    )


def _cells(by_clock: tuple[Rounds, ...], name: str) -> Iterator[str]:
    for rounds in by_clock:
        yield milliseconds(rounds.median(name))
        yield from (ratio(rounds.ratio(name, base)) for base in (_ALL, _TWO))


def _many_clips(sizes: Sizes) -> str:
    with tempfile.TemporaryDirectory() as name:
        filled = Path(name) / "scores"
        files = _written(Path(name), sizes.clips)
        pairs = list(_pairs(sizes.clips))
        list(score_many(files, cache=filled))
        list(score_many(pairs, sample_rate=RATE, cache=filled))
        calls: dict[str, Callable[[], object]] = {
            _FOUR_LOOP: lambda: [by_hand(pair, everything=True) for pair in pairs],
            _TWO_LOOP: lambda: [by_hand(pair, everything=False) for pair in pairs],
            _SCORE_LOOP: functools.partial(_loop, pairs),
            _BOTH_CORES[0]: lambda: _consume(score_many(iter(pairs), sample_rate=RATE)),
            _BOTH_CORES[1]: lambda: _consume(score_many(iter(pairs), sample_rate=RATE, pesq=False)),
            "`score_many` from the cache": lambda: _consume(score_many(pairs, sample_rate=RATE, cache=filled)),
            _BOTH_CORES[2]: lambda: _consume(score_many(files)),
            "`score_many` of files from the cache": lambda: _consume(score_many(files, cache=filled)),
        }
        rounds, processor = measure_by((perf_counter, processor_seconds), calls, rounds=sizes.many_rounds, warm_up=0)
    rows = [
        (
            name,
            milliseconds(rounds.median(name)),
            milliseconds(processor.median(name)),
            *_gains(rounds, processor, name),
        )
        for name in rounds.names
    ]
    head = ("", "ms", "CPU ms", "as fast as four: wall", "two idle cores", "as fast as two: wall", "two idle cores")
    return section(
        f"scoring: {sizes.clips} clips of {_SECONDS} s",
        table(head, rows),
        note(
            "times as fast as a loop of the packages over all four numbers, or over two (PESQ wide, STOI). CPU ms: "
            "processor time of all processes, their start included. Two idle cores: the loop's processor time by half "
            "of the row's, which is what two cores give that do nothing else; from the cache one core works, so by "
            "all of it. Wall is what the machine gave in this run"
        ),
    )


def _gains(rounds: Rounds, processor: Rounds, name: str) -> Iterator[str]:
    """Write how many times as fast as each loop it is: by wall time, and on two idle cores."""
    for base in _BASES:
        yield ratio(1 / rounds.ratio(name, base))
        # The loop of `score` has one clip at a time: PESQ beside the rest, which takes less. Neither figure is its own.
        yield "–" if name == _SCORE_LOOP else ratio((2 if name in _BOTH_CORES else 1) / processor.ratio(name, base))


def _loop(pairs: Iterable[Pair]) -> None:
    for pair in pairs:
        score(*pair, sample_rate=RATE)


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
