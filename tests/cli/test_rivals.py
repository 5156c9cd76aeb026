"""Two reviews of one project, and two tests of one golden: neither decides over the other's head."""

from __future__ import annotations

import errno
import threading

import pytest

from pytest_audioparity.project import find_project
from pytest_audioparity.review import decisions
from pytest_audioparity.review.decisions import disagreements
from pytest_audioparity.review.waiting import list_waiting

fcntl = pytest.importorskip("fcntl", reason="Windows has no such lock")

TEST, OTHER, THIRD = (f"tests/test_{letter}.py::test_{letter}" for letter in "mno")


@pytest.fixture
def lock(review):
    """The lock that a review of this project holds, held by another one."""
    folder = review.root / ".audioparity"
    folder.mkdir(exist_ok=True)
    with (folder / "review.lock").open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle


def test_a_review_that_never_ends_is_named_and_nothing_is_written(review, lock, monkeypatch):
    review.obtain(s_a=1)
    monkeypatch.setattr(decisions, "_LOCK_SECONDS", 0)
    status, _, err = review.run("golden", "accept")
    assert status == 1
    assert err == f"not accepted {TEST}: another review of this project is at work; end it first\n"
    assert not review.golden().exists()
    fcntl.flock(lock, fcntl.LOCK_UN)
    assert review.run("golden", "accept")[0] == 0


def test_a_review_waits_until_the_other_has_ended(review, lock):
    review.obtain(s_a=1)
    end = threading.Timer(0.1, fcntl.flock, (lock, fcntl.LOCK_UN))
    end.start()
    assert review.run("golden", "accept")[0] == 0
    end.join()
    assert review.values() == {"a": 1}


def test_a_file_system_without_locks_is_no_obstacle(review, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    review.obtain(s_a=1)
    monkeypatch.setattr(fcntl, "flock", refuse)
    assert review.run("golden", "accept")[0] == 0
    assert review.values() == {"a": 1}


def test_a_project_where_nothing_can_be_written_is_reviewed_without_a_lock(review):
    review.obtain(s_a=1)
    (review.root / ".audioparity" / "review.lock").mkdir()
    assert review.run("golden", "accept")[0] == 0
    assert review.values() == {"a": 1}


def test_tests_that_disagree_are_found_behind_one_that_has_its_golden_to_itself(review):
    review.obtain(TEST, s_a=1)
    review.obtain(OTHER, s_a=2, golden="shared/g")
    review.obtain(THIRD, s_a=3, golden="shared/g")
    assert "disagree on stage 'a'" in review.run("golden", "accept")[2]
    assert review.values() == {"a": 1}


def test_a_file_that_is_gone_meanwhile_disagrees_with_none(review):
    review.obtain(OTHER, s_a=2, golden="shared/g")
    review.obtain(THIRD, s_a=3, golden="shared/g")
    project = find_project(review.root)
    waiting, _ = list_waiting(project.workspace.pending, project)
    assert len(disagreements(waiting)) == 2
    waiting[0].path.unlink()
    assert disagreements(waiting) == {}
