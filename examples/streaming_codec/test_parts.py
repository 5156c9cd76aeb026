"""What the round trip does not ask: the streams sample by sample, the weights."""

import heldout
import numpy as np
import pytest
from codec import CODEBOOK_SIZE, CODEBOOKS, HOP, WEIGHTS, Codec
from safetensors import safe_open

CLIPS = dict(heldout.clips())
CARDS, LIBRIVOX = CLIPS["pocketsphinx_cards_002"], CLIPS["librivox_sense_and_sensibility_0930"]
CODEC = Codec()
CODES = CODEC.encode(CARDS)

# What the weights reach on the speech of this repository's tests, less a little.
MIN_STOI, MIN_ESTOI = 0.85, 0.75
LEVEL_DB, DC_OFFSET = 1.5, 0.005  # a LibriVox clip has a DC of 0.004 itself, which the codec leaves out
# float64 inside, float32 outside: chunks of another size may round the last place differently.
ROUNDING = 1e-6


def joined(pieces):
    return np.concatenate(list(pieces))


@pytest.mark.parametrize("name", CLIPS)
def test_held_out_speech_keeps_its_words(name):
    result = heldout.round_trip(CODEC, CLIPS[name], pesq=False)
    assert result.stoi >= MIN_STOI
    assert result.estoi >= MIN_ESTOI
    assert abs(result.level_db) < LEVEL_DB
    assert abs(result.dc_offset) < DC_OFFSET
    assert result.lag_samples == 0


@pytest.mark.parametrize("chunk_frames", [1, 2, 3, 7, CODES.shape[1]])
def test_decoding_in_chunks_gives_the_whole_clip(chunk_frames):
    assert joined(CODEC.decode_stream(CODES, chunk_frames)) == pytest.approx(CODEC.decode(CODES), abs=ROUNDING)


@pytest.mark.parametrize("chunk_samples", [1, 80, HOP, 333, 4000])
def test_encoding_in_chunks_gives_the_same_codes(chunk_samples):
    short = CARDS[4000:8000]
    assert np.array_equal(CODEC.encode_stream(short, chunk_samples), CODEC.encode(short))


def test_a_call_does_not_know_of_the_calls_before_it():
    before = CODEC.decode(CODES)
    CODEC.decode(CODEC.encode(LIBRIVOX))
    assert np.array_equal(CODEC.encode(CARDS), CODES)
    assert np.array_equal(CODEC.decode(CODES), before)


def test_two_streams_do_not_mix():
    one, two = CODEC.decoder(), CODEC.decoder()
    pieces = []
    for frame in range(20):
        pieces.append(one.push(CODES[:, frame : frame + 1]))
        two.push(CODES[:, 40 + frame : 41 + frame])
    assert np.array_equal(joined(pieces), CODEC.decode(CODES[:, :20]))


def test_the_decoder_never_looks_ahead():
    changed = CODES.copy()
    changed[:, 50:] = 0
    assert np.array_equal(CODEC.decode(changed)[: 50 * HOP], CODEC.decode(CODES)[: 50 * HOP])


def test_the_encoder_never_looks_ahead():
    changed = CARDS.copy()
    changed[50 * HOP :] = 0
    assert np.array_equal(CODEC.encode(changed)[:, :50], CODES[:, :50])


@pytest.mark.parametrize("samples", [1, HOP - 1, HOP, HOP + 1])
def test_the_last_frame_is_filled_up_with_zeros(samples):
    audio = CARDS[4000 : 4000 + samples]
    frames = -(-samples // HOP)
    assert np.array_equal(CODEC.encode(audio), CODEC.encode(np.pad(audio, (0, frames * HOP - samples))))
    assert CODEC.decode(CODEC.encode(audio)).shape == (frames * HOP,)


def test_no_audio_has_no_frames():
    codes = CODEC.encode(np.zeros(0, np.float32))
    assert codes.shape == (CODEBOOKS, 0)
    assert CODEC.decode(codes).shape == (0,)
    assert list(CODEC.decode_stream(codes, 1)) == []


def test_the_types_are_the_same_whole_and_in_chunks():
    assert CODES.dtype == np.int64
    assert CODEC.decode(CODES).dtype == np.float32
    assert {piece.dtype.name for piece in CODEC.decode_stream(CODES, 3)} == {"float32"}


def test_every_codebook_is_used():
    codes = np.concatenate([CODEC.encode(clip) for clip in CLIPS.values()], axis=1)
    assert codes.min() >= 0
    assert codes.max() < CODEBOOK_SIZE
    assert min(np.unique(row).size for row in codes) > CODEBOOK_SIZE / 4


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (np.zeros((1, 160), np.float32), r"float32 of shape \(1, 160\)"),
        (np.zeros(160, np.int16), "int16"),
        (np.full(160, np.nan, np.float32), "not finite"),
    ],
)
def test_audio_that_is_none_is_refused(audio, message):
    with pytest.raises(ValueError, match=message):
        CODEC.encode(audio)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (CODES[:-1], rf"shape \({CODEBOOKS - 1}, "),
        (CODES.astype(np.float32), "float32"),
        (np.full((CODEBOOKS, 1), CODEBOOK_SIZE), f"{CODEBOOK_SIZE}..{CODEBOOK_SIZE}"),
        (np.full((CODEBOOKS, 1), -1), "-1..-1"),
    ],
)
def test_codes_that_are_none_are_refused(codes, message):
    with pytest.raises(ValueError, match=message):
        CODEC.decode(codes)


def test_the_weights_are_small_and_say_how_they_were_made():
    assert WEIGHTS.stat().st_size <= 2_000_000
    with safe_open(WEIGHTS, "numpy") as file:
        note = file.metadata()
        assert {file.get_tensor(name).dtype.name for name in file.keys()} == {"float16"}  # noqa: SIM118
    assert {"made_by", "trained_on", "license"} <= note.keys()
