"""Audio files as stages: every sample as it is stored, and what would lose one refused."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pytest_audioparity.adapters.dumps import load
from pytest_audioparity.errors import TensorFileError
from pytest_audioparity.records import StageMeta

SPEECH = Path(__file__).parents[1] / "data" / "speech" / "praatio_mary.wav"
RATE = 24_000
# The least and the largest sample, silence, and one that needs every bit.
CODES = np.array([-(1 << 15), (1 << 15) - 1, 0, 1, -12345], "int64")


def written(path, values, subtype, rate=RATE):
    soundfile.write(path, values, rate, subtype=subtype)
    return path


def refused(path):
    with pytest.raises(TensorFileError) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("suffix", "bits", "dtype"),
    [(".wav", 16, "float32"), (".wav", 24, "float32"), (".wav", 32, "float64"), (".flac", 16, "float32"),
     (".flac", 24, "float32")],
)  # fmt: skip
def test_integer_samples_are_exact_in_the_smallest_float_that_holds_them(tmp_path, suffix, bits, dtype):
    codes = CODES << (bits - 16) | np.array([0, (1 << bits - 16) - 1, 0, 1, (1 << bits - 16) - 1])
    values = (codes << (32 - bits)).astype("int32")
    (stage,) = load(written(tmp_path / f"take{suffix}", values, f"PCM_{bits}"))
    assert stage.meta == StageMeta("take", "waveform", "T", sample_rate=RATE)
    assert stage.array.dtype == dtype
    assert (stage.array.astype("float64") * 2.0 ** (bits - 1)).tolist() == codes.tolist()


def test_real_speech_is_what_another_reader_finds(tmp_path):
    """Python's own module, which knows only integers, finds the same samples and rate."""
    with wave.open(str(SPEECH)) as file:
        codes, rate = np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()
    (stage,) = load(SPEECH)
    assert stage.meta == StageMeta(SPEECH.stem, "waveform", "T", sample_rate=rate)
    assert (stage.array * 32768).tolist() == codes.tolist()


@pytest.mark.parametrize(("subtype", "dtype"), [("FLOAT", "float32"), ("DOUBLE", "float64")])
def test_float_samples_stay_as_they_are_beyond_the_full_scale_too(tmp_path, subtype, dtype):
    values = np.array([1 / 3, -2.5, 1e-30, np.nan, np.inf], dtype)
    (stage,) = load(written(tmp_path / "x.wav", values, subtype))
    assert stage.array.dtype == dtype
    assert stage.array.tobytes() == values.tobytes()


def test_channels_are_the_last_axis(tmp_path):
    values = np.arange(6, dtype="float32").reshape(3, 2) / 8
    (stage,) = load(written(tmp_path / "x.wav", values, "FLOAT"))
    assert stage.meta.axes == "TC"
    assert stage.array.tolist() == values.tolist()


def test_axes_that_contradict_the_file_are_refused(tmp_path):
    written(tmp_path / "x.wav", np.zeros(3), "FLOAT")
    with pytest.raises(ValueError, match="itself declares axes='T'"):
        load(tmp_path / "x.wav", axes={"x": "C"})


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "GSM610"])
def test_what_a_lossy_coder_made_is_refused(tmp_path, subtype):
    message = refused(written(tmp_path / "x.wav", np.zeros(4000), subtype, 8000))
    assert "loses values; write PCM or float samples" in message


@pytest.mark.parametrize(
    ("form", "subtype", "endian"),
    [("WAV", "PCM_16", "LITTLE"), ("WAV", "PCM_16", "BIG"), ("WAVEX", "FLOAT", "FILE"), ("RF64", "PCM_16", "FILE"),
     ("FLAC", "PCM_16", "FILE")],
)  # fmt: skip
def test_a_truncated_file_is_refused_and_not_read_as_far_as_it_goes(tmp_path, form, subtype, endian):
    path = tmp_path / ("x.flac" if form == "FLAC" else "x.wav")
    samples = np.random.default_rng(0).uniform(-1, 1, 20_000)
    soundfile.write(path, samples, RATE, subtype=subtype, format=form, endian=endian)
    content = path.read_bytes()
    assert load(path)[0].array.shape == (20_000,)
    for size in (0, 3, 11, 40, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        assert "let the program that made it write it again" in refused(path)


def test_samples_that_the_file_lacks_are_missed_whatever_its_first_header_says(tmp_path):
    path = written(tmp_path / "x.wav", np.arange(5, dtype="int16"), "PCM_16")
    content = bytearray(path.read_bytes())
    data = content.index(b"data")
    content[data + 4 : data + 8] = (12).to_bytes(4, "little")
    path.write_bytes(content)
    assert "is truncated: 54 bytes of 56" in refused(path)


def with_lengths(path, whole, samples):
    """Write five samples under a header that says other lengths, as a program does that cannot or did not go back."""
    content = bytearray(written(path, np.arange(5, dtype="int16"), "PCM_16").read_bytes())
    for place, length in ((4, whole), (content.index(b"data") + 4, samples)):
        content[place : place + 4] = length.to_bytes(4, "little")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("whole", "samples"), [(0, 0), (36, 0), (0xFFFFFFFF, 0), (0, 0xFFFFFFFF)])
def test_a_header_that_a_program_did_not_come_to_complete_is_refused(tmp_path, whole, samples):
    """Its lengths are those of no samples, with which programs begin; there are samples all the same."""
    assert "has a header that was not completed" in refused(with_lengths(tmp_path / "x.wav", whole, samples))


@pytest.mark.parametrize(
    ("whole", "samples", "said"),
    [(0, 0, "has a header that was not completed"), (72, 0, "was not completed"), (None, 1000, "is truncated")],
)
def test_long_lengths_are_held_to_the_same(tmp_path, whole, samples, said):
    """RF64 has lengths of 64 bits in a chunk of their own."""
    path = tmp_path / "x.wav"
    soundfile.write(path, np.arange(5, dtype="int16"), RATE, subtype="PCM_16", format="RF64")
    content = bytearray(path.read_bytes())
    assert content[12:16] == b"ds64"
    for place, length in ((20, whole), (28, samples)):
        if length is not None:
            content[place : place + 8] = length.to_bytes(8, "little")
    path.write_bytes(content)
    assert said in refused(path)


@pytest.mark.parametrize("form", ["WAV", "RF64"])
def test_a_file_without_samples_is_one(tmp_path, form):
    soundfile.write(tmp_path / "x.wav", np.zeros(0), RATE, subtype="PCM_16", format=form)
    assert load(tmp_path / "x.wav")[0].array.shape == (0,)


@pytest.mark.parametrize(
    ("whole", "samples"),
    [(0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF024, 0x7FFFF000), (0x7FFFFFFF, 0x7FFFFFDB), (0x80000024, 0x80000000)],
    ids=["ffmpeg", "sox", "signed", "two gigabytes"],
)
def test_a_wav_file_from_a_pipe_has_the_samples_that_are_there(tmp_path, whole, samples):
    """The lengths are not known before its end, and stand for any."""
    assert load(with_lengths(tmp_path / "x.wav", whole, samples))[0].array.shape == (5,)


def test_a_format_whose_length_cannot_be_checked_is_refused(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.zeros(5), RATE, format="AIFF")
    assert "write a WAV or FLAC file" in refused(tmp_path / "x.wav")


def test_what_is_no_audio_is_refused(tmp_path):
    (tmp_path / "x.wav").write_bytes(b"RIFF\x04\0\0\0WAVE" + bytes(40))
    assert "cannot be read as audio" in refused(tmp_path / "x.wav")
    (tmp_path / "y.wav").write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "git lfs pull" in refused(tmp_path / "y.wav")
    assert "does not exist" in refused(tmp_path / "z.wav")
