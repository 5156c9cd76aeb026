"""The library as scripts and unittest use it: results are records whose fields have types."""

# ruff: noqa: F821 - reveal_type is the checkers' own

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from pytest_audioparity import (
    Item,
    NotRecognisedError,
    ParityError,
    Recogniser,
    Said,
    SamplerResult,
    Score,
    WordsResult,
    assert_parity,
    assert_sampler,
    assert_weights_match,
    check_output,
    check_roundtrip,
    compare,
    compare_weights,
    compare_words,
    open_weights,
    says,
    score,
    score_many,
)

# Of two overloads, mypy takes neither for an argument of type Any, as numpy's functions return it.
SIGNAL: NDArray[np.float64] = np.sin(np.arange(16_000.0))
STAGES: Mapping[str, object] = {"mel": SIGNAL}

one = compare(SIGNAL, SIGNAL, axes="T", kind="log_spectrum", unit="ln", actual_axes="T", tol_db=0.1)
reveal_type(one)  # R: StageResult
reveal_type(one.verdict)  # R: Literal['pass', 'fail', 'not_measured']
reveal_type(one.deviation_db)  # R: float | None
reveal_type(one.comparison)  # R: Comparison | None
reveal_type(one.findings[0].code)  # R: str
reveal_type(one.tolerance.tol_db)  # R: float | None

many = compare(STAGES, STAGES, stages={"mel": {"tol_db": 0.1, "words": "any"}})
reveal_type(many)  # R: ParityResult
reveal_type(many.stages)  # R: tuple[StageResult, ...]
reveal_type(many.first_divergence)  # R: str | None
assert_parity(SIGNAL, SIGNAL, tol_db=None, atol=1e-5, rtol=1e-5)

clip = score(SIGNAL, SIGNAL, sample_rate=16_000)
reveal_type(clip)  # R: Score
reveal_type(clip.estoi)  # R: float | None
reveal_type(clip.garbled_seconds)  # R: tuple[tuple[float, float], ...]
reveal_type(clip.measures["stoi"].unit)  # R: str
pairs: list[tuple[str, object, object]] = [("a", SIGNAL, SIGNAL)]
reveal_type(score_many(pairs, sample_rate=16_000))  # R: Iterator[Item]


def scored(item: Item) -> Score | None:
    return item.result


class Whisper:
    def __call__(self, samples: np.ndarray[tuple[int], np.dtype[np.float32]], sample_rate: int, /) -> str:
        if not samples.size:
            raise NotRecognisedError("nothing to hear")
        return str(sample_rate)


recogniser: Recogniser = Whisper()
words: WordsResult = compare_words(SIGNAL, SIGNAL, sample_rate=16_000, recogniser=recogniser, unit="characters")
said: Said = says(SIGNAL, sentence="hello world", sample_rate=16_000)
reveal_type(words.wer_rise)  # R: float | None

reveal_type(check_output(SIGNAL, SIGNAL, min_si_sdr=10).failed)  # R: tuple[CheckResult, ...]
trip = check_roundtrip(encode=np.asarray, decode=np.asarray, sample_rate=16_000, min_stoi=0.9, recogniser=recogniser)
reveal_type(trip.clips)  # R: tuple[tuple[str, Score | None], ...]

weights = compare_weights("model.pt", {"w": SIGNAL}, precision="fp16", only=["encoder.*"])
reveal_type(weights.matches[0].matched)  # R: str | None
reveal_type(open_weights("model.pt").weights[0].shape)  # R: tuple[int, ...]
assert_weights_match("model.pt", "model.onnx", precision="int8")


def draw(logits: object) -> int:
    return len(str(logits))


drawn: SamplerResult = assert_sampler(
    draw, [0.1, 0.2], temperature=0.8, top_k=50, order=("top_k", "top_p", "temperature")
)
reveal_type(drawn.cannot_exclude)  # R: tuple[str, ...]


def lines(error: ParityError) -> Iterator[str]:
    yield from str(error).splitlines()
