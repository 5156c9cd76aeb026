"""--update-golden: what it writes, what it leaves alone, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from pytest_audioparity.golden.file import Golden, write_golden
from pytest_audioparity.records import StageMeta, StageTensor
from tests.plugin.sources import ONE


def provenance(path):
    with safe_open(path, "np") as file:
        return json.loads(file.metadata()["audioparity"])["provenance"]


def test_a_missing_golden_fails_with_the_command(project):
    """Without a golden the test fails, says how to make it, and writes nothing."""
    project.write(ONE.format(value=1.0))
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["golden golden/test_model/test_model.safetensors does not exist; create it with: pytest --update-golden*"]
    )
    result.stdout.fnmatch_lines("accept: pytest test_model.py::test_model --update-golden")
    assert project.goldens() == []


def test_an_update_creates_and_shows_it(project):
    """A created golden shows as U and updated, in the summary by path, and the exit code is 0."""
    project.write(ONE.format(value=1.0))
    result = project.run("--update-golden")
    assert result.ret == 0
    assert result.parseoutcomes() == {"updated": 1}
    result.stdout.fnmatch_lines(
        ["test_model.py U*", "*goldens*", "created golden/test_model/test_model.safetensors (*kB, 1 stage)"]
    )
    assert project.run().parseoutcomes() == {"passed": 1}


ON_LINUX = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells the file of a handle")


@ON_LINUX
@pytest.mark.parametrize("stored", [False, True])
def test_every_golden_is_flushed_and_their_folders_once_when_the_run_ends(project, monkeypatch, tmp_path, stored):
    """A power failure after the run loses no golden, and many goldens do not wait for their folder one by one."""
    if stored:
        project.ini(f"audioparity_golden_store = {tmp_path / 'store'}")
    many = "@pytest.mark.parametrize('n', range(3))\ndef test_n(stages, n): stages['mel'] = np.full(100, n + {})\n"
    for value, name in enumerate(("test_one.py", "test_two.py")):
        project.write(many.format(10 * value), name)
    files, folders = [], []

    def fsync(handle):
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if (path if path.is_dir() else path.parent) != project.path / ".audioparity":
            (folders if path.is_dir() else files).append(path)

    monkeypatch.setattr(os, "fsync", fsync)
    assert project.run("--update-golden").parseoutcomes() == {"updated": 6}
    golden = [project.path / "golden" / name for name in ("test_one", "test_two")]
    assert [sum(file.parent == folder for file in files) for folder in golden] == [3, 3]
    assert sorted(folders) == sorted({file.parent for file in files})
    assert (len(folders) > 2) == stored


@ON_LINUX
def test_folders_are_flushed_after_a_first_golden_that_could_not_be_written(project, monkeypatch, tmp_path):
    """Its tensors are in the cache by then, which must not pass for a run that flushes its folders already."""
    project.ini(f"audioparity_golden_store = {tmp_path / 'store'}")
    project.write("""
        from pathlib import Path
        def test_a(stages):
            stages["mel"] = np.ones(100)
            Path("golden/test_model").mkdir(parents=True)
            Path("golden/test_model/test_a.manifest.json").write_text("{}")
        def test_b(stages):
            stages["mel"] = np.zeros(100)
    """)
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(Path(f"/proc/self/fd/{handle}").readlink()))
    assert project.run("--update-golden").parseoutcomes() == {"errors": 1, "updated": 1}
    assert project.path / "golden" / "test_model" in flushed


def test_verbose_output_says_updated(project):
    """With -v the word is UPDATED."""
    project.write(ONE.format(value=1.0))
    project.run("-v", "--update-golden").stdout.fnmatch_lines("test_model.py::test_model UPDATED*")


def test_a_second_update_changes_nothing(golden):
    """Goldens that pass keep bytes and time, and the test shows as passed."""
    before = golden.state()
    result = golden.run("--update-golden")
    assert result.parseoutcomes() == {"passed": 1}
    result.stdout.no_fnmatch_line("*= goldens =*")
    assert golden.state() == before


def test_only_failing_goldens_are_rewritten(project):
    """Of two tests the one that differs is rewritten; the summary says by how much each stage changed."""
    source = "def test_{n}(stages): stages['mel'] = np.full(100, {value}); stages['x'] = 3.0\n"
    project.write(source.format(n="a", value=1.0) + source.format(n="b", value=1.0))
    project.run("--update-golden")
    before = project.state()
    project.write(source.format(n="a", value=1.0) + source.format(n="b", value=2.0))
    result = project.run("--update-golden")
    assert result.parseoutcomes() == {"passed": 1, "updated": 1}
    result.stdout.fnmatch_lines(["updated golden/test_model/test_b.safetensors*", "  mel: *6.02 dB*"])
    result.stdout.no_fnmatch_line("  x: *")
    after = project.state()
    assert {name for name in after if after[name] != before[name]} == {"golden/test_model/test_b.safetensors"}


@pytest.mark.parametrize("stored", [False, True])
def test_the_record_says_what_was_done_to_a_golden(project, tmp_path, stored):
    """Of a new one its stages are counted; of another each change is listed, and its size before and after."""
    if stored:
        project.ini(f"audioparity_golden_store = {tmp_path / 'store'}")
    changes = []
    for flag, value, more in (
        ("--update-golden", 1.0, "stages.settings(j=1); stages['x'] = np.ones(9);"),
        ("--golden-plan", 2.0, ""),
        ("--update-golden", 2.0, ""),
    ):
        project.write(f"def test_model(stages): {more} stages.settings(k={value}); stages['mel'] = np.full(9, {value})")
        project.run(flag)
        changes.append(project.record().tests[0]["change"])
    first, plan, last = changes
    assert first["size_bytes"] == plan["size_before"] == last["size_before"] > last["size_bytes"] > 72
    changed = [
        ["mel", "old -> new 6.02 dB"],
        ["x", "removed"],
        ["setting j", "removed"],
        ["setting k", "1.0 -> 2.0"],
    ]
    same = {"golden": "golden/test_model/test_model.safetensors", "to_push": stored}
    assert first == same | {
        "created": True, "planned": False, "size_bytes": first["size_bytes"], "size_before": None,
        "stages": [["x", "new"], ["mel", "new"]],
    }  # fmt: skip
    assert plan == same | {
        "created": False, "planned": True, "size_bytes": 72, "size_before": first["size_bytes"], "stages": changed,
    }  # fmt: skip
    assert last == plan | {"planned": False, "size_bytes": last["size_bytes"]}
    if not stored:
        assert Golden(project.golden()).settings == {"k": 2.0}


def test_paths_after_the_flag_are_paths(project):
    """`pytest --update-golden tests/a` updates the tests there only: the flag takes no value."""
    for folder in ("a", "b"):
        project.write(ONE.format(value=1.0), f"tests/{folder}/test_{folder}.py")
    assert project.run("--update-golden", "tests/a").parseoutcomes() == {"updated": 1}
    assert project.goldens() == ["golden/tests/a/test_a/test_model.safetensors"]


BROKEN = {
    "assertion after recording": ONE.replace("\n", "; assert 0\n"),
    "assertion before recording": "def test_model(stages): assert 0; stages['mel'] = np.full(100, {value})",
    "teardown": "@pytest.fixture\ndef f():\n    yield\n    assert 0\ndef test_model(f, stages): "
    "stages['mel'] = np.full(100, {value})",
    "outer teardown": "@pytest.fixture\ndef f(stages):\n    yield\n    assert 0\ndef test_model(f, stages): "
    "stages['mel'] = np.full(100, {value})",
    "module teardown": "@pytest.fixture(scope='module')\ndef f():\n    yield\n    assert 0\ndef test_model(f, stages): "
    "stages['mel'] = np.full(100, {value})",
    "setup": "@pytest.fixture\ndef f(stages):\n    stages['mel'] = np.full(100, {value})\n    assert 0\n"
    "def test_model(f): pass",
    "NaN": "def test_model(stages): stages['mel'] = np.full(100, np.nan * {value})",
    "NaN elsewhere": "def test_model(stages): stages['mel'] = np.full(100, {value}); stages['x'] = np.nan",
    "xfail": "@pytest.mark.xfail\n" + ONE,
    "xfail inside": ONE.replace("\n", "; pytest.xfail('x')\n"),
    "skip": "@pytest.mark.skip\n" + ONE,
    "skip inside": ONE.replace("\n", "; pytest.skip('x')\n"),
    "unittest": "class TestA(unittest.TestCase):\n    @pytest.fixture(autouse=True)\n"
    "    def _s(self, stages): self.s = stages\n"
    "    @pytest.mark.parity(golden='test_model/test_model')\n"
    "    def test_model(self):\n        self.s['mel'] = np.full(100, {value})\n        self.assertEqual(1, 2)",
    "unittest teardown": "class TestA(unittest.TestCase):\n    @pytest.fixture(autouse=True)\n"
    "    def _s(self, stages): self.s = stages\n    def tearDown(self): assert 0\n"
    "    @pytest.mark.parity(golden='test_model/test_model')\n"
    "    def test_model(self): self.s['mel'] = np.full(100, {value})",
    "no tolerance": "@parity(tol_db=None, tol_peak_db=None)\n" + ONE,
}  # fmt: skip


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("how", BROKEN)
def test_a_test_that_does_not_pass_otherwise_updates_nothing(project, how, existing):
    """Whatever keeps a test from passing beside its golden, in any phase, keeps the golden as it was."""
    if existing:
        project.write(ONE.format(value=1.0))
        assert project.run("--update-golden").ret == 0
    before = project.state()
    project.write(BROKEN[how].format(value=2.0))
    result = project.run("--update-golden")
    assert "updated" not in result.parseoutcomes()
    result.stdout.no_re_match_line("(created|updated) golden/")
    assert project.state() == before


@pytest.mark.parametrize(
    ("marks", "outcome"),
    [
        ("@pytest.mark.xfail(False, reason='')", "updated"),
        ("@pytest.mark.xfail(condition=False, reason='')", "updated"),
        ("@pytest.mark.xfail(False, False, reason='')", "updated"),
        ("@pytest.mark.xfail(False, True, reason='')", "xfailed"),
        ("@pytest.mark.xfail(condition=True, reason='')", "xfailed"),
        ("@pytest.mark.xfail(True, condition=False, reason='')", "updated"),
        ("@pytest.mark.xfail(False, condition=True, reason='')", "xfailed"),
        ("@pytest.mark.xfail(False, reason='')\n@pytest.mark.xfail", "xfailed"),
        ("@pytest.mark.xfail\n@pytest.mark.xfail(False, reason='')", "xfailed"),
    ],
)
def test_an_xfail_counts_where_its_condition_holds(golden, marks, outcome):
    """As pytest has it: without a condition always, otherwise where any of any mark holds; the keyword comes first."""
    before = golden.state()
    golden.write(marks + "\n" + ONE.format(value=2.0))
    assert golden.run("--update-golden").parseoutcomes() == {outcome: 1}
    assert (golden.state() == before) == (outcome == "xfailed")


def test_a_port_updates_nothing(golden):
    """A port that differs fails and says that it never writes."""
    before = golden.state()
    golden.write("@parity(port=True, golden='test_model/test_model')\n" + ONE.format(value=2.0), "test_port.py")
    result = golden.run("--update-golden", "test_port.py")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("not updated: this test is a port and never writes a golden")
    assert golden.state() == before


@pytest.mark.parametrize(
    "flags", [("-x",), ("--maxfail=1",), ("-k", "test_a"), ("--deselect", "test_model.py::test_b")]
)
def test_tests_that_did_not_run_update_nothing(project, flags):
    """Tests behind a stop or outside the selection keep their goldens."""
    project.write("""
    def test_a(stages): stages["x"] = 1.0
    def test_fails(): assert 0
    def test_b(stages): stages["x"] = 1.0
    """)
    project.run("--update-golden", *flags)
    assert project.goldens() == ["golden/test_model/test_a.safetensors"]


@pytest.mark.parametrize("where", ["call", "teardown", "setup"])
def test_an_interrupt_leaves_the_running_test_alone(project, where):
    """Ctrl-C in the middle keeps what was complete before and writes nothing of the interrupted test."""
    at = {where: "raise KeyboardInterrupt"}
    project.write(f"""
    def test_a(stages): stages["x"] = 1.0
    @pytest.fixture
    def f(stages):
        {at.get("setup", "pass")}
        yield
        {at.get("teardown", "pass")}
    def test_b(f, stages):
        stages["x"] = 1.0
        {at.get("call", "pass")}
    def test_c(stages): stages["x"] = 1.0
    """)
    assert project.run_apart("--update-golden").ret == pytest.ExitCode.INTERRUPTED
    assert project.goldens() == ["golden/test_model/test_a.safetensors"]


CHANGES = {
    "removed": ("stages['a'] = 1.0; stages['b'] = 1.0", "stages['a'] = 1.0", ["a"], "  b: removed"),
    "added": ("stages['a'] = 1.0", "stages['a'] = 1.0; stages['b'] = 1.0", ["a", "b"], "  b: added"),
    "added first": ("stages['a'] = 1.0", "stages['b'] = 1.0; stages['a'] = 1.0", ["b", "a"], "  b: added"),
    "reshaped": ("stages['a'] = np.ones(4)", "stages['a'] = np.ones((2, 2))", ["a"], "  a: 4 -> 2x2"),
    "recast": ("stages['a'] = np.ones(4)", "stages['a'] = np.ones(4, 'f')", ["a"], "  a: *"),
    "codes": ("stages['a'] = [1, 2]", "stages['a'] = [1, 3]", ["a"], "  a: *50.00 % of the codes*"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_structure_are_written_and_listed(project, change):
    """Stages that come, go, or change shape or type end up in the golden, and the summary says so."""
    old, new, names, line = CHANGES[change]
    project.write(f"def test_model(stages): {old}")
    project.run("--update-golden")
    project.write(f"def test_model(stages): {new}")
    project.run().assert_outcomes(failed=1)
    result = project.run("--update-golden")
    assert result.parseoutcomes() == {"updated": 1}
    result.stdout.fnmatch_lines([line])
    assert list(project.tensors()) == names
    assert project.run("--update-golden").parseoutcomes() == {"passed": 1}


def test_only_protects_what_it_leaves_out(project):
    """An update under `only` rewrites the stages inside and keeps the others as they were."""
    project.write("def test_model(stages): stages['mel'] = 1.0; stages['x'] = 1.0; stages['y'] = 1.0")
    project.run("--update-golden")
    project.write("@parity(only=['mel'])\ndef test_model(stages): stages['mel'] = 2.0; stages['x'] = 9.0")
    assert project.run("--update-golden").parseoutcomes() == {"updated": 1}
    assert {name: float(value) for name, value in project.tensors().items()} == {"mel": 2.0, "x": 1.0, "y": 1.0}


def test_passing_stages_do_not_drift(project):
    """In a rewritten golden a stage that passed keeps its old bytes, not the new ones within tolerance."""
    source = "@parity(tol_db=1)\ndef test_model(stages): stages['a'] = np.full(9, {a}); stages['b'] = np.full(9, {b})"
    project.write(source.format(a=1.0, b=1.0))
    project.run("--update-golden")
    for step in range(1, 4):
        project.write(source.format(a=1.0 + step / 100, b=10.0**step))
        assert project.run("--update-golden").parseoutcomes() == {"updated": 1}
    assert project.tensors()["a"][0] == 1.0
    assert project.tensors()["b"][0] == 1000.0


def test_the_reason_lands_in_the_provenance(project):
    """--golden-reason is stored with the test, and only in goldens that are written."""
    project.write(ONE.format(value=1.0))
    project.run("--update-golden", "--golden-reason", "first try")
    project.run("--update-golden", "--golden-reason", "nothing to do")
    stored = provenance(project.golden())
    assert stored["reason"] == "first try"
    assert stored["test"] == "test_model.py::test_model"
    assert stored["packages"]["numpy"] == np.__version__


def _flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _newer(path):
    data = path.read_bytes()
    path.write_bytes(data.replace(b'\\"format\\": 1', b'\\"format\\": 2').replace(b'\\"format\\":1', b'\\"format\\":2'))


def _unfetched(path):
    """Leave a link to what is kept elsewhere, as git-annex and DVC do."""
    path.unlink()
    path.symlink_to(path.with_name("kept-elsewhere"))


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 12345\n"
DAMAGE = {
    "altered": (_flip, "was altered: stage 'mel' does not have its hash"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-5]), "is truncated"),
    "empty": (lambda path: path.write_bytes(b""), "is truncated"),
    "garbage": (lambda path: path.write_bytes(b"\xff" * 1000), "is not a safetensors file"),
    "pointer": (lambda path: path.write_bytes(LFS), "is a Git LFS pointer, not the data; run: git lfs pull"),
    "newer format": (_newer, "has format 2, this version reads 1; install a newer pytest-audioparity"),
    "not fetched": (_unfetched, "is a link to a file that is not here; fetch it"),
    "folder": (
        lambda path: (path.unlink(), path.mkdir()),
        "golden golden/test_model/test_model.safetensors is not a regular file",
    ),
}


@pytest.mark.parametrize("flags", [(), ("--update-golden",), ("--update-golden-missing",)])
@pytest.mark.parametrize("damage", DAMAGE)
def test_an_unusable_golden_says_why_and_stays(golden, damage, flags):
    """Each kind of damage fails with its own message and way out; an update does not overwrite the evidence."""
    spoil, message = DAMAGE[damage]
    spoil(golden.golden())
    before = golden.state() if golden.golden().is_file() else None
    result = golden.run(*flags)
    result.assert_outcomes(failed=1)
    assert message in result.stdout.str()
    result.stdout.no_fnmatch_line("accept: *")
    assert before is None or golden.state() == before
    assert not golden.golden().is_symlink() or not golden.golden().exists()


@pytest.mark.parametrize("flags", [(), ("--update-golden",)])
def test_one_altered_stage_spoils_the_whole_golden(project, flags):
    """Alteration of a stage that would be kept is found before anything is written."""
    project.write("def test_model(stages): stages['a'] = 1.0; stages['z'] = 1.0")
    project.run("--update-golden")
    _flip(project.golden())
    before = project.state()
    project.write("@parity(only=['a'])\ndef test_model(stages): stages['a'] = 2.0")
    result = project.run(*flags)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "updated" not in result.parseoutcomes()
    assert project.state() == before


def test_a_golden_that_cannot_be_written_is_an_error(project):
    """When the file system refuses, the test has an error with the path, and is not shown as updated."""
    (project.path / "golden").write_text("a file where the folder should be")
    project.write(ONE.format(value=1.0))
    result = project.run("--update-golden")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "updated" not in result.parseoutcomes()
    assert result.parseoutcomes()["errors" if "errors" in result.parseoutcomes() else "failed"] == 1


def test_a_deleted_golden_comes_back_the_same(golden):
    """The same stages give the same file, apart from nothing: the run is the same."""
    data = golden.golden().read_bytes()
    shutil.rmtree(golden.path / "golden")
    golden.run("--update-golden")
    assert golden.golden().read_bytes() == data


def test_a_custom_golden_is_shared_between_files(project):
    """golden= moves the file, and the test in another file that owns it under that name reads the same one."""
    project.write("@parity(golden='shared/decoder')\n" + ONE.format(value=1.0), "test_a.py")
    project.run("--update-golden")
    assert project.goldens() == ["golden/shared/decoder.safetensors"]
    project.write("@parity(golden='shared/decoder', port=True)\n" + ONE.format(value=1.0), "tests/test_b.py")
    assert project.run().parseoutcomes() == {"passed": 2}


def test_a_golden_is_not_rewritten_when_a_stage_that_the_test_no_longer_records_was_altered(project):
    """The damage shows only when the missing stage is read at the end; an update must not make it disappear."""
    project.write("def test_model(stages):\n    stages['a'] = np.ones(9)\n    stages['b'] = np.full(9, 3.0)")
    assert project.run("--update-golden").ret == 0
    whole = project.golden().read_bytes()
    project.golden().write_bytes(whole.replace(np.float64(3.0).tobytes(), np.float64(4.0).tobytes(), 1))
    before = project.state()
    project.write("def test_model(stages): stages['a'] = np.ones(9) * 2")
    result = project.run("--update-golden")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*was altered: stage 'b' does not have its hash*")
    result.stdout.no_fnmatch_line("accept:*")
    assert project.state() == before


def test_a_golden_under_the_tests_own_name_may_be_anothers(project):
    """A test that names another's golden by golden= owns it, although the other is not in this run."""
    project.write("@parity(golden='test_b/test_y')\ndef test_x(stages): stages['x'] = 1.0\n", "test_a.py")
    project.write("def test_y(stages): stages['x'] = 2.0\n", "test_b.py")
    assert project.run("--update-golden", "test_a.py").parseoutcomes() == {"updated": 1}
    before = project.state()
    result = project.run("--update-golden", "test_b.py")
    assert result.parseoutcomes() == {"failed": 1}
    result.stdout.fnmatch_lines("not updated: its golden was written by test_a.py::test_x; *")
    assert project.state() == before


@pytest.mark.parametrize("provenance", [{}, {"test": "notes.txt"}, {"test": 5}])
def test_a_golden_under_the_tests_own_name_that_no_test_wrote_is_its_own(project, provenance):
    """Whatever it says of itself, such as the name of a file that is there."""
    (project.path / "notes.txt").write_text("mine")
    write_golden(project.golden(), [StageTensor(StageMeta("mel"), np.ones(100))], settings={}, provenance=provenance)
    project.write(ONE.format(value=2.0))
    assert project.run("--update-golden").parseoutcomes() == {"updated": 1}


def test_a_golden_that_was_moved_with_its_test_is_its_own(project):
    """The file of the test that wrote it is gone."""
    project.write(ONE.format(value=1.0), "test_old.py")
    project.run("--update-golden")
    (project.path / "test_old.py").unlink()
    project.golden("test_old/test_model").rename(project.path / "x")
    project.golden().parent.mkdir()
    (project.path / "x").rename(project.golden())
    project.write(ONE.format(value=2.0))
    assert project.run("--update-golden").parseoutcomes() == {"updated": 1}


DECLARED = """
from pytest_audioparity import parity

X = np.random.default_rng(0).uniform(-9, 0, (20, 30))

def test_model(stages):
    stages.record("mel", X{axes})
    stages.record("h", X)

@parity(golden="test_model/test_model", port=True)
def test_port(stages):
    stages.record("mel", X.T, axes="TC")
    stages.record("h", X)
"""


@pytest.mark.parametrize("said", ["axes='CT'", "axes='CT', frame_rate=86.13"])
def test_what_is_declared_later_is_written_although_the_stage_passes(project, said):
    """Ports inherit what a golden says; an update adds what it lacks, lists it, keeps the tensor, and does so once."""
    project.write(DECLARED.format(axes=""))
    project.run("--update-golden", "-k", "not port")
    before = project.golden().read_bytes()
    project.write(DECLARED.format(axes=f", {said}"))
    project.run("-k", "not port").assert_outcomes(passed=1)
    assert project.golden().read_bytes() == before
    planned = project.run("--golden-plan", "-k", "not port")
    assert planned.ret == pytest.ExitCode.TESTS_FAILED
    planned.stdout.fnmatch_lines([f"  mel: declared {said}"])
    assert project.golden().read_bytes() == before
    result = project.run("--update-golden", "-k", "not port")
    result.stdout.fnmatch_lines([f"  mel: declared {said}", "*1 updated*"])
    assert [stage.axes for stage in Golden(project.golden()).stages] == ["CT", None]
    assert project.all_pending() == []
    state = project.state()
    project.run("--update-golden").assert_outcomes(passed=2)
    assert project.state() == state


def test_what_is_no_longer_declared_is_listed(project):
    """Ports measured what it said; an update by a test that says less must not change that unseen."""
    project.write(DECLARED.format(axes=", kind='log_spectrum', unit='ln', axes='CT'"))
    project.run("--update-golden", "-k", "not port")
    project.write(DECLARED.format(axes=", axes='CT'").replace('"mel", X, ', '"mel", 2 * X, '))
    lines = ["  mel: old -> new * dB, no longer declared: kind='log_spectrum', unit='ln'"]
    project.run("--golden-plan", "-k", "not port").stdout.fnmatch_lines(lines)
    project.run("--update-golden", "-k", "not port").stdout.fnmatch_lines(lines)
    assert [(stage.kind, stage.axes) for stage in Golden(project.golden()).stages] == [
        ("tensor", "CT"),
        ("tensor", None),
    ]


def test_a_port_declares_nothing_for_the_golden(project):
    """What a port says of its own layout stays in the port, whatever is updated."""
    project.write(DECLARED.format(axes=""))
    project.run("--update-golden", "-k", "not port")
    state = project.state()
    project.write(DECLARED.format(axes="").replace('X.T, axes="TC"', 'X, axes="CT"'))
    project.run("--update-golden").assert_outcomes(passed=2)
    assert project.state() == state
