"""What goes into a golden comes out of it bit for bit, and two machines write the same bytes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pytest_audioparity.errors import GoldenError
from pytest_audioparity.golden.declarations import is_stage_name
from pytest_audioparity.golden.file import Golden, write_golden
from pytest_audioparity.golden.shelf import Shelf, open_golden, save_golden
from pytest_audioparity.records import StageMeta, StageTensor
from pytest_audioparity.runs import Job, Orphan, RunRecord, read_run, write_run
from pytest_audioparity.testfiles import Layout
from tests.properties import arrays

# Unicode of every sort, slashes, dots, brackets, quotes, what JSON escapes, and what means something to globs.
NAMES = st.one_of(
    st.sampled_from(
        ["a/b", "/", "..", "a b", 'say "ah"', "back\\slash", "mel[0]", "*", "é", "e\u0301", "音声", "🎤", "__x__"]
    ),
    st.text(min_size=1, max_size=12),
).filter(is_stage_name)
rates = st.one_of(st.none(), st.integers(1, 10**6), st.floats(0.01, 1e6))
SETTINGS = st.dictionaries(
    st.text(min_size=1, max_size=5).filter(str.isprintable),
    st.recursive(
        st.one_of(
            st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False)
        ),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=4,
    ),
    max_size=3,
)


@st.composite
def tensors(draw):
    """Draw an array of any dtype, bits and layout, without elements too."""
    dtype = arrays.dtype_of(draw(st.sampled_from(arrays.DTYPES)))
    shape = draw(st.one_of(arrays.SHAPES, arrays.EMPTY_SHAPES))
    return draw(arrays.arranged(draw(arrays.values(dtype, shape, finite=False))))


@st.composite
def stages(draw):
    made = []
    for name in draw(st.lists(NAMES, unique=True, max_size=4)):
        array = draw(tensors())
        axes = draw(st.sampled_from([None, "BCTXY"[: array.ndim]]))
        meta = StageMeta(name, axes=axes, sample_rate=draw(rates), frame_rate=draw(rates))
        made.append(StageTensor(meta, array))
    return made


def written(folder, made, settings=None, name="x.safetensors"):
    path = Path(folder) / name
    write_golden(path, made, settings=settings or {}, provenance={}, durable=False)
    return path


@given(stages(), SETTINGS)
def test_a_golden_holds_what_was_written(made, settings):
    """Names, order, declarations, settings, and every bit of every tensor: NaN payloads, signs of zero, empty ones."""
    with tempfile.TemporaryDirectory() as folder:
        golden = Golden(written(folder, made, settings))
        assert golden.stages == tuple(stage.meta for stage in made)
        assert golden.settings == settings
        assert all(arrays.same_bits(read.array, stage.array) for read, stage in zip(golden, made, strict=True))


@given(stages(), st.data())
def test_the_layout_of_a_tensor_does_not_show_in_the_bytes(made, data):
    """Strides and byte order of the machine that wrote it are forgotten, so that git sees no change."""
    moved = [StageTensor(stage.meta, data.draw(arrays.arranged(stage.array))) for stage in made]
    with tempfile.TemporaryDirectory() as folder:
        assert written(folder, made).read_bytes() == written(folder, moved, name="y").read_bytes()


@arrays.QUARTER
@given(stages())
def test_a_manifest_with_its_store_holds_what_the_file_holds(made):
    """Bit for bit too, whatever names and shapes there are."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        shelf = Shelf(store=f"file://{folder}/store", cache=Path(folder) / "cache")
        save_golden(path, made, settings={}, provenance={}, shelf=shelf, since=None)
        golden = open_golden(path, shelf)
        assert golden.stages == tuple(stage.meta for stage in made)
        assert all(arrays.same_bits(read.array, stage.array) for read, stage in zip(golden, made, strict=True))


@given(stages(), st.data())
def test_one_flipped_bit_of_a_tensor_is_an_altered_golden(made, data):
    """Wherever it is; the other stages are read as they were. A truth value of neither 0 nor 1 is damage."""
    made = [stage for stage in made if stage.array.size]
    with tempfile.TemporaryDirectory() as folder:
        path = written(folder, made)
        content = bytearray(path.read_bytes())
        start = 8 + int.from_bytes(content[:8], "little")
        if start == len(content):
            return
        place = data.draw(st.integers(start, len(content) - 1))
        content[place] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        outcomes = [_outcome(path, stage) for stage in made]
        one = sorted(outcomes) == ["altered", *["same"] * (len(made) - 1)]
        assert one or set(outcomes) == {"damaged"}


def _outcome(path, stage):
    try:
        read = Golden(path).read(stage.meta.name)
    except GoldenError as error:
        return error.cause
    return "same" if arrays.same_bits(read.array, stage.array) else "other"


paths = st.text(st.characters(codec="utf-8", exclude_characters="\0/\\:"), min_size=1, max_size=8).filter(
    lambda part: part.strip(". ") == part
)
texts = st.lists(st.text(max_size=8), max_size=3).map(tuple)
numbers = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.text(max_size=5))


@given(
    st.builds(
        RunRecord,
        id=st.text(max_size=8),
        started=st.text(max_size=8),
        finished=st.none() | st.text(max_size=8),
        commit=st.none() | st.text(max_size=8),
        golden_dir=paths,
        exit_status=st.none() | st.integers(0, 5),
        complete=st.booleans(),
        partial=texts,
        broken=texts,
        layout=st.none() | st.builds(Layout, testpaths=st.lists(paths, max_size=2).map(tuple)),
        paths=st.lists(paths, max_size=3).map(tuple),
        collected=st.dictionaries(paths, texts, max_size=3),
        uncollected=st.lists(paths, max_size=2).map(tuple),
        seen=texts,
        run=texts,
        claimed=texts,
        tests=st.lists(
            st.fixed_dictionaries(
                {"test": st.text(max_size=8), "stages": st.lists(st.dictionaries(st.text(), numbers))}
            ),
            max_size=2,
        ).map(tuple),
        orphans=st.lists(st.builds(Orphan, st.text(max_size=5), st.text(max_size=5)), max_size=2).map(tuple),
        jobs=st.lists(
            st.builds(
                Job, st.text(max_size=3), st.text(max_size=3), st.none(), st.none() | st.integers(), st.booleans()
            ),
            max_size=2,
        ).map(tuple),
    )
)
def test_the_record_of_a_run_is_read_as_it_was_written(record):
    """Every field, whatever texts and numbers it holds, in a file of plain ASCII."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        write_run(path, record)
        assert read_run(path) == record
        assert json.loads(path.read_bytes().decode("ascii"))["schema"] == 1


def test_a_big_endian_machine_writes_the_same_golden(tmp_path):
    """Numbers of the other byte order are stored as little-endian, and read as the same numbers."""
    here = np.arange(12, dtype="<f4").reshape(3, 4)
    there = here.astype(">f4")
    made = [[StageTensor(StageMeta("x"), side)] for side in (here, there)]
    assert written(tmp_path, made[0]).read_bytes() == written(tmp_path, made[1], name="y").read_bytes()
    assert Golden(tmp_path / "y").read("x").array.tolist() == here.tolist()
