"""Free recognition: real speech by pocketsphinx, a project's own recogniser, and what is not measured."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import soundfile
import soxr

from pytest_audioparity import NotRecognisedError, StageError, compare_words
from pytest_audioparity.audio import transcripts
from pytest_audioparity.audio.recognition import PocketSphinx, default_recogniser, recognise
from tests.audio.kinds import CHANGES
from tests.audio.recognised import TRANSCRIPTS
from tests.audio.verdicts import SPEECH

SENTENCE = TRANSCRIPTS["librivox_sense_and_sensibility_0930"]
MAKE = {change.name: change.make for change in CHANGES}


@pytest.fixture(autouse=True)
def _installed(needs):
    needs("pocketsphinx")
    needs("jiwer")


@pytest.fixture(scope="module")
def cards():
    return soundfile.read(SPEECH / "pocketsphinx_cards_002.wav")[0]


def same(text):
    """Return a recogniser that hears one text in everything."""
    return lambda *_: text


def test_a_clean_sentence_is_heard(speech):
    found = recognise(speech, sample_rate=16_000)
    assert "he might even have been made" in found.text
    assert found.implementation.startswith("pocketsphinx ")
    assert found.not_measured is None


def test_a_clip_is_heard_the_same_whatever_was_heard_before_it(speech, mary, cards):
    """The noise removal of pocketsphinx goes on from clip to clip unless it is told not to."""
    narrow = soxr.resample(mary, 48_000, 16_000)
    heard = []
    for order in ((0, 1, 2), (2, 1, 0)):
        recogniser = PocketSphinx()
        clips = [cards, narrow, speech]
        texts = {i: recogniser(clips[i].astype(np.float32), 16_000) for i in order}
        recogniser.close()
        heard.append([texts[i] for i in range(3)])
    assert heard[0] == heard[1]


def test_level_offset_and_type_do_not_matter(cards):
    texts = {
        recognise(side, sample_rate=16_000).text
        for side in (cards, cards * 0.01 + 0.3, (cards * 2**31).astype("int32")[None])
    }
    assert len(texts) == 1


def test_other_rates_are_resampled_and_that_is_told(mary):
    found = recognise(mary, sample_rate=48_000)
    assert "barrel" in found.text
    assert "from 48000 to 16000 Hz by soxr" in found.implementation


def test_a_codec_keeps_the_words_and_noise_under_the_envelope_loses_them(speech, random):
    kept = compare_words(speech, MAKE["Opus, high rate"](speech, 16_000, random, []), sample_rate=16_000)
    lost = compare_words(speech, MAKE["noise under the envelope"](speech, 16_000, random, []), sample_rate=16_000)
    assert kept.wer <= 0.25
    assert lost.wer >= 0.9
    assert (kept.truth, kept.reference_wer, kept.wer_rise) == ("reference", 0, kept.wer)


def test_the_recognisers_own_errors_are_not_the_codecs(cards):
    """It hears "for queen of clubs" in the clean clip: one error of four, and no rise."""
    found = compare_words(cards, cards.copy(), sample_rate=16_000, transcript="Four queen of clubs.")
    assert found.wer == found.reference_wer == 0.25
    assert found.wer_rise == 0
    assert "'for queen of clubs' for 'four queen of clubs'" in found.text


def test_a_project_brings_its_own_recogniser(speech):
    def hears(samples, sample_rate):
        assert (samples.dtype, samples.shape, sample_rate) == (np.float32, speech.shape, 16_000)
        return "He might even!" if samples[9000] == np.float32(speech[9000]) else "he might not"

    found = compare_words(speech, speech / 2, sample_rate=16_000, recogniser=hears)
    assert found.wer == pytest.approx(1 / 3)
    assert "hears" in found.estimate.implementation


def test_characters_are_counted_where_asked(speech):
    found = compare_words(
        speech, speech, sample_rate=16_000, transcript="今日は良い", recogniser=same("今日は 良"), unit="characters"
    )
    assert found.wer == pytest.approx(1 / 5)


def test_a_recogniser_may_refuse_a_clip(speech):
    def refuses(samples, sample_rate):
        raise NotRecognisedError("two speakers at once")

    found = compare_words(speech, speech, sample_rate=16_000, recogniser=refuses)
    assert found.wer is None
    assert found.not_measured == "reference: two speakers at once"
    assert recognise(speech, sample_rate=16_000, recogniser=refuses).not_measured == "two speakers at once"


def test_a_reference_that_is_not_understood_allows_no_rise(speech):
    """Else a recogniser that understands nothing passes everything."""
    found = compare_words(speech, speech, sample_rate=16_000, transcript=SENTENCE, recogniser=same("he"))
    assert found.wer == found.reference_wer == 7 / 8
    assert found.wer_rise is None
    assert "no rise can be told" in found.rise_not_measured


def test_a_reference_in_which_nothing_is_heard_is_no_truth(speech):
    found = compare_words(speech, speech, sample_rate=16_000, recogniser=same(""))
    assert found.not_measured == "no words are recognised in the reference"


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (np.zeros(16_000), "the estimate is silent"),
        (np.full(16_000, 0.3), "the estimate is silent"),
        (np.ones(100), "the estimate is too short: 0.01 s"),
        ([], "the estimate is too short"),
        (np.full(16_000, np.nan), "16000 values of the estimate are not finite"),
    ],
)
def test_what_cannot_be_heard_is_not_measured_with_its_reason(speech, spoilt, words):
    found = compare_words(speech, spoilt, sample_rate=16_000, recogniser=same("any"))
    assert found.wer is None
    assert words in found.not_measured
    assert found.text.startswith("not measured: ")


def test_an_estimate_80_db_down_is_silent(speech):
    found = compare_words(speech, speech * 1e-5, sample_rate=16_000, recogniser=same("any"))
    assert found.not_measured == "the estimate is silent"


def test_narrow_audio_is_not_for_the_default(speech):
    found = recognise(speech[::2], sample_rate=8000)
    assert found.not_measured == "8000 Hz is too low: pocketsphinx needs 16000 Hz"


@pytest.mark.parametrize("samples", [1600, 1601, 2500, 4001])
def test_short_pieces_and_noise_come_back(random, samples):
    assert isinstance(recognise(random.standard_normal(samples), sample_rate=16_000).text, str)


def test_a_crash_is_not_measured_and_the_next_clip_is_heard(speech, monkeypatch):
    recogniser = PocketSphinx()
    first = recogniser(speech.astype(np.float32), 16_000)
    recogniser._worker._process.kill()
    recogniser._worker._process.wait()
    broken = recognise(speech / 2, sample_rate=16_000, recogniser=recogniser)
    assert broken.text is None
    assert "pocketsphinx's C code ended its process" in broken.not_measured
    assert recognise(speech / 2, sample_rate=16_000, recogniser=recogniser).text == first
    recogniser.close()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"transcript": "..."}, "has no words"),
        ({"unit": "phones"}, "none of words, characters"),
        ({"recogniser": lambda *_: b"he"}, "returned bytes, not text"),
    ],
)
def test_misuse_is_refused_in_one_line(speech, given, words):
    with pytest.raises(StageError, match=words):
        compare_words(speech, speech, sample_rate=16_000, **given)


def test_without_the_package_one_line_says_what_to_install(speech, monkeypatch):
    monkeypatch.setattr(transcripts.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr("pytest_audioparity.audio.recognition._DEFAULT", [])
    with pytest.raises(StageError, match=r"pocketsphinx is not installed: pip install 'pytest-audioparity\[asr\]'"):
        recognise(speech, sample_rate=16_000)


def test_the_default_is_one_for_all_and_loads_nothing_here():
    assert default_recogniser() is default_recogniser()
    code = (
        "import sys\nfrom pytest_audioparity.audio.recognition import default_recogniser\ndefault_recogniser()\n"
        "loaded = {'pocketsphinx', 'jiwer', 'soxr', 'soundfile', 'scipy'} & set(sys.modules)\nassert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
