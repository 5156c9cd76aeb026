"""The process in which pocketsphinx runs, whose C code ends its process on some inputs.

A question is a line of JSON, and after it the samples: one channel of 16-bit integers at 16 kHz. With `sentences` and
`rivals` in the JSON it asks how well either explains the audio, else for the words. The answer is JSON.
"""

from __future__ import annotations

import functools
import json
import math
from typing import TYPE_CHECKING, Any

from pytest_audioparity.audio.worker_process import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RATE = 16_000
# Scores come as powers of 1.0001, whose exponent counts steps of 2¹⁰ of itself; a step in nats:
_BASE = 1.0001
_NATS_PER_STEP = 2**10 * math.log(_BASE)
# The phones of the model's dictionary.
_CMUDICT = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
_PHONES = _CMUDICT.split()
_SOUNDS = "any sounds"
_FILLERS = "<[("  # <sil>, [NOISE], (NULL)


def main() -> None:
    """Answer questions until the input ends."""
    serve(_load)


def _load() -> Callable[[bytes], bytes]:
    import pocketsphinx  # noqa: F401 - a wrong installation shows at once

    def answer(question: bytes) -> bytes:
        head, _, samples = question.partition(b"\n")
        asked = json.loads(head)
        try:
            told = explained(samples, **asked) if "sentence" in asked else {"text": _text(samples)}
        except (RuntimeError, ValueError) as error:
            told = {"error": str(error)}
        return json.dumps(told).encode()

    return answer


def _text(samples: bytes) -> str:
    hypothesis = _heard(_listener(), samples).hyp()
    return "" if hypothesis is None else str(hypothesis.hypstr)


def explained(samples: bytes, *, sentence: str, rivals: Sequence[str]) -> dict[str, Any]:
    """Say how well one sentence, the best of its rivals, and the best sequence of sounds explain the audio.

    Each is the logarithm of a likelihood in nats, None where there is no way to hear it so. `frames` are those in which
    the sentence speaks, of 10 ms: silence is explained by all alike.
    """
    judge = _judge()
    unknown = [word for text in (sentence, *rivals) for word in text.split() if judge.lookup_word(word) is None]
    if unknown:
        return {"unknown": sorted(set(unknown))}
    for name, texts in (("sentence", [sentence]), ("rivals", rivals)):
        judge.add_jsgf_string(name, _grammar(" | ".join(texts)))
    told: dict[str, Any] = {}
    for name in ("sentence", "rivals", _SOUNDS):
        judge.activate_search(name)
        hypothesis = _heard(judge, samples).hyp()
        steps = None if hypothesis is None else round(math.log(hypothesis.score) / math.log(_BASE))
        told[name] = None if steps is None else steps * _NATS_PER_STEP
        if name == "rivals":
            told["rival"] = None if hypothesis is None else hypothesis.hypstr
        if name == "sentence" and hypothesis is not None:
            spoken = (segment for segment in judge.seg() if segment.word[0] not in _FILLERS)
            told["frames"] = sum(segment.end_frame - segment.start_frame + 1 for segment in spoken)
    return told


def _heard(decoder: Any, samples: bytes) -> Any:
    decoder.reinit_feat()  # else its noise removal goes on from the clip before, and equal clips give other words
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)  # whole: the cepstral mean is then that of this clip alone
    decoder.end_utt()
    return decoder


@functools.lru_cache(maxsize=1)
def _listener() -> Any:
    from pocketsphinx import Decoder

    return Decoder(samprate=RATE, loglevel="FATAL")


@functools.lru_cache(maxsize=1)
def _judge() -> Any:
    """Return a decoder whose scores can be compared across grammars.

    All states are computed in every frame, since scores count from the best of those that are. Grammar and length of
    the path cost nothing (`lw`, `wip`), so that only sounds decide.
    """
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=RATE, loglevel="FATAL", lm=None, compallsen=True, lw=1.0, wip=1.0, bestpath=False)
    for phone in _PHONES:
        decoder.add_word(_word(phone), phone, phone == _PHONES[-1])  # the last one rebuilds the dictionary
    decoder.add_jsgf_string(_SOUNDS, _grammar(f"( {' | '.join(map(_word, _PHONES))} )+"))
    return decoder


def _word(phone: str) -> str:
    return f"sound_{phone.lower()}"


def _grammar(rule: str) -> str:
    return f"#JSGF V1.0;\ngrammar said;\npublic <said> = {rule} ;\n"
