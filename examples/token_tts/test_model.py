"""What the golden does not ask: that it is speech, that it is sampled, and that the example is what its README says."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from safetensors import safe_open
from token_layout import CODEBOOKS, END, HOP, SAMPLE_RATE, characters
from token_model import WEIGHTS, Speaker, distribution
from token_port import Port
from token_spoken import FIRST_FRAME, MARGIN, RECORDING, TEXT, steady_uniforms

from pytest_audioparity import score

SPEAKER = Speaker()
UNIFORMS = steady_uniforms()
SPOKEN = SPEAKER.speak(TEXT, UNIFORMS)
MIN_ESTOI = 0.7  # of the recording, coded with drawn codes; the codec itself reaches 0.87 on it


def heard(codes):
    return np.concatenate(list(SPEAKER.speech(codes)))


def recording(frames):
    return soundfile.read(RECORDING, dtype="float32")[0][FIRST_FRAME * HOP :][: frames * HOP]


@pytest.mark.parametrize("seed", [None, 11])
def test_the_words_survive_the_sampler(seed):
    """Other random numbers give other codes of the same words."""
    codes = SPOKEN.codes
    if seed is not None:
        codes = SPEAKER.speak(TEXT, np.random.default_rng(seed).random(UNIFORMS.shape, np.float32)).codes
        assert np.mean(codes == SPOKEN.codes) < 0.5
    result = score(recording(codes.shape[1]), heard(codes), sample_rate=SAMPLE_RATE, pesq=False)
    assert result.estoi >= MIN_ESTOI, str(result)
    assert result.verdict == "degraded"


def test_it_says_what_it_is_given():
    frames = SPEAKER.speak("four", UNIFORMS).codes.shape[1]
    assert frames < SPOKEN.codes.shape[1] / 2


def test_reading_back_gives_what_speaking_gave():
    back = SPEAKER.read_back(TEXT, SPOKEN.codes)
    assert np.array_equal(back.logits, SPOKEN.logits)
    assert np.array_equal(back.codes, SPOKEN.codes)


def test_codebook_0_says_end_in_the_pause_and_the_others_do_not():
    ends = SPOKEN.codes == END
    assert 0 < ends[0].sum() < ends.shape[1] / 10
    assert not ends[1:].any()


@pytest.mark.parametrize("frames", [1, 4, 1000])
def test_the_chunk_does_not_change_the_speech(frames):
    chunks = list(Speaker(replace(SPEAKER.settings, chunk_size=frames)).speech(SPOKEN.codes))
    assert np.concatenate(chunks) == pytest.approx(heard(SPOKEN.codes), abs=1e-6)


def test_no_random_number_is_so_near_an_edge_that_rounding_draws_another_code():
    """The port's logits are a little different; the edges of its tokens move by less than half of what is kept free."""
    settings = SPEAKER.settings
    for logits, others in zip(SPOKEN.logits, np.array(Port().read_back(TEXT, SPOKEN.codes)), strict=True):
        for book in range(CODEBOOKS):
            edges = [distribution(side[book], settings.temperature, settings.top_k) for side in (logits, others)]
            assert np.abs(edges[0] - edges[1]).max() < MARGIN / 2


@pytest.mark.parametrize(("text", "message"), [("Four", "'F'"), ("", "0 characters"), ("a" * 33, "33 characters")])
def test_a_text_that_it_cannot_read_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        characters(text)


def test_the_weights_are_small_and_say_how_they_were_made():
    assert WEIGHTS.stat().st_size <= 1_000_000
    with safe_open(WEIGHTS, "numpy") as file:
        assert {"made_by", "trained_on", "license"} <= file.metadata().keys()
        assert {file.get_tensor(name).dtype.name for name in file.keys()} == {"float16"}  # noqa: SIM118
    assert SPOKEN.codes.shape[0] == CODEBOOKS
