"""The example codec through the round trip: healthy it passes, and each of its faults is caught and named."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from pytest_audioparity import check_roundtrip
from pytest_audioparity.roundtrip import causes

SPEECH = Path(__file__).parents[1] / "data" / "speech" / "librivox_sense_and_sensibility_0930.wav"
# fault -> the checks that fail, the verdict on the audio, and what is said of the cause
FAULTS = {
    "stale_state": (
        {"stale_state", "fresh_instance", "streaming", "words"},
        "garbled",
        "was it cloned or used before?",
    ),
    "reset_per_chunk": ({"streaming", "words"}, "garbled", "which is where chunk 2 starts: is its state kept?"),
    "codebook_count": ({"codebooks", "words"}, "garbled", "16 codebooks, 32 are declared"),
    "swapped_codebooks": ({"words"}, "garbled", "codebooks 0 and 1 are exchanged between encode and decode"),
    "delay_pattern": ({"words"}, "garbled", "a delay pattern was not undone"),
    "codes_out_of_range": ({"codes_in_range"}, "degraded", "are not in the codebook"),
    "missing_tanh": ({"bounded"}, "degraded", "is a tanh or a clamp missing?"),
    "dc_offset": ({"bounded", "dc"}, "degraded", "of full scale is added, at most"),
    "scaled_down": ({"level"}, "degraded", "the level is -46."),
}


def round_trip(fault, **more):
    from codec import CODEBOOK_SIZE, CODEBOOKS, SAMPLE_RATE
    from faults import make_codec

    codec = make_codec(fault)
    return check_roundtrip(
        encode=codec.encode,
        decode=codec.decode,
        decode_stream=codec.decode_stream,
        encode_stream=codec.encode_stream,
        fresh=lambda: make_codec(fault),
        sample_rate=SAMPLE_RATE,
        codebooks=CODEBOOKS,
        codebook_size=CODEBOOK_SIZE,
        max_peak=1.0,
        **more,
    )


def test_the_healthy_codec_passes_on_the_built_in_speech():
    """None of these clips was trained on; every check is made."""
    result = round_trip(None, min_stoi=0.85)
    assert result, str(result)
    assert len(result.checks) == 21
    assert result.audio_verdict == "degraded"


@pytest.fixture
def _patient(monkeypatch):
    """Let the search for causes end, however busy the machine is."""
    monkeypatch.setattr(causes, "_PATIENCE_SECONDS", 3600.0)


@pytest.mark.usefixtures("_patient")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught_and_named(fault):
    """The checks that are about the fault fail, and the words of the report name it.

    Of a wrong state, level, dynamics and spectrum look like speech; that stands beside the words that are gone.
    """
    checks, verdict, told = FAULTS[fault]
    result = round_trip(fault, clips={"librivox": soundfile.read(SPEECH)[0]})
    failed = {check.name for check in result.failed}
    assert checks <= failed, str(result)
    assert result.audio_verdict == verdict
    assert told in str(result)
    if verdict != "garbled":
        assert failed == checks, str(result)
    if fault in ("stale_state", "reset_per_chunk"):
        words = next(check for check in result.failed if check.name == "words")
        assert "garbled: words are lost: ESTOI" in words.message
        assert "the statistics look like speech" in words.message
        assert words.findings[0].detail["statistics_look_like_speech"]


def test_a_stream_that_alone_loses_its_state_says_that_it_starts_at_a_chunk_boundary():
    """Decoding at once is right; the words are lost from the second chunk on."""
    from codec import CODEBOOK_SIZE, CODEBOOKS, SAMPLE_RATE
    from faults import make_codec

    codec, server = make_codec(None), make_codec("reset_per_chunk")
    result = check_roundtrip(
        encode=codec.encode,
        decode=codec.decode,
        decode_stream=server.decode_stream,
        sample_rate=SAMPLE_RATE,
        codebooks=CODEBOOKS,
        codebook_size=CODEBOOK_SIZE,
        clips=SPEECH,
    )
    words = next(check for check in result.failed if check.name == "words")
    assert words.message.startswith("chunks of 1: garbled: ")
    assert words.message.endswith("; the loss starts at a chunk boundary")
    assert words.detail["starts_at_boundary"]
    assert result.audio_verdict == "garbled"
