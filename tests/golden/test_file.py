"""Golden format 1: what is read, what is refused, and writes that leave the old file or the new one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import select
import stat
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy
import xxhash

from pytest_audioparity.errors import GoldenError, StageError
from pytest_audioparity.golden import atomic, file
from pytest_audioparity.golden.file import Golden, write_golden
from pytest_audioparity.golden.revision import fingerprint
from pytest_audioparity.golden.shelf import IN_GIT, Shelf, open_golden, save_golden
from pytest_audioparity.records import StageMeta, StageTensor
from tests.arrays import same

MEL = np.linspace(-11, 2, 24, dtype="float32").reshape(1, 4, 6)
CODES = np.arange(12).reshape(2, 6)
STAGES = [
    StageTensor(StageMeta("mel", "log_spectrum", "BCT", "ln", None, 86.13), MEL),
    StageTensor(StageMeta("codes", "codes", "CT", None, None, 12.5), CODES),
    StageTensor(StageMeta("wave", "waveform", "T", None, 24000), np.sin(np.arange(50.0))),
    StageTensor(StageMeta("half"), np.array([1, 2.5], ml_dtypes.bfloat16)),
]


def write(path, stages=STAGES, settings=None, provenance=None):
    return write_golden(path, stages, settings=settings or {}, provenance=provenance or {"test": "t"})


def by_hand(path, tensors, document=None):
    """Write a golden as another program would, with the library."""
    metadata = (
        None if document is None else {"audioparity": document if isinstance(document, str) else json.dumps(document)}
    )
    safetensors.numpy.save_file(tensors, path, metadata)
    return path


def refused(path, cause):
    with pytest.raises(GoldenError) as caught:
        list(Golden(path))
    assert caught.value.cause == cause
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"golden {path} ")
    assert "; " in str(caught.value)
    return str(caught.value)


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def document_of(path):
    with safetensors.safe_open(path, "numpy") as opened:
        return json.loads(opened.metadata()["audioparity"])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tests" / "test_x" / "test_y.safetensors"


class TestRoundTrip:
    def test_stages_come_back_in_order_with_their_declarations(self, path):
        size = write(path, settings={"top_k": 50}, provenance={"test": "a.py::b", "reason": "because"})
        golden = Golden(path)
        assert size == path.stat().st_size
        assert golden.stages == tuple(stage.meta for stage in STAGES)
        assert all(same(read.array, stage.array) for read, stage in zip(golden, STAGES, strict=True))
        assert golden.settings == {"top_k": 50}
        assert golden.provenance == {"test": "a.py::b", "reason": "because"}
        assert "mel" in golden
        assert "absent" not in golden

    def test_another_reader_finds_the_tensors_and_hashes_that_the_format_names(self, path):
        write(path)
        stages = {entry["name"]: entry for entry in document_of(path)["stages"]}
        assert same(safetensors.numpy.load_file(path)["mel"], MEL)
        assert stages["mel"] == {
            "name": "mel",
            "kind": "log_spectrum",
            "unit": "ln",
            "axes": "BCT",
            "frame_rate": 86.13,
            "hash": f"xxh3:{xxhash.xxh3_128_hexdigest(MEL.tobytes())}",
        }
        assert document_of(path)["format"] == 1

    def test_an_input_is_marked_and_no_other_stage_says_a_role(self, path):
        noise = StageTensor(StageMeta("noise", role="input"), MEL)
        write(path, [noise, StageTensor(StageMeta("mel"), MEL)])
        assert [entry.get("role", "absent") for entry in document_of(path)["stages"]] == ["input", "absent"]
        assert [meta.role for meta in Golden(path).stages] == ["input", None]
        assert fingerprint(Golden(path).read("noise")) != fingerprint(StageTensor(StageMeta("noise"), MEL))

    def test_a_stage_is_a_read_only_view_that_is_hashed_once(self, path, monkeypatch):
        write(path)
        golden = Golden(path)
        first = golden.read("mel")
        monkeypatch.setattr(file, "hash_matches", lambda *_: pytest.fail("hashed twice"))
        assert golden.read("mel") is first
        assert not first.array.flags.writeable
        assert not first.array.flags.owndata

    @pytest.mark.parametrize("dtype", ["complex64", "complex128", ">c8", ">c16"])
    @pytest.mark.parametrize("shape", [(), (3,), (2, 2), (0,), (2, 0, 3)])
    def test_complex_stages_are_stored_as_pairs_and_come_back(self, path, dtype, shape):
        array = (np.arange(np.prod(shape)) * (1 - 2j)).reshape(shape).astype(dtype)
        write(path, [StageTensor(StageMeta("z"), array)])
        read = Golden(path).read("z").array
        assert read.dtype == np.dtype(dtype).newbyteorder("=")
        assert read.shape == shape
        assert read.tolist() == array.tolist()
        pairs = safetensors.numpy.load_file(path)["z"]
        assert pairs.dtype == {8: "float32", 16: "float64"}[array.dtype.itemsize]
        assert (pairs == np.stack([array.real, array.imag], -1)).all()
        assert document_of(path)["stages"][0]["dtype"] == np.dtype(dtype).name

    def test_strided_complex_stages_are_stored_in_order(self, path):
        array = (np.arange(12) + 1j).reshape(3, 4).T[::2]
        write(path, [StageTensor(StageMeta("z"), array)])
        assert Golden(path).read("z").array.tolist() == array.tolist()

    def test_a_native_complex64_tensor_of_another_program_is_read(self, tmp_path):
        array = np.array([1 + 2j, 3], "complex64")
        path = by_hand(tmp_path / "x.safetensors", {"z": array}, {"format": 1, "stages": [{"name": "z"}]})
        assert same(Golden(path).read("z").array, array)

    @pytest.mark.parametrize("stated", ["float32", "F32"])
    def test_a_stated_dtype_that_agrees_is_accepted(self, tmp_path, stated):
        document = {"format": 1, "stages": [{"name": "a", "dtype": stated}]}
        path = by_hand(tmp_path / "x.safetensors", {"a": np.ones(2, "float32")}, document)
        assert Golden(path).read("a").array.dtype == "float32"

    def test_further_entries_stand_beside_ours(self, path):
        write_golden(path, STAGES, settings={}, provenance={}, more={"note": "für \udc80"})
        assert Golden(path).metadata["note"] == "für ?"
        assert Golden(path).stages == tuple(stage.meta for stage in STAGES)

    def test_a_nan_payload_survives(self, path):
        bits = np.array([0x7FC01234, 0xFF800000, 0x80000000], "uint32")
        write(path, [StageTensor(StageMeta("a"), bits.view("float32"))])
        assert Golden(path).read("a").array.tobytes() == bits.tobytes()


class TestOptional:
    def test_a_file_without_metadata_is_read_in_the_order_of_its_data(self, tmp_path):
        path = by_hand(tmp_path / "x.safetensors", {"b": np.ones(2), "a": np.ones(3, "int8"), "c": np.zeros(1)})
        golden = Golden(path)
        assert [meta.name for meta in golden.stages] == ["b", "c", "a"]
        assert golden.stages[0] == StageMeta("b")
        assert golden.settings == golden.provenance == {}

    def test_the_format_number_alone_is_enough(self, tmp_path):
        assert Golden(by_hand(tmp_path / "x", {"a": np.ones(2)}, {"format": 1})).read("a").array.tolist() == [1, 1]

    def test_absent_null_and_unknown_keys_are_no_matter(self, tmp_path):
        entry = dict.fromkeys(("kind", "unit", "axes", "sample_rate", "frame_rate", "hash", "dtype"))
        document = {
            "format": 1,
            "stages": [{"name": "b", **entry, "note": [1]}, {"name": "a"}],
            "settings": None,
            "provenance": None,
            "future": {"x": 1},
        }
        golden = Golden(by_hand(tmp_path / "x", {"a": np.ones(2), "b": np.ones(1)}, document))
        assert golden.stages == (StageMeta("b"), StageMeta("a"))
        assert [stage.meta.name for stage in golden] == ["b", "a"]

    def test_other_metadata_of_the_file_is_no_matter(self, tmp_path):
        safetensors.numpy.save_file({"a": np.ones(1)}, tmp_path / "x", {"format": "pt"})
        assert Golden(tmp_path / "x").stages == (StageMeta("a"),)

    def test_a_golden_without_stages_has_none(self, path):
        write(path, [])
        assert Golden(path).stages == ()


def hashes_of(data):
    xxh3, sha256 = xxhash.xxh3_128_hexdigest(data), hashlib.sha256(data).hexdigest()
    return [f"xxh3:{xxh3}", f"XXH3:{xxh3.upper()}", f"sha256:{sha256}", f"SHA256:{sha256.upper()}"]


class TestHash:
    @pytest.mark.parametrize("which", range(4))
    def test_a_right_hash_passes_and_one_of_other_bytes_is_altered(self, tmp_path, which):
        for content, cause in ((MEL, None), (MEL + 1, "altered")):
            document = {"format": 1, "stages": [{"name": "a", "hash": hashes_of(MEL.tobytes())[which]}]}
            path = by_hand(tmp_path / "x.safetensors", {"a": content}, document)
            if cause is None:
                assert same(Golden(path).read("a").array, MEL)
            else:
                assert "stage 'a' does not have its hash" in refused(path, cause)

    @pytest.mark.parametrize("which", [0, 1, 2, 3, None])
    def test_a_stage_has_one_hash_to_be_told_by_however_the_file_states_it(self, tmp_path, which):
        stated = None if which is None else hashes_of(MEL.tobytes())[which]
        document = {"format": 1, "stages": [{"name": "a", "hash": stated}]}
        golden = Golden(by_hand(tmp_path / "x.safetensors", {"a": MEL}, document))
        assert golden.hash_of("a") == hashes_of(MEL.tobytes())[0]

    @pytest.mark.parametrize("stated", ["md5:0123", "0123", "", 5, ["xxh3:1"], {}, "sha512:ab"])
    def test_a_hash_of_another_kind_is_an_error_and_never_ignored(self, tmp_path, stated):
        document = {"format": 1, "stages": [{"name": "a", "hash": stated}]}
        path = by_hand(tmp_path / "x.safetensors", {"a": MEL}, document)
        assert "that is not xxh3: or sha256:" in refused(path, "damaged")

    @pytest.mark.parametrize("stated", ["xxh3", "xxh3:", "sha256:", "xxh3: ", "xxh3:xxh3:"])
    def test_a_hash_without_its_digest_is_altered(self, tmp_path, stated):
        document = {"format": 1, "stages": [{"name": "a", "hash": stated}]}
        refused(by_hand(tmp_path / "x.safetensors", {"a": MEL}, document), "altered")

    def test_a_hash_that_was_cut_is_altered(self, tmp_path):
        document = {"format": 1, "stages": [{"name": "a", "hash": hashes_of(MEL.tobytes())[0][:-1]}]}
        refused(by_hand(tmp_path / "x.safetensors", {"a": MEL}, document), "altered")

    def test_only_the_altered_stage_is_refused(self, path):
        write(path)
        content = path.read_bytes()
        path.write_bytes(content.replace(MEL.tobytes(), (MEL + 1).tobytes()))
        assert content != path.read_bytes()
        golden = Golden(path)
        assert golden.read("codes").array.tolist() == CODES.tolist()
        with pytest.raises(GoldenError, match="was altered: stage 'mel'"):
            golden.read("mel")
        with pytest.raises(GoldenError, match="was altered: stage 'mel'"):
            golden.read("mel")


WRONG = {
    "metadata is no JSON": "{",
    "metadata is a list": [],
    "metadata is null": "null",
    "metadata nests deeply": "[" * 100_000,
    "no format": {"stages": []},
    "format is text": {"format": "1"},
    "format is a float": {"format": 1.0},
    "format is true": {"format": True},
    "format zero": {"format": 0},
    "NaN": '{"format": 1, "settings": {"a": NaN}}',
    "infinity": '{"format": 1, "provenance": {"a": -Infinity}}',
    "key twice": '{"format": 1, "stages": [{"name": "a", "hash": "xxh3:0", "hash": null}]}',
    "settings are a list": {"format": 1, "settings": [1]},
    "provenance is text": {"format": 1, "provenance": "x"},
    "stages are an object": {"format": 1, "stages": {"a": {}}},
    "stages are text": {"format": 1, "stages": "a"},
    "stage is text": {"format": 1, "stages": ["a"]},
    "stage without name": {"format": 1, "stages": [{"kind": "codes"}]},
    "stage name is a number": {"format": 1, "stages": [{"name": 1}]},
    "stage twice": {"format": 1, "stages": [{"name": "a"}, {"name": "a"}]},
    "stage not in the file": {"format": 1, "stages": [{"name": "a"}, {"name": "b\n"}]},
    "other stage missing": {"format": 1, "stages": [{"name": "a"}, {"name": "b"}]},
    "stage not listed": {"format": 1, "stages": []},
    **{
        f"{key} {value!r}": {"format": 1, "stages": [{"name": "a", key: value}]}
        for key, values in {
            "kind": ["mel", "", 5, ["codes"], "codes"],
            "axes": ["BT", "BBT", "BCTX", 3, ["B", "C", "T"], "", "B,T", "B T"],
            "unit": [5, ["ln"], "a\nb"],
            "sample_rate": [0, -1, True, "24000", [1], 1e10, 10**400],
            "frame_rate": [0, -0.5, False, "x"],
            "role": ["output", "", 1, ["input"]],
            "dtype": ["complex64", "complex128", "float64", "F16", "nonsense\n", 5, {}, "float32x"],
        }.items()
        for value in values
    },
    "log_spectrum of unknown unit": {"format": 1, "stages": [{"name": "a", "kind": "log_spectrum", "unit": "dBFS"}]},
}


class TestRefused:
    @pytest.mark.parametrize("document", WRONG.values(), ids=WRONG)
    def test_metadata_that_does_not_make_sense_is_damage(self, tmp_path, document):
        path = by_hand(tmp_path / "x.safetensors", {"a": MEL}, document)
        assert "pytest --update-golden" in refused(path, "damaged")

    def test_the_same_file_with_sensible_metadata_is_read(self, tmp_path):
        entry = {
            "name": "a",
            "kind": "log_spectrum",
            "axes": "BCT",
            "unit": "ln",
            "sample_rate": 24000,
            "frame_rate": 0.5,
        }
        path = by_hand(tmp_path / "x.safetensors", {"a": MEL}, {"format": 1, "stages": [entry]})
        assert Golden(path).stages == (StageMeta("a", "log_spectrum", "BCT", "ln", 24000, 0.5),)

    def test_free_text_is_allowed_as_the_unit_of_anything_but_a_log_spectrum(self, tmp_path):
        document = {"format": 1, "stages": [{"name": "a", "unit": "Pa·s"}]}
        assert Golden(by_hand(tmp_path / "x", {"a": MEL}, document)).stages[0].unit == "Pa·s"

    @pytest.mark.parametrize("name", ["a\nb", " ", "\x1b[31m", "\u200b"])
    def test_a_name_that_a_report_cannot_show_is_damage(self, tmp_path, name):
        assert "no stage name" in refused(by_hand(tmp_path / "x", {name: MEL}), "damaged")

    def test_a_bool_tensor_with_other_bytes_is_damage(self, tmp_path):
        path = by_hand(tmp_path / "x", {"a": np.array([True, False, True])})
        path.write_bytes(path.read_bytes()[:-1] + b"\x02")
        assert "other than 0 and 1" in refused(path, "damaged")

    @pytest.mark.parametrize("version", [2, 10**300])
    def test_a_newer_format_says_to_install_a_newer_version(self, tmp_path, version):
        path = by_hand(tmp_path / "x", {"a": MEL}, {"format": version, "stages": "of another shape"})
        assert "pip install -U pytest-audioparity" in refused(path, "newer_format")

    def test_a_missing_golden_says_the_command_that_makes_it(self, path):
        assert "create it with: pytest --update-golden" in refused(path, "missing")

    def test_a_git_lfs_pointer_says_git_lfs_pull(self, tmp_path):
        (tmp_path / "x").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
        assert "git lfs pull" in refused(tmp_path / "x", "lfs_pointer")

    def test_a_truncated_file_and_a_folder_are_damage(self, path):
        write(path)
        path.write_bytes(path.read_bytes()[:-1])
        assert "is truncated" in refused(path, "damaged")
        assert "is not a regular file" in refused(path.parent, "damaged")


def header_end(content):
    return 8 + int.from_bytes(content[:8], "little")


# Faults: each takes the bytes of two goldens, whose tensors have the same sizes, and damages the first.


def flip(content, _, chance):
    where = chance.randrange(len(content) * 8)
    changed = bytearray(content)
    changed[where // 8] ^= 1 << where % 8
    return bytes(changed)


def flip_in_header(content, other, chance):
    end = header_end(content)
    return flip(content[:end], other, chance) + content[end:]


def truncate(content, _, chance):
    return content[: chance.randrange(len(content))]


def overwrite(content, _, chance):
    start = chance.randrange(len(content))
    noise = chance.randbytes(chance.randint(1, 40))
    return content[:start] + noise + content[start + len(noise) :]


def cut_out(content, _, chance):
    start = chance.randrange(len(content))
    return content[:start] + content[start + chance.randint(1, 40) :]


def swap_headers(content, other, chance):
    at = chance.choice([header_end(content), chance.randrange(len(content))])
    return other[:at] + content[at:]


def outcome(path):
    """Return the tensors by name, or the text of the error of ours. Any other error goes on."""
    try:
        return {stage.meta.name: stage.array for stage in Golden(path)}
    except GoldenError as error:
        return str(error)


class TestCorruption:
    """A thousand random faults: each is refused in one line, or has left the tensors as they were."""

    STAGES = (*STAGES, StageTensor(StageMeta("z", axes="T"), np.array([1 + 2j, -3j], "complex64")))

    @pytest.fixture
    def contents(self, tmp_path):
        write(tmp_path / "a", self.STAGES, settings={"k": 1})
        write(tmp_path / "b", [StageTensor(s.meta, s.array + s.array.dtype.type(1)) for s in self.STAGES])
        return (tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()

    @pytest.mark.parametrize(
        ("fault", "times", "survivors"),
        [
            (flip, 300, 40),
            (flip_in_header, 300, 100),
            (truncate, 150, 0),
            (overwrite, 150, 15),
            (cut_out, 100, 1),
            (swap_headers, 100, 25),
        ],
    )
    def test_a_random_fault_never_yields_other_data(self, tmp_path, contents, fault, times, survivors):
        chance = random.Random(fault.__name__)
        path = tmp_path / "golden"
        originals = {content: outcome(tmp_path / name) for content, name in zip(contents, "ab", strict=True)}
        read = 0
        for _ in range(times):
            changed = fault(*contents, chance)
            path.write_bytes(changed)
            result = outcome(path)
            if isinstance(result, str):
                assert "\n" not in result
                assert len(result) < 500
                continue
            read += 1
            expected = originals.get(changed, originals[contents[0]])
            assert result.keys() == expected.keys()
            for name, array in expected.items():
                assert result[name].tobytes() == array.tobytes()
                # A fault in the word "dtype" leaves complex numbers as the pairs of floats they are stored as.
                assert same(result[name], array) or (array.dtype.kind == "c" and result[name].dtype == "float32")
        assert read <= survivors

    def test_the_file_without_a_fault_is_read(self, tmp_path, contents):
        assert contents[0] != contents[1]
        assert [s.meta for s in Golden(tmp_path / "a")] == [s.meta for s in self.STAGES]


class TestSameBytes:
    def test_the_same_input_gives_the_same_bytes(self, tmp_path):
        write(tmp_path / "a", settings={"x": 1, "y": {"b": 1, "a": [2.5]}})
        write(tmp_path / "b", settings={"y": {"a": [2.5], "b": 1}, "x": 1})
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    def test_strides_byte_order_and_the_spelling_of_a_rate_do_not_show(self, tmp_path):
        meta = StageMeta("mel", axes="BCT", sample_rate=24000)
        other = StageMeta("mel", axes="BCT", sample_rate=24000.0)
        write(tmp_path / "a", [StageTensor(meta, MEL)])
        write(tmp_path / "b", [StageTensor(other, np.asfortranarray(MEL).astype(">f4"))])
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    def test_only_the_provenance_differs_between_two_runs(self, tmp_path):
        write(tmp_path / "a", provenance={"test": "t", "commit": "1"})
        write(tmp_path / "b", provenance={"test": "t", "commit": "2"})
        first, second = (tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()
        assert first != second
        assert first.replace(b'\\"commit\\": \\"1\\"', b'\\"commit\\": \\"2\\"') == second

    def test_what_was_read_is_written_again_as_the_same_bytes(self, tmp_path):
        write(tmp_path / "a")
        write(tmp_path / "b", list(Golden(tmp_path / "a")))
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


class TestWriteRefused:
    @pytest.mark.parametrize(
        "settings", [{"x": float("nan")}, {"x": float("inf")}, {"x": object()}, {"x": {1, 2}}, {("a",): 1}]
    )
    def test_settings_that_are_no_json_are_refused_and_nothing_is_written(self, path, settings):
        with pytest.raises(StageError, match="settings must be") as caught:
            write(path, settings=settings)
        assert "\n" not in str(caught.value)
        assert not path.exists()

    def test_what_no_reader_takes_for_json_is_not_written(self, path):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write(path, provenance={"test": float("nan")})
        assert not path.exists()

    @pytest.mark.parametrize("array", [np.array(["a"]), np.array([None]), np.ones(1, "longdouble")])
    def test_a_dtype_without_a_place_in_the_format_is_refused(self, path, array):
        write(path)
        before = path.read_bytes()
        with pytest.raises((StageError, TypeError)):
            write(path, [StageTensor(StageMeta("a"), array)])
        assert path.read_bytes() == before
        assert names_in(path.parent) == [path.name]

    def test_one_name_twice_is_refused(self, path):
        with pytest.raises(StageError, match="twice"):
            write(path, [STAGES[0], STAGES[0]])

    def test_a_node_id_that_is_not_unicode_is_written_with_a_mark_in_its_place(self, path):
        write(path, provenance={"test": "tests/test_\udc80.py::t"})
        assert Golden(path).provenance["test"] == "tests/test_?.py::t"

    @pytest.mark.parametrize("below", ["file/x.safetensors", "file/a/b/x.safetensors", "folder"])
    def test_a_place_where_no_file_can_be_is_an_error_of_one_line(self, tmp_path, below):
        (tmp_path / "file").write_text("mine")
        (tmp_path / "folder").mkdir()
        with pytest.raises(GoldenError, match=r"could not be written: .*; nothing was changed") as caught:
            write(tmp_path / below)
        assert "\n" not in str(caught.value)
        assert (tmp_path / "file").read_text() == "mine"
        assert sorted(names_in(tmp_path)) == ["file", "folder"]


# For each number it reads, writes goldens in a process of its own and kills that after so many seconds. It is a program
# apart, since the tests' own process may have threads, and so may not fork.
KILLER = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from pytest_audioparity.golden.file import write_golden
from pytest_audioparity.records import StageMeta, StageTensor

value = 0
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        while True:
            value += 1
            stage = StageTensor(StageMeta("a"), np.full(100_000, value))
            write_golden(Path(sys.argv[1]), [stage], settings={}, provenance={})
    time.sleep(float(line))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    value += 1_000_000
    print("killed", flush=True)
"""


@pytest.fixture
def killer(path):
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", KILLER, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as program:
        assert program.stdout.readline() == "ready\n"
        yield program
        program.stdin.close()


class TestAtomic:
    @pytest.mark.parametrize(
        "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), MemoryError()]
    )
    @pytest.mark.parametrize("exists", [True, False])
    def test_a_write_that_breaks_off_leaves_what_was_there(self, path, monkeypatch, error, exists):
        if exists:
            write(path)
        before = path.read_bytes() if exists else None

        def breaks_off(target, tensors, metadata):
            target.write(b"half of it")
            raise error

        monkeypatch.setattr(file, "write_tensors", breaks_off)
        with pytest.raises(GoldenError if isinstance(error, OSError) else type(error)) as caught:
            write(path, STAGES[:1])
        assert not isinstance(error, OSError) or "No space left on device; nothing was changed" in str(caught.value)
        assert names_in(path.parent) == ([path.name] if exists else [])
        assert not exists or path.read_bytes() == before

    @pytest.mark.parametrize("step", ["fsync", "replace"])
    def test_a_failure_of_the_last_steps_leaves_what_was_there(self, path, monkeypatch, step):
        write(path)
        before = path.read_bytes()

        def fails(*args):
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(atomic.os if step == "fsync" else type(path), step, fails)
        with pytest.raises(GoldenError, match="Input/output error"):
            write(path, STAGES[:1])
        monkeypatch.undo()
        assert path.read_bytes() == before
        assert names_in(path.parent) == [path.name]

    def test_data_is_on_the_disk_before_it_takes_the_place_of_the_old(self, path, monkeypatch):
        events = []
        real_fsync, real_replace = os.fsync, type(path).replace
        monkeypatch.setattr(atomic.os, "fsync", lambda handle: (events.append("fsync"), real_fsync(handle)))
        monkeypatch.setattr(
            type(path), "replace", lambda self, target: (events.append("replace"), real_replace(self, target))
        )
        write(path)
        assert events == ["fsync", "replace", "fsync"]

    def test_of_many_files_the_folder_is_flushed_once_at_the_end_and_each_file_before_it_takes_its_place(
        self, path, monkeypatch
    ):
        events = []
        real_fsync, real_replace = os.fsync, type(path).replace

        def fsync(handle):
            events.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
            real_fsync(handle)

        monkeypatch.setattr(atomic.os, "fsync", fsync)
        monkeypatch.setattr(
            type(path), "replace", lambda self, target: (events.append("replace"), real_replace(self, target))
        )
        folders = set()
        for name in ("a", "b"):
            write_golden(path.with_name(name), STAGES, settings={}, provenance={}, folders=folders)
        assert (events, folders) == (["file", "replace"] * 2, {path.parent})
        atomic.sync_folders(folders)
        assert events[4:] == ["folder"]

    def test_a_folder_is_noted_for_what_is_to_last_alone(self, path):
        for durable in (True, False):
            folders = set()
            atomic.replace_bytes(path, b"x", durable=durable, folders=folders)
            assert folders == ({path.parent} if durable else set())

    def test_the_whole_content_and_its_permissions_are_there_when_the_disk_is_waited_for(self, path, monkeypatch):
        write(path)
        path.chmod(0o600)
        seen, real_fsync = [], os.fsync
        monkeypatch.setattr(atomic.os, "fsync", lambda handle: (seen.append(os.fstat(handle)), real_fsync(handle)))
        size = atomic.replace_bytes(path, b"short")
        assert (size, seen[0].st_size, stat.S_IMODE(seen[0].st_mode)) == (5, 5, 0o600)
        atomic.replace_file(path, lambda _: None)
        assert len(seen) == 4

    def test_what_can_be_made_again_does_not_wait_for_the_disk(self, path, monkeypatch):
        monkeypatch.setattr(atomic.os, "fsync", lambda _: pytest.fail("waited"))
        atomic.replace_bytes(path, b"short", durable=False)
        write_golden(path.with_name("other"), STAGES, settings={}, provenance={}, durable=False)
        assert path.read_bytes() == b"short"

    def test_the_guard_holds_the_replacement_of_ready_content_too(self, path):
        atomic.replace_bytes(path, b"old")

        def refuses():
            raise GoldenError("no", cause="changed")

        with pytest.raises(GoldenError):
            atomic.replace_bytes(path, b"new", guard=refuses)
        assert path.read_bytes() == b"old"
        assert names_in(path.parent) == [path.name]

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists the handles of a process")
    def test_no_handle_stays_open(self, path):
        write(path)
        before = len(list(Path("/proc/self/fd").iterdir()))
        write(path)
        with atomic.folder_lock(path.parent):
            pass
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    def test_a_folder_that_cannot_be_flushed_is_no_failure(self, path, monkeypatch):
        monkeypatch.setattr(atomic.os, "open", lambda *_: (_ for _ in ()).throw(OSError(errno.EACCES, "no")))
        write(path)
        monkeypatch.undo()
        assert len(Golden(path).stages) == len(STAGES)

    def test_a_kill_at_any_moment_leaves_a_whole_file(self, path, killer):
        write(path, [StageTensor(StageMeta("a"), np.full(100_000, -1))])
        chance = random.Random(7)
        seen = set()
        for turn in range(1, 31):  # longer and longer, so that some file gets done on a busy machine too
            print(chance.uniform(0.0, 0.01 * turn), file=killer.stdin, flush=True)
            assert killer.stdout.readline() == "killed\n"
            array = Golden(path).read("a").array
            assert array.shape == (100_000,)
            assert (array == array[0]).all()
            seen.add(int(array[0]))
        assert len(seen) > 1

    def test_a_reader_never_sees_half_a_file_while_another_process_writes(self, path, killer):
        write(path, [StageTensor(StageMeta("a"), np.full(100_000, -1))])
        print(0.5, file=killer.stdin, flush=True)
        seen = set()
        end = select.poll()  # select() takes no descriptor above 1023, and a whole suite may have as many open
        end.register(killer.stdout, select.POLLIN)
        while not end.poll(0):
            array = Golden(path).read("a").array
            assert (array == array[0]).all()
            seen.add(int(array[0]))
        assert killer.stdout.readline() == "killed\n"
        assert len(seen) > 1

    def test_a_view_of_the_old_file_stays_what_it_was(self, path):
        write(path, [StageTensor(StageMeta("a"), np.full(1000, 1.0))])
        golden = Golden(path)
        write(path, [StageTensor(StageMeta("a"), np.full(1000, 2.0))])
        assert (golden.read("a").array == 1).all()
        assert (Golden(path).read("a").array == 2).all()

    def test_a_stage_read_from_the_old_file_can_be_written_into_the_new_one(self, path):
        write(path)
        write(path, [*Golden(path), StageTensor(StageMeta("new"), np.ones(3))])
        assert same(Golden(path).read("mel").array, MEL)

    @pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
    def test_a_new_file_has_the_permissions_that_the_umask_gives(self, path, umask, mode):
        old = os.umask(umask)
        try:
            write(path)
        finally:
            os.umask(old)
        assert stat.S_IMODE(path.stat().st_mode) == mode

    @pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
    def test_a_replaced_file_keeps_its_permissions(self, path, mode):
        write(path)
        path.chmod(mode)
        write(path, STAGES[:1])
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert len(Golden(path).stages) == 1

    def test_a_link_is_replaced_and_what_it_points_to_is_left_alone(self, path, tmp_path):
        store = tmp_path / "store"
        write(store)
        store.chmod(0o400)
        before = store.read_bytes()
        path.parent.mkdir(parents=True)
        path.symlink_to(store)
        assert len(Golden(path).stages) == len(STAGES)
        write(path, STAGES[:1])
        assert store.read_bytes() == before
        assert not path.is_symlink()
        assert stat.S_IMODE(path.stat().st_mode) == 0o644

    @pytest.mark.parametrize("stem", ["x" * 240, "名" * 80])
    def test_the_longest_allowed_name_can_be_written(self, tmp_path, stem):
        write(tmp_path / f"{stem}.safetensors")
        assert names_in(tmp_path) == [f"{stem}.safetensors"]


def resident_bytes(path):
    """Return how much of a mapped file, or of all below a folder, is in this process's memory, as Linux tells it."""
    lines, found = Path("/proc/self/smaps").read_text().splitlines(), 0
    for place, line in enumerate(lines):
        if str(path) in line:
            rss = next(line for line in lines[place:] if line.startswith("Rss:"))
            found += int(rss.split()[1]) * 1024
    return found


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells how much of a mapping is resident")
@pytest.mark.parametrize("is_stored", [False, True])
def test_a_large_golden_is_never_in_memory_as_a_whole(tmp_path, monkeypatch, is_stored):
    """What was read is given back to the system, not before it is much, and views have their values afterwards."""
    monkeypatch.setattr(file, "_RESIDENT_BYTES", 4 * 2**20)
    stages = [StageTensor(StageMeta(f"s{i}"), np.full(2**18, i, "float32")) for i in range(24)]
    shelf = Shelf(str(tmp_path / "store"), tmp_path / "cache") if is_stored else IN_GIT
    path = tmp_path / "large.safetensors"
    save_golden(path, stages, settings={}, provenance={}, shelf=shelf, since=None)
    golden, resident = open_golden(path, shelf), []
    for place, stage in enumerate(golden):
        assert stage.array.sum() == place * 2**18
        resident.append(resident_bytes(tmp_path))
    assert max(resident) <= 6 * 2**20
    assert min(max(resident[:12]), max(resident[12:])) >= 3.5 * 2**20
    assert [golden.read(f"s{i}").array[-1] for i in range(24)] == list(range(24))


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No room"), OSError("No room")])
@pytest.mark.parametrize(("what", "said"), [("", "written: No room; "), ("stage 'a'", "written: stage 'a': No room; ")])
def test_what_the_file_system_did_not_take_is_named(what, said, error):
    assert said in str(file.unwritable(Path("x"), error, what=what))
