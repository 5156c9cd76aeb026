"""Orphans are named after a full run, and never after one that may have left out the test that owns them."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

from pytest_audioparity.merging import merge
from pytest_audioparity.runs import read_run

KEEP = """
def test_keep(stages): stages["mel"] = 1.0
def test_fine(): pass
"""
GONE = """
def test_gone(stages): stages["mel"] = 1.0
"""
WORKERS = [(), ("-n2",)]
ORPHAN = (
    "orphan golden/tests/test_model/test_gone.safetensors (no collected test owns it); "
    "delete with: audioparity golden prune"
)


@pytest.fixture
def model(project):
    """Write a project one of whose goldens has lost its test; another is owned by a test in another folder."""
    project.ini()
    project.write(KEEP + GONE, "tests/test_model.py")
    project.write("def test_sub(stages): stages['mel'] = 1.0", "tests/sub/test_sub.py")
    assert project.run("--update-golden").ret == 0
    project.write(KEEP, "tests/test_model.py")
    return project


def run(project, *arguments, apart=False):
    """Run pytest, in a process of its own where that matters; return its lines about orphans, and the record."""
    apart = apart or "-n2" in arguments
    result = (project.run_apart if apart else project.run)(*arguments)
    lines = [line for line in result.outlines if line.startswith("orphan ")]
    path = project.path / ".audioparity" / "run.json"
    record = read_run(path) if path.exists() else None
    assert record is None or len(record.orphans) == len(lines)
    return lines, record


@pytest.mark.parametrize(
    "arguments", [(), ("-n2",), (".",), ("tests",), ("tests", "-p", "no:cacheprovider"), ("-q",), ("--ff",)]
)
def test_a_full_run_names_orphans(model, arguments):
    """Without a filter, or with folders that contain every test file, the run is complete."""
    before = model.state()
    lines, record = run(model, *arguments)
    assert lines == [ORPHAN]
    assert record.complete
    assert [orphan.golden for orphan in record.orphans] == ["tests/test_model/test_gone"]
    assert model.state() == before


@pytest.mark.parametrize("failing", ["stages['mel'] = 2.0", "assert 0", "1 / 0"])
def test_failing_tests_do_not_hide_orphans(model, failing):
    """A test that fails owns its golden all the same, whether or not it reaches its stages."""
    model.write(KEEP.replace("stages['mel'] = 1.0", failing), "tests/test_model.py")
    assert run(model)[0] == [ORPHAN]


REASONS = [
    (("-k", "test"), "selected by -k"),
    (("-m", "not slow"), "selected by -m"),
    (("--deselect", "tests/test_model.py::test_fine"), "selected by --deselect"),
    (("--deselect", "tests/test_model.py::test_fine"), "1 tests were deselected"),
    (("--ignore", "tests/sub"), "selected by --ignore"),
    (("--ignore-glob", "*sub*"), "selected by --ignore-glob"),
    (("--lf",), "selected by --lf"),
    (("--sw",), "selected by --sw"),
    (("--noconftest",), "selected by --noconftest"),
    (("tests/sub",), "the paths given leave out tests/test_model.py"),
    (("tests/test_model.py",), "only part was asked for: tests/test_model.py"),
    (("tests/test_model.py", "tests/sub/test_sub.py"), "only part was asked for: tests/test_model.py"),
    (("tests/test_model.py::test_keep",), "only part was asked for: tests/test_model.py"),
    (("tests", "tests/test_model.py::test_keep"), "only part was asked for: tests/test_model.py"),
    (("--pyargs", "tests"), "names of packages were given (--pyargs)"),
    (("-o", "python_functions=test_k*"), "-o python_functions changes what is collected"),
    (("-o", "testpaths=tests/sub"), "-o testpaths changes what is collected"),
    (("-o", "norecursedirs=sub"), "-o norecursedirs changes what is collected"),
]


@pytest.mark.parametrize(("arguments", "reason"), REASONS)
def test_a_run_that_leaves_out_tests_names_no_orphans(model, arguments, reason):
    """Each way to ask for less is known and kept in the record."""
    check_partial(model, arguments, reason)


@pytest.mark.parametrize(("arguments", "reason"), [REASONS[0], REASONS[3], REASONS[4], REASONS[9], REASONS[12]])
def test_a_run_with_workers_that_leaves_out_tests_names_no_orphans(model, arguments, reason):
    """The process that started the workers knows what was asked for, the workers what was left out."""
    check_partial(model, (*arguments, "-n2"), reason)


def check_partial(model, arguments, reason):
    lines, record = run(model, *arguments)
    assert lines == []
    assert reason in record.partial
    assert not record.complete
    assert record.broken == ()


def test_a_filter_in_the_ini_file_counts_as_well(model):
    """What addopts leaves out is left out."""
    model.ini("addopts = -k test")
    assert run(model)[0] == []


@pytest.mark.parametrize(("where", "reason"), [("tests", None), ("tests/sub", "the paths given leave out *")])
@pytest.mark.parametrize("flags", WORKERS)
def test_a_run_started_in_a_folder_covers_that_folder(model, monkeypatch, where, reason, flags):
    """It is complete if every test file lies below."""
    monkeypatch.chdir(model.path / where)
    lines, record = run(model, *flags)
    assert (lines == [ORPHAN]) == (reason is None) == record.complete


@pytest.mark.parametrize("flags", WORKERS)
def test_testpaths_are_the_whole_project(model, flags):
    """What lies elsewhere was not collected, exists, and keeps its goldens."""
    model.write("def test_x(stages): stages['mel'] = 1.0", "elsewhere/test_x.py")
    model.run("--update-golden", "elsewhere")
    model.ini("testpaths = tests")
    assert run(model, *flags)[0] == [ORPHAN]
    assert run(model, "tests", *flags)[0] == [ORPHAN]
    assert run(model, "tests/sub", *flags)[0] == []


FILTERS = {
    "unsaid": "items[:] = items[1:]",
    "said": "config.hook.pytest_deselected(items=items[:1]); items[:] = items[1:]",
    "of other tests": "keep = [i for i in items if 'fine' not in i.name]\n"
    "    config.hook.pytest_deselected(items=[i for i in items if i not in keep])\n    items[:] = keep",
}


@pytest.mark.parametrize("flags", WORKERS)
@pytest.mark.parametrize("code", FILTERS.values(), ids=FILTERS)
def test_a_plugin_that_leaves_out_tests_makes_the_run_partial(model, flags, code):
    """pytest-split says so by its hook, pytest-shard says nothing."""
    (model.path / "conftest.py").write_text(f"def pytest_collection_modifyitems(config, items):\n    {code}\n")
    lines, record = run(model, *flags)
    assert lines == []
    assert record.partial


@pytest.mark.parametrize("flags", WORKERS)
def test_a_plugin_that_shuffles_tests_changes_nothing(model, flags):
    """Order is not a matter of completeness."""
    (model.path / "conftest.py").write_text("def pytest_collection_modifyitems(items): items.reverse()\n")
    assert run(model, *flags)[0] == [ORPHAN]


@pytest.mark.parametrize(
    ("source", "arguments", "reason"),
    [
        ("def test_b(): assert 0\ndef test_c(): pass", ("-x",), "stopp"),
        ("def test_b(): assert 0\ndef test_c(): pass", ("--maxfail=1",), "stopp"),
        ("def test_b(): raise KeyboardInterrupt", (), "interrupted"),
        ("def test_b(): raise KeyboardInterrupt", ("-n2",), "interrupted"),
        ("def test_b(): pytest.exit('enough', returncode=0)", (), "interrupted"),
        ("def test_b(request): request.session.shouldstop = 'enough'\ndef test_c(): pass", (), "enough"),
        ("def test_b(): assert 0\ndef test_c(): pass", ("-x", "-n2"), "interrupted"),
        ("import nowhere", ("-n2", "--continue-on-collection-errors"), "collection failed: tests/test_b.py"),
        ("import nowhere", (), "collection failed: tests/test_b.py"),
        ("import nowhere", ("--continue-on-collection-errors",), "collection failed: tests/test_b.py"),
        ("@parity(tol_bd=1)\ndef test_b(stages): pass", ("--continue-on-collection-errors",), "collection failed"),
    ],
)
def test_a_run_that_went_wrong_names_no_orphans(model, source, arguments, reason):
    """Stopped early, interrupted, or with a file that could not be collected: nothing is an orphan."""
    model.write(source, "tests/test_b.py")
    lines, record = run(model, *arguments, apart=reason == "interrupted")
    assert lines == []
    assert not record.complete
    assert any(reason in said for said in record.broken), record.reasons


def test_an_internal_error_names_no_orphans(model):
    """A plugin that breaks pytest leaves a record that says so."""
    (model.path / "conftest.py").write_text("def pytest_runtest_logfinish(nodeid): 1 / 0 if 'fine' in nodeid else 0\n")
    model._pytester.runpytest_subprocess()
    record = read_run(model.path / ".audioparity" / "run.json")
    assert "pytest had an internal error" in record.broken
    assert record.orphans == ()


def test_a_crashed_worker_names_no_orphans(model):
    """What the worker was to run is not known to have run."""
    model.write("def test_b(): import os; os._exit(3)", "tests/test_b.py")
    lines, record = run(model, "-n2")
    assert lines == []
    assert "a worker process crashed" in record.broken


@pytest.mark.parametrize(
    "start",
    ["pytest.importorskip('nowhere')", "pytest.skip('no', allow_module_level=True)", "raise unittest.SkipTest"],
)
@pytest.mark.parametrize("flags", WORKERS)
def test_a_module_that_is_skipped_keeps_its_goldens(model, start, flags):
    """The run is complete all the same."""
    model.write(f"{start}\ndef test_sub(stages): stages['mel'] = 1.0", "tests/sub/test_sub.py")
    lines, record = run(model, *flags)
    assert lines == [ORPHAN]
    assert record.uncollected == ("tests/sub/test_sub.py",)


@pytest.mark.parametrize("flags", WORKERS)
def test_a_file_that_the_project_ignores_keeps_its_goldens(model, flags):
    """It exists, so its tests are only not meant for here."""
    (model.path / "tests" / "conftest.py").write_text("collect_ignore_glob = ['*/test_sub.py']\n")
    assert run(model, *flags)[0] == [ORPHAN]


@pytest.mark.parametrize("mark", ["skip", "skipif(True, reason='no')", "xfail(run=False)", "xfail"])
def test_a_test_that_is_skipped_or_expected_to_fail_keeps_its_golden(model, mark):
    """It is collected, so it owns its golden."""
    model.write(f"@pytest.mark.{mark}\ndef test_sub(stages): assert 0", "tests/sub/test_sub.py")
    lines, record = run(model)
    assert lines == [ORPHAN]
    assert record.complete


@pytest.mark.parametrize("flags", WORKERS)
def test_a_port_keeps_the_golden_it_compares_with(model, flags):
    """The golden is in use though no collected test owns it."""
    source = "@parity(port=True, golden='tests/test_model/test_gone')\ndef test_port(stages): stages['mel'] = 1.0"
    model.write(source, "tests/test_port.py")
    assert run(model, *flags)[0] == []


@pytest.mark.parametrize("name", ["'tests/test_model/test_gone'", "f'tests/test_model/{what}'"])
@pytest.mark.parametrize("how", ["skipped", "ignored"])
def test_a_port_that_is_not_collected_keeps_the_golden_it_compares_with(model, name, how):
    """A port whose runtime this machine lacks may be the last to use a golden."""
    skip = "pytest.importorskip('nowhere')" if how == "skipped" else ""
    port = f"{skip}\nwhat = 'test_gone'\n@parity(port=True, golden={name})\ndef test_port(stages): pass"
    model.write(port, "tests/test_port.py")
    if how == "ignored":
        (model.path / "tests" / "conftest.py").write_text("collect_ignore = ['test_port.py']\n")
    lines, record = run(model)
    assert lines == []
    assert record.complete
    model.write("pytest.importorskip('nowhere')", "tests/test_port.py")
    assert run(model)[0] == [ORPHAN]


def test_a_golden_that_moved_to_another_name_stays(model):
    """The test that wrote the old one is there still, so the old one may be meant."""
    model.write(KEEP.replace("def test_keep", "@parity(golden='new')\ndef test_keep"), "tests/test_model.py")
    model.run("--update-golden")
    assert run(model)[0] == [ORPHAN]


@pytest.mark.parametrize("flags", WORKERS)
def test_the_last_test_of_a_file(model, flags):
    """A file with no tests left owns nothing; a file that is gone neither."""
    model.write("", "tests/sub/test_sub.py")
    assert len(run(model, *flags)[0]) == 2
    (model.path / "tests/sub/test_sub.py").unlink()
    assert len(run(model, *flags)[0]) == 2


@pytest.mark.parametrize("flags", WORKERS)
def test_a_golden_got_by_name_of_a_test_that_is_skipped_stays(model, flags):
    """Nobody can tell at collection that the test is one of ours, but its name is in the golden."""
    late = "def test_late(request):\n    {}\n    request.getfixturevalue('stages')['mel'] = 1.0"
    model.write(late.format("pass"), "tests/sub/test_sub.py")
    model.run("--update-golden")
    model.write(late.format("pytest.skip('not here')"), "tests/sub/test_sub.py")
    lines, _ = run(model, *flags)
    assert lines[0].startswith("orphan golden/tests/sub/test_sub/test_sub.safetensors")
    assert lines[1:] == [ORPHAN]


LATE = "def test_late(request): request.getfixturevalue('stages')['mel'] = 1.0\n"
DROPS = {
    "unsaid": "items[:] = [i for i in items if 'late' not in i.name]",
    "said": "config.hook.pytest_deselected(items=[i for i in items if 'late' in i.name])\n"
    "    items[:] = [i for i in items if 'late' not in i.name]",
}


@pytest.mark.parametrize("flags", WORKERS)
@pytest.mark.parametrize("code", DROPS.values(), ids=DROPS)
def test_a_test_that_gets_the_fixture_by_name_and_is_dropped_keeps_its_golden(model, flags, code):
    """Nobody can tell at collection that it is ours; every test that was collected is known by its name."""
    model.write(KEEP + LATE, "tests/test_model.py")
    model.run("--update-golden", "tests/test_model.py")
    assert run(model, *flags)[0] == [ORPHAN]
    (model.path / "conftest.py").write_text(f"def pytest_collection_modifyitems(config, items):\n    {code}\n")
    lines, record = run(model, *flags)
    assert (lines, record.complete) == ([], False)
    assert record.collected["tests/test_model.py"] == ("test_fine", "test_keep", "test_late")
    assert "test_late" not in str(record.seen)
    (reason,) = record.partial
    assert reason.startswith("1 tests were ")
    # Jobs that were cut like this make a whole in which it is known, too.
    (model.path / "conftest.py").unlink()
    other = job(model, "tests/sub")
    merged = merge({"cut": dataclasses.replace(record, commit=other.commit), "other": other}, model.path)
    assert "tests/test_model/test_late" not in [orphan.golden for orphan in merged.orphans]


@pytest.mark.parametrize("flags", WORKERS)
def test_parity_tests_that_get_the_fixture_by_name_alone_make_a_whole_run(model, flags):
    """Their names are known from the collection, whenever they turn out to be ours."""
    model.write(LATE, "tests/sub/test_sub.py")
    model.write(LATE.replace("_late", "_gone"), "tests/test_model.py")
    model.run("--update-golden")
    model.write("def test_x(): pass", "tests/test_model.py")
    lines, record = run(model, *flags)
    assert record.complete
    assert "tests/sub/test_sub/test_late" not in [orphan.golden for orphan in record.orphans]
    assert ORPHAN in lines


@pytest.mark.parametrize("flags", WORKERS)
def test_the_last_parity_test_of_a_project_leaves_orphans(project, flags):
    """A whole run without any parity test is recorded where there was a record; a part of one leaves that as it is."""
    project.write(KEEP, "tests/test_model.py")
    project.write("def test_x(): pass", "tests/test_other.py")
    project.run("--update-golden")
    before = read_run(project.path / ".audioparity" / "run.json")
    project.write("def test_x(): pass", "tests/test_model.py")
    for part in ("tests/test_other.py", "-kx", "--collect-only"):
        assert run(project, part, *flags)[1] == before
    lines, record = run(project, *flags)
    assert [line.partition(" (")[0] for line in lines] == ["orphan golden/tests/test_model/test_keep.safetensors"]
    assert record.complete
    assert record.id != before.id


def test_the_project_is_looked_through_only_when_a_golden_may_be_an_orphan(model, monkeypatch):
    """A folder of recordings beside the tests may hold a million files."""
    walked, walk = [], os.walk
    monkeypatch.setattr(os, "walk", lambda top, *rest, **more: walked.append(Path(top)) or walk(top, *rest, **more))
    assert run(model, "tests")[0] == [ORPHAN]
    assert model.path in walked
    model.golden("tests/test_model/test_gone").unlink()
    walked.clear()
    assert run(model, "tests")[1].complete
    assert set(walked) == {model.path / "golden"}


def test_a_golden_folder_that_is_a_link_out_of_the_project_is_left_alone(model, tmp_path_factory):
    """Two projects may share one by such a link; neither knows the tests of the other."""
    shared = tmp_path_factory.mktemp("shared") / "golden"
    (model.path / "golden").rename(shared)
    (model.path / "golden").symlink_to(shared)
    lines, record = run(model)
    assert lines == []
    assert any("outside the root directory" in reason for reason in record.partial)


def test_parameters_of_another_platform_keep_their_goldens(model, monkeypatch):
    """A test that is there for some platforms only is not gone on the others."""
    source = KEEP + "@pytest.mark.parametrize('device', ['cpu', 'mps'])\ndef test_on(stages, device): stages['m'] = 1.0"
    model.write(source, "tests/test_model.py")
    with monkeypatch.context() as patched:
        patched.setattr("platform.system", lambda: "Darwin")
        model.run("--update-golden", "-k", "mps")
    model.run("--update-golden")
    model.write(source.replace(", 'mps'", ""), "tests/test_model.py")
    assert run(model)[0] == [ORPHAN]
    model.write(KEEP, "tests/test_model.py")
    assert len(run(model)[0]) == 2
    (model.path / "tests" / "test_model.py").unlink()
    assert len(run(model)[0]) == 4


def test_a_golden_folder_outside_the_project_is_left_alone(model, tmp_path_factory):
    """Other projects may use it."""
    folder = tmp_path_factory.mktemp("goldens")
    model.write(KEEP + GONE, "tests/test_model.py")
    model.run("--update-golden", "--golden-dir", folder)
    model.write(KEEP, "tests/test_model.py")
    lines, record = run(model, f"--golden-dir={folder}")
    assert lines == []
    assert any("outside the root directory" in reason for reason in record.partial)


def test_many_orphans_are_cut_short(model):
    """A long list is shown with -v."""
    source = KEEP + "@pytest.mark.parametrize('i', range(20))\ndef test_many(stages, i): stages['mel'] = 1.0"
    model.write(source, "tests/test_model.py")
    model.run("--update-golden")
    model.write(KEEP, "tests/test_model.py")
    result = model.run()
    assert sum(line.startswith("orphan ") for line in result.outlines) == 10
    assert "... and 11 more like these (-v shows all)" in result.outlines
    assert sum(line.startswith("orphan ") for line in model.run("-v").outlines) == 21


# Jobs, each a run of its own, added up


SHARDS = {
    "by path": [["tests/sub"], ["tests/test_model.py"]],
    "by name": [["-k", "keep or fine"], ["-k", "sub"]],
    "by name, within a file": [["tests/test_model.py", "-k", "keep"], ["tests/sub"]],
    "by ignoring": [["--ignore=tests/sub"], ["tests/sub"]],
    "by mark": [["-m", "slow"], ["-m", "not slow"]],
    "by a plugin that says so": [["--shard=0", "--said"], ["--shard=1", "--said"]],
    "by a plugin that says nothing": [["--shard=0"], ["--shard=1"]],
    "by a plugin, with workers": [["--shard=0", "-n2"], ["--shard=1", "-n2"]],
}  # fmt: skip
PLUGIN = """
def pytest_addoption(parser):
    parser.addoption("--shard", type=int)
    parser.addoption("--said", action="store_true")
def pytest_collection_modifyitems(config, items):
    shard = config.getoption("--shard")
    if shard is None: return
    rest = items[1 - shard::2]
    items[:] = items[shard::2]
    if config.getoption("--said"): config.hook.pytest_deselected(items=rest)
"""


def job(project, *arguments):
    """Run one job and return its record as if it were that of a commit."""
    (project.run_apart if "-n2" in arguments else project.run)(*arguments)
    path = project.path / ".audioparity" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "commit": "0" * 40}))
    return read_run(path)


@pytest.mark.parametrize("shards", SHARDS.values(), ids=SHARDS)
def test_shards_add_up_to_the_project(model, shards):
    """However it is cut, the parts together name the orphan, and all but one of them do not."""
    (model.path / "conftest.py").write_text(PLUGIN)
    model.ini("markers = slow")
    model.write("@pytest.mark.slow\ndef test_sub(stages): stages['mel'] = 1.0", "tests/sub/test_sub.py")
    records = {str(number): job(model, *shard) for number, shard in enumerate(shards)}
    assert not any(record.complete for record in records.values())
    merged = merge(records, model.path)
    assert merged.reasons == ()
    assert merged.complete
    assert [orphan.golden for orphan in merged.orphans] == ["tests/test_model/test_gone"]
    assert [test["test"] for test in merged.tests] == [
        "tests/sub/test_sub.py::test_sub",
        "tests/test_model.py::test_keep",
    ]
    for name in records:
        rest = {other: record for other, record in records.items() if other != name}
        assert not merge(rest, model.path).complete, name


@pytest.mark.parametrize(
    "arguments",
    [
        ("tests/test_model.py::test_keep",),
        ("--lf", "tests/test_model.py"),
        ("-o", "python_functions=test_k*", "tests/test_model.py"),
    ],
)
def test_a_job_that_did_not_look_at_a_whole_file_does_not_cover_it(model, arguments):
    """What else the file holds is not known from such a job."""
    records = {"sub": job(model, "tests/sub"), "part": job(model, *arguments)}
    assert merge(records, model.path).reasons == ("no job collected tests/test_model.py",)
