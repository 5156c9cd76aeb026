"""Each check of the round trip: a fault that it catches by its name, and a healthy codec that passes all of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pytest_audioparity import StageError, check_roundtrip
from pytest_audioparity.roundtrip.limits import CHECKS
from tests.roundtrip.logpcm import FRAME, RATE, LogPcm


@pytest.fixture
def judge(mary, cards):
    """Send two clips through a codec; return the result, and of the checks that do not pass message by name."""

    def judge(codec, **more):
        given = {
            "encode": codec.encode,
            "decode": codec.decode,
            "decode_stream": codec.decode_stream,
            "encode_stream": codec.encode_stream,
            "codebooks": codec.codebooks,
            "codebook_size": codec.codebook_size,
            "fresh": type(codec),
            "sample_rate": RATE,
            "chunk_frames": (10, 80),
            "clips": {"mary": mary, "cards": cards},
        }
        result = check_roundtrip(**{**given, **more})
        return result, {check.name: check.message for check in result.failed}

    return judge


def test_a_healthy_codec_passes_every_check(judge):
    """Log PCM keeps everything; each check was made, once and in the order that is documented."""
    result, failed = judge(LogPcm(), min_stoi=0.95, min_pesq_wb=3)
    assert result, failed
    assert [check.name for check in result.checks] == [*CHECKS, "min_stoi", "min_pesq_wb"]
    assert result.verdict == "pass"
    assert result.audio_verdict == "ok"
    assert str(result) == f"{len(CHECKS) + 2} checks pass"


class Floats(LogPcm):
    def encode(self, audio):
        return super().encode(audio).astype(np.float32)


class OutOfRange(LogPcm):
    def encode(self, audio):
        codes = super().encode(audio)
        codes[3, 5:9] = 16
        return codes


class TooFew(LogPcm):
    """The refinement of each frame's last two samples is not sent."""

    def encode(self, audio):
        return super().encode(audio)[:-2]

    def decode(self, codes):
        return super().decode(np.append(codes, codes[-2:], axis=0))


class IgnoresLast(LogPcm):
    """The decoder was built for two codebooks fewer; the refinement of each frame's last sample goes nowhere."""

    def decode(self, codes):
        codes = np.array(codes)
        codes[-2:] = codes[-4:-2]
        return super().decode(codes)


class IgnoresMiddle(LogPcm):
    """The refinement of one sample of each frame is left out, and of one more."""

    def decode(self, codes):
        codes = np.array(codes)
        codes[[21, 25]] = 8
        return super().decode(codes)


class WrongWay(LogPcm):
    """Time first, where codebooks are expected."""

    def encode(self, audio):
        return LogPcm().encode(audio).T

    def decode(self, codes):
        return LogPcm().decode(codes.T)

    def decode_stream(self, codes, frames):
        return LogPcm().decode_stream(codes.T, frames)

    def encode_stream(self, audio, samples):
        return LogPcm().encode_stream(audio, samples).T


class Stale(LogPcm):
    """What was decoded last leaks into what comes next."""

    last = np.zeros(1)

    def decode(self, codes):
        audio = super().decode(codes)
        mixed = audio + 0.1 * np.resize(self.last, audio.size)
        self.last = audio
        return mixed


class WritesIntoCodes(LogPcm):
    """Undoes an offset in place."""

    def decode(self, codes):
        audio = super().decode(codes)
        codes[0] = 0
        return audio


class Leaky(LogPcm):
    """The loudest clip ever seen scales all that come later."""

    def __init__(self):
        self.peak = 0.0

    def encode(self, audio):
        self.peak = max(self.peak, float(np.abs(audio).max()))
        return super().encode(audio * (0.9 if self.peak > 0.5 else 1.0))


class LoudnessNotSent(LogPcm):
    """The decoder takes from the encoder how loud the clip was, which is not in the codes."""

    gain = 1.0

    def encode(self, audio):
        self.gain = float(np.abs(audio).max())
        return super().encode(audio / self.gain)

    def decode(self, codes):
        return super().decode(codes) * self.gain


class NanWhereLoud(LogPcm):
    """A logarithm of what is beyond full scale."""

    def decode(self, codes):
        audio = super().decode(codes)
        return audio * np.nan if np.abs(audio).max() > 0.95 else audio


class TooSmallIntegers(LogPcm):
    """Codes are stored as bytes."""

    def encode(self, audio):
        return super().encode(audio).astype(np.uint8)

    def decode(self, codes):
        return super().decode(codes.astype(np.int64))


class StaysInStreaming(LogPcm):
    """The decoder streams ever after."""

    level = 1.0

    def decode(self, codes):
        return super().decode(codes) * self.level

    def decode_stream(self, codes, frames):
        self.level = 1.0
        yield from super().decode_stream(codes, frames)
        self.level = 0.5


class StreamWritesIntoCodes(LogPcm):
    """Takes chunks off a queue, and empties it."""

    def decode_stream(self, codes, frames):
        chunks = list(super().decode_stream(codes, frames))
        codes[:] = 0
        return chunks


class StreamsNothing(LogPcm):
    """The size of the chunks is ignored."""

    def decode_stream(self, codes, _):
        yield self.decode(codes)


class ResetPerChunk(LogPcm):
    """A decoder with a smoothing filter that forgets its state at every chunk."""

    def decode(self, codes):
        audio = super().decode(codes)
        return np.convolve(audio, [0.5, 0.5])[: audio.size].astype(np.float32)


class ClicksAtSeams(LogPcm):
    """The first sample of every chunk is a little off, which the average over a clip hides."""

    def decode_stream(self, codes, frames):
        for chunk in super().decode_stream(codes, frames):
            chunk[0] += 8e-4
            yield chunk


class DropsEnd(LogPcm):
    def decode(self, codes):
        return super().decode(codes)[: -FRAME * 40]

    def decode_stream(self, codes, _):
        yield self.decode(codes)


class KeepsTail(LogPcm):
    """The overlap with the next frame is kept in the instance: what the last call ended with is heard in this one."""

    tail = np.zeros(FRAME, np.float32)

    def decode(self, codes):
        audio = super().decode(codes)
        audio[:FRAME] += self.tail
        self.tail = audio[-FRAME:].copy()
        return audio


class StreamKeepsTail(LogPcm):
    """A stream begins with what the stream before it has ended with."""

    tail = np.zeros(FRAME, np.float32)

    def decode_stream(self, codes, frames):
        chunks = list(super().decode_stream(codes, frames))
        chunks[0][:FRAME] += self.tail
        self.tail = chunks[-1][-FRAME:].copy()
        return chunks


class FirstForAll(LogPcm):
    """A table is made from the first clip that is decoded, and kept for all others."""

    peak = None

    def decode(self, codes):
        audio = super().decode(codes)
        self.peak = self.peak or float(np.abs(audio).max())
        return audio * np.float32(0.9 + 0.1 * self.peak)


class WrapsAround(LogPcm):
    """The decoder overshoots by half a dB, and its output is made 16 bits without a clamp."""

    def decode(self, codes):
        return (super().decode(codes) * 1.06 * 32768).astype(np.int64).astype(np.int16)


class ListIgnoresLast(LogPcm):
    """An array for each codebook, of which the last two go nowhere."""

    def encode(self, audio):
        return list(super().encode(audio))

    def decode(self, codes):
        return IgnoresLast().decode(np.stack(codes))


class WaitsThenWrong(LogPcm):
    """The first chunk is empty, as of a decoder that looks ahead, and all samples are wrong."""

    def decode_stream(self, codes, frames):
        yield np.zeros(0, np.float32)
        for chunk in super().decode_stream(codes, frames):
            yield 0.5 * chunk + 0.01


class EncoderDropsEnd(LogPcm):
    """A chunk that is not full is never encoded."""

    def encode_stream(self, audio, samples):
        return super().encode_stream(audio[: audio.size // samples * samples], samples)


class Late(LogPcm):
    def decode(self, codes):
        return np.append(np.zeros(200, np.float32), super().decode(codes)[:-200])


@pytest.mark.parametrize(
    ("codec", "name", "told"),
    [
        (Floats, "codes_integer", "encode returns float32"),
        (OutOfRange, "codes_in_range", "8 of"),
        (TooFew, "codebooks", "38 codebooks, 40 are declared"),
        (IgnoresLast, "codebooks", "40 codebooks are encoded, but decode uses the first 38 only"),
        (IgnoresMiddle, "codebooks", "40 codebooks are encoded, but decode ignores 21, 25 (counted from 0)"),
        (WrongWay, "codebooks", "codebooks, 40 are declared"),
        (Stale, "stale_state", "mary again: the audio differs by"),
        (WritesIntoCodes, "stale_state", "decode changes the codes that it is given"),
        (Leaky, "leaked_state", "mary after cards"),
        (Leaky, "fresh_instance", "the used instance differs from a fresh one"),
        (ResetPerChunk, "streaming", "which is where chunk 2 starts: is its state kept?"),
        (LoudnessNotSent, "leaked_state", "mary decoded after cards was encoded: the audio differs by"),
        (LoudnessNotSent, "fresh_instance", "a fresh instance that has encoded nothing decodes mary otherwise"),
        (NanWhereLoud, "bounded", "mary at full scale: 29920 samples are NaN or infinite"),
        (StaysInStreaming, "streaming", "decode after decode_stream: the audio differs by 6.02 dB"),
        (StreamWritesIntoCodes, "streaming", "decode_stream changes the codes that it is given"),
        (KeepsTail, "leaked_state", "mary after cards, mary turned to end loud: the audio differs by"),
        (StreamKeepsTail, "streaming", "chunks of 80 after another stream: differs by"),
        (WaitsThenWrong, "streaming", "from the first sample on"),
        (FirstForAll, "fresh_instance", "cards comes out otherwise after mary than first of all: the audio differs by"),
        (WrapsAround, "bounded", "do integers wrap around where they should saturate?"),
        (ListIgnoresLast, "codebooks", "40 codebooks are encoded, but decode uses the first 38 only"),
        (EncoderDropsEnd, "stream_encoding", "chunks of 200 samples: codes 40x1490, 40x1496 at once"),
        (StreamsNothing, "seams", "no stream has chunk boundaries"),
        (DropsEnd, "length", "too few: less than a frame of codes ("),
        (Late, "delay", "200 samples (12.5 ms), 0 declared; if the codec is so: delay_samples=200"),
    ],
)
def test_a_fault_is_caught_by_its_check(judge, codec, name, told):
    """The check that is named after a fault fails and says what it found."""
    result, failed = judge(codec())
    assert not result
    assert told in failed[name], failed


def test_a_click_at_the_seams_is_caught_where_the_average_is_fine(judge):
    """Long chunks have few seams: streaming passes, the seams do not."""
    _, failed = judge(ClicksAtSeams(), chunk_frames=[80])
    assert list(failed) == ["seams"]
    assert "at the 18 boundaries" in failed["seams"]


def test_codes_that_are_declared_and_cannot_be_seen_are_refused(mary):
    """Bytes have no codebooks: leaving out what was asked for would look like a pass."""
    with pytest.raises(StageError, match="codes are declared, but there is bytes"):
        check_roundtrip(
            encode=lambda audio: audio.tobytes(),
            decode=lambda data: np.frombuffer(data, np.float32),
            sample_rate=RATE,
            clips=mary,
            codebooks=4,
        )


def test_a_stream_that_is_not_finite_fails_where_streams_may_differ(judge):
    """A project that cannot stream exactly switches `streaming` off, which is no leave for NaN."""

    class NanOnce(LogPcm):
        def decode_stream(self, codes, frames):
            for place, chunk in enumerate(super().decode_stream(codes, frames)):
                yield chunk * np.nan if place == 5 and frames == 80 else chunk

    _, failed = judge(NanOnce(), skip=["streaming", "words"])
    assert failed == {"finite": "mary, chunks of 80: 1600 samples are NaN or infinite"}


def test_codes_that_wrap_around_are_named(judge):
    """Bytes hold 256 codes: of a larger codebook the upper ones would come out as others."""
    _, failed = judge(TooSmallIntegers(), codebook_size=1024)
    assert failed["codes_in_range"] == "codes are uint8, which ends at 255: of 1024 codes the larger ones wrap around"
    assert "codes_in_range" not in judge(TooSmallIntegers(), codebook_size=256)[1]


def test_loudness_that_is_not_sent_shows_with_one_clip_too(judge, mary):
    """The other clip is then itself backwards, at another level."""
    _, failed = judge(LoudnessNotSent(), clips={"mary": mary}, fresh=None)
    assert "leaked_state" in failed


def test_a_decoder_that_needs_its_encoder_first_is_told(judge):
    """What a fresh decoder raises is the answer to the question, and hides no other check."""

    class NeedsEncoder(LogPcm):
        def encode(self, audio):
            self.size = audio.size
            return super().encode(audio)

        def decode(self, codes):
            return super().decode(codes)[: self.size]

    _, failed = judge(NeedsEncoder(), decode_stream=None, frame_samples=FRAME)
    assert "a fresh instance, decoding what it did not encode, raised AttributeError: " in failed["fresh_instance"]
    assert set(failed) == {"fresh_instance", "leaked_state"}


def test_codebooks_of_a_decoder_of_one_length_are_tried_on_whole_clips(judge, mary):
    """A decoder that refuses a part of the codes is no reason to fail, nor to look away."""
    codec = LogPcm()

    def whole(decode):
        def decode_whole(codes):
            if codes.shape[1] != 1496:
                raise ValueError("1496 frames are needed")
            return decode(codes)

        return {"decode": decode_whole, "decode_stream": None, "fresh": None, "clips": {"mary": mary}}

    result, failed = judge(codec, **whole(codec.decode))
    assert result, failed
    _, failed = judge(codec, **whole(IgnoresLast().decode))
    assert failed == {"codebooks": "40 codebooks are encoded, but decode uses the first 38 only"}


def test_several_things_at_once_are_refused(judge):
    """Models return tuples: which of them is the audio, or the codes, is the author's to say."""
    codec = LogPcm()
    with pytest.raises(StageError, match="what decode returned is a tuple of 2; give the audio alone"):
        judge(codec, decode=lambda codes: (codec.decode(codes), RATE))
    with pytest.raises(StageError, match="encode returned tuple, no array; let codes= take one array of integers"):
        judge(codec, encode=lambda audio: (codec.encode(audio), None))
    _, failed = judge(codec, decode_stream=lambda codes, _: [(codec.decode(codes), None)], encode_stream=None)
    assert failed["streaming"].startswith("chunks of 10, 80: round trip: a chunk of decode_stream is a tuple of 2; ")


def test_codebooks_are_not_blamed_for_samples_that_are_not_finite(judge):
    """No sample can be compared then, which says nothing of what the decoder uses."""
    codec = LogPcm()
    decode = lambda codes: np.append(codec.decode(codes), np.nan)  # noqa: E731
    assert "codebooks" not in judge(codec, decode=decode, decode_stream=None, fresh=None)[1]


def test_an_instance_that_is_not_fresh_is_refused(judge):
    """A check that compares a thing with itself cannot fail."""
    codec = LogPcm()
    with pytest.raises(StageError, match="the instance that is in use"):
        judge(codec, fresh=lambda: codec)


def test_output_that_is_empty_is_not_called_stale(judge):
    """Nothing twice is the same; that it is nothing is told by the length and the words."""
    codec = LogPcm()
    _, failed = judge(codec, decode=lambda _: np.zeros(0), decode_stream=None, encode_stream=None, fresh=None)
    assert {"stale_state", "leaked_state"}.isdisjoint(failed)
    assert {"length", "level", "words"} <= set(failed)
    assert "decode uses none of them" in failed["codebooks"]


def test_no_cause_is_looked_for_where_no_words_are_lost(judge):
    """A threshold that is missed by a codec whose words are there does not cost a decode for each pair of codebooks."""
    codec, calls = LogPcm(), []

    def counted(codes):
        calls.append(codes)
        return codec.decode(codes)

    given = {"decode": counted, "decode_stream": None, "fresh": None}
    judge(codec, **given)
    healthy = len(calls)
    _, failed = judge(codec, **given, min_pesq_wb=4.9)
    assert list(failed) == ["min_pesq_wb"]
    assert len(calls) == 2 * healthy


def test_codes_of_another_layout_are_right_once_that_is_declared(judge):
    """Time first is fine if codes_axes says so."""
    result, failed = judge(WrongWay(), codes_axes="TC")
    assert result, failed


def _clipped(audio):
    top = 0.2 * np.abs(audio).max()
    return np.clip(audio, -top, top)


@pytest.mark.parametrize(
    ("change", "name", "told"),
    [
        (
            lambda y: y / 200,
            "level",
            "the level is -46.0 dB from the input's, at most 1.5 dB is allowed: 200 times too small",
        ),
        (lambda y: y + 0.05, "dc", "at most 0.00"),
        (lambda y: np.where(np.arange(y.size) == 700, np.nan, y), "finite", "mary: 1 samples are NaN or infinite"),
        (lambda y: 1.5 * np.arctanh(np.clip(y, -0.999, 0.999)), "bounded", "is a tanh or a clamp missing?"),
        (lambda y: _clipped(np.convolve(y, [0.5, 0.5])[1:]), "clipping", "are clipped"),
        (lambda y: y[::-1], "words", "mary: "),
        (lambda y: -y, "polarity", "the output is upside down: its correlation with the input is -1.00"),
        (lambda y: np.concatenate([y[:16000], np.zeros(4800), y[16000:]]), "delay", "jump"),
        (lambda y: np.zeros_like(y), "words", "mary: silent: "),
        (
            lambda y: np.interp(np.arange(0, y.size, 24000 / 22050), np.arange(y.size), y),
            "rate",
            "22050 Hz is played as 24000 Hz",
        ),
    ],
)
def test_wrong_audio_is_caught_by_its_check(judge, change, name, told):
    """What a decoder does to its output is caught by the check of that name."""
    codec = LogPcm()
    decode = codec.decode
    result, failed = judge(codec, decode=lambda codes: change(decode(codes)), decode_stream=None, fresh=None)
    assert not result
    assert told in failed[name], failed


def test_a_check_that_is_switched_off_is_not_made(judge):
    """`skip` leaves out exactly what it names."""
    result, failed = judge(Late(), skip=["delay"], decode_stream=None)
    assert result, failed
    assert "delay" not in [check.name for check in result.checks]


def test_garble_shows_that_its_statistics_look_like_speech(judge):
    """Frames of 80 ms in another order: the two sides of the verdict stand in one sentence."""
    codec = LogPcm()

    def shuffled(codes):
        audio = codec.decode(codes)
        frames = audio[: audio.size // 1280 * 1280].reshape(-1, 1280)
        return np.append(frames[np.random.default_rng(1).permutation(len(frames))], audio[frames.size :])

    result, failed = judge(codec, decode=shuffled, decode_stream=None, fresh=None)
    assert result.audio_verdict == "garbled"
    assert "garbled: words are lost: ESTOI" in failed["words"]
    assert "the statistics look like speech" in failed["words"]


def test_codebooks_that_are_exchanged_are_named(judge):
    """The words come back when the codes are exchanged again, which the report says."""
    codec = LogPcm()

    def exchanged(codes):
        # the upper bits of the first sample of each frame with its lower ones
        return codec.decode(codes[[1, 0, *range(2, 40)]])

    _, failed = judge(codec, decode=exchanged, decode_stream=None, fresh=None, min_stoi=0.99, min_si_sdr=20)
    assert "codebooks 0 and 1 are exchanged between encode and decode" in " ".join(failed.values()), failed


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"clips": []}, "clips= holds no clip"),
        ({"clips": np.zeros(16_000)}, "clip 'clip' is silent"),
        ({"clips": np.full(16_000, np.nan)}, "not finite"),
        ({"clips": np.ones((2, 16_000))}, "one channel at a time"),
        ({"clips": 20_000 * np.ones(16_000)}, "full scale is 1"),
        ({"sample_rate": 16.0}, "did you give kHz"),
        ({"sample_rate": None}, "sample_rate= is missing"),
        ({"encode": 3}, "encode= is not callable"),
        ({"codebooks": 0}, "codebooks=0 is no number"),
        ({"delay_samples": -5}, "delay_samples=-5"),
        ({"chunk_frames": ()}, "chunk_frames=()"),
        ({"axes": "XT"}, "axes='XT' is none of"),
        ({"min_stoy": 1}, "did you mean 'min_stoi'"),
        ({"skip": ["delai"]}, "did you mean 'delay'"),
        ({"max_drop_stoi": 0.1}, "use the fixture roundtrip"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(mary, keywords, told):
    """Wrong use names the keyword."""
    codec = LogPcm()
    given = {"encode": codec.encode, "decode": codec.decode, "sample_rate": RATE, "clips": mary}
    with pytest.raises(StageError, match=re.escape(told)) as error:
        check_roundtrip(**{**given, **keywords})
    assert "\n" not in str(error.value)


def test_words_are_recognised_where_that_is_asked_for(mary):
    """max_wer holds what a recogniser hears to the transcript; without one, to what it hears in the clip."""
    codec = LogPcm()
    given = {"encode": codec.encode, "sample_rate": RATE, "clips": {"mary": mary}, "max_wer_rise": 0.3}
    healthy = check_roundtrip(decode=codec.decode, **given)
    assert healthy, str(healthy)
    backwards = check_roundtrip(decode=lambda codes: codec.decode(codes)[::-1], skip=["words"], **given)
    assert "max_wer_rise" in [check.name for check in backwards.failed]


def test_a_projects_own_recogniser_is_used(mary):
    """What it returns is compared with the transcript of the clip, by name."""
    codec = LogPcm()
    heard = []

    def recogniser(samples, rate):
        heard.append((samples.dtype, rate))
        return "Mary rolled a barrel."

    result = check_roundtrip(
        encode=codec.encode,
        decode=codec.decode,
        sample_rate=RATE,
        clips={"mary": mary},
        transcripts={"mary": "Mary rolled the barrel"},
        recogniser=recogniser,
        max_wer=0.2,
    )
    assert [check.message[:36] for check in result.failed] == ["mary: 0.25 word errors, at most 0.2 "]
    assert set(heard) == {(np.dtype("float32"), RATE)}


@pytest.mark.parametrize("number", [float, np.float32])
def test_a_list_of_numbers_is_one_clip(judge, mary, number):
    """Whatever numbers they are."""
    codec = LogPcm()
    result, failed = judge(codec, clips=[number(sample) for sample in mary], decode_stream=None)
    assert result, failed


def test_a_transcript_of_no_clip_is_refused(mary):
    """A misspelt name would leave a clip without its transcript."""
    codec = LogPcm()
    with pytest.raises(StageError, match="'marry' matches no clip, did you mean 'mary'"):
        check_roundtrip(
            encode=codec.encode,
            decode=codec.decode,
            sample_rate=RATE,
            clips={"mary": mary},
            transcripts={"marry": "Mary rolled the barrel"},
        )


def test_what_a_library_refuses_is_told_once_with_the_line_that_asked_for_it(judge):
    """A line of numpy or torch says nothing of the decoder, and each size of chunks fails alike."""

    def singular(*_):
        return np.linalg.inv(np.zeros((2, 3)))

    _, failed = judge(LogPcm(), decode_stream=singular)
    told = re.sub(r"\d+\)", "N)", failed["streaming"])
    assert told.startswith("chunks of 10, 80: decode_stream raised LinAlgError: ")
    assert told.endswith("(test_checks.py:N)")


@pytest.mark.parametrize("where", ["encode", "decode"])
def test_a_delay_pattern_that_is_not_undone_is_named(mary, where):
    """Codebook k late by k frames, whichever side does it: by decoding shifted codes, or by when changes are heard."""
    codec = LogPcm()

    def late(codes):
        return np.stack([np.append(np.full(k, 8), row)[: row.size] for k, row in enumerate(codes)])

    result = check_roundtrip(
        encode=(lambda audio: late(codec.encode(audio))) if where == "encode" else codec.encode,
        decode=(lambda codes: codec.decode(late(codes))) if where == "decode" else codec.decode,
        sample_rate=RATE,
        clips={"mary": mary},
        min_stoi=0.99,
    )
    findings = {finding.code for check in result.failed for finding in check.findings}
    assert "delay_pattern" in findings, str(result)


@pytest.mark.parametrize(
    ("broken", "name", "told"),
    [
        ("decode_stream", "streaming", "decode_stream raised RuntimeError: no such chunk (test_checks.py:"),
        ("encode_stream", "stream_encoding", "encode_stream raised RuntimeError: no such chunk (test_checks.py:"),
    ],
)
def test_a_call_beside_that_raises_fails_its_check_and_the_rest_is_told(judge, broken, name, told):
    """Everything is judged before the test fails, also where a stream cannot be made."""

    def raises(*_):
        raise RuntimeError("no such chunk")

    result, failed = judge(LogPcm(), **{broken: raises})
    assert told in failed[name]
    assert "words" in [check.name for check in result.checks if check.passed]


def test_a_generator_for_codes_is_refused(mary):
    """It could be decoded once only."""
    with pytest.raises(StageError, match="encode returned a generator, which can be read once; return a list"):
        check_roundtrip(encode=lambda audio: (x for x in audio), decode=list, sample_rate=RATE, clips=mary)


class EncoderReset(LogPcm):
    """Forgets how loud the stream was after its first chunk: all codes from there on are others."""

    def encode_stream(self, audio, samples):
        codes = super().encode_stream(audio, samples)
        codes[:, samples // FRAME :] ^= 5
        return codes


def test_where_streamed_codes_go_wrong_is_said_without_declared_axes(judge):
    """Codes of two axes are taken for CT, in what is said of a difference too."""
    result, failed = judge(EncoderReset(), decode_stream=None, fresh=None)
    assert set(failed) == {"stream_encoding"}
    (check,) = result.failed
    assert check.findings[0].code == "diverges_from"
    assert "equals expected up to T=10 " in check.findings[0].message
