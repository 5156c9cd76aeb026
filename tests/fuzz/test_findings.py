"""What the fuzzer found, each as the smallest file that showed it, in the order in which it was found."""

from __future__ import annotations

import io
import json
import sys
import zipfile

import numpy as np
import pytest
import soundfile

from pytest_audioparity.adapters.audiofiles import Seekable
from pytest_audioparity.adapters.dumps import load
from pytest_audioparity.audio.reading import read_audio
from pytest_audioparity.errors import AudioparityError, StageError, TensorFileError, shown
from pytest_audioparity.runs import read_run
from pytest_audioparity.tensorfile import write_tensors
from pytest_audioparity.weights.files import open_weights
from tests.fuzz import seeds
from tests.fuzz.readers import command
from tests.fuzz.running import message_problem

_GIGABYTES = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2147483647), }"
_DIGITS = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 6000 + ",), }"
_NESTED = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "-" * 3000 + "1,), }"


def npy(header: str, numbers: bytes = bytes(8)) -> bytes:
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header.encode() + numbers


def npz(path, content: bytes, packed: int = zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", packed) as archive:
        archive.writestr("a.npy", content)
    return path


def refused(read, *, kind=TensorFileError) -> str:
    """Return the message of a refusal, which must be one line of bounded length that shows no lack of memory."""
    with pytest.raises(kind) as caught:
        read()
    assert message_problem(str(caught.value)) is None
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("header", [_GIGABYTES, _DIGITS, _NESTED])
def test_a_header_of_numpy_is_not_believed(tmp_path, suffix, header):
    """Numpy asked for 16 GiB, and repeated in its message all of a header that it could not read."""
    path = tmp_path / f"a{suffix}"
    path.write_bytes(npy(header)) if suffix == ".npy" else npz(path, npy(header))
    told = refused(lambda: load(path))
    assert "header" in told


def test_an_array_of_numpy_whose_size_overflows_is_refused_without_a_warning(tmp_path):
    (tmp_path / "a.npy").write_bytes(
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 4), }")
    )
    assert "claims an array of" in refused(lambda: load(tmp_path / "a.npy"))


def test_an_archive_is_unpacked_only_where_its_growth_is_bounded(tmp_path):
    """One of bzip2 may unpack to a million times its size; numpy itself only ever deflates."""
    whole = io.BytesIO()
    np.save(whole, seeds.MEL)
    assert len(load(npz(tmp_path / "a.npz", whole.getvalue(), zipfile.ZIP_DEFLATED))) == 1
    path = npz(tmp_path / "b.npz", whole.getvalue(), zipfile.ZIP_BZIP2)
    assert "compressed in a way that is not read" in refused(lambda: load(path))


def test_members_of_an_archive_that_share_their_bytes_are_refused(tmp_path):
    """A hundred entries of a directory for one member of a megabyte are no hundred megabytes."""
    big = io.BytesIO()
    np.save(big, np.random.default_rng(1).standard_normal(1 << 15))
    data = npz(tmp_path / "a.npz", big.getvalue()).read_bytes()
    start, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entry, tail = data[start:end], bytearray(data[end:])
    tail[8:10] = tail[10:12] = (100).to_bytes(2, "little")
    tail[12:16] = (100 * len(entry)).to_bytes(4, "little")
    entries = b"".join(entry.replace(b"a.npy", f"{index:05}"[:5].encode()) for index in range(100))
    (tmp_path / "a.npz").write_bytes(data[:start] + entries + tail)
    assert "packed bytes" in refused(lambda: load(tmp_path / "a.npz"))


@pytest.mark.parametrize("key", ["kind", "unit", "axes", "role", "frame_rate"])
def test_a_declaration_of_any_length_is_shown_short(tmp_path, key):
    seeds.raw(tmp_path)
    said = json.loads((tmp_path / "a.f32.json").read_text())
    (tmp_path / "a.f32.json").write_text(json.dumps({**said, key: [0] * 20_000}))
    assert "wrongly" in refused(lambda: load(tmp_path / "a.f32"))


def test_a_value_that_is_nested_as_deep_as_can_be_parsed_can_be_shown():
    depth = sys.getrecursionlimit()
    value: list = []
    for _ in range(2 * depth):
        value = [value]
    text = shown(value)
    assert "nested too deeply" in text or text.startswith("[[")


def test_the_name_of_a_raw_file_must_be_a_text(tmp_path):
    seeds.raw(tmp_path)
    (tmp_path / "a.f32.json").write_text(json.dumps({"shape": [24], "name": ["mel"]}))
    assert "which is no text" in refused(lambda: load(tmp_path / "a.f32"))


@pytest.mark.parametrize("said", [{"bits": 4, "group_size": None}, {"bits": 4, "group_size": [64]}])
def test_how_mlx_quantised_a_layer_must_be_numbers(tmp_path, said):
    seeds.mlx(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"quantization": said}))
    file = open_weights(tmp_path / "a.safetensors")
    assert len(file.weights) == 3
    assert "no known way" in file.notes[0]


def flac(path, claimed: int):
    """Write a second of sound whose header claims so many samples."""
    soundfile.write(path, np.sin(np.arange(8000) * 0.1), 8000, format="FLAC")
    data = bytearray(path.read_bytes())
    data[21:26] = ((data[21] >> 4 << 36) | claimed).to_bytes(5, "big")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("claimed", [2**36 - 1, 2**31])
def test_room_is_made_for_the_samples_that_come_not_for_those_that_a_header_claims(tmp_path, claimed):
    """What a header of FLAC claims made soundfile ask for terabytes."""
    path = flac(tmp_path / "a.flac", claimed)
    refused(lambda: load(path))
    refused(lambda: read_audio(path), kind=StageError)


def test_silence_that_takes_no_room_in_its_file_is_read(tmp_path):
    """Eight million samples of silence are 30 kB of FLAC, which is no damage."""
    soundfile.write(tmp_path / "a.flac", np.zeros(1 << 23, np.int16), 8000, format="FLAC")
    assert (tmp_path / "a.flac").stat().st_size < 1 << 17
    assert len(load(tmp_path / "a.flac")[0].array) == 1 << 23


def test_a_seek_to_nowhere_stays_where_it_is(tmp_path):
    """An error in a function that libsndfile calls would be a traceback on the terminal."""
    file = Seekable(io.BytesIO(b"12345"))
    assert file.seek(3) == 3
    assert file.seek(-5) == 3
    with (tmp_path / "a").open("wb+", buffering=0) as raw:
        assert Seekable(raw).seek(-5) == 0


def test_a_record_of_a_run_shows_short_what_is_wrong_with_it(tmp_path):
    (tmp_path / "run.json").write_text(
        json.dumps(
            {
                "schema": 1,
                "layout": None,
                "golden_dir": "golden",
                "paths": [],
                "collected": {},
                "uncollected": [],
                "id": ["x" * 9000],
            }
        )
    )
    assert "'id' is" in refused(lambda: read_run(tmp_path / "run.json"), kind=AudioparityError)


@pytest.mark.parametrize("key", ["settings", "provenance"])
def test_settings_that_can_just_be_parsed_are_not_walked_through(tmp_path, key):
    """What is parsed almost as deep as Python recurses is too deep for our own functions: `inspect --json` failed."""
    depth = sys.getrecursionlimit() // 2 - 100
    document = f'{{"format": 1, "stages": [], "{key}": {{"a": {"[" * depth}{"]" * depth}}}}}'
    with (tmp_path / "a.safetensors").open("wb") as file:
        write_tensors(file, [], {"audioparity": document})
    words = ("inspect", str(tmp_path / "a.safetensors"), "--json")
    told = refused(lambda: command(tmp_path, *words), kind=AudioparityError)
    assert f"has {key} that hold an infinite number, or are nested too deeply" in told


def test_no_sound_is_one_line(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF\xff\xff\xff\xffWAVEfmt ")
    refused(lambda: read_audio(tmp_path / "a.wav"), kind=StageError)
