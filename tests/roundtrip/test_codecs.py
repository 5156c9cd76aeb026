"""Real codecs through the round trip: healthy rates pass, the order of quality is kept, delays are found."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import soundfile

from pytest_audioparity import check_roundtrip
from pytest_audioparity.roundtrip.speech import clips_of
from tests.roundtrip.codecs import codec2, mp3, of_lc3, of_soundfile

# Codec2 draws the phases of unvoiced speech from a generator that all instances of a process share.
RANDOM = ["stale_state", "leaked_state"]
PHASE_FREE = {"delay_samples": 154, "skip": RANDOM}
needs_codec2 = pytest.mark.skipif(find_spec("pycodec2") is None, reason="pycodec2 needs Python 3.11 and numpy 2")


def pass_through(pair, rate, **more):
    encode, decode = pair
    return check_roundtrip(encode=encode, decode=decode, sample_rate=rate, **more)


@pytest.mark.parametrize(
    ("pair", "rate", "more"),
    [
        pytest.param(of_soundfile("OGG", "OPUS", 24_000), 24_000, {"min_pesq_wb": 4.0, "min_stoi": 0.95}, id="opus"),
        pytest.param(of_soundfile("OGG", "OPUS", 48_000, compression_level=0.85), 48_000, {}, id="opus-13k"),
        pytest.param(of_soundfile("OGG", "VORBIS", 44_100), 44_100, {"min_pesq_wb": 4.0}, id="vorbis"),
        pytest.param(of_soundfile("MP3", "MPEG_LAYER_III", 16_000), 16_000, {"min_pesq_wb": 3.5}, id="mp3-with-header"),
        pytest.param(of_lc3(16_000, 40), 16_000, {"min_pesq_wb": 4.0}, id="lc3-32k"),
        pytest.param(of_lc3(16_000, 20), 16_000, {"min_pesq_wb": 3.4}, id="lc3-16k"),
        pytest.param(
            codec2(3200),
            8_000,
            {"delay_samples": 154, "skip": RANDOM, "min_stoi": 0.8},
            id="codec2-3.2k",
            marks=needs_codec2,
        ),
        pytest.param(
            codec2(1300),
            8_000,
            {"delay_samples": 154, "skip": RANDOM, "min_stoi": 0.7},
            id="codec2-1.3k",
            marks=needs_codec2,
        ),
        pytest.param(of_soundfile("WAV", "GSM610", 8_000), 8_000, {"min_pesq_nb": 3.5}, id="gsm"),
        pytest.param(of_soundfile("WAV", "ULAW", 8_000), 8_000, {"min_pesq_nb": 4.0}, id="mu-law"),
        pytest.param(of_soundfile("FLAC", "PCM_16", 22_050), 22_050, {"min_snr": 60}, id="flac"),
    ],
)
def test_a_healthy_codec_passes(pair, rate, more):
    """Codecs at rates that people use keep the words of the built-in speech, and nothing else is held against them."""
    result = pass_through(pair, rate, **more)
    assert result, str(result)
    assert result.audio_verdict in ("ok", "degraded")
    assert [name for name, _ in result.clips] == ["librivox_0890", "arctic_a0007", "praatio_mary"]


def test_a_decoder_for_each_chunk_is_told_by_where_it_begins():
    """The overlap that is lost at each boundary fits no cause but that the second chunk lacks a state."""
    encode, decode = of_lc3(16_000, 40)

    def by_chunk(frames, size):
        yield from (decode(frames[at : at + size]) for at in range(0, len(frames), size))

    clip = clips_of(None, 16_000)[0].samples
    result = pass_through((encode, decode), 16_000, clips=clip, decode_stream=by_chunk, skip=["words"])
    streaming = next(check for check in result.checks if check.name == "streaming")
    assert "which is where chunk 2 starts: is its state kept?" in streaming.message
    assert [(finding.code, finding.detail["from"]) for finding in streaming.findings] == [("diverges_from", 160)]


def test_the_delay_of_a_bare_mp3_stream_is_found(mary):
    """1105 samples: 576 + 529 of LAME's encoder and a decoder, which a player takes from a header that is not there."""
    result = pass_through(mp3(16_000, 64), 16_000, clips={"mary": mary})
    delay = next(check for check in result.failed if check.name == "delay")
    assert delay.detail["delay_samples"] == 1105
    assert delay.message == "mary: 1105 samples (69.1 ms), 0 declared; if the codec is so: delay_samples=1105"
    assert {check.name for check in result.failed} <= {"delay", "length"}


def test_a_delay_that_is_declared_passes(mary):
    """With the delay declared nothing is late, and the scores are those of the codec."""
    result = pass_through(mp3(16_000, 64), 16_000, clips={"mary": mary}, delay_samples=1105, min_pesq_wb=4)
    assert result, str(result)


def test_a_delay_that_is_not_there_fails(mary):
    """What is declared late and is not is early."""
    result = pass_through(of_soundfile("FLAC", "PCM_16", 16_000), 16_000, clips={"m": mary}, delay_samples=1105)
    assert "delay" in [check.name for check in result.failed]


def test_more_bits_are_not_worse(mary, cards):
    """Of one codec PESQ goes with the rate: LC3 from 16 to 48 kb/s, Opus from its lowest to its highest."""
    clips = {"mary": mary, "cards": cards}
    lc3 = [pass_through(of_lc3(16_000, size), 16_000, clips=clips) for size in (20, 30, 60)]
    opus = [
        pass_through(of_soundfile("OGG", "OPUS", 16_000, compression_level=level), 16_000, clips=clips)
        for level in (1.0, 0.9, 0.3)
    ]
    for results in (lc3, opus):
        scores = [sum(score.pesq_wb for _, score in result.clips) for result in results]
        assert scores == sorted(scores)
        assert scores[-1] - scores[0] > 0.5


@needs_codec2
def test_codec2_keeps_state_that_every_instance_shares(mary):
    """The generator of its random phases goes on from call to call: a real case of stale state."""
    result = pass_through(codec2(3200), 8_000, delay_samples=154)
    assert {check.name for check in result.failed} == set(RANDOM)


def test_clips_come_from_files_too(mary, tmp_path):
    """Paths are read and resampled to the codec's rate, which the result says; one of stereo is refused."""
    path = tmp_path / "mary.wav"
    soundfile.write(path, mary, 16_000)
    result = pass_through(of_soundfile("FLAC", "PCM_16", 24_000), 24_000, clips=[path])
    assert result, str(result)
    assert "resampled: mary from 16000 Hz" in result.about
