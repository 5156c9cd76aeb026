"""What is promised of goldens whatever happens around them: full disks, odd folders, a part of the tests, repetition.

Kills, interrupts and runs side by side are in `test_promises_kill`, damage and names in `test_promises_files`.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from pytest_audioparity.cli import main

TWO = """
def test_big(stages): stages["mel"] = np.full(100_000, {value}, "f")
def test_small(stages): stages["mel"] = np.full(100, {value}, "f")
"""
BIG, SMALL = "golden/test_model/test_big.safetensors", "golden/test_model/test_small.safetensors"


@pytest.fixture
def goldens(project):
    """Write a golden of 400 kB and one of less than a kB, and change the model."""
    project.change(TWO.format(value=1.0), TWO.format(value=2.0))
    return project


def problems(result):
    """Return the lines of a run that say what is wrong with a golden."""
    return {line for line in result.outlines if re.match("golden [^ ]*golden/[^ ]*safetensors ", line)}


FULL = """
import {modules}
@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart():
    {fault}
"""
WRITE = """
    class Full:
        def __init__(self, file): self.file, self.room = file, 20_000
        def __getattr__(self, name): return getattr(self.file, name)
        def __enter__(self): self.file.__enter__(); return self
        def __exit__(self, *error): return self.file.__exit__(*error)
        def write(self, data):
            self.room -= memoryview(data).nbytes
            if self.room < 0: raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return self.file.write(data)
    real = pathlib.Path.open
    def opened(path, mode="r", *arguments, **more):
        file = real(path, mode, *arguments, **more)
        return Full(file) if "x" in mode and "golden" in path.parts else file
    pathlib.Path.open = opened
"""
FLUSH = """
    def fsync(handle):
        if os.fstat(handle).st_size > 20_000: raise OSError(errno.{error}, os.strerror(errno.{error}))
    os.fsync = fsync
"""
NO_ROOM = {
    # A real refusal by the system, in the middle of a write. The soft limit is that of the test run's process only.
    "limit of a file's size": ("resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, -1))", "File too large"),
    "disk full while writing": (WRITE, "No space left on device"),
    "disk full while flushing": (FLUSH.format(error="ENOSPC"), "No space left on device"),
    "disk breaks while flushing": (FLUSH.format(error="EIO"), "Input/output error"),
}


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("how", NO_ROOM)
def test_a_disk_without_room_loses_nothing(goldens, how, exists):
    """The golden that does not fit stays as it was, in one line of explanation; the one that fits is written."""
    fault, message = NO_ROOM[how]
    (goldens.path / "conftest.py").write_text(
        FULL.format(modules="errno, os, pathlib, pytest, resource", fault=fault.strip())
    )
    if not exists:
        (goldens.path / BIG).unlink()
    before = goldens.state()
    result = goldens.run_apart("--update-golden")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert any(message in line and "nothing was changed" in line for line in problems(result)), result.outlines
    assert len(problems(result)) == 1
    after = goldens.state()
    assert after.get(BIG) == before.get(BIG)
    assert goldens.tensors("test_model/test_small")["mel"][0] == 2.0
    assert sorted(goldens.goldens()) == ([BIG] if exists else []) + [SMALL]
    assert not list((goldens.path / "golden").rglob(".*"))
    (goldens.path / "conftest.py").unlink()
    assert goldens.run("--update-golden").ret == 0
    assert goldens.tensors("test_model/test_big")["mel"][0] == 2.0


def _file_for_folder(folder):
    shutil.rmtree(folder)
    folder.write_text("mine")


def _loop(folder):
    shutil.rmtree(folder)
    folder.symlink_to(folder)


def _dangling(folder):
    shutil.rmtree(folder)
    folder.symlink_to(folder.parent / "nowhere" / "at" / "all")


# What holds for every user: root may write into folders that nobody may write into.
NO_FOLDER = {
    "a file in its place": (lambda golden: _file_for_folder(golden), ("Not a directory", "File exists")),
    "a file in a subfolder's place": (
        lambda golden: _file_for_folder(golden / "test_model"),
        ("Not a directory", "File exists"),
    ),
    "a link to itself": (_loop, ("Too many levels", "File exists", "loop")),
}


@pytest.mark.parametrize("flags", [(), ("--update-golden",)])
@pytest.mark.parametrize("how", NO_FOLDER)
def test_a_golden_folder_that_cannot_be_one_is_an_error_of_one_line(goldens, how, flags):
    """Both tests fail with the path and the reason, whether goldens are read or written."""
    spoil, messages = NO_FOLDER[how]
    spoil(goldens.path / "golden")
    result = goldens.run(*flags)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "updated" not in result.parseoutcomes()
    assert len(problems(result)) == 2, result.outlines
    assert not flags or all(any(message in line for message in messages) for line in problems(result))
    assert goldens.goldens() == []


def test_a_link_to_a_folder_that_does_not_exist_yet_is_written_through_or_refused(goldens):
    """A link that leads nowhere is no reason to lose the link, or to say that something was written."""
    folder = goldens.path / "golden"
    _dangling(folder)
    result = goldens.run("--update-golden")
    assert folder.is_symlink()
    written = (folder / "test_model" / "test_big.safetensors").exists()
    assert (result.ret == 0) == written
    assert written or len(problems(result)) == 2


def test_a_golden_folder_that_is_a_link_is_followed_and_stays_one(goldens):
    """Goldens are read and written where the link leads."""
    folder, elsewhere = goldens.path / "golden", goldens.path / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    assert goldens.run("--update-golden").parseoutcomes() == {"updated": 2}
    assert goldens.run().parseoutcomes() == {"passed": 2}
    assert folder.is_symlink()
    assert load_file(elsewhere / "test_model" / "test_big.safetensors")["mel"][0] == 2.0


def test_a_golden_folder_that_vanishes_during_a_test_is_said_and_not_filled_again(goldens):
    """What was compared with is not there any more: the update is refused, and the next one makes the golden."""
    source = """
    import shutil
    def test_model(stages):
        stages["mel"] = np.full(100, 2.0)
        shutil.rmtree("golden", ignore_errors=True)
    """
    goldens.write("def test_model(stages): stages['mel'] = np.ones(100)")
    assert goldens.run("--update-golden").ret == 0
    goldens.write(source)
    result = goldens.run("--update-golden")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [("changed" in line and "while this test ran" in line) for line in problems(result)] == [True]
    assert goldens.goldens() == []
    assert goldens.run("--update-golden").parseoutcomes() == {"updated": 1}
    assert goldens.tensors()["mel"][0] == 2.0


@pytest.mark.parametrize("content", [None, "mine.txt"])
@pytest.mark.parametrize("flags", [(), ("--update-golden",), ("--update-golden-missing",), ("--golden-plan",)])
def test_a_folder_in_the_place_of_a_golden_is_an_error_and_stays(goldens, content, flags):
    """Neither a comparison nor an update takes a folder for a golden, or removes it."""
    path = goldens.path / BIG
    path.unlink()
    path.mkdir()
    if content is not None:
        (path / content).write_text("mine")
    result = goldens.run(*flags, "-k", "big")
    assert result.parseoutcomes()["failed"] == 1
    assert len(problems(result)) == 1
    assert "is not a regular file" in problems(result).pop()
    assert path.is_dir()
    assert content is None or (path / content).read_text() == "mine"


# Writes what became of each test, in the process that ran it.
ACCOUNT = """
import json, os
from pathlib import Path
def pytest_runtest_logreport(report):
    if not hasattr(report, "node"):
        with Path(f"account-{os.getpid()}.jsonl").open("a") as file:
            print(json.dumps([report.nodeid.partition("::")[2], report.when, report.outcome]), file=file)
"""
MIXED = """
import os
from pathlib import Path
VALUE = float(os.environ["VALUE"])
DISTURBED = VALUE != 1
@pytest.fixture
def late():
    yield
    assert not DISTURBED
def first_time():
    path = Path("seen")
    first = DISTURBED and not path.exists()
    if first:
        path.touch()
    return first
def test_a(stages): stages["x"] = VALUE
def test_before(stages):
    assert not DISTURBED
    stages["x"] = VALUE
def test_b(stages): stages["x"] = VALUE
def test_after(stages):
    stages["x"] = VALUE
    assert not DISTURBED
def test_late(late, stages): stages["x"] = VALUE
def test_c(stages): stages["x"] = VALUE
@pytest.mark.xfail(DISTURBED, reason="expected")
def test_expected(stages): stages["x"] = VALUE
@pytest.mark.skipif(DISTURBED, reason="skipped")
def test_skipped(stages): stages["x"] = VALUE
def test_skips(stages):
    stages["x"] = VALUE
    if DISTURBED: pytest.skip("late")
def test_flaky(stages):
    stages["x"] = VALUE
    assert not first_time()
def test_d(stages): stages["x"] = VALUE
def test_crash(stages):
    stages["x"] = VALUE
    if os.environ.get("CRASH"): os._exit(3)
def test_stop(stages):
    stages["x"] = VALUE
    if os.environ.get("STOP"): raise KeyboardInterrupt
@pytest.mark.parametrize("n", range(6))
def test_e(stages, n): stages["x"] = VALUE
"""
SELECTIONS = {
    "all": ((), {}),
    "reruns": (("--reruns", "2"), {}),
    "x": (("-x",), {}),
    "maxfail": (("--maxfail=2",), {}),
    "k": (("-k", "test_a or test_after or test_d"), {}),
    "deselect": (("--deselect", "test_model.py::test_b", "--deselect", "test_model.py::test_e"), {}),
    "stepwise": (("--stepwise",), {}),
    "interrupt": ((), {"STOP": "1"}),
    "workers": (("-n4",), {}),
    "workers, x": (("-n4", "-x"), {}),
    "workers, crash": (("-n4",), {"CRASH": "1"}),
    "workers, crash, reruns": (("-n4", "--reruns", "1"), {"CRASH": "1"}),
}


def passed_tests(folder):
    """Return the tests whose last attempt passed in every phase."""
    attempts = {}
    for file in folder.glob("account-*.jsonl"):
        for line in file.read_text().splitlines():
            test, phase, outcome = json.loads(line)
            if phase == "setup":
                attempts[test] = []
            attempts[test].append(outcome)
    return {test for test, outcomes in attempts.items() if outcomes == ["passed"] * 3}


@pytest.mark.parametrize("how", SELECTIONS)
def test_the_goldens_of_tests_that_ran_and_passed_otherwise_change_and_no_other(project, monkeypatch, how):
    """Whatever ends or narrows a run: what did not run or did not pass keeps bytes and time."""
    flags, environment = SELECTIONS[how]
    monkeypatch.setenv("VALUE", "1.0")
    project.write(MIXED)
    assert project.run("--update-golden").parseoutcomes() == {"updated": 19}
    (project.path / "conftest.py").write_text(ACCOUNT)
    before = project.state()
    for name, value in {"VALUE": "2.0", **environment}.items():
        monkeypatch.setenv(name, value)
    result = project.run_apart("--update-golden", *flags)
    assert result.ret != 0 or how == "k"
    passed = passed_tests(project.path)
    assert passed, "a selection that runs nothing shows nothing"
    after = project.state()
    assert after.keys() == before.keys()
    names = {test.replace("[", "-").removesuffix("]") for test in passed}
    changed = {Path(path).stem for path in after if after[path] != before[path]}
    assert changed == names
    assert "test_flaky" not in changed or "reruns" in how
    for name in changed:
        assert project.tensors(f"test_model/{name}")["x"] == 2.0


def contents(project):
    return {name: content for name, (content, _) in project.state().items()}


@pytest.mark.parametrize("command", ["--update-golden", "--update-golden-missing", "--golden-plan"])
def test_a_command_that_is_repeated_changes_nothing_more(goldens, command):
    """Once or three times: the same goldens, the same that waits for review; and what is decided stays decided."""
    (goldens.path / SMALL).unlink()
    goldens.run(command)
    first = goldens.state(), goldens.all_pending()
    for _ in range(2):
        goldens.run(command)
        assert (goldens.state(), goldens.all_pending()) == first
    assert (command == "--golden-plan") == (len(first[1]) == 2)


@pytest.mark.parametrize("action", ["accept", "reject"])
def test_a_decision_that_is_repeated_changes_nothing_more(goldens, action, monkeypatch):
    """What waits is decided once; a second time there is nothing to do, which is no failure."""
    monkeypatch.chdir(goldens.path)
    before = goldens.state()
    goldens.run()
    assert main(["golden", action, "--yes"]) == 0
    first = goldens.state()
    assert (first == before) == (action == "reject")
    assert goldens.all_pending() == []
    assert main(["golden", action, "--yes"]) == 0
    assert goldens.state() == first
    goldens.run("--update-golden")
    assert goldens.tensors("test_model/test_big")["mel"][0] == 2.0


def test_an_update_and_an_acceptance_end_in_the_same_golden(goldens, monkeypatch):
    """Two ways to one end: the same bytes but for the provenance."""
    monkeypatch.chdir(goldens.path)
    old = contents(goldens)
    goldens.run()
    assert main(["golden", "accept", "--yes"]) == 0
    accepted = {name: load_file(goldens.path / name)["mel"].tobytes() for name in goldens.goldens()}
    for name, content in old.items():
        (goldens.path / name).write_bytes(content)
    goldens.run("--update-golden")
    assert accepted == {name: load_file(goldens.path / name)["mel"].tobytes() for name in goldens.goldens()}
