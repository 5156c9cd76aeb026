"""`audioparity golden export`: a golden's inputs for programs of other languages, and nothing overwritten."""

from __future__ import annotations

import json
import shutil

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from pytest_audioparity.adapters.dumps import load
from pytest_audioparity.golden.file import write_golden
from pytest_audioparity.golden.shelf import Shelf, save_golden
from pytest_audioparity.records import StageMeta, StageTensor

NOISE = np.random.default_rng(0).standard_normal((1, 3, 4)).astype("float32")
STAGES = [
    StageTensor(StageMeta("tokens", "codes", "T", role="input"), np.arange(5)),
    StageTensor(StageMeta("ode/noise", "tensor", "BCT", role="input"), NOISE.transpose(0, 2, 1)),
    StageTensor(StageMeta("mel", "tensor", "BCT"), NOISE * 2),
]
NAMES = ["tokens", "ode/noise"]


@pytest.fixture
def project(review):
    for name, stages in (("test_m/marked", STAGES), ("test_m/plain", STAGES[2:])):
        write_golden(review.golden(name), stages, settings={}, provenance={})
    return review


def same(stages, expected):
    """Whether stages are the expected ones to the bit, declarations included."""
    by_name = {stage.meta.name: stage for stage in stages}
    return len(stages) == len(expected) and all(
        by_name[one.meta.name].meta == one.meta
        and by_name[one.meta.name].array.dtype == one.array.dtype
        and by_name[one.meta.name].array.tobytes() == one.array.tobytes()
        for one in expected
    )


def test_inputs_are_a_file_that_any_safetensors_reader_takes(project):
    status, out, _ = project.run("golden", "export", "test_m/marked")
    assert status == 0
    assert out == "exported 2 stages of test_m/marked (0.1 kB) to marked.inputs.safetensors: tokens, ode/noise\n"
    path = project.root / "marked.inputs.safetensors"
    assert same(load(path), STAGES[:2])
    assert safetensors.numpy.load_file(path)["ode/noise"].tolist() == NOISE.transpose(0, 2, 1).tolist()


def test_npz_has_the_numbers_under_their_names_and_the_same_bytes_each_time(project):
    project.run("golden", "export", "test_m/marked", "--out", "a.npz")
    project.run("golden", "export", "test_m/marked", "--format", "npz", "--out", "b")
    with np.load(project.root / "a.npz") as archive:
        assert archive.files == NAMES
        assert archive["ode/noise"].tobytes() == STAGES[1].array.tobytes()
    assert (project.root / "a.npz").read_bytes() == (project.root / "b" / "marked.inputs.npz").read_bytes()


def test_raw_numbers_come_back_as_they_were(project):
    assert project.run("golden", "export", "test_m/marked", "--format", "f32")[0] == 0
    folder = project.root / "marked.inputs"
    assert same(load(folder), STAGES[:2])
    assert (folder / "tokens.i64").read_bytes() == np.arange(5, dtype="<i8").tobytes()
    assert json.loads((folder / "ode/noise.f32.json").read_text())["shape"] == [1, 4, 3]


def test_stages_are_picked_by_glob_and_a_glob_without_a_stage_is_wrong_use(project):
    project.run("golden", "export", "test_m/marked", "--stage", "m*", "--stage", "tok*", "--out", "x.safetensors")
    assert same(load(project.root / "x.safetensors"), [STAGES[0], STAGES[2]])
    line = project.wrong("golden", "export", "test_m/marked", "--stage", "mle", "--out", "y")
    assert "--stage 'mle' matches no stage, did you mean 'mel'?" in line
    assert not (project.root / "y").exists()


def test_a_golden_without_inputs_gives_all_stages_and_says_so(project):
    _, out, _ = project.run("golden", "export", "test_m/plain")
    assert "test_m/plain marks no inputs, so these are all of its stages; record inputs with stages.input" in out
    assert same(load(project.root / "plain.inputs.safetensors"), STAGES[2:])


def test_json_says_the_same(project):
    told = project.json("golden", "export", "test_m/*", "--out", "all")[1]
    assert told["format"] == "safetensors"
    assert [(one["golden"], one["stages"], one["marked"], one["bytes"]) for one in told["exported"]] == [
        ("test_m/marked", NAMES, True, 88),
        ("test_m/plain", ["mel"], False, 48),
    ]
    assert same(load(project.root / told["exported"][0]["path"]), STAGES[:2])
    assert sorted(path.name for path in project.root.glob("all/test_m/*")) == [
        "marked.safetensors",
        "plain.safetensors",
    ]


@pytest.mark.parametrize("form", ["safetensors", "npz", "f32"])
def test_what_is_there_is_replaced_by_force_alone(project, form):
    command = ("golden", "export", "test_m/marked", "--format", form, "--out", "x" if form == "f32" else f"x.{form}")
    assert project.run(*command)[0] == 0
    before = {path: path.read_bytes() for path in project.root.glob("x*") if path.is_file()}
    assert "is there already; give another --out, or --force to replace it" in project.wrong(*command, "--stage", "mel")
    assert {path: path.read_bytes() for path in project.root.glob("x*") if path.is_file()} == before
    assert project.run(*command, "--force")[0] == 0


def test_raw_numbers_are_not_mixed_with_those_of_an_earlier_export(project):
    command = ("golden", "export", "test_m/marked", "--format", "f32", "--out", "x")
    project.run(*command)
    assert "x holds other files, which would be read as stages too, such as x/ode/noise.f32" in project.wrong(
        *command, "--stage", "mel", "--force"
    )
    assert not (project.root / "x" / "mel.f32").exists()


@pytest.mark.parametrize("out", ["golden", "golden/test_m/marked.safetensors", "golden/new"])
def test_nothing_is_written_among_the_goldens(project, out):
    before = project.golden("test_m/marked").read_bytes()
    assert "lies among the goldens" in project.wrong("golden", "export", "test_m/marked", "--out", out, "--force")
    assert project.golden("test_m/marked").read_bytes() == before
    assert not (project.root / "golden" / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["test_m/market"], "'test_m/market' matches no golden; did you mean 'test_m/marked'?"),
        (["test_m/*"], "2 goldens are meant; give a folder for them: --out DIR"),
        (["test_m/*", "--out", "x.npz"], "give a folder for them: --out DIR"),
        (["test_m/marked", "--out", "x.npz", "--format", "safetensors"], "ends in .npz, but --format is safetensors"),
    ],
)
def test_wrong_use_is_one_line(project, arguments, said):
    assert said in project.wrong("golden", "export", *arguments)


@pytest.mark.parametrize(("form", "said"), [("npz", "which .npz cannot hold"), ("f32", "no raw files")])
def test_a_type_that_a_format_lacks_is_refused_and_never_cast(review, form, said):
    stage = StageTensor(StageMeta("x", "tensor"), np.ones(3, ml_dtypes.float8_e4m3fn))
    write_golden(review.golden("test_m/a"), [stage], settings={}, provenance={})
    assert said in review.wrong("golden", "export", "test_m/a", "--format", form)
    assert sorted(path.name for path in review.root.iterdir()) == ["golden", "pytest.ini"]
    assert review.run("golden", "export", "test_m/a")[0] == 0


def test_bfloat16_has_raw_numbers(review):
    stage = StageTensor(StageMeta("x", "tensor"), np.array([1, 1.5], ml_dtypes.bfloat16))
    write_golden(review.golden("test_m/a"), [stage], settings={}, provenance={})
    review.run("golden", "export", "test_m/a", "--format", "f32")
    assert same(load(review.root / "a.inputs"), [stage])


def test_names_that_no_file_can_have_stay_in_the_folder(review):
    names = ["../out", "/abs", "a:b", "A", "a", ".hidden", "con", "x" * 300, "a\\b", "é", "n.safetensors"]
    stages = [StageTensor(StageMeta(name, "tensor"), np.full(2, float(i))) for i, name in enumerate(names)]
    write_golden(review.golden("test_m/a"), stages, settings={}, provenance={})
    before = set(review.root.rglob("*"))
    assert review.run("golden", "export", "test_m/a", "--format", "f32", "--out", "x/y")[0] == 0
    assert same(load(review.root / "x" / "y"), stages)
    new = [path for path in set(review.root.rglob("*")) - before if path.is_file()]
    assert len(new) == 2 * len(names)
    assert all(path.is_relative_to(review.root / "x" / "y") for path in new)
    assert len({str(path).lower() for path in new}) == len(new)


def test_a_golden_in_a_store_is_exported_as_any(review):
    store = review.root.parent / "store"
    (review.root / "pytest.ini").write_text(f"[pytest]\naudioparity_golden_store = {store}\n")
    cache = review.root / ".audioparity" / "cache"
    shelf = Shelf(store=str(store), cache=cache)
    save_golden(review.golden("test_m/a"), STAGES, settings={}, provenance={}, shelf=shelf, since=None)
    review.run("golden", "push")
    shutil.rmtree(cache)
    assert review.run("golden", "export", "test_m/a")[0] == 0
    assert same(load(review.root / "a.inputs.safetensors"), STAGES[:2])


def test_an_altered_golden_is_one_line_and_writes_nothing(project):
    path = project.golden("test_m/marked")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "was altered" in project.wrong("golden", "export", "test_m/marked", "--stage", "*")
    assert not list(project.root.glob("*.inputs*"))
