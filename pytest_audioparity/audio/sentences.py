"""Whether a clip says a given sentence, rather than a decoy or no words at all: a closed set, by pocketsphinx.

A grammar always hears one of its sentences, in noise too, so that winning among decoys proves little: of speech whose
frames were reversed, the true sentence still beats every decoy. It must also explain the audio about as well as
the best sequence of any of the 39 sounds of English does, and falls behind it where speech is garbled. `docs/audio.md`
has how often that is right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_audioparity.audio.decoys import DECOYS
from pytest_audioparity.audio.recognition import NotRecognisedError, default_recogniser, heard
from pytest_audioparity.audio.signals import rate_of
from pytest_audioparity.audio.transcripts import normalised
from pytest_audioparity.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Iterable

# Measured on 16 clips of about 8 voices, in nats per frame: where all words are lost (10 kinds of changes, 160 cases)
# the sentence stands 0.51 and more behind any sounds; where they are kept by codecs, reverberation, tempo, pitch, a
# vocoder or clipping (320 cases), 0.29 behind at most, but for one clip by Opus at its lowest rate. The decoder carried
# its noise removal from clip to clip then; the six clips of `docs/audio.md`, measured without that, agree.
SOUNDS_AHEAD = 0.35


@dataclass(frozen=True, slots=True)
class Said:
    """Whether a sentence was said. True only when it was, so that ``assert says(...)`` means what it says.

    Attributes
    ----------
    sentence : as it was looked for, normalised
    said : None where it was not measured
    over_decoys, over_sounds : by how much the sentence explains the audio better than the best decoy, and than the best
        sequence of sounds: logarithm of the ratio of the likelihoods, in nats per 10 ms of the sentence without its
        pauses. Said is what is ahead of the decoys and no more than 0.35 behind the sounds. Minus infinity where the
        sentence cannot be heard in it at all, plus infinity where only the other cannot; None where not measured
    likeliest_decoy : the best decoy, None where none can be heard
    implementation : what recognised, with its version
    not_measured : why it was not measured, else None
    """

    sentence: str
    said: bool | None
    over_decoys: float | None
    over_sounds: float | None
    likeliest_decoy: str | None
    implementation: str
    not_measured: str | None = None

    def __bool__(self) -> bool:
        """Be true only when the sentence was said."""
        return self.said is True

    @property
    def text(self) -> str:
        """The result in one line."""
        if self.said is None:
            return f"not measured: {self.not_measured}"
        if self.said:
            return f"says '{self.sentence}'"
        if self.over_sounds == -math.inf:
            return f"'{self.sentence}' cannot be heard in it"
        if self.over_decoys is not None and self.over_decoys <= 0:
            return (
                f"'{self.likeliest_decoy}' is likelier than '{self.sentence}' ({self.over_decoys:.2f} nats per frame)"
            )
        return f"any sounds are likelier than '{self.sentence}' ({self.over_sounds:.2f} nats per frame)"


def says(estimate: Any, *, sentence: str, sample_rate: float, decoys: Iterable[str] | None = None) -> Said:
    """Say whether a clip says a sentence.

    It is far surer than the words of a free recognition, and needs no reference, but it is for whole sentences: one
    word lost of many may go unnoticed. English, with the words of pocketsphinx's dictionary.

    Parameters
    ----------
    estimate : one channel as `score` takes it
    sentence : what should be said
    sample_rate : Hz, 16 000 at least
    decoys : other sentences of similar length, best such as the model could confuse; None takes 30 of our own

    Raises
    ------
    StageError : no audio, a sentence without words, no decoy that differs from it, pocketsphinx is not installed
    """
    rate = rate_of(sample_rate)
    recogniser = default_recogniser()
    wanted = normalised(sentence)
    rivals = [text for text in map(normalised, DECOYS if decoys is None else decoys) if text not in ("", wanted)]
    if not wanted:
        raise StageError(f"says: the sentence {sentence!r} has no words")
    if not rivals:
        raise StageError("says: give decoys that differ from the sentence")
    name = recogniser.implementation(rate)
    problem, samples = heard(estimate, rate, "estimate")
    if problem is None:
        try:
            told = recogniser.ask(samples, rate, {"sentence": wanted, "rivals": rivals})
            problem = _problem(told)
        except NotRecognisedError as error:
            problem = str(error)
    if problem is not None:
        return Said(wanted, None, None, None, None, name, problem)
    decoy, sounds = (_ahead(told, other) for other in ("rivals", "any sounds"))
    return Said(wanted, decoy > 0 and sounds > -SOUNDS_AHEAD, decoy, sounds, told["rival"], name)


def _problem(told: dict[str, Any]) -> str | None:
    if told.get("unknown"):
        return f"not in pocketsphinx's dictionary: {', '.join(told['unknown'])}"
    if told["any sounds"] is None:
        return "pocketsphinx finds no sounds in it"
    return None


def _ahead(told: dict[str, Any], other: str) -> float:
    """Return how far the sentence is ahead, per frame."""
    if told["sentence"] is None:
        return -math.inf
    return math.inf if told[other] is None else float(told["sentence"] - told[other]) / float(told["frames"])
