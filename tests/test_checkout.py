"""Whether a checkout has the tests that a run saw, with git and without."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from pytest_audioparity.checkout import changed_file, layouts_of
from pytest_audioparity.runs import RunRecord
from pytest_audioparity.testfiles import Layout

OLD, NOW, LATER = "2001-01-01T00:00:00+00:00", time.time(), "2999-01-01T00:00:00Z"
FILE = "tests/test_a.py"


def record(**fields):
    return RunRecord(**{"id": "1", "started": LATER, "collected": {FILE: ("test_x",)}, "layout": Layout(), **fields})


def git(root, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / FILE).touch()
    return tmp_path


@pytest.fixture
def repository(root):
    """Commit the test file, a golden and a module."""
    for name in ("x.safetensors", "code.py"):
        (root / name).touch()
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    return root


@pytest.mark.parametrize("started", [LATER, "2999-01-01T00:00:00", "2999-01-01"])
def test_tests_older_than_the_run_are_those_that_it_saw(root, started):
    """The usual case without git: nothing was written since."""
    assert changed_file(record(started=started), root) is None


@pytest.mark.parametrize("started", [OLD, "", "yesterday", "0001-01-01T00:00:00+23:00"])
@pytest.mark.parametrize("name", [FILE, "tests/test_new.py", "tests/conftest.py"])
def test_a_test_file_newer_than_the_run_is_named(root, started, name):
    """A file that the run collected, one that it cannot have, and what says with which parameters tests run."""
    for path in root.rglob("*.py"):
        path.unlink()
    (root / name).touch()
    assert changed_file(record(started=started), root) == name


def test_what_is_no_test_may_change(root):
    """The model is what one works on between two runs."""
    (root / "model.py").touch()
    os.utime(root / FILE, (1, 1))
    assert changed_file(record(started=OLD), root) is None


def test_an_old_file_that_was_moved_here_since_is_new(root):
    """Moving keeps the time of the last change."""
    os.utime(root / FILE, (1, 1))
    (root / FILE).rename(root / "tests" / "test_back.py")
    assert changed_file(record(started=OLD), root) == "tests/test_back.py"


def test_test_files_are_where_the_checkout_and_the_run_say(root):
    """Neither the options of the one nor of the other hide a file."""
    (root / "pytest.ini").write_text("[pytest]\ntestpaths = tests 'other tests'\npython_files = check_*.py\n")
    (root / "checks").mkdir()
    (root / "checks" / "prove_x.py").touch()
    run = record(started=OLD, collected={}, layout=Layout(testpaths=("checks",), python_files=("prove_*.py",)))
    own, said = layouts_of([run], root)
    assert (own.testpaths, own.python_files) == (("tests", "other tests"), ("check_*.py",))
    assert said == run.layout
    assert changed_file(run, root) == "checks/prove_x.py"
    (root / "tests" / "check_y.py").touch()
    os.utime(root / "checks" / "prove_x.py", (1, 1))
    assert changed_file(run, root) in ("tests/check_y.py", "checks/prove_x.py")


@pytest.mark.parametrize("text", ["[pytest]\ntestpaths = 'tests\n", "[pytest\n", "x"])
def test_options_that_cannot_be_read_leave_what_the_run_said(root, text):
    """A file that pytest would refuse."""
    (root / "pytest.ini").write_text(text)
    assert layouts_of([record()], root) == [Layout()]


def test_a_fresh_checkout_of_the_commit_has_the_tests_of_the_run(repository):
    """As in CI, where every file is younger than any job."""
    assert changed_file(record(started=OLD, commit=git(repository, "rev-parse", "HEAD")), repository) is None


@pytest.mark.parametrize("commit", [None, "1" * 40, "{head}+changes", "{head}+unknown", "--output=x", "HEAD"])
def test_a_checkout_of_another_commit_counts_by_its_times(repository, commit):
    """A commit that is unknown, or had changes, says nothing; it is never taken for an option of git."""
    commit = commit and commit.format(head=git(repository, "rev-parse", "HEAD"))
    assert changed_file(record(started=OLD, commit=commit), repository) == FILE
    assert changed_file(record(commit=commit), repository) is None
    assert not (repository / "x").exists()


def test_a_golden_may_differ_from_the_commit_and_nothing_else(repository):
    """A review changes goldens; a module may be what tests take their parameters from."""
    run = record(started=OLD, commit=git(repository, "rev-parse", "HEAD"))
    (repository / "x.safetensors").write_text("new")
    assert changed_file(run, repository) is None
    (repository / "code.py").write_text("new")
    assert changed_file(run, repository) == FILE


def test_a_test_that_git_does_not_track_counts_by_its_time(repository):
    """It can be new without a change that git tells."""
    run = record(started=OLD, commit=git(repository, "rev-parse", "HEAD"))
    (repository / "tests" / "test_new.py").touch()
    assert changed_file(run, repository) == "tests/test_new.py"


def test_a_root_within_a_repository(repository):
    """Paths of git are relative to the repository, ours to the root directory; a change beside it counts."""
    run = record(started=OLD, commit=git(repository, "rev-parse", "HEAD"), collected={"test_a.py": ()})
    assert changed_file(run, repository / "tests") is None
    (repository / "code.py").write_text("new")
    assert changed_file(run, repository / "tests") == "test_a.py"
