"""The verdict on each kind of change of real speech; `python -m tests.audio.verdicts` says how often it is right."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from pytest_audioparity import score
from pytest_audioparity.audio.levels import clipped_share
from pytest_audioparity.audio.records import VERDICTS
from tests.audio.changes import istft, stft, stretched
from tests.audio.kinds import CHANGES
from tests.audio.verdicts import SPEECH, case_of, read_clips

CLIPS = read_clips([SPEECH])
SENTENCE = next(clip for clip in CLIPS if clip.name.startswith("librivox"))


def judged(reference, estimate, rate=16_000):
    return score(reference, estimate, sample_rate=rate, pesq=False)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_each_change_of_a_sentence_gets_its_verdict(change):
    case = case_of(SENTENCE, change, CLIPS)
    assert case.result.verdict in change.verdicts, case.result.findings


def test_the_table_of_changes_covers_every_verdict():
    assert {verdict for change in CHANGES for verdict in change.verdicts} == set(VERDICTS)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_voice_an_octave_off_says_the_same(speech, factor):
    spectrum, bins = stft(speech, 1024, 128), np.arange(513)
    moved = np.array([np.interp(bins / factor, bins, row, right=0) for row in np.abs(spectrum)])
    for _ in range(10):  # Griffin and Lim
        spectrum = stft(istft(moved * np.exp(1j * np.angle(spectrum)), 1024, 128, speech.size), 1024, 128)
    result = judged(speech, istft(moved * np.exp(1j * np.angle(spectrum)), 1024, 128, speech.size))
    assert result.verdict in ("degraded", "misaligned")
    assert result.aligned_by == "warp"


@pytest.mark.parametrize(
    ("true", "played"),
    [
        (24_000, 22_050),
        (22_050, 24_000),
        (16_000, 24_000),
        (48_000, 44_100),
        (8_000, 16_000),
        (24_000, 48_000),
        (48_000, 24_000),
    ],
)
def test_a_wrong_rate_is_named_where_the_scorer_knows_the_played_one(speech, true, played):
    recorded = soxr.resample(speech, 16_000, true)
    result = judged(soxr.resample(speech, 16_000, played), recorded, played)
    assert result.verdict == "misaligned"
    assert result.findings[0].detail["true_rate"] == true
    assert result.findings[0].detail["played_rate"] == played


def test_a_wrong_rate_is_named_where_the_lengths_were_made_equal(speech):
    """A port that plays 24 kHz as 22.05 kHz and cuts the result to the length of the reference."""
    result = judged(speech, soxr.resample(speech, 22_050, 24_000)[: speech.size])
    assert result.findings[0].detail["true_rate"] == 24_000


def test_five_percent_of_tempo_is_measured(speech):
    result = judged(speech, stretched(speech, 1.05, 16_000))
    assert result.verdict == "misaligned"
    assert result.findings[0].detail["tempo"] == pytest.approx(1.05, abs=0.01)
    assert result.findings[0].detail["pitch"] == 1


@pytest.mark.parametrize("length", ["its own", "filled"])
@pytest.mark.parametrize("longer", [0.65, 0.8, 1.25, 1.5])
def test_what_a_synthesiser_says_at_another_speed_is_understood(speech, longer, length):
    """Another tempo, and another speed that is no ratio of two rates; silence may stand behind."""
    for spoken, pitch in ((stretched(speech, longer, 16_000), 1), (soxr.resample(speech, 1, longer), 1 / longer)):
        result = judged(speech, spoken if length == "its own" else np.pad(spoken, (0, 20_000)))
        assert result.verdict == "misaligned"
        assert result.findings[0].detail["tempo"] == pytest.approx(longer, rel=0.01)
        assert result.findings[0].detail["pitch"] == pytest.approx(pitch, rel=0.01)


@pytest.mark.parametrize("longer", [1.3, 1.65])
def test_of_what_is_slower_and_was_cut_the_words_at_the_end_are_lost(speech, longer):
    result = judged(speech, soxr.resample(speech, 1, longer)[: speech.size])
    assert result.verdict == "garbled"
    ((start, end),) = result.garbled_seconds
    seconds = speech.size / 16_000
    assert start == pytest.approx(seconds / longer, abs=0.25)
    assert end == pytest.approx(seconds, abs=0.3)
    (tempo,) = (finding for finding in result.findings if finding.code == "misaligned")
    assert tempo.detail["tempo"] == pytest.approx(longer, rel=0.01)


def test_lost_words_are_found_at_their_seconds_in_a_minute_of_speech(speech):
    long = np.tile(speech, 18)
    spoilt = long.copy()
    at = slice(30 * 16_000, 30 * 16_000 + 8000)
    spoilt[at] = spoilt[at][::-1]
    result = judged(long, spoilt)
    assert result.verdict == "garbled"
    assert len(result.garbled_seconds) == 1
    start, end = result.garbled_seconds[0]
    assert start == pytest.approx(30, abs=0.25)
    assert end == pytest.approx(30.5, abs=0.25)


def test_breath_that_a_compressor_raises_is_no_word_put_into_a_pause(speech, random):
    """But another sound in its place is, as loud as that."""
    breath = random.standard_normal((2, 6400)) * np.hanning(6400) * np.sqrt(np.mean(speech**2)) * 0.5
    reference, louder, other = (np.insert(speech, 26_000, sound) for sound in (breath[0] / 30, *breath))
    assert judged(reference, louder).verdict not in ("garbled", "wrong_content")
    assert judged(reference, other).verdict == "wrong_content"


@pytest.mark.parametrize("hertz", [50, 60, 100])
def test_a_hum_below_speech_is_no_word_put_into_a_pause(speech, hertz):
    """It is in the pauses as in the words, below the bands that say how much steady noise there is."""
    reference = np.insert(speech, 26_000, np.zeros(16_000))
    hum = np.sqrt(0.2 * np.mean(speech**2)) * np.sin(2 * np.pi * hertz * np.arange(reference.size) / 16_000)
    assert judged(reference, reference + hum).verdict in ("ok", "degraded", "level_changed")


def test_a_vowel_that_does_not_end_is_invented_and_the_tail_of_a_reverberation_is_not(speech):
    """Neither rises; the vowel goes on where the last word is."""
    spoken = speech[: 3 * 16_000 - 4000]
    time = np.arange(spoken.size, spoken.size + 16_000) / 16_000
    vowel = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20)) * np.sqrt(np.mean(spoken[-800:] ** 2))
    reference = np.pad(spoken, (0, time.size))
    endless, tail = (np.concatenate([spoken, sound]) for sound in (vowel, vowel * 10 ** (-3 * (time - time[0]) / 1.5)))
    assert judged(reference, endless).verdict == "wrong_content"
    assert judged(reference, tail).verdict not in ("garbled", "wrong_content")


def test_speech_before_the_beginning_is_invented(speech, mary):
    other = soxr.resample(mary, 48_000, 16_000)
    result = judged(speech, np.concatenate([other[4000:16_000], speech]))
    assert result.verdict == "wrong_content"
    assert result.invented_seconds[0][0] < 0


def test_garbled_audio_shows_its_statistics_beside_the_lost_words(speech, random):
    frames = speech[: speech.size // 1280 * 1280].reshape(-1, 1280)
    result = judged(frames.ravel(), frames[random.permutation(len(frames))].ravel())
    assert result.verdict == "garbled"
    assert result.findings[0].detail["statistics_look_like_speech"]
    assert result.estoi < 0.3


def test_the_verdict_does_not_depend_on_pesq(speech, random, needs):
    needs("pesq")
    noisy = speech + 0.02 * random.standard_normal(speech.size)
    assert score(speech, noisy, sample_rate=16_000).verdict == judged(speech, noisy).verdict


def test_better_and_worse_verdicts_compare():
    result = judged(SENTENCE.samples, SENTENCE.samples / 2)
    assert result.verdict == "level_changed"
    assert result.is_at_least("level_changed")
    assert result.is_at_least("garbled")
    assert not result.is_at_least("ok")


def test_coarse_quantisation_is_no_clipping(speech):
    assert clipped_share(np.round(speech * 8) / 8) == 0
    assert clipped_share(np.clip(speech, -0.1, 0.1)) > 0.01
    assert clipped_share(speech) == 0
    assert clipped_share(np.zeros(10)) == 0
