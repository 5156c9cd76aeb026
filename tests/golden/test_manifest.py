"""The manifest: what it says, that people can read it, and that nothing in it can do harm."""

from __future__ import annotations

import contextlib
import copy
import json
import tempfile
import warnings
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from pytest_audioparity.errors import GoldenError, StageError
from pytest_audioparity.golden.shelf import Shelf, manifest_path, open_golden, save_golden
from pytest_audioparity.golden.statistics import statistics
from pytest_audioparity.records import StageMeta, StageTensor

MEL = np.linspace(-11, 2, 24, dtype="float32").reshape(1, 4, 6)
STAGES = [
    StageTensor(StageMeta("mel", "log_spectrum", "BCT", "ln", None, 86.13), MEL),
    StageTensor(StageMeta("codes", "codes", "CT"), np.arange(12).reshape(2, 6)),
    StageTensor(StageMeta("z"), np.array([1 + 2j, 3], "complex128")),
    StageTensor(StageMeta("none"), np.zeros((2, 0), "float16")),
]


def save(path, stages=STAGES, **settings):
    shelf = Shelf(str(path.parent / "store"), path.parent / "cache")
    save_golden(path, stages, settings=settings, provenance={"test": "t"}, shelf=shelf, since=None)
    return shelf


@pytest.fixture
def path(tmp_path):
    return tmp_path / "test_y.safetensors"


class TestContent:
    def test_it_says_what_the_file_would_say_and_where_each_tensor_is(self, path):
        save(path, temperature=0.9)
        document = json.loads(manifest_path(path).read_text())
        assert list(document) == ["format", "stages", "settings", "provenance"]
        assert document["format"] == 1
        assert document["settings"] == {"temperature": 0.9}
        mel, _, z, none = document["stages"]
        assert mel == {
            "name": "mel",
            "kind": "log_spectrum",
            "axes": "BCT",
            "unit": "ln",
            "frame_rate": 86.13,
            "dtype": "float32",
            "shape": [1, 4, 6],
            "bytes": 96,
            "sha256": mel["sha256"],
            "hash": f"xxh3:{xxhash.xxh3_128_hexdigest(MEL.tobytes())}",
            # Of 24 equal steps over 13: 13/23 * sqrt((24**2 - 1) / 12).
            "statistics": {"min": -11, "max": 2, "mean": -4.5, "std": 3.91254},
        }
        assert (z["dtype"], z["shape"], z["bytes"]) == ("complex128", [2], 32)
        assert z["statistics"]["max"] == 3
        assert "statistics" not in none

    def test_each_thing_that_changes_on_its_own_has_its_line(self, path):
        save(path, temperature=0.9)
        lines = manifest_path(path).read_text().split("\n")
        assert '      "shape": [1, 4, 6],' in lines
        assert '      "statistics": {"min": -11, "max": 2, "mean": -4.5, "std": 3.91254}' in lines
        assert '  "settings": {"temperature": 0.9},' in lines
        assert lines[-1] == ""
        assert max(map(len, lines)) < 100

    def test_the_same_stages_give_the_same_text(self, path, tmp_path):
        save(path, b=1, a=2)
        strided = [StageTensor(stage.meta, np.asfortranarray(stage.array)) for stage in STAGES]
        other = tmp_path / "other" / path.name
        save(other, strided, a=2, b=1)
        assert manifest_path(path).read_bytes() == manifest_path(other).read_bytes()

    def test_it_is_small_however_large_the_tensors_are(self, path):
        save(path, [StageTensor(StageMeta(f"stage/{i}"), np.full((1 << 20) + i, i, "float32")) for i in range(10)])
        assert manifest_path(path).stat().st_size < 5000

    def test_settings_are_written_as_deep_as_they_are_read(self, path):
        value = []
        for _ in range(38):
            value = [value]
        shelf = save(path, deep=value)
        assert open_golden(path, shelf).settings == {"deep": value}
        with pytest.raises(StageError, match="nested too deeply to be read again"):
            save(path, deep=[value])
        assert " " * 8 + "[" * 37 + "]" * 37 in manifest_path(path).read_text().split("\n")

    def test_text_is_written_as_people_read_it(self, path):
        save(path, voice="Jürgen", words=["für", {}])
        text = manifest_path(path).read_text(encoding="utf-8")
        assert '"Jürgen"' in text
        assert '"für"' in text

    def test_what_no_reader_takes_for_json_is_not_written(self, path):
        shelf = Shelf(str(path.parent / "store"), path.parent / "cache")
        with pytest.raises(ValueError, match="not JSON compliant"):
            save_golden(path, STAGES, settings={}, provenance={"test": float("nan")}, shelf=shelf, since=None)
        assert not manifest_path(path).exists()

    def test_a_tensor_is_checked_by_its_address_where_no_faster_hash_is_stated(self, path):
        shelf = save(path)
        edit(path, lambda document: document["stages"][0].pop("hash"))
        assert open_golden(path, shelf).read("mel").array.tobytes() == MEL.tobytes()
        blob = next(file for file in (path.parent / "cache").rglob("*") if file.name == address(path, 0))
        blob.write_bytes((MEL + 1).tobytes())
        with pytest.raises(GoldenError, match="altered") as caught:
            open_golden(path, shelf).read("mel")
        assert caught.value.cause == "altered"


def edit(path, change):
    document = json.loads(manifest_path(path).read_text())
    change(document)
    manifest_path(path).write_text(json.dumps(document))


def address(path, stage):
    return json.loads(manifest_path(path).read_text())["stages"][stage]["sha256"]


def first(**changes):
    return lambda document: document["stages"][0].update(changes)


WRONG = {
    "no stages": lambda document: document.pop("stages"),
    "stages null": lambda document: document.update(stages=None),
    "stage twice": lambda document: document["stages"].append(document["stages"][0]),
    "no format": lambda document: document.pop("format"),
    **{
        f"{key} {str(value)[:20]!r}": first(**{key: value})
        for key, values in {
            "sha256": ["../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n", None, 5, ["a" * 64]],
            "shape": [[1, 4, 7], [-1, 4, 6], "146", None, [1, 4, 6.0], [True, 4, 24], [2**62, 2**62], [1] * 70],
            "bytes": [95, -96, "96", 96.0, None, True, 10**30],
            "dtype": ["float64", "nonsense", "F32", "f4", "object", "f4,f4", None, ["float32"], "complex64"],
            "hash": ["md5:1", 5, []],
            "axes": ["BT"],
            "kind": ["codes"],
        }.items()
        for value in values
    },
}


class TestRefused:
    @pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
    def test_what_does_not_make_sense_is_damage(self, path, change):
        shelf = save(path)
        edit(path, change)
        with pytest.raises(GoldenError) as caught:
            list(open_golden(path, shelf))
        assert caught.value.cause == "damaged"
        assert str(caught.value).startswith(f"golden {manifest_path(path)} ")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("content", "cause", "text"),
        [
            (b"", "damaged", "unreadable content"),
            (b'{"format": 1, "stag', "damaged", "unreadable content"),
            (b"\xff\xfe", "damaged", "unreadable content"),
            (b"[" * 100_000, "damaged", "unreadable content"),
            (b'{"format": 1,\n<<<<<<< HEAD\n', "damaged", "marks of a merge conflict"),
            (b'{"format": 2, "stages": 5}', "newer_format", "pip install -U"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "lfs_pointer", "git lfs pull"),
        ],
    )
    def test_each_kind_of_damage_has_its_error(self, path, content, cause, text):
        shelf = save(path)
        manifest_path(path).write_bytes(content)
        with pytest.raises(GoldenError, match=text) as caught:
            open_golden(path, shelf)
        assert caught.value.cause == cause

    def test_a_manifest_that_is_a_folder_is_damage(self, path):
        manifest_path(path).mkdir()
        with pytest.raises(GoldenError, match="is not a regular file"):
            open_golden(path, Shelf("x"))


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["a" * 64, "int64"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def places(value, found=()):
    yield found
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*found, key))


@pytest.fixture(scope="module")
def made():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.safetensors")
        yield path, save(path, a={"b": [1]}), json.loads(manifest_path(path).read_text())


class TestFuzz:
    @given(data=st.data())
    def test_any_change_gives_an_error_or_tensors_that_have_their_hashes(self, made, data):
        path, shelf, original = made
        document = copy.deepcopy(original)
        for _ in range(data.draw(st.integers(1, 3))):
            where = data.draw(st.sampled_from(list(places(document))))
            if not where:
                document = data.draw(ANYTHING)
                break
            *leading, last = where
            target = document
            for key in leading:
                target = target[key]
            if data.draw(st.booleans()):
                target[last] = data.draw(ANYTHING)
            else:
                del target[last]
        manifest_path(path).write_text(json.dumps(document))
        known = {stage.array.tobytes() for stage in STAGES}
        with contextlib.suppress(GoldenError):
            assert all(stage.array.tobytes() in known for stage in open_golden(path, shelf))

    @given(data=st.data())
    def test_any_bytes_give_an_error(self, made, data):
        path, shelf, original = made
        text = bytearray(json.dumps(original).encode())
        where = data.draw(st.integers(0, len(text) - 1))
        text[where : where + data.draw(st.integers(0, 50))] = data.draw(st.binary(max_size=20))
        manifest_path(path).write_bytes(text)
        known = {stage.array.tobytes() for stage in STAGES}
        with contextlib.suppress(GoldenError):
            assert all(stage.array.tobytes() in known for stage in open_golden(path, shelf))


class TestStatistics:
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint64", "bool", ml_dtypes.bfloat16])
    def test_they_are_those_of_numpy_over_all_blocks(self, dtype):
        values = (np.random.default_rng(0).normal(3, 2, 600_000) * 5).clip(0, 100).astype(dtype)
        exact = values.astype("float64")
        found = statistics(values)
        assert found["min"] == pytest.approx(exact.min(), rel=1e-5)
        assert found["max"] == pytest.approx(exact.max(), rel=1e-5)
        assert found["mean"] == pytest.approx(exact.mean(), rel=1e-5)
        assert found["std"] == pytest.approx(exact.std(), rel=1e-5)
        assert set(found) == {"min", "max", "mean", "std"}

    def test_what_is_not_finite_is_counted_apart(self):
        assert statistics(np.array([1, np.nan, np.inf, -np.inf, 3])) == {
            "min": 1,
            "max": 3,
            "mean": 2,
            "std": 1,
            "nan": 1,
            "inf": 2,
        }
        assert statistics(np.full(3, np.nan)) == {"nan": 3}
        assert statistics(np.zeros(0)) == {}

    def test_what_leaves_the_range_of_float64_is_left_out(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert "std" not in statistics(np.array([1e300, -1e300]))
