"""Every fault does what its name says, and nothing else."""

import heldout
import numpy as np
import pytest
from codec import CODEBOOK_SIZE, CODEBOOKS, HOP, Codec
from faults import NAMES, faulty, make_codec

CLIPS = dict(heldout.clips())
CARDS = CLIPS["pocketsphinx_cards_002"]
CODEC = Codec()
CODES = CODEC.encode(CARDS)
DECODED = CODEC.decode(CODES)
NO_WORDS = 0.2  # ESTOI; words that survive have 0.54 and more
HEALTHY = heldout.round_trip(CODEC, CARDS, pesq=False)


def joined(pieces):
    return np.concatenate(list(pieces))


def test_no_fault_is_the_codec():
    assert np.array_equal(make_codec(None).decode(CODES), DECODED)
    assert make_codec(NAMES[0]).__class__ is faulty(NAMES[0]).__class__


def test_an_unknown_fault_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no fault 'stale'; there are stale_state, "):
        faulty("stale")


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("name", ["stale_state", "reset_per_chunk"])
def test_a_wrong_state_loses_the_words_and_keeps_the_statistics(name, clip):
    result = heldout.round_trip(faulty(name), CLIPS[clip], pesq=False)
    assert result.verdict == "garbled"
    assert result.estoi < NO_WORDS
    # What a wrong state plays has the spectrum of the voices in training; this speaker's own is further from it.
    assert result.findings[0].detail["statistics_look_like_speech"] == (clip != "praatio_mary")


def test_a_wrong_state_stays_wrong():
    codes = CODEC.encode(joined(CLIPS.values()))
    decoded = [codec.decode(codes)[-CARDS.size :] for codec in (CODEC, faulty("stale_state"))]
    assert abs(np.corrcoef(decoded)[0, 1]) < 0.3


def test_a_kept_state_changes_the_second_call():
    codec = faulty("stale_state")
    assert not np.allclose(codec.decode(CODES), codec.decode(CODES), atol=0.01)


@pytest.mark.parametrize("chunk_frames", [1, 4, 16])
def test_a_state_that_is_reset_shows_in_the_stream(chunk_frames):
    codec = faulty("reset_per_chunk")
    streamed = joined(codec.decode_stream(CODES, chunk_frames))
    assert np.array_equal(streamed[:HOP], DECODED[:HOP])
    assert not np.allclose(streamed, DECODED, atol=0.01)
    assert np.array_equal(joined(codec.decode_stream(CODES, CODES.shape[1])), DECODED)


@pytest.mark.parametrize("name", ["codebook_count", "swapped_codebooks", "delay_pattern"])
def test_codes_that_are_read_wrongly_lose_the_words(name):
    codec = faulty(name)
    assert heldout.round_trip(codec, CARDS, pesq=False).verdict == "garbled"
    codes = codec.encode(CARDS)
    assert np.array_equal(joined(codec.decode_stream(codes, 7)), codec.decode(codes))


def test_half_of_the_codebooks_are_written():
    assert np.array_equal(faulty("codebook_count").encode(CARDS), CODES[: CODEBOOKS // 2])


def test_codes_out_of_range_sound_right():
    codec = faulty("codes_out_of_range")
    codes = codec.encode(CARDS)
    assert codes.max() >= CODEBOOK_SIZE
    assert np.array_equal(codec.decode(codes), DECODED)


def test_without_tanh_overdriven_speech_leaves_full_scale():
    loud = CARDS * 3 / np.max(np.abs(CARDS))
    codes = CODEC.encode(loud)
    bounded, unbounded = CODEC.decode(codes), faulty("missing_tanh").decode(codes)
    assert np.max(np.abs(bounded)) < 1 < np.max(np.abs(unbounded))
    assert np.tanh(unbounded) == pytest.approx(bounded, abs=1e-6)


def test_a_constant_is_added():
    result = heldout.round_trip(faulty("dc_offset"), CARDS, pesq=False)
    assert result.dc_offset - HEALTHY.dc_offset == pytest.approx(0.05, abs=1e-4)
    assert result.estoi == pytest.approx(HEALTHY.estoi, abs=0.01)


def test_a_scale_is_lost():
    result = heldout.round_trip(faulty("scaled_down"), CARDS, pesq=False)
    assert result.level_db - HEALTHY.level_db == pytest.approx(-20 * np.log10(200), abs=0.01)
    assert result.estoi == pytest.approx(HEALTHY.estoi, abs=0.01)
