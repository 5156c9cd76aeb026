"""The record of a run as a document, orphans by a record, and one record of those of several jobs."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from fnmatch import fnmatch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from pytest_audioparity.errors import AudioparityError
from pytest_audioparity.golden.file import write_golden
from pytest_audioparity.golden.provenance import platform_in_use
from pytest_audioparity.golden.shelf import Shelf, save_golden
from pytest_audioparity.merging import merge
from pytest_audioparity.orphans import find_orphans, fingerprint
from pytest_audioparity.records import StageMeta, StageTensor
from pytest_audioparity.runs import UNFINISHED, Job, Orphan, RunRecord, document, read_run, write_run
from pytest_audioparity.testfiles import Layout, uncovered_files
from pytest_audioparity.workspace import Workspace

# Later than any file that a test writes: such runs saw the tests that are there.
TIME, EARLIER = "2999-01-01T00:00:00.000+00:00", "2998-01-01T00:00:00.000+00:00"
COMMIT = "0" * 40


def record(**fields):
    """Return the record of a run that went well and has no tests."""
    usual = {
        "id": "1",
        "started": TIME,
        "finished": TIME,
        "commit": COMMIT,
        "exit_status": 0,
        "broken": (),
        "layout": Layout(),
        "paths": (".",),
    }
    return RunRecord(**{**usual, **fields})


def golden(root, name, test=None, **provenance):
    """Write a golden, by hand if no test is named."""
    path = root / "golden" / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    provenance |= {"test": test} if test else {}
    stage = StageTensor(StageMeta("mel", kind="tensor"), np.ones(3, np.float32))
    write_golden(path, [stage], settings={}, provenance=provenance)
    return path


def names(orphans):
    return [orphan.golden for orphan in orphans]


FULL = record(
    collected={"tests/test_a.py": ("test_x", "test_y[1]"), "tests/test_empty.py": ()},
    uncollected=("tests/test_skipped.py",),
    seen=("tests/test_a.py::test_x",),
    run=("tests/test_a.py::test_x",),
    claimed=("tests/test_a/test_x",),
    tests=({"test": "tests/test_a.py::test_x", "verdict": "pass", "stages": [{"name": "mel"}]},),
    orphans=(Orphan("tests/test_b/test_b", "xxh3:0"),),
    jobs=(Job("linux", "1", None, 0, True),),
    complete=True,
    partial=("selected by -k",),
)


@pytest.mark.parametrize("written", [FULL, RunRecord(id="1", started=TIME)])
def test_a_record_is_read_as_it_was_written(tmp_path, written):
    """Writing and reading gives the same record."""
    path = tmp_path / "run.json"
    write_run(path, written)
    assert read_run(path) == written
    assert json.loads(path.read_text())["schema"] == 1


@given(st.text(st.characters(codec=None, categories=None)))
def test_any_test_id_can_be_written(tmp_path_factory, test):
    """Node ids may hold anything, half of a surrogate pair included."""
    path = tmp_path_factory.mktemp("run") / "run.json"
    write_run(path, record(seen=(test,)))
    assert read_run(path).seen == (test,)


def test_numbers_that_json_lacks_are_null(tmp_path):
    """Infinity and NaN become null, as in every document of ours."""
    tests = ({"test": "a", "deviation_db": math.inf, "stages": [{"peak_db": math.nan}]},)
    write_run(tmp_path / "run.json", record(tests=tests))
    (entry,) = read_run(tmp_path / "run.json").tests
    assert entry == {"test": "a", "deviation_db": None, "stages": [{"peak_db": None}]}


def test_a_record_that_was_only_begun_is_unfinished():
    """What a killed run leaves says so and is not complete."""
    begun = RunRecord(id="1", started=TIME)
    assert begun.reasons == (UNFINISHED,)
    assert not begun.complete


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no record of a run, *: run pytest first"),
        ("", "*is no record of a run: it is not JSON; run pytest again*"),
        ("{" * 100_000, "*is no record of a run: it is not JSON*"),
        ('{"a": 1}', "*is no record of a run: it has no schema*"),
        ("[]", "*is no record of a run: it has no schema*"),
        ('{"schema": true}', "*it has no schema*"),
        ('{"schema": 2}', "* has schema 2, this version reads 1: pip install -U pytest-audioparity"),
        ('{"schema": 1}', "*is no record of a run that can be used: 'layout'; run pytest again*"),
    ],
)
def test_a_record_that_cannot_be_used_is_one_clear_error(tmp_path, content, message):
    """Missing, damaged and newer records say what to do."""
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(AudioparityError) as error:
        read_run(path)
    assert fnmatch(str(error.value), message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", [field.name for field in dataclasses.fields(RunRecord)])
@pytest.mark.parametrize("value", [3.5, {"x": 1}, [1], [{"test": 1}]])
def test_a_field_of_another_type_is_refused_or_harmless(tmp_path, key, value):
    """Records come from other machines; whatever a field holds, there is no traceback."""
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**document(FULL), key: value}))
    with pytest.raises(AudioparityError, match="no record of a run that can be used"):
        read_run(path)


def test_the_workspace_is_made_when_it_is_needed_and_ignores_itself(tmp_path):
    """Nothing exists before `ensure`; then git and backups leave the folder out."""
    workspace = Workspace(tmp_path)
    assert workspace.run_file == tmp_path / ".audioparity" / "run.json"
    assert not workspace.folder.exists()
    workspace.ensure()
    workspace.ensure()
    assert (workspace.folder / ".gitignore").read_text().endswith("\n*\n")
    assert (workspace.folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    assert not workspace.pending.exists()


EVIL = {
    "layout": [{"testpaths": ["/**"]}, {"testpaths": ["../../usr/**"]}, {"testpaths": ["C:\\x"]}],
    "paths": [["/usr"], ["../x"], ["a/../../x"]],
    "collected": [{"/etc/passwd": []}, {"../x": ["a"]}],
    "uncollected": [["/usr"], ["..\\x"]],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in EVIL.items() for value in values])
def test_paths_that_lead_out_of_the_project_are_dropped_and_the_run_is_not_whole(tmp_path, key, value):
    """A record may come from another machine; a run of tests elsewhere can be read all the same."""
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**document(FULL), key: value}))
    read = read_run(path)
    assert (read.complete, read.orphans) == (False, ())
    assert any("tests lie outside the root directory" in reason for reason in read.partial)
    assert not getattr(read, key) or not read.layout.testpaths
    write_run(path, read)
    assert read_run(path) == read


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("golden_dir", "golden\0"),
        ("paths", ["a\0"]),
        ("collected", {"a\0": []}),
        ("layout", {"testpaths": ["\0"]}),
        ("layout", {"testpaths": ["**/*/**/*/**/*/**/*"]}),
        ("layout", {"testpaths": ["**"] * 1000}),
    ],
)
def test_paths_that_no_run_writes_make_a_record_of_no_use(tmp_path, key, value):
    """They would crash or hang whoever follows them."""
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**document(FULL), key: value}))
    with pytest.raises(AudioparityError, match="no record of a run that can be used"):
        read_run(path)


def test_writing_a_record_copies_no_numbers(monkeypatch):
    """A run with many stages is written in a moment; the document is that of `dataclasses.asdict`."""
    expected = json.loads(json.dumps({"schema": 1, **dataclasses.asdict(FULL)}))
    copied = []
    with monkeypatch.context() as patched:
        patched.setattr(dataclasses, "asdict", lambda one: copied.append(one) or {})
        told = json.loads(json.dumps(document(FULL)))
    assert (told, copied) == (expected, [])


# Orphans


@pytest.mark.parametrize(
    ("name", "test", "is_orphan"),
    [
        ("tests/test_a/test_x", "tests/test_a.py::test_x", False),  # claimed
        ("tests/test_a/TEST_X", "tests/test_a.py::test_gone", False),  # claimed, where the file system ignores case
        ("tests/test_a/test_gone", "tests/test_a.py::test_gone", True),
        ("tests/test_a/test_y-2", "tests/test_a.py::test_y[2]", True),  # a parameter is gone
        ("custom/name", "tests/test_a.py::test_y[1]", False),  # collected, by its provenance
        ("custom/name", "tests/test_a.py::test_gone", True),
        ("tests/test_empty/test_x", "tests/test_empty.py::test_x", True),  # the file has no tests any more
        ("tests/test_gone/test_x", "tests/test_gone.py::test_x", True),  # the file is gone
        ("tests/test_skipped/test_x", "tests/test_skipped.py::test_x", False),  # skipped at collection
        ("tests/test_other/test_x", "tests/test_other.py::test_x", False),  # exists, was not collected
        ("tests/test_a/by_hand", None, False),  # the test file is there
        ("tests/test_gone/by_hand", None, True),
        ("tests/test_other/by_hand", None, False),
        ("tests/test_skipped/by_hand", None, False),
        ("tests/test_a-0123abcd/by_hand", None, False),  # a hash stands for a file that nobody can tell
        ("weights/encoder", None, False),  # no golden of ours, for all we know
        ("encoder", None, False),
        ("custom/name", "export.swift", False),
        ("custom/name", "x" * 5000, False),
        ("tests/test_a/test_x@cuda", "tests/test_a.py::test_gone", False),  # follows the golden it is a variant of
        (".audioparity/pending/x", "tests/test_a.py::test_gone", False),  # where the golden folder is the root
    ],
)
def test_who_is_an_orphan(tmp_path, name, test, is_orphan):
    """A golden is an orphan only when the test it names is gone from what was collected, or its file is gone."""
    (tmp_path / "tests").mkdir()
    for file in ("test_a", "test_empty", "test_skipped", "test_other"):
        (tmp_path / "tests" / f"{file}.py").touch()
    path = golden(tmp_path, name, test)
    expected = (Orphan(name, fingerprint(path)),) if is_orphan else ()
    assert find_orphans(FULL, tmp_path) == expected


def test_a_variant_follows_its_golden(tmp_path):
    """Both are orphans, or neither, whatever the variant says of its own origin."""
    golden(tmp_path, "tests/test_gone/x", "tests/test_gone.py::test_x")
    golden(tmp_path, "tests/test_gone/x@cuda", "tests/test_gone.py::test_x")
    golden(tmp_path, "custom/y", "tests/test_a.py::test_x")
    golden(tmp_path, "custom/y@cuda", "tests/test_gone.py::test_y")
    assert names(find_orphans(FULL, tmp_path)) == ["tests/test_gone/x", "tests/test_gone/x@cuda"]


def test_a_damaged_golden_is_no_orphan(tmp_path):
    """Nobody can say whose it is."""
    path = golden(tmp_path, "tests/test_gone/x", "tests/test_gone.py::test_x")
    path.write_bytes(path.read_bytes()[:40])
    assert find_orphans(FULL, tmp_path) == ()


def test_a_golden_in_a_store_is_judged_by_its_manifest(tmp_path):
    """Neither the store nor its cache is needed to say whose it is."""
    path = tmp_path / "golden" / "tests" / "test_a" / "test_gone.safetensors"
    stage = StageTensor(StageMeta("mel", kind="tensor"), np.ones(3, np.float32))
    shelf = Shelf(store=str(tmp_path / "store"), cache=tmp_path / "cache")
    provenance = {"test": "tests/test_a.py::test_gone"}
    save_golden(path, [stage], settings={}, provenance=provenance, shelf=shelf, since=None)
    shutil.rmtree(tmp_path / "cache")
    assert not path.exists()
    assert find_orphans(FULL, tmp_path) == (Orphan("tests/test_a/test_gone", fingerprint(path)),)


def test_no_golden_folder_no_orphans(tmp_path):
    """A project without goldens is fine."""
    assert find_orphans(FULL, tmp_path) == ()


@pytest.mark.parametrize("place", ["../golden", "/elsewhere"])
def test_a_golden_folder_outside_the_project_has_no_orphans(tmp_path, place):
    """Other projects may use it."""
    root = tmp_path / "project"
    root.mkdir()
    golden(tmp_path, "tests/test_gone/x", "tests/test_gone.py::test_x")
    assert find_orphans(dataclasses.replace(FULL, golden_dir=place), root) == ()


@pytest.mark.parametrize("is_link", [True, False])
def test_a_golden_folder_is_where_symbolic_links_lead(tmp_path, is_link):
    """A name inside the project says nothing: another project may own what lies there."""
    root, other = tmp_path / "project", tmp_path / "other"
    (root / "x").mkdir(parents=True)
    golden(other, "tests/test_gone/x", "tests/test_gone.py::test_x")
    (root / "link").symlink_to(other)
    place = "link/golden" if is_link else "x/../../other/golden"
    run = dataclasses.replace(FULL, golden_dir=place)
    assert find_orphans(run, root) == ()
    assert merge({"one": dataclasses.replace(run, orphans=(), partial=())}, root).partial[-1].startswith("the golden")
    (root / "link").unlink()
    golden(root, "tests/test_gone/x", "tests/test_gone.py::test_x")
    (root / "link").symlink_to(root)
    assert names(find_orphans(dataclasses.replace(FULL, golden_dir="link/golden"), root)) == ["tests/test_gone/x"]


@pytest.mark.parametrize(
    ("made_with", "is_orphan"),
    [
        ({"platform": platform_in_use(), "device": "cpu", "packages": {"numpy": "1"}}, True),
        ({"platform": "Plan9-mips"}, False),
        ({"device": "NPU"}, False),
        ({"packages": {"numpy": "1", "nowhere": "1"}}, False),
        ({"packages": {"no.where": "1"}}, False),
        ({"packages": {"": "1"}}, False),
        ({"packages": ["nowhere"], "platform": None}, True),
    ],
)
def test_what_another_platform_made_may_have_its_test_there(tmp_path, made_with, is_orphan):
    """Tests and parameters may depend on the platform and on packages; a file that is gone is gone everywhere."""
    golden(tmp_path, "tests/test_a/test_y-mps", "tests/test_a.py::test_y[mps]", **made_with)
    golden(tmp_path, "tests/test_gone/x", "tests/test_gone.py::x", **made_with)
    expected = ["tests/test_a/test_y-mps"] if is_orphan else []
    assert names(find_orphans(FULL, tmp_path)) == [*expected, "tests/test_gone/x"]


@pytest.mark.parametrize("name", ["tests/test_gone/x", "tests/test_a/x", "weights/x", "x"])
def test_a_tensor_file_that_is_not_ours_is_no_orphan(tmp_path, name):
    """Weights of a model may lie beside goldens."""
    path = tmp_path / "golden" / f"{name}.safetensors"
    path.parent.mkdir(parents=True)
    save_file({"w": np.ones(3, np.float32)}, path)
    assert find_orphans(FULL, tmp_path) == ()


# Test files


FILES = ("tests/test_a.py", "tests/sub/test_b.py", "other/c_test.py", "build/test_x.py", ".hidden/test_x.py")
FILES += ("env/lib/test_x.py", "tests/helper.py", "tests/__pycache__/test_x.py")


@pytest.mark.parametrize(
    ("layout", "covered", "expected"),
    [
        ({}, (), ["other/c_test.py", "tests/sub/test_b.py", "tests/test_a.py"]),
        ({}, (".",), []),
        ({}, ("tests",), ["other/c_test.py"]),
        ({}, ("tests/sub", "tests/test_a.py"), ["other/c_test.py"]),
        ({}, ("tests/test",), ["other/c_test.py", "tests/sub/test_b.py", "tests/test_a.py"]),
        ({"testpaths": ("tests",)}, ("tests",), []),
        ({"testpaths": ("te*",)}, ("tests/sub",), ["tests/test_a.py"]),
        ({"testpaths": ("tests/test_a.py",)}, (), ["tests/test_a.py"]),
        ({"testpaths": ("nowhere",)}, ("tests",), ["other/c_test.py"]),
        ({"python_files": ("sub/test_*.py",)}, (), ["tests/sub/test_b.py"]),
        ({"norecursedirs": ("sub", ".*", "build", "other")}, (), ["tests/test_a.py"]),
    ],
)
def test_the_test_files_that_paths_leave_out(tmp_path, layout, covered, expected):
    """Test files are found as pytest finds them."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert sorted(uncovered_files(tmp_path, Layout(**layout), covered)) == expected


# Merging


def project(root):
    """Make a checkout with two test files, and an orphan."""
    for name in ("test_a.py", "test_b.py"):
        (root / name).touch()
    golden(root, "test_a/test_x", "test_a.py::test_x")
    golden(root, "test_b/test_x", "test_b.py::test_x")
    golden(root, "test_b/test_gone", "test_b.py::test_gone")


def shard(file, *, run=("test_x",), seen=("test_x",), **fields):
    """Return the record of a job that was given one file."""
    usual = {
        "paths": (file,),
        "collected": {file: seen},
        "seen": tuple(f"{file}::{test}" for test in seen),
        "run": tuple(f"{file}::{test}" for test in run),
        "claimed": tuple(f"{file[:-3]}/{test}" for test in seen),
        "tests": tuple({"test": f"{file}::{test}", "verdict": "pass", "outcome": "passed"} for test in run),
        "partial": (f"only part was asked for: {file}",),
    }
    return record(**{**usual, **fields})


def test_shards_that_make_a_whole_are_complete(tmp_path):
    """Two jobs, a file each, are the whole project; what no test owns shows."""
    project(tmp_path)
    merged = merge({"one": shard("test_a.py"), "two": shard("test_b.py", started=EARLIER)}, tmp_path)
    assert (merged.complete, merged.reasons, merged.commit, merged.started) == (
        True,
        (),
        COMMIT,
        "2998-01-01T00:00:00.000+00:00",
    )
    assert [test["test"] for test in merged.tests] == ["test_a.py::test_x", "test_b.py::test_x"]
    assert names(merged.orphans) == ["test_b/test_gone"]
    assert [(job.name, job.complete) for job in merged.jobs] == [("one", False), ("two", False)]
    write_run(tmp_path / "run.json", merged)
    assert read_run(tmp_path / "run.json") == merged


def test_merging_can_go_in_steps(tmp_path):
    """Merged records may be merged again, and the order of the jobs does not matter."""
    project(tmp_path)
    one, two = shard("test_a.py"), shard("test_b.py")
    first = merge({"one": one}, tmp_path)
    assert first.partial == ("no job collected test_b.py",)
    merged = merge({"first": first, "two": two}, tmp_path)
    assert merged.complete
    assert merged.tests == merge({"two": two, "first": first}, tmp_path).tests


TWO = {"seen": ("test_x", "test_y")}


@pytest.mark.parametrize(
    ("one", "two", "reason"),
    [
        ({}, None, "no job collected test_b.py"),
        ({}, {"paths": (), "collected": {}}, "no job collected test_b.py"),
        ({}, {"run": ()}, "no job ran test_b.py::test_x"),
        ({}, {**TWO}, "no job ran test_b.py::test_y"),
        ({}, {"broken": ("the run was interrupted",)}, "two: the run was interrupted"),
        ({}, {"broken": (UNFINISHED,)}, f"two: {UNFINISHED}"),
        ({}, {"commit": "1" * 40}, f"the jobs ran different commits: {COMMIT}, {'1' * 40}"),
        ({}, {"commit": None}, "the commit of two is unknown"),
        ({}, {"commit": f"{COMMIT}+changes"}, f"the jobs ran different commits: {COMMIT}, {COMMIT}+changes"),
        ({}, {"golden_dir": "other"}, "the jobs have different golden folders: golden, other"),
        ({"golden_dir": "../g"}, {"golden_dir": "../g"}, "the golden folder lies outside the root directory*"),
        ({"layout": None}, {"layout": None}, "every job changed on its command line what a test file is"),
        ({}, {"layout": Layout(python_files=("*.py",))}, "no job collected conftest.py"),
    ],
)
def test_a_partial_set_is_never_taken_for_the_whole(tmp_path, one, two, reason):
    """Whatever is missing, the result says what, is not complete and has no orphans."""
    project(tmp_path)
    (tmp_path / "conftest.py").touch()
    records = {"one": shard("test_a.py", **one)} | ({} if two is None else {"two": shard("test_b.py", **two)})
    merged = merge(records, tmp_path)
    assert not merged.complete
    assert not merged.orphans
    assert any(fnmatch(said, reason) for said in merged.reasons), merged.reasons
    again = merge({"all of them": merged}, tmp_path)
    assert not again.complete, "a result that is merged once more is no more whole"
    assert any(fnmatch(said, f"*{reason}") for said in again.reasons), again.reasons


def test_a_checkout_with_other_tests_makes_no_whole(tmp_path):
    """A golden of a test that is newer than the jobs is not taken for an orphan."""
    project(tmp_path)
    started = "2001-01-01T00:00:00+00:00"
    merged = merge({"one": shard("test_a.py", started=started), "two": shard("test_b.py")}, tmp_path)
    assert merged.partial == ("the tests of this checkout are not those that the jobs ran (test_a.py)",)
    assert merged.orphans == ()


def test_shards_that_cut_through_a_file_add_up(tmp_path):
    """-k, pytest-split and pytest-shard run some tests of a file here and the rest there."""
    project(tmp_path)
    parts = {test: shard("test_b.py", **TWO, run=(test,)) for test in TWO["seen"]}
    assert merge({"a": shard("test_a.py"), **parts}, tmp_path).complete
    assert not merge({"a": shard("test_a.py"), "test_x": parts["test_x"]}, tmp_path).complete


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_worst_result_of_a_matrix_counts(tmp_path, order):
    """A test that fails on one platform fails, whichever job comes first, and the job is named."""
    project(tmp_path)
    verdicts = [("linux", "pass"), ("mac", "fail"), ("windows", "not_measured")]
    records = {
        name: shard("test_a.py", tests=({"test": "test_a.py::test_x", "verdict": verdict},))
        for name, verdict in (verdicts[i] for i in order)
    }
    (test,) = merge(records, tmp_path).tests
    assert (test["verdict"], test["job"]) == ("fail", "mac")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_job_that_skips_a_test_does_not_hide_that_another_fails_it(tmp_path, order):
    """The stages of a skipped test may be worse than those of one whose teardown fails."""
    project(tmp_path)
    ends = [("linux", "fail", "skipped"), ("mac", "pass", "failed")]
    records = {
        name: shard("test_a.py", tests=({"test": "test_a.py::test_x", "verdict": verdict, "outcome": outcome},))
        for name, verdict, outcome in (ends[i] for i in order)
    }
    (test,) = merge(records, tmp_path).tests
    assert (test["outcome"], test["job"]) == ("failed", "mac")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_job_that_skips_a_test_does_not_hide_that_another_passed_it(tmp_path, order):
    """Else it would be missing where the run is judged again."""
    project(tmp_path)
    ends = [("linux", "pass", "passed"), ("mac", "not_measured", "skipped")]
    records = {
        name: shard("test_a.py", tests=({"test": "test_a.py::test_x", "verdict": verdict, "outcome": outcome},))
        for name, verdict, outcome in (ends[i] for i in order)
    }
    (test,) = merge(records, tmp_path).tests
    assert (test["outcome"], test["job"]) == ("passed", "linux")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize(
    ("verdict", "less", "more"),
    [
        ("fail", {"deviation_db": 2.3, "peak_db": 9.0}, {"deviation_db": 3.5, "peak_db": 9.0}),
        ("fail", {"deviation_db": 2.3, "peak_db": 9.0}, {"deviation_db": 0.1, "peak_db": 240.0}),
        ("fail", {"deviation_db": 2.3, "peak_db": 9.0}, {"deviation_db": None, "peak_db": None}),
        ("pass", {"deviation_db": None, "peak_db": None}, {"deviation_db": 0.004, "peak_db": 0.1}),
    ],
)
def test_of_two_results_alike_that_which_needs_more_tolerance_counts(tmp_path, order, verdict, less, more):
    """Else a run judged again with a tolerance between the two would pass by the order of its jobs."""
    project(tmp_path)
    alike = {"verdict": verdict, "peak_is_derived": True}
    tests = {
        job: {"test": "test_a.py::test_x", "verdict": verdict, "stages": [{"verdict": "pass"}, {**alike, **numbers}]}
        for job, numbers in (("linux", less), ("mac", more))
    }
    records = {job: shard("test_a.py", tests=(tests[job],)) for job in (list(tests)[i] for i in order)}
    (test,) = merge(records, tmp_path).tests
    assert test["job"] == "mac"


def test_a_module_that_one_platform_lacks_was_collected_by_the_other(tmp_path):
    """What is skipped at collection in every job may own goldens still; what any job collected is known."""
    project(tmp_path)
    skipped = record(uncollected=("test_b.py",), collected={"test_a.py": ("test_x",)})
    assert merge({"linux": skipped}, tmp_path).complete
    assert merge({"linux": skipped}, tmp_path).orphans == ()
    merged = merge({"linux": skipped, "mac": shard("test_b.py")}, tmp_path)
    assert merged.uncollected == ()
    assert names(merged.orphans) == ["test_b/test_gone"]


def test_nothing_to_merge_is_an_error(tmp_path):
    """No record is not an empty project."""
    with pytest.raises(AudioparityError, match="no record of a run to merge"):
        merge({}, tmp_path)
