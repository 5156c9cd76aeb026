"""Files of other programs: read with their order and types, never unpickled, refused in one line."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_audioparity.adapters.dumps import READERS, load, load_dump
from pytest_audioparity.errors import AudioparityError, StageError, TensorFileError
from pytest_audioparity.golden.file import write_golden
from pytest_audioparity.records import StageMeta, StageTensor

MEL = np.linspace(-11, 2, 24, dtype="float32").reshape(1, 4, 6)
SUFFIXES = (".safetensors", ".npz", ".npy")
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"


def dumped(path, array=MEL, *, parents=False):
    """Write one tensor in the format of the suffix."""
    if parents:
        path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        safetensors.numpy.save_file({"mel": array}, path)
    elif path.suffix == ".npz":
        np.savez(path, mel=array)
    else:
        np.save(path, array)
    return path


def refused(path, error=TensorFileError, **rename):
    with pytest.raises(error) as caught:
        load(path, rename or None)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    return caught.value


def outcome(path):
    """Return what loading gives: stages, or the error of ours that says why there are none. Any other error goes on."""
    try:
        return load(path)
    except AudioparityError as error:
        return error


class Planted:
    """Unpickling this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


class TestAllFormats:
    @pytest.mark.parametrize("suffix", [*SUFFIXES, ".NPY"])
    def test_a_tensor_comes_back_under_its_name(self, tmp_path, suffix):
        path = dumped(tmp_path / f"mel{suffix.lower()}").rename(tmp_path / f"mel{suffix}")
        (stage,) = load(path)
        assert stage.meta == StageMeta("mel")
        assert stage.array.dtype == "float32"
        assert stage.array.tolist() == MEL.tolist()

    @pytest.mark.parametrize("suffix", SUFFIXES)
    @pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1,)])
    def test_scalars_and_empty_tensors_keep_their_shape(self, tmp_path, suffix, shape):
        (stage,) = load(dumped(tmp_path / f"mel{suffix}", np.ones(shape)))
        assert stage.array.shape == shape

    @pytest.mark.parametrize("suffix", [".safetensors", ".npy"])
    def test_the_data_is_mapped_and_read_only(self, tmp_path, suffix):
        (stage,) = load(dumped(tmp_path / f"mel{suffix}"))
        assert type(stage.array) is np.ndarray
        assert not stage.array.flags.owndata
        assert not stage.array.flags.writeable

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_a_file_that_is_not_there_is_missing(self, tmp_path, suffix):
        error = refused(tmp_path / f"mel{suffix}")
        assert error.cause == "missing"
        assert "does not exist; check the path" in str(error)

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_a_git_lfs_pointer_says_git_lfs_pull(self, tmp_path, suffix):
        (tmp_path / f"mel{suffix}").write_text(LFS)
        error = refused(tmp_path / f"mel{suffix}")
        assert error.cause == "lfs_pointer"
        assert str(error).endswith("; run: git lfs pull")

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_folders_and_pipes_are_refused(self, tmp_path, suffix):
        (tmp_path / f"folder{suffix}").mkdir()
        os.mkfifo(tmp_path / f"pipe{suffix}")
        assert "is not a regular file" in str(refused(tmp_path / f"folder{suffix}"))
        assert "is not a regular file" in str(refused(tmp_path / f"pipe{suffix}"))

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_impossible_paths_are_refused(self, tmp_path, suffix):
        assert "cannot be read" in str(refused(tmp_path / f"{'x' * 300}{suffix}"))
        assert "cannot be read" in str(refused(tmp_path / f"a\0{suffix}"))

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_every_truncation_is_refused(self, tmp_path, suffix):
        path = dumped(tmp_path / f"mel{suffix}")
        content = path.read_bytes()
        for size in (*range(0, len(content), 7), len(content) - 1):
            path.write_bytes(content[:size])
            assert refused(path).cause == "damaged"

    @pytest.mark.parametrize("suffix", SUFFIXES)
    @pytest.mark.parametrize("other", SUFFIXES)
    def test_a_file_of_another_format_than_its_suffix_is_refused(self, tmp_path, suffix, other):
        path = dumped(tmp_path / f"mel{other}").rename(tmp_path / f"other{suffix}")
        if suffix == other:
            assert load(path)[0].array.tolist() == MEL.tolist()
        else:
            assert "Python objects" not in str(refused(path))

    @pytest.mark.parametrize("name", ["x.txt", "x", "x.pt", "x.pkl", "x.safetensors.gz"])
    def test_an_unknown_suffix_names_the_known_ones(self, tmp_path, name):
        (tmp_path / name).write_bytes(b"")
        assert str(refused(tmp_path / name)).endswith(", ".join(READERS))

    @settings(max_examples=300, deadline=None)
    @given(
        st.binary(max_size=300),
        st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY\x01\x00", b"\x02" + bytes(7)]),
    )
    @example(b"v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }".ljust(120), b"\x93NUMPY\x01\x00")
    @example(b"F\x00{'descr': ((((", b"\x93NUMPY\x01\x00")
    @example(b"\x10\x00" + b"(" * 400, b"\x93NUMPY\x01\x00")
    @pytest.mark.filterwarnings("ignore")  # numpy's own, about headers of Python 2
    def test_garbage_is_refused_or_read_and_never_breaks(self, tmp_path_factory, garbage, start):
        for suffix in SUFFIXES:
            path = tmp_path_factory.getbasetemp() / f"garbage{suffix}"
            path.write_bytes(start + garbage)
            result = outcome(path)
            if isinstance(result, list):
                assert all(isinstance(stage.array, np.ndarray) for stage in result)
            else:
                assert "\n" not in str(result)

    @pytest.mark.parametrize("suffix", SUFFIXES)
    @pytest.mark.filterwarnings("ignore")  # numpy's own, about headers of Python 2
    def test_random_faults_are_refused_or_read_and_never_break(self, tmp_path, suffix):
        path = dumped(tmp_path / f"mel{suffix}")
        if suffix == ".npz":
            np.savez_compressed(path, mel=MEL, other=MEL + 1)
        content, chance = path.read_bytes(), random.Random(suffix)
        outcomes = []
        for _ in range(300):
            changed = bytearray(content)
            for _ in range(chance.randint(1, 4)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            path.write_bytes(changed)
            outcomes.append(outcome(path))
        assert not any("\n" in str(error) for error in outcomes if isinstance(error, AudioparityError))
        assert sum(isinstance(error, TensorFileError) for error in outcomes) > 100


class TestSafetensors:
    def test_declarations_of_a_golden_count(self, tmp_path):
        stages = [
            StageTensor(StageMeta("b", "log_spectrum", "BCT", "ln", None, 86.13), MEL),
            StageTensor(StageMeta("a", "waveform", "T", None, 24000), np.ones(5, "complex64")),
        ]
        write_golden(tmp_path / "x.safetensors", stages, settings={}, provenance={})
        loaded = load(tmp_path / "x.safetensors")
        assert [stage.meta for stage in loaded] == [stage.meta for stage in stages]
        assert loaded[1].array.dtype == "complex64"

    def test_without_metadata_the_order_of_the_data_counts(self, tmp_path):
        safetensors.numpy.save_file({"b": np.ones(2), "a": np.ones(3, "int8")}, tmp_path / "x.safetensors")
        assert [stage.meta.name for stage in load(tmp_path / "x.safetensors")] == ["b", "a"]

    def test_bfloat16_stays_bfloat16(self, tmp_path):
        array = np.array([1, 2.5], ml_dtypes.bfloat16)
        header = b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
        (tmp_path / "x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + array.tobytes())
        assert load(tmp_path / "x.safetensors")[0].array.tolist() == array.tolist()
        assert load(tmp_path / "x.safetensors")[0].array.dtype == ml_dtypes.bfloat16

    def test_a_file_whose_path_has_a_semicolon_is_named_in_full(self, tmp_path):
        path = tmp_path / "a; b.safetensors"
        path.write_bytes(bytes(3))
        assert str(refused(path)) == f"{path} is truncated: 3 bytes; let the program that made it write it again"

    @pytest.mark.parametrize(
        ("document", "cause", "said"),
        [
            ({"format": 9}, "newer_format", "pip install -U pytest-audioparity"),
            ({"format": 1, "stages": [{"name": "mel", "hash": "xxh3:00"}]}, "altered", "write it again"),
            ({"format": 1, "stages": []}, "damaged", "write it again"),
        ],
    )
    def test_the_way_out_is_that_of_a_dump_and_not_of_a_golden(self, tmp_path, document, cause, said):
        path = tmp_path / "x.safetensors"
        safetensors.numpy.save_file({"mel": MEL}, path, {"audioparity": json.dumps(document)})
        error = refused(path)
        assert error.cause == cause
        assert said in str(error)
        assert "--update-golden" not in str(error)


class TestNpz:
    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    def test_the_order_of_the_file_is_kept(self, tmp_path, save):
        save(tmp_path / "x.npz", **{"z": np.ones(2), "a/b": np.zeros(3), "m": MEL})
        assert [stage.meta.name for stage in load(tmp_path / "x.npz")] == ["z", "a/b", "m"]

    def test_an_archive_without_arrays_has_no_stages(self, tmp_path):
        np.savez(tmp_path / "x.npz")
        assert load(tmp_path / "x.npz") == []

    def test_objects_are_never_unpickled(self, tmp_path):
        np.savez(tmp_path / "x.npz", good=MEL, bad=np.array([Planted(tmp_path / "planted")]))
        assert "holds Python objects, which are never unpickled" in str(refused(tmp_path / "x.npz"))
        assert not (tmp_path / "planted").exists()

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_a_pickle_under_our_suffix_is_never_unpickled(self, tmp_path, suffix):
        (tmp_path / f"x{suffix}").write_bytes(pickle.dumps(Planted(tmp_path / "planted")))
        refused(tmp_path / f"x{suffix}")
        assert not (tmp_path / "planted").exists()

    def test_the_planted_pickle_would_have_made_its_file(self, tmp_path):
        pickle.loads(pickle.dumps(Planted(tmp_path / "planted")))
        assert (tmp_path / "planted").exists()

    def test_a_member_that_is_no_array_is_refused(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
            archive.writestr("readme.txt", "hello")
        assert "holds 'readme.txt', which is no array" in str(refused(tmp_path / "x.npz"))

    def test_what_a_zip_program_made_of_a_folder_is_read(self, tmp_path):
        """It has an entry for the folder itself, too."""
        (tmp_path / "ode").mkdir()
        np.save(tmp_path / "ode/0.npy", MEL)
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
            archive.write(tmp_path / "ode", "ode")
            archive.write(tmp_path / "ode/0.npy", "ode/0.npy")
            assert archive.namelist() == ["ode/", "ode/0.npy"]
        (stage,) = load(tmp_path / "x.npz")
        assert stage.meta == StageMeta("ode/0")
        assert stage.array.tolist() == MEL.tolist()

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    @pytest.mark.parametrize("names", [("a.npy", "a.npy"), ("a.npy", "a")])
    def test_two_arrays_of_one_name_are_refused(self, tmp_path, names):
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
            for name in names:
                buffer = io.BytesIO()
                np.save(buffer, MEL)
                archive.writestr(name, buffer.getvalue())
        assert "two tensors would be named 'a'" in str(refused(tmp_path / "x.npz", StageError))

    @pytest.mark.parametrize("member", ["a.npy", "a"])
    def test_an_array_that_claims_more_than_it_has_is_refused(self, tmp_path, member):
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,), }".ljust(117) + b"\n"
        with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(member, b"\x93NUMPY\x01\x00v\x00" + header + bytes(1_000_000))
        assert "its header claims an array of 8000000000000000 bytes" in str(refused(tmp_path / "x.npz"))

    def test_a_checksum_that_does_not_fit_is_refused(self, tmp_path):
        path = dumped(tmp_path / "x.npz")
        content = path.read_bytes()
        path.write_bytes(content.replace(MEL.tobytes(), (MEL + 1).tobytes()))
        assert path.read_bytes() != content
        assert "CRC" in str(refused(path))

    @pytest.mark.parametrize("array", [np.array(["a"]), np.ones(2, "M8[s]"), np.zeros(2, [("x", "f4")])])
    def test_arrays_that_a_golden_cannot_hold_are_refused(self, tmp_path, array):
        assert "stage 'a'" in str(refused_array(tmp_path, array))

    def test_a_name_that_cannot_be_a_stage_is_refused(self, tmp_path):
        np.savez(tmp_path / "x.npz", **{"a\nb": MEL})
        assert "is no stage name" in str(refused(tmp_path / "x.npz", StageError))
        assert "has no tensor 'c' to rename; it has 'a\\nb'" in str(refused(tmp_path / "x.npz", StageError, c="d"))
        with pytest.raises(StageError, match="is no stage name"):
            load(tmp_path / "x.npz", {"a\nb": "__metadata__"})


def refused_array(tmp_path, array):
    np.savez(tmp_path / "x.npz", a=array)
    return refused(tmp_path / "x.npz", StageError)


class TestNpy:
    @pytest.mark.parametrize("dtype", ["<f4", ">f4", "<i8", "<c16", "|b1", "<f2"])
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_byte_and_memory_orders_are_read(self, tmp_path, dtype, order):
        array = np.asarray(np.arange(6).reshape(2, 3).astype(dtype), order=order)
        (stage,) = load(dumped(tmp_path / "x.npy", array))
        assert stage.meta == StageMeta("x")
        assert stage.array.tolist() == array.tolist()

    @pytest.mark.filterwarnings("ignore:Stored array in format")
    @pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
    @pytest.mark.parametrize("suffix", [".npy", ".npz"])
    def test_every_version_of_the_header_is_read(self, tmp_path, version, suffix):
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, MEL, version=version)
        (tmp_path / "x.npy").write_bytes(buffer.getvalue())
        if suffix == ".npz":
            with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
                archive.write(tmp_path / "x.npy", "x.npy")
        (stage,) = load(tmp_path / f"x{suffix}")
        assert stage.meta == StageMeta("x")
        assert stage.array.tolist() == MEL.tolist()

    def test_objects_are_never_unpickled(self, tmp_path):
        np.save(tmp_path / "x.npy", np.array([Planted(tmp_path / "planted")]))
        assert "holds Python objects, which are never unpickled" in str(refused(tmp_path / "x.npy"))
        assert not (tmp_path / "planted").exists()

    @pytest.mark.parametrize("suffix", [".npy", ".npz"])
    def test_a_second_array_in_the_file_is_not_overlooked(self, tmp_path, suffix):
        with (tmp_path / "x.npy").open("wb") as file:
            np.save(file, MEL)
            np.save(file, MEL + 1)
        if suffix == ".npz":
            with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
                archive.write(tmp_path / "x.npy", "x.npy")
        assert "goes on for" in str(refused(tmp_path / f"x{suffix}"))

    def test_bfloat16_that_numpy_saved_without_its_type_is_refused(self, tmp_path):
        np.save(tmp_path / "x.npy", np.ones(2, ml_dtypes.bfloat16))
        assert "dtype |V2 cannot be stored" in str(refused(tmp_path / "x.npy", StageError))


class TestRename:
    @pytest.fixture
    def path(self, tmp_path):
        np.savez(tmp_path / "x.npz", a=np.ones(1), b=np.zeros(2))
        return tmp_path / "x.npz"

    @pytest.mark.parametrize(
        ("rename", "names"),
        [
            (None, ["a", "b"]),
            ({}, ["a", "b"]),
            ({"a": "mel"}, ["mel", "b"]),
            ({"a": "b", "b": "a"}, ["b", "a"]),
            ({"a": "b", "b": "c"}, ["b", "c"]),
            ({"a": "a"}, ["a", "b"]),
        ],
    )
    def test_names_change_and_tensors_and_order_do_not(self, path, rename, names):
        stages = load(path, rename)
        assert [stage.meta.name for stage in stages] == names
        assert [stage.array.tolist() for stage in stages] == [[1], [0, 0]]

    def test_declarations_survive_a_renaming(self, tmp_path):
        meta = StageMeta("a", "log_spectrum", "BCT", "ln", 24000, 86.13)
        write_golden(tmp_path / "x.safetensors", [StageTensor(meta, MEL)], settings={}, provenance={})
        (stage,) = load(tmp_path / "x.safetensors", {"a": "mel"})
        assert stage.meta == StageMeta("mel", "log_spectrum", "BCT", "ln", 24000, 86.13)

    @pytest.mark.parametrize(
        ("rename", "said"),
        [
            ({"c": "d"}, "has no tensor 'c' to rename; it has 'a', 'b'"),
            ({"a": "b"}, "two tensors would be named 'b'"),
            ({"a": "c", "b": "c"}, "two tensors would be named 'c'"),
            ({"a": ""}, "is no stage name"),
            ({"a": ["b"]}, "is no stage name"),
            ({"a": None}, "is no stage name"),
        ],
    )
    def test_a_renaming_that_does_not_work_out_is_refused(self, path, rename, said):
        assert said in str(refused(path, StageError, **rename))


class TestAxes:
    @pytest.fixture
    def dump(self, tmp_path):
        np.savez(tmp_path / "dump.npz", mel=np.ones((1, 5, 80)), ids=np.arange(5))
        return tmp_path / "dump.npz"

    def test_axes_are_declared_for_stages_by_glob_and_the_last_glob_wins(self, dump):
        stages = {stage.meta.name: stage.meta.axes for stage in load(dump, axes={"*el": "BCT", "mel": "BTC"})}
        assert stages == {"mel": "BTC", "ids": None}

    def test_axes_go_by_the_new_names(self, dump):
        assert load(dump, rename={"mel": "log_mel"}, axes={"log_mel": "BTC"})[0].meta.axes == "BTC"

    @pytest.mark.parametrize(
        ("axes", "said"),
        [
            ({"mle": "BTC"}, "'mle' matches no stage, did you mean 'mel'"),
            ({"mel": "BT"}, "must name each"),
            ({"*": "BTC"}, "must name each"),
        ],
    )
    def test_axes_that_fit_nothing_are_refused(self, dump, axes, said):
        with pytest.raises(StageError, match=said):
            load(dump, axes=axes)

    def test_axes_that_contradict_the_file_are_refused(self, tmp_path):
        golden = tmp_path / "golden.safetensors"
        stage = StageTensor(StageMeta("mel", axes="BCT"), np.ones((1, 80, 5)))
        write_golden(golden, [stage], settings={}, provenance={})
        assert load(golden, axes={"mel": "BCT"})[0].meta.axes == "BCT"
        with pytest.raises(StageError, match="itself declares axes='BCT'"):
            load(golden, axes={"mel": "BTC"})


class TestFolder:
    def test_files_come_in_the_order_of_their_paths_with_numbers_by_value(self, tmp_path):
        for name in ("ode/10", "ode/2", "mel", "ode/2b"):
            dumped(tmp_path.joinpath(f"dump/{name}.npy"), MEL, parents=True)
        np.savez(tmp_path / "dump" / "more.npz", z=MEL, a=MEL)
        names = [stage.meta.name for stage in load(tmp_path / "dump")]
        assert names == ["mel", "z", "a", "ode/2", "ode/2b", "ode/10"]

    def test_a_text_beside_raw_numbers_is_no_file_of_its_own(self, tmp_path):
        for name in ("x", "y"):
            (tmp_path / f"{name}.f32").write_bytes(MEL.tobytes())
        (tmp_path / "x.f32.json").write_text('{"shape": [24], "name": "noise"}')
        (tmp_path / "y.json").write_text('{"shape": [4, 6]}')
        (tmp_path / ".DS_Store").write_bytes(b"what some systems leave in each folder")
        assert [(one.meta.name, one.array.shape) for one in load(tmp_path)] == [("noise", (24,)), ("y", (4, 6))]

    @pytest.mark.parametrize(
        ("name", "said"), [("a.log", "none of the files that can be read"), ("a.json", "describes no file beside it")]
    )
    def test_a_file_that_cannot_be_read_is_not_passed_over(self, tmp_path, name, said):
        dumped(tmp_path / "mel.npy")
        (tmp_path / name).write_text("{}")
        with pytest.raises(TensorFileError, match=said):
            load(tmp_path)

    def test_two_tensors_of_one_name_are_refused(self, tmp_path):
        dumped(tmp_path / "mel.npy")
        dumped(tmp_path / "x.npz")
        assert "two tensors would be named 'mel'" in str(refused(tmp_path, StageError))


class TestDump:
    """What a program left at a path, whatever its format."""

    @pytest.mark.parametrize("suffix", [*SUFFIXES, ".wav", ".flac"])
    def test_a_file_is_told_by_its_content(self, tmp_path, suffix):
        path = tmp_path / f"mel{suffix}"
        if suffix in SUFFIXES:
            dumped(path)
        else:
            soundfile.write(path, np.zeros(9), 24000)
        (stage,) = load_dump(path.rename(tmp_path / "mel.safetensors"))
        assert stage.meta.name == "mel"
        assert stage.array.shape == (MEL.shape if suffix in SUFFIXES else (9,))

    def test_a_link_that_leads_to_no_file_is_an_error(self, tmp_path):
        """What stands behind it would be left out without a word; one to a file is that file."""
        np.save(tmp_path / "mel.npy", np.ones(2))
        (tmp_path / "dump").mkdir()
        (tmp_path / "dump" / "mel.npy").symlink_to(tmp_path / "mel.npy")
        assert [stage.meta.name for stage in load(tmp_path / "dump")] == ["mel"]
        (tmp_path / "dump" / "ode").symlink_to(tmp_path)
        assert "ode is a link to a folder or to nothing" in str(refused(tmp_path / "dump"))

    def test_a_folder_of_that_name_gives_names_without_it(self, tmp_path):
        dumped(tmp_path / "dump.safetensors" / "ode" / "0.npy", parents=True)
        dumped(tmp_path / "mel.npy")
        assert [stage.meta.name for stage in load_dump(tmp_path / "dump.safetensors")] == ["ode/0", "mel"]

    def test_the_file_itself_comes_before_those_beside_it(self, tmp_path):
        np.savez(tmp_path / "a.npz", b=MEL)
        dumped(tmp_path / "dump.safetensors")
        assert [stage.meta.name for stage in load_dump(tmp_path / "dump.safetensors")] == ["mel", "b"]

    def test_nothing_is_nothing(self, tmp_path):
        assert load_dump(tmp_path / "dump.safetensors") == []


def test_what_a_file_does_not_declare_can_be_declared_by_globs(tmp_path):
    """Of two globs that match a stage the last counts; what is declared is checked."""
    path = tmp_path / "dump.npz"
    np.savez(path, mel=np.ones((1, 4, 3), np.float32), wave=np.ones(16, np.float32))
    said = {"*": {"kind": "tensor"}, "m?l": {"kind": "log_spectrum", "unit": "ln"}}
    mel, wave = load(path, {"wave": "waveform"}, {"mel": "BCT"}, {**said, "wave*": {"kind": "waveform"}})
    assert mel.meta == StageMeta("mel", "log_spectrum", "BCT", "ln")
    assert wave.meta == StageMeta("waveform", "waveform")
    with pytest.raises(StageError, match=r"axes= or declare=: 'mell' matches no stage, did you mean 'mel'\?"):
        load(path, declare={"mell": {"kind": "tensor"}})
    with pytest.raises(StageError, match="unit='nepers' of a log_spectrum is none of"):
        load(path, declare={"mel": {"kind": "log_spectrum", "unit": "nepers"}})


def test_what_a_file_declares_itself_is_not_overruled(tmp_path):
    """An audio file knows its rate."""
    path = tmp_path / "speech.wav"
    soundfile.write(path, np.zeros(100), 16000)
    (stage,) = load(path, declare={"*": {"sample_rate": 16000}})
    assert stage.meta.sample_rate == 16000
    with pytest.raises(StageError, match="itself declares sample_rate=16000 of stage 'speech', not 24000"):
        load(path, declare={"*": {"sample_rate": 24000}})
