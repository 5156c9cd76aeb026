"""The closed set: the true sentence wins where the words survive, and never where they are lost."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soundfile

from pytest_audioparity import StageError, says
from pytest_audioparity.audio.decoys import DECOYS
from tests.audio.kinds import CHANGES
from tests.audio.recognised import RATE, TRANSCRIPTS, estimate_of
from tests.audio.verdicts import SPEECH, Clip, read_clips

SENTENCE = TRANSCRIPTS["librivox_sense_and_sensibility_0930"]
KEPT = ("unchanged", "Opus, lowest rate", "Vorbis", "MP3", "reverberation", "tempo", "pitch")
LOST = (
    "frames shuffled",
    "frames reversed",
    "every second frame repeats",
    "backwards",
    "noise under the envelope",
    "noise of the same statistics",
    "random tokens",
    "noise at -15 dB",
    "other words",
)


@pytest.fixture(autouse=True)
def _installed(needs):
    needs("pocketsphinx")


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return read_clips([SPEECH])


def said(clip, change, clips):
    return says(estimate_of(clip, change, clips), sentence=TRANSCRIPTS[clip.name], sample_rate=RATE)


@pytest.mark.parametrize("change", [c for c in CHANGES if c.name in KEPT], ids=lambda c: c.name)
def test_the_sentence_is_said_where_the_words_are_kept(clips, change):
    for clip in clips:
        found = said(clip, change, clips)
        assert found, f"{clip.name}: {found.text}"


@pytest.mark.parametrize("change", [c for c in CHANGES if c.name in LOST], ids=lambda c: c.name)
def test_no_sentence_is_said_where_the_words_are_lost(clips, change):
    for clip in clips:
        found = said(clip, change, clips)
        assert found.said is False, f"{clip.name}: {found}"


def test_all_kinds_that_this_file_names_are_there():
    assert {*KEPT, *LOST} <= {change.name for change in CHANGES}


def test_the_true_sentence_beats_one_that_differs_in_a_word(speech):
    other = "he might even have been made terrible himself"
    assert says(speech, sentence=SENTENCE, sample_rate=16_000, decoys=[other])
    found = says(speech, sentence=other, sample_rate=16_000, decoys=[SENTENCE])
    assert found.said is False
    assert found.likeliest_decoy == SENTENCE
    assert found.over_decoys < 0
    assert f"'{SENTENCE}' is likelier than" in found.text


def test_a_decoy_is_beaten_by_any_sounds_though_it_beats_the_other_decoys(speech):
    """Of sentences none of which is said, one always wins: only the sounds refuse it."""
    best = says(speech, sentence=SENTENCE, sample_rate=16_000).likeliest_decoy
    found = says(speech, sentence=best, sample_rate=16_000, decoys=[d for d in DECOYS if d != best])
    assert found.over_decoys > 0
    assert found.over_sounds < 0
    assert not found
    assert "any sounds are likelier" in found.text


def test_a_sentence_too_long_for_the_clip_cannot_be_heard(speech):
    found = says(speech[:9600], sentence=SENTENCE, sample_rate=16_000)
    assert found.said is False
    assert found.over_sounds == -math.inf
    assert "cannot be heard" in found.text


def test_the_same_clip_gives_the_same_numbers(speech, random):
    first = says(speech, sentence=SENTENCE, sample_rate=16_000)
    says(random.standard_normal(16_000), sentence=SENTENCE, sample_rate=16_000)
    assert says(speech, sentence=SENTENCE, sample_rate=16_000) == first


@pytest.mark.parametrize(
    ("samples", "sentence", "words"),
    [
        (None, "Gregsson said 5", "not in pocketsphinx's dictionary: 5, gregsson"),
        (np.zeros(16_000), SENTENCE, "the estimate is silent"),
        (np.ones(99), SENTENCE, "too short"),
    ],
)
def test_what_cannot_be_said_is_not_measured_with_its_reason(speech, samples, sentence, words):
    found = says(speech if samples is None else samples, sentence=sentence, sample_rate=16_000)
    assert found.said is None
    assert not found
    assert words in found.not_measured
    assert found.text == f"not measured: {found.not_measured}"


def test_a_word_of_a_decoy_must_be_known_too(speech):
    found = says(speech, sentence=SENTENCE, sample_rate=16_000, decoys=["gregsson sleeps"])
    assert found.not_measured == "not in pocketsphinx's dictionary: gregsson"


@pytest.mark.parametrize(
    ("sentence", "decoys", "words"),
    [("?", None, "has no words"), (SENTENCE, [SENTENCE.upper()], "give decoys that differ"), ("go", [], "give decoys")],
)
def test_misuse_is_refused_in_one_line(speech, sentence, decoys, words):
    with pytest.raises(StageError, match=words):
        says(speech, sentence=sentence, sample_rate=16_000, decoys=decoys)


def test_the_decoys_are_sentences_that_the_dictionary_knows():
    found = says(
        soundfile.read(SPEECH / "pocketsphinx_cards_002.wav")[0], sentence="four queen of clubs", sample_rate=16_000
    )
    assert found.not_measured is None
    assert len(set(DECOYS)) == len(DECOYS) == 30
